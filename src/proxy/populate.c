/* SPDX-License-Identifier: MIT */
#include "proxy/populate.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/codec.h"

struct item {
    struct proxy_request request;
    size_t number; /* counted from 1 */
    const json_t *value;
};

static int read_item(const json_t *value, size_t number, struct item *out, struct err *err)
{
    struct proxy_request *r = &out->request;
    struct proxy_options options = {0};
    out->number = number;
    out->value = value;
    if (codec_read_proxy(value, r, err) < 0 || codec_read_options(value, &options, err) < 0)
        return -1;
    r->name = r->name ? r->name : "";
    r->listen = r->listen ? r->listen : "";
    r->upstream = r->upstream ? r->upstream : "";
    if (!r->enabled) {
        r->enabled_value = true;
        r->enabled = &r->enabled_value;
    }
    return 0;
}

struct toxic_list {
    struct toxic **items;
    size_t count;
};

static void toxic_list_deinit(struct toxic_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        toxic_free(list->items[i]);
    free(list->items);
}

static bool is_in_list(void *arg, const char *name)
{
    const struct toxic_list *list = arg;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i]->name, name) == 0)
            return true;
    return false;
}

static int bad_toxics(const struct item *item, size_t number, struct err *err)
{
    if (number > 0)
        err_prefix(err, "toxic %zu of proxy %zu (\"%s\")", number, item->number,
                   item->request.name);
    else
        err_prefix(err, "toxics of proxy %zu (\"%s\")", item->number, item->request.name);
    return -1;
}

/* All of an item's toxics. The caller deinits the list, also on failure. */
static int read_toxics(const struct item *item, struct toxic_list *out, struct err *err)
{
    const json_t *array = item->request.toxics;
    size_t i;
    json_t *value;
    *out = (struct toxic_list){0};
    if (!array || json_array_size(array) == 0) {
        if (!array || json_is_array(array))
            return 0;
        err_set(err, "bad request body: they must be an array");
        return bad_toxics(item, 0, err);
    }
    out->items = calloc(json_array_size(array), sizeof(*out->items));
    if (!out->items || json_array_size(array) > PROXY_TOXICS_MAX) {
        err_set(err, "too many, or out of memory");
        return bad_toxics(item, 0, err);
    }
    json_array_foreach(array, i, value)
    {
        int status;
        struct toxic *t = codec_make_toxic(value, is_in_list, out, &status, err);
        if (!t)
            return bad_toxics(item, i + 1, err);
        out->items[out->count++] = t;
    }
    return 0;
}

/* Whether every item of the body makes sense by itself. */
static int check_values(const struct populate *p, const struct item *item, struct err *err)
{
    const struct proxy_request *r = &item->request;
    const char *missing = !*r->name ? "name" : !*r->upstream ? "upstream" : NULL;
    if (missing)
        return err_set(err, "missing required field: %s at proxy %zu", missing, item->number);
    if (!p->toxics)
        return 0;
    struct toxic_list list;
    int rc = read_toxics(item, &list, err);
    toxic_list_deinit(&list);
    return rc;
}

int populate_check(struct populate *p, struct err *err)
{
    size_t i;
    json_t *value;
    if (!json_is_array(p->body) && !json_is_null(p->body)) {
        err_set(err, "bad request body: json: cannot unmarshal into Go value of type []struct");
        return 400;
    }
    json_array_foreach(p->body, i, value)
    {
        struct item item;
        if (read_item(value, i + 1, &item, err) < 0)
            return 400;
        names_want(p->names, item.request.listen);
    }
    /* Types are checked for all items before the values of any, as a decoder does. */
    json_array_foreach(p->body, i, value)
    {
        struct item item;
        if (read_item(value, i + 1, &item, err) < 0 || check_values(p, &item, err) < 0)
            return 400;
    }
    return 0;
}

static int add_toxics(const struct item *item, struct proxy *proxy, struct err *err)
{
    struct toxic_list list;
    int rc = read_toxics(item, &list, err);
    while (rc == 0 && list.count > 0) {
        struct toxic *first = list.items[0];
        if (proxy_toxic_add(proxy, first) < 0) {
            rc = err_set(err, "out of memory");
            break;
        }
        memmove(&list.items[0], &list.items[1], --list.count * sizeof(list.items[0]));
    }
    toxic_list_deinit(&list);
    return rc;
}

static int enable(const struct populate *p, const struct proxy_request *r, struct proxy *proxy,
                  struct err *err)
{
    struct address_list addresses;
    if (!r->enabled_value)
        return 0;
    if (names_find(p->names, r->listen, &addresses, err) < 0)
        return err_prefix(err, "listen tcp");
    return proxy_enable(proxy, &addresses, err);
}

/* Makes, starts and stores a proxy; an old one of its name gives way. */
static int replace(struct populate *p, const struct item *item, struct proxy *old,
                   struct proxy **out, struct err *err)
{
    const struct proxy_request *r = &item->request;
    struct proxy_options options = {0};
    if (old)
        proxy_disable(old);
    struct proxy *fresh = proxy_new(p->env, r->name, r->listen, r->upstream);
    if (!fresh)
        return err_set(err, "out of memory");
    int rc = codec_read_options(item->value, &options, err);
    proxy_set_options(fresh, &options);
    if (rc == 0 && p->toxics)
        rc = add_toxics(item, fresh, err);
    if (rc == 0)
        rc = enable(p, r, fresh, err);
    if (rc < 0) {
        proxy_free(fresh);
        return -1;
    }
    if (old)
        collection_remove(p->collection, old);
    if (collection_add(p->collection, fresh) < 0) {
        proxy_free(fresh);
        return err_set(err, "out of memory");
    }
    *out = fresh;
    return 0;
}

/* The proxy stays; options that the item names are no reason to touch its connections. */
static int keep(const struct item *item, struct proxy *proxy, struct err *err)
{
    struct proxy_options options = proxy->options;
    if (codec_read_options(item->value, &options, err) < 0)
        return -1;
    proxy_set_options(proxy, &options);
    return 0;
}

static int apply_item(struct populate *p, const struct item *item, struct err *err)
{
    const struct proxy_request *r = &item->request;
    struct address_list addresses;
    struct proxy *proxy = collection_find(p->collection, r->name);
    bool same = false;
    if (proxy) {
        if (names_find(p->names, r->listen, &addresses, err) < 0)
            return -1;
        same = !proxy_differs(proxy, r->listen, &addresses, r->upstream);
    }
    int rc = same ? keep(item, proxy, err) : replace(p, item, proxy, &proxy, err);
    if (rc < 0)
        return -1;
    if (p->count++ > 0)
        evbuffer_add(p->list, ",", 1);
    codec_put_proxy(p->list, proxy);
    return 0;
}

int populate_apply(struct populate *p, struct err *err)
{
    size_t i;
    json_t *value;
    json_array_foreach(p->body, i, value)
    {
        struct item item;
        if (read_item(value, i + 1, &item, err) < 0 || apply_item(p, &item, err) < 0)
            return 500;
    }
    return 0;
}
