/* SPDX-License-Identifier: MIT */
#include "proxy/populate.h"

#include <event2/buffer.h>

#include "proxy/codec.h"

static int read_item(const json_t *item, struct proxy_request *out, struct err *err)
{
    if (codec_read_proxy(item, out, err) < 0)
        return 400;
    out->name = out->name ? out->name : "";
    out->listen = out->listen ? out->listen : "";
    out->upstream = out->upstream ? out->upstream : "";
    if (!out->enabled) {
        out->enabled_value = true;
        out->enabled = &out->enabled_value;
    }
    return 0;
}

int populate_check(struct populate *p, struct err *err)
{
    size_t i;
    json_t *item;
    if (!json_is_array(p->body) && !json_is_null(p->body)) {
        err_set(err, "bad request body: json: cannot unmarshal into Go value of type []struct");
        return 400;
    }
    json_array_foreach((json_t *)p->body, i, item)
    {
        struct proxy_request r;
        if (read_item(item, &r, err) != 0)
            return 400;
        names_want(p->names, r.listen);
    }
    /* Types are checked for all items before the values of any, as a decoder does. */
    json_array_foreach((json_t *)p->body, i, item)
    {
        struct proxy_request r;
        (void)read_item(item, &r, NULL);
        const char *missing = !*r.name ? "name" : !*r.upstream ? "upstream" : NULL;
        if (missing) {
            err_set(err, "missing required field: %s at proxy %zu", missing, i + 1);
            return 400;
        }
    }
    return 0;
}

/* Makes, starts and stores a proxy; an old one of its name gives way. */
static int replace(struct populate *p, const struct proxy_request *r, struct proxy *old,
                   struct proxy **out, struct err *err)
{
    struct address_list addresses;
    if (old)
        proxy_disable(old);
    struct proxy *fresh = proxy_new(p->env, r->name, r->listen, r->upstream);
    if (!fresh)
        return err_set(err, "out of memory");
    if (r->enabled_value) {
        if (names_find(p->names, r->listen, &addresses, err) < 0) {
            proxy_free(fresh);
            return err_prefix(err, "listen tcp");
        }
        if (proxy_enable(fresh, &addresses, err) < 0) {
            proxy_free(fresh);
            return -1;
        }
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

static int apply_item(struct populate *p, const struct proxy_request *r, struct err *err)
{
    struct address_list addresses;
    struct proxy *proxy = collection_find(p->collection, r->name);
    bool keep = false;
    if (proxy) {
        if (names_find(p->names, r->listen, &addresses, err) < 0)
            return -1;
        keep = !proxy_differs(proxy, r->listen, &addresses, r->upstream);
    }
    if (!keep && replace(p, r, proxy, &proxy, err) < 0)
        return -1;
    if (p->count++ > 0)
        evbuffer_add(p->list, ",", 1);
    codec_put_proxy(p->list, proxy);
    return 0;
}

int populate_apply(struct populate *p, struct err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)p->body, i, item)
    {
        struct proxy_request r;
        (void)read_item(item, &r, NULL);
        if (apply_item(p, &r, err) < 0)
            return 500;
    }
    return 0;
}
