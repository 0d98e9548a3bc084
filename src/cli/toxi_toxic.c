/* SPDX-License-Identifier: MIT */
/* The commands that add, change and remove toxics. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "cli/toxi.h"
#include "cli/toxi_print.h"
#include "toxic/toxic.h"

/* The attributes of the command line, taken apart. */
struct attributes {
    struct apiclient_attribute items[TOXI_ATTRIBUTES_MAX];
    size_t count;
    char text[TOXI_ATTRIBUTE_BYTES_MAX]; /* what the items point into */
    size_t used;
};

/* Whether the whole text is a finite number. */
static bool read_number(const char *text, double *out)
{
    char *end;
    if (*text == '\0' || strchr(" \t\n\v\f\r", *text) != NULL)
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* A later value of the same name replaces the earlier one. */
static struct apiclient_attribute *place_for(struct attributes *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].name, name) == 0)
            return &a->items[i];
    return a->count < TOXI_ATTRIBUTES_MAX ? &a->items[a->count++] : NULL;
}

/* One "name=value" of `size` bytes. Returns 0, or -1 when there is no room. */
static int add_attribute(struct attributes *a, const char *pair, size_t size)
{
    if (size + 1 > sizeof a->text - a->used)
        return -1;
    char *name = a->text + a->used;
    memcpy(name, pair, size);
    name[size] = '\0';
    a->used += size + 1;
    char *value = strchr(name, '=');
    if (value == NULL) {
        fprintf(stderr, "Warning: attribute '%s' is ignored: it has no value, as in %s=100\n", name,
                name);
        return 0;
    }
    *value++ = '\0';
    struct apiclient_attribute *place = place_for(a, name);
    if (place == NULL)
        return -1;
    *place = (struct apiclient_attribute){.name = name};
    if (!read_number(value, &place->value))
        place->text = value;
    return 0;
}

static int read_list(struct attributes *a, const char *list)
{
    while (*list != '\0') {
        list += strspn(list, ", ");
        size_t size = strcspn(list, ",");
        const char *next = list + size;
        while (size > 0 && list[size - 1] == ' ')
            size--;
        if (size > 0 && add_attribute(a, list, size) != 0)
            return -1;
        list = next;
    }
    return 0;
}

/* What the three commands have in common: the proxy must be there. An exit code. */
static int check_proxy(struct toxi *t, const char *doing)
{
    struct apiclient_proxy proxy;
    struct err err;
    int result = apiclient_get(t->client, t->options.proxy, &proxy, &err);
    if (result == APICLIENT_OK)
        return TOXI_EXIT_OK;
    return toxi_fail_call(t, result, &err,
                          "Failed to %s toxic: failed to retrieve proxy with name `%s`", doing,
                          t->options.proxy);
}

static int need_proxy_name(const struct toxi *t)
{
    const char *name = t->options.proxy;
    return name != NULL && *name != '\0' ? TOXI_EXIT_OK
                                         : toxi_fail_usage(t, "Proxy name is missing.");
}

static int need_toxic_name(const struct toxi *t)
{
    return *t->options.toxic_name != '\0'
               ? TOXI_EXIT_OK
               : toxi_fail_usage(t, "Required argument 'toxicName' was empty.");
}

/* Fills toxicity (`absent` when it is not given) and attributes. An exit code. */
static int read_values(const struct toxi *t, double absent, struct attributes *a,
                       struct apiclient_toxic *out)
{
    const struct toxi_options *o = &t->options;
    a->count = 0;
    a->used = 0;
    out->toxicity = absent;
    if (*o->toxicity != '\0' &&
        (!read_number(o->toxicity, &out->toxicity) || out->toxicity < 0 || out->toxicity > 1))
        return toxi_fail(t, "toxicity should be a float between 0 and 1.");
    for (size_t i = 0; i < o->attributes.count; i++)
        if (read_list(a, o->attributes.items[i]) != 0)
            return toxi_fail(t, "Too many attributes: at most %d, %d bytes together.",
                             TOXI_ATTRIBUTES_MAX, TOXI_ATTRIBUTE_BYTES_MAX);
    out->attributes = a->items;
    out->attribute_count = a->count;
    return TOXI_EXIT_OK;
}

static bool has_attribute(const struct apiclient_toxic_view *toxic, const char *name)
{
    for (size_t i = 0; i < toxic->attribute_count; i++)
        if (strcasecmp(toxic->attributes[i].name, name) == 0)
            return true;
    return false;
}

/* Servers ignore what they do not know: a typo would look like a toxic without effect. */
static void warn_of_ignored(const struct attributes *sent, const struct apiclient_toxic_view *toxic)
{
    for (size_t i = 0; i < sent->count; i++) {
        const char *name = sent->items[i].name;
        if (has_attribute(toxic, name))
            continue;
        struct suggest near = suggest_start(name);
        for (size_t k = 0; k < toxic->attribute_count; k++)
            suggest_offer(&near, toxic->attributes[k].name);
        fprintf(stderr,
                "Warning: the server ignored attribute '%s': a %s toxic has none of that "
                "name",
                name, toxic->type);
        if (near.best != NULL)
            fprintf(stderr, "; did you mean '%s'?", near.best);
        fputc('\n', stderr);
    }
}

static void suggest_type(const char *type)
{
    size_t count;
    const struct toxic_ops *const *types = toxic_types(&count);
    struct suggest near = suggest_start(type);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&near, toxic_type_name(types[i]));
    if (near.best != NULL && near.distance > 0)
        fprintf(stderr, "Did you mean '%s'?\n", near.best);
}

static int send_toxic(struct toxi *t, const struct apiclient_toxic *toxic,
                      const struct attributes *sent)
{
    struct apiclient_toxic_view added;
    struct err err;
    int code = check_proxy(t, "add");
    if (code != TOXI_EXIT_OK)
        return code;
    int result = apiclient_toxic_add_view(t->client, t->options.proxy, toxic, &added, &err);
    if (result != APICLIENT_OK) {
        toxi_fail_call(t, result, &err,
                       "Failed to add toxic: failed to add toxic to proxy %s: AddToxic",
                       t->options.proxy);
        if (strstr(err.text, "invalid toxic type") != NULL)
            suggest_type(toxic->type);
        return TOXI_EXIT_FAILED;
    }
    printf("Added %s %s toxic '%s' on proxy '%s'\n", added.stream, added.type, added.name,
           t->options.proxy);
    warn_of_ignored(sent, &added);
    return TOXI_EXIT_OK;
}

int toxi_toxic_add(struct toxi *t)
{
    const struct toxi_options *o = &t->options;
    struct attributes sent;
    int code = need_proxy_name(t);
    if (code != TOXI_EXIT_OK)
        return code;
    if (*o->type == '\0')
        return toxi_fail_usage(t, "Required argument 'type' was empty.");
    if (o->upstream && o->downstream)
        return toxi_fail(t, "Only one should be specified: upstream or downstream.");
    struct apiclient_toxic toxic = {
        .name = *o->toxic_name != '\0' ? o->toxic_name : NULL,
        .type = o->type,
        .stream = o->upstream ? "upstream" : "downstream",
    };
    code = read_values(t, 1, &sent, &toxic);
    return code != TOXI_EXIT_OK ? code : send_toxic(t, &toxic, &sent);
}

int toxi_toxic_update(struct toxi *t)
{
    const struct toxi_options *o = &t->options;
    struct attributes sent;
    struct apiclient_toxic toxic = {.name = o->toxic_name};
    struct apiclient_toxic_view updated;
    struct err err;
    int code = need_proxy_name(t);
    if (code == TOXI_EXIT_OK)
        code = need_toxic_name(t);
    /* A negative toxicity is not sent: the toxic keeps the one it has. */
    if (code == TOXI_EXIT_OK)
        code = read_values(t, -1, &sent, &toxic);
    if (code == TOXI_EXIT_OK)
        code = check_proxy(t, "update");
    if (code != TOXI_EXIT_OK)
        return code;
    int result = apiclient_toxic_update_view(t->client, o->proxy, &toxic, &updated, &err);
    if (result != APICLIENT_OK)
        return toxi_fail_call(t, result, &err,
                              "Failed to update toxic: failed to update toxic '%s' of proxy '%s'",
                              o->toxic_name, o->proxy);
    printf("Updated toxic '%s' on proxy '%s'\n", updated.name, o->proxy);
    warn_of_ignored(&sent, &updated);
    return TOXI_EXIT_OK;
}

int toxi_toxic_remove(struct toxi *t)
{
    const struct toxi_options *o = &t->options;
    struct err err;
    int code = need_proxy_name(t);
    if (code == TOXI_EXIT_OK)
        code = need_toxic_name(t);
    if (code == TOXI_EXIT_OK)
        code = check_proxy(t, "remove");
    if (code != TOXI_EXIT_OK)
        return code;
    int result = apiclient_toxic_remove(t->client, o->proxy, o->toxic_name, &err);
    if (result != APICLIENT_OK)
        return toxi_fail_call(t, result, &err,
                              "Failed to remove toxic: failed to remove toxic '%s' from proxy '%s'",
                              o->toxic_name, o->proxy);
    printf("Removed toxic '%s' on proxy '%s'\n", o->toxic_name, o->proxy);
    return TOXI_EXIT_OK;
}
