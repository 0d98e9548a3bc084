/* SPDX-License-Identifier: MIT */
/* The commands that show and change proxies. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/toxi.h"
#include "cli/toxi_print.h"

/* What the first answer has room for; a longer one is asked for once more with room for all. */
#define PROXIES_FIRST 256
#define TOXICS_FIRST 32
/* How often a list may grow between two answers before we give up. */
#define LIST_TRIES 4

enum { COLUMNS = 4 };

struct proxy_table {
    struct apiclient_proxy *items;
    size_t count;
};

/* -1: out of memory. Otherwise an apiclient_result in *result; free items in any case. */
static int get_proxies(struct toxi *t, struct proxy_table *out, int *result, struct err *err)
{
    size_t room = PROXIES_FIRST;
    size_t count = 0;
    out->items = NULL;
    for (int i = 0; i < LIST_TRIES; i++) {
        free(out->items);
        out->items = calloc(room, sizeof out->items[0]);
        if (out->items == NULL) {
            err_set(err, "out of memory");
            return -1;
        }
        *result = apiclient_list(t->client, out->items, room, &count, err);
        out->count = count < room ? count : room;
        if (*result != APICLIENT_OK || count <= room)
            return 0;
        room = count;
    }
    return 0;
}

static void print_proxy_line(const struct apiclient_proxy *p)
{
    printf("%s\t%s\t%s\t%s\t%zu\n", p->name, p->listen, p->upstream, toxi_enabled_text(p->enabled),
           p->toxic_count);
}

static void print_proxy_row(const struct toxi *t, const struct apiclient_proxy *p,
                            const size_t width[static COLUMNS])
{
    char toxics[32] = "None";
    if (p->toxic_count > 0)
        snprintf(toxics, sizeof toxics, "%zu", p->toxic_count);
    toxi_print_cell(t, toxi_enabled_color(p->enabled), p->name, width[0]);
    toxi_print_cell(t, TOXI_BLUE, p->listen, width[1]);
    toxi_print_cell(t, TOXI_YELLOW, p->upstream, width[2]);
    toxi_print_cell(t, TOXI_PURPLE, toxi_enabled_text(p->enabled), width[3]);
    toxi_print_text(t, TOXI_RED, toxics);
    putchar('\n');
}

static void widen(size_t *width, const char *text)
{
    size_t n = toxi_print_width(text) + 2;
    if (n > *width)
        *width = n;
}

static void print_proxy_table(const struct toxi *t, const struct proxy_table *table)
{
    size_t width[COLUMNS] = {0};
    widen(&width[0], "Name");
    widen(&width[1], "Listen");
    widen(&width[2], "Upstream");
    widen(&width[3], "disabled");
    for (size_t i = 0; i < table->count; i++) {
        widen(&width[0], table->items[i].name);
        widen(&width[1], table->items[i].listen);
        widen(&width[2], table->items[i].upstream);
    }
    toxi_print_cell(t, TOXI_GREEN, "Name", width[0]);
    toxi_print_cell(t, TOXI_BLUE, "Listen", width[1]);
    toxi_print_cell(t, TOXI_YELLOW, "Upstream", width[2]);
    toxi_print_cell(t, TOXI_PURPLE, "Enabled", width[3]);
    toxi_print_text(t, TOXI_RED, "Toxics");
    putchar('\n');
    toxi_print_rule(width[0] + width[1] + width[2] + width[3] + strlen("Toxics"));
    for (size_t i = 0; i < table->count; i++)
        print_proxy_row(t, &table->items[i], width);
    if (table->count == 0) {
        toxi_print_text(t, TOXI_RED, "no proxies");
        putchar('\n');
        toxi_print_hint(t, "create a proxy with `%s create -l LISTEN -u UPSTREAM NAME`");
        return;
    }
    toxi_print_hint(t, "inspect toxics with `%s inspect NAME`");
}

int toxi_list(struct toxi *t)
{
    struct proxy_table table;
    struct err err;
    int result = APICLIENT_REFUSED;
    int code = TOXI_EXIT_OK;
    if (get_proxies(t, &table, &result, &err) != 0 || result != APICLIENT_OK)
        code = toxi_fail_call(t, result, &err, "Failed to retrieve proxies");
    else if (t->table)
        print_proxy_table(t, &table);
    else
        for (size_t i = 0; i < table.count; i++)
            print_proxy_line(&table.items[i]);
    free(table.items);
    return code;
}

/* The proxy that the command is about. An exit code. */
static int get_proxy(struct toxi *t, struct apiclient_proxy *out)
{
    struct err err;
    const char *name = t->options.proxy;
    if (name == NULL || *name == '\0')
        return toxi_fail_usage(t, "Proxy name is required as the first argument.");
    int result = apiclient_get(t->client, name, out, &err);
    if (result != APICLIENT_OK)
        return toxi_fail_call(t, result, &err, "Failed to retrieve proxy %s", name);
    return TOXI_EXIT_OK;
}

struct toxic_list {
    struct apiclient_toxic_view *items;
    size_t count;
};

/* As get_proxies(). */
static int get_toxics(struct toxi *t, struct toxic_list *out, int *result, struct err *err)
{
    size_t room = TOXICS_FIRST;
    size_t count = 0;
    out->items = NULL;
    for (int i = 0; i < LIST_TRIES; i++) {
        free(out->items);
        out->items = calloc(room, sizeof out->items[0]);
        if (out->items == NULL) {
            err_set(err, "out of memory");
            return -1;
        }
        *result = apiclient_toxics(t->client, t->options.proxy, out->items, room, &count, err);
        out->count = count < room ? count : room;
        if (*result != APICLIENT_OK || count <= room)
            return 0;
        room = count;
    }
    return 0;
}

/* Toxics of one direction, which for Toxiproxy is "upstream" in any case, and all others. */
static void print_stream(const struct toxi *t, const struct toxic_list *list, bool upstream)
{
    const char *word = upstream ? "upstream" : "downstream";
    size_t printed = 0;
    toxi_print_text(t, TOXI_GREEN, upstream ? "Upstream toxics:" : "Downstream toxics:");
    putchar('\n');
    for (size_t i = 0; i < list->count; i++) {
        if ((strcasecmp(list->items[i].stream, "upstream") == 0) != upstream)
            continue;
        toxi_print_toxic(t, &list->items[i]);
        printed++;
    }
    if (printed > 0)
        return;
    char text[64];
    snprintf(text, sizeof text, "Proxy has no %s toxics enabled.", word);
    toxi_print_text(t, TOXI_RED, text);
    putchar('\n');
}

static void print_heading(const struct toxi *t, const struct apiclient_proxy *p)
{
    static const struct {
        enum toxi_color color;
        const char *label;
    } fields[] = {{TOXI_PURPLE, "Name: "}, {TOXI_BLUE, "Listen: "}, {TOXI_YELLOW, "Upstream: "}};
    const char *values[] = {p->name, p->listen, p->upstream};
    size_t width = 0;
    for (size_t i = 0; i < 3; i++) {
        toxi_print_text(t, fields[i].color, fields[i].label);
        toxi_print_cell(t, TOXI_PLAIN, values[i], i < 2 ? toxi_print_width(values[i]) + 2 : 0);
        width += strlen(fields[i].label) + toxi_print_width(values[i]) + (i < 2 ? 2 : 0);
    }
    putchar('\n');
    toxi_print_rule(width);
}

static void print_inspection(const struct toxi *t, const struct apiclient_proxy *p,
                             const struct toxic_list *list)
{
    print_heading(t, p);
    if (list->count == 0) {
        toxi_print_text(t, TOXI_RED, "Proxy has no toxics enabled.");
        putchar('\n');
    } else {
        print_stream(t, list, true);
        putchar('\n');
        print_stream(t, list, false);
    }
    toxi_print_hint(t, "add a toxic with `%s toxic add -t TYPE -a KEY=VALUE NAME`");
}

int toxi_inspect(struct toxi *t)
{
    struct apiclient_proxy proxy = {.enabled = false};
    struct toxic_list list;
    struct err err;
    int result = APICLIENT_REFUSED;
    int code = get_proxy(t, &proxy);
    if (code != TOXI_EXIT_OK)
        return code;
    if (get_toxics(t, &list, &result, &err) != 0 || result != APICLIENT_OK)
        code = toxi_fail_call(t, result, &err, "Failed to retrieve proxy %s", t->options.proxy);
    else if (t->table)
        print_inspection(t, &proxy, &list);
    else
        for (size_t i = 0; i < list.count; i++)
            toxi_print_toxic(t, &list.items[i]);
    free(list.items);
    return code;
}

int toxi_create(struct toxi *t)
{
    const struct toxi_options *o = &t->options;
    struct err err;
    if (o->proxy == NULL || *o->proxy == '\0')
        return toxi_fail_usage(t, "Proxy name is required as the first argument.");
    if (*o->listen == '\0')
        return toxi_fail_usage(t, "Required argument 'listen' was empty.");
    if (*o->upstream_address == '\0')
        return toxi_fail_usage(t, "Required argument 'upstream' was empty.");
    int result = apiclient_create(t->client, o->proxy, o->listen, o->upstream_address, NULL, &err);
    if (result != APICLIENT_OK)
        return toxi_fail_call(t, result, &err, "Failed to create proxy: create");
    printf("Created new proxy %s\n", o->proxy);
    return TOXI_EXIT_OK;
}

int toxi_toggle(struct toxi *t)
{
    struct apiclient_proxy proxy = {.enabled = false};
    struct err err;
    int code = get_proxy(t, &proxy);
    if (code != TOXI_EXIT_OK)
        return code;
    bool enabled = !proxy.enabled;
    int result = apiclient_set_enabled(t->client, t->options.proxy, enabled, &err);
    if (result != APICLIENT_OK)
        return toxi_fail_call(t, result, &err, "Failed to toggle proxy %s", t->options.proxy);
    fputs("Proxy ", stdout);
    toxi_print_text(t, toxi_enabled_color(enabled), t->options.proxy);
    fputs(" is now ", stdout);
    toxi_print_text(t, toxi_enabled_color(enabled), toxi_enabled_text(enabled));
    putchar('\n');
    return TOXI_EXIT_OK;
}

int toxi_delete(struct toxi *t)
{
    struct apiclient_proxy proxy = {.enabled = false};
    struct err err;
    int code = get_proxy(t, &proxy);
    if (code != TOXI_EXIT_OK)
        return code;
    int result = apiclient_delete(t->client, t->options.proxy, &err);
    if (result != APICLIENT_OK)
        return toxi_fail_call(t, result, &err, "Failed to delete proxy: Delete");
    printf("Deleted proxy %s\n", t->options.proxy);
    return TOXI_EXIT_OK;
}

static void print_toxic_stats(const struct apiclient_toxic_stats *s)
{
    printf("toxic\t%s\ttype=%s\tstream=%s\tconnections=%" PRIu64 "\tchunks=%" PRIu64
           "\tbytes=%" PRIu64 "\tbytes_dropped=%" PRIu64 "\tdelay_ms=%" PRIu64 "\tcloses=%" PRIu64
           "\tresets=%" PRIu64 "\n",
           s->name, s->type, s->stream, s->connections, s->chunks, s->bytes, s->bytes_dropped,
           s->delay_ms, s->closes, s->resets);
}

static void print_stats(const struct toxi *t, const struct apiclient_stats *s)
{
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"connections_open", s->connections_open},
        {"connections_accepted", s->connections_accepted},
        {"connections_cut", s->connections_cut},
        {"dial_failures", s->dial_failures},
        {"accept_failures", s->accept_failures},
        {"upstream_received_bytes", s->upstream_bytes},
        {"downstream_received_bytes", s->downstream_bytes},
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        if (t->table)
            toxi_print_cell(t, TOXI_BLUE, counters[i].name, 28);
        else
            printf("%s\t", counters[i].name);
        printf("%" PRIu64 "\n", counters[i].value);
    }
    for (size_t i = 0; i < s->toxic_count; i++)
        print_toxic_stats(&s->toxics[i]);
}

int toxi_stats(struct toxi *t)
{
    struct apiclient_proxy proxy = {.enabled = false};
    struct apiclient_stats *stats = calloc(1, sizeof *stats);
    struct err err;
    if (stats == NULL)
        return toxi_fail(t, "out of memory");
    int code = get_proxy(t, &proxy);
    int result = code != TOXI_EXIT_OK ? APICLIENT_OK
                                      : apiclient_stats(t->client, t->options.proxy, stats, &err);
    if (result == APICLIENT_NOT_FOUND)
        code = toxi_fail(t, "The server at %s has no counters; memchaos proxy has.",
                         apiclient_url(t->client));
    else if (result != APICLIENT_OK)
        code = toxi_fail_call(t, result, &err, "Failed to retrieve counters of proxy %s",
                              t->options.proxy);
    if (code == TOXI_EXIT_OK)
        print_stats(t, stats);
    free(stats);
    return code;
}
