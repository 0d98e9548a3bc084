/* SPDX-License-Identifier: MIT */
#include "driver/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

/* ---- what we say ---- */

void wire_out_deinit(struct wire_out *out)
{
    free(out->data);
    *out = (struct wire_out){0};
}

static char *out_room(struct wire_out *out, size_t size)
{
    if (out->cap - out->size < size && !out->failed) {
        size_t cap = out->cap > 0 ? out->cap : 512;
        while (cap - out->size < size)
            cap *= 2;
        char *grown = realloc(out->data, cap);
        out->failed = grown == NULL;
        if (grown != NULL) {
            out->data = grown;
            out->cap = cap;
        }
    }
    return out->failed ? NULL : out->data + out->size;
}

void wire_out_add(struct wire_out *out, const void *data, size_t size)
{
    char *room = out_room(out, size);
    if (room == NULL || size == 0)
        return;
    memcpy(room, data, size);
    out->size += size;
}

static void add_text(struct wire_out *out, const char *text)
{
    wire_out_add(out, text, strlen(text));
}

static void add_format(struct wire_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For short texts only. */
static void add_format(struct wire_out *out, const char *format, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof text);
    add_text(out, text);
}

/* Keys and names are text of ours; a byte that is not ASCII is taken for Latin-1, so that the line
 * stays JSON whatever it is. */
static void add_string(struct wire_out *out, const char *text, size_t size)
{
    add_text(out, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x7f)
            add_format(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            add_format(out, "\\%c", c);
        else
            wire_out_add(out, &c, 1);
    }
    add_text(out, "\"");
}

static void add_value(struct wire_out *out, const void *value, size_t size)
{
    add_text(out, ",\"value\":\"");
    size_t length = base64_length(size);
    char *room = out_room(out, length);
    if (room != NULL) {
        base64_encode(room, value, size);
        out->size += length;
    }
    add_text(out, "\"");
}

static void add_strings(struct wire_out *out, const char *name, const char *const *list,
                        size_t count)
{
    add_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        add_text(out, i > 0 ? "," : "");
        add_string(out, list[i], strlen(list[i]));
    }
    add_text(out, "]");
}

static int64_t ms_up(ns_t ns)
{
    return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

void wire_hello(struct wire_out *out, const struct driver_config *config, unsigned process)
{
    add_format(out, "{\"op\":\"hello\",\"protocol\":%d,\"process\":%u,\"workers\":%u",
               WIRE_PROTOCOL, process, config->workers);
    add_strings(out, "servers", config->servers, config->server_count);
    add_strings(out, "names", config->names, config->server_count);
    add_format(out, ",\"timeout_ms\":%" PRId64 ",\"connect_timeout_ms\":%" PRId64,
               ms_up(config->timeout_ns), ms_up(config->connect_timeout_ns));
    add_format(out, ",\"idle_max_ms\":%" PRId64 ",\"lifetime_max_ms\":%" PRId64,
               ms_up(config->idle_max_ns), ms_up(config->lifetime_max_ns));
    add_format(out, ",\"health_period_ms\":%" PRId64 ",\"pool_max\":%u,\"seed\":%" PRIu64 "}\n",
               ms_up(config->health_period_ns), config->pool_max,
               config->seed & ((UINT64_C(1) << 53) - 1));
}

static void add_items(struct wire_out *out, const struct wire_call *call)
{
    add_text(out, ",\"items\":[");
    for (size_t i = 0; i < call->count; i++) {
        add_text(out, i > 0 ? ",{\"key\":" : "{\"key\":");
        add_string(out, call->items[i].key, call->items[i].key_size);
        if (call->op == OP_MULTI_SET) {
            add_format(out, ",\"ttl_s\":%" PRIu32, call->items[i].ttl_s);
            add_value(out, call->items[i].value, call->items[i].value_size);
        }
        add_text(out, "}");
    }
    add_text(out, "]");
}

void wire_call(struct wire_out *out, const struct wire_call *call)
{
    add_format(out, "{\"op\":\"%s\",\"id\":%" PRIu64 ",\"worker\":%u,\"timeout_ms\":%" PRId64,
               op_name(call->op), call->id, call->worker, ms_up(call->timeout_ns));
    if (call->items != NULL) {
        add_items(out, call);
    } else {
        add_text(out, ",\"key\":");
        add_string(out, call->key, call->key_size);
    }
    if (call->op == OP_INCREMENT)
        add_format(out, ",\"delta\":%" PRIu64, call->delta);
    if (call->op == OP_SET || call->op == OP_ADD || call->op == OP_INCREMENT)
        add_format(out, ",\"ttl_s\":%" PRIu32, call->ttl_s);
    if (call->op == OP_SET || call->op == OP_ADD)
        add_value(out, call->value, call->value_size);
    add_text(out, "}\n");
}

/* ---- what the program says ---- */

static const struct {
    const char *name;
    bool is_numbered; /* its value is the id of an operation, and it has a time */
} kinds[] = {
    [WIRE_HELLO] = {"hello", false}, [WIRE_BEGIN] = {"begin", true}, [WIRE_END] = {"end", true},
    [WIRE_STATS] = {"stats", false}, [WIRE_BYE] = {"bye", false},
};

/* A number of nanoseconds or an id; JavaScript writes large ones with an exponent. */
static bool read_number(const json_t *value, uint64_t *out)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return true;
    }
    double real = json_is_real(value) ? json_real_value(value) : -1;
    if (!(real >= 0 && real < 9.2e18))
        return false;
    *out = (uint64_t)real;
    return true;
}

static int read_numbered(struct wire_record *out, const json_t *value, struct err *err)
{
    uint64_t at;
    const char *name = kinds[out->kind].name;
    if (!read_number(value, &out->id))
        return err_set(err, "the value of \"%s\" must be the id of an operation", name);
    if (!read_number(json_object_get(out->root, "at_ns"), &at))
        return err_set(err, "\"%s\" needs \"at_ns\", nanoseconds on a clock that only runs forward",
                       name);
    out->at_ns = (ns_t)at;
    return 0;
}

static int classify(struct wire_record *out, struct err *err)
{
    if (!json_is_object(out->root))
        return err_set(err, "a line must be a JSON object");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const json_t *value = json_object_get(out->root, kinds[i].name);
        if (value == NULL)
            continue;
        out->kind = (enum wire_kind)i;
        return kinds[i].is_numbered ? read_numbered(out, value, err) : 0;
    }
    return err_set(err, "a line must have one of hello, begin, end, stats, bye");
}

int wire_read(const char *line, size_t size, struct wire_record *out, struct err *err)
{
    json_error_t error;
    *out = (struct wire_record){.root = json_loadb(line, size, JSON_ALLOW_NUL, &error)};
    if (out->root == NULL)
        return err_set(err, "not JSON: %s", error.text);
    if (classify(out, err) == 0)
        return 0;
    json_decref(out->root);
    out->root = NULL;
    return -1;
}

/* Text from a program, cut to fit; control characters do not reach the terminal. */
static void copy_text(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < size; n++)
        out[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? ' ' : text[n];
    out[n] = '\0';
}

static void read_text(const json_t *root, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(root, name));
    copy_text(out, size, text != NULL ? text : "");
}

static int read_ops(const json_t *list, struct wire_about *out, struct err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        int op = name != NULL ? op_by_name(name) : -1;
        if (op >= 0)
            out->ops |= 1U << op;
        else if (name != NULL && strcmp(name, "stats") == 0)
            out->stats = true;
        else
            return err_set(err, "hello: operation %zu (\"%.40s\") is unknown", i + 1,
                           name != NULL ? name : "no text");
    }
    const uint32_t needed = 1U << OP_GET | 1U << OP_SET | 1U << OP_DELETE;
    if ((out->ops & needed) != needed)
        return err_set(err, "hello: \"operations\" must hold get, set and delete at least");
    return 0;
}

static void read_honours(const json_t *list, char *out, size_t size)
{
    size_t i, used = 0;
    json_t *item;
    out[0] = '\0';
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);
        if (name == NULL || used + strlen(name) + 3 > size)
            continue;
        if (used > 0)
            used += (size_t)snprintf(out + used, size - used, ", ");
        copy_text(out + used, size - used, name);
        used += strlen(out + used);
    }
}

static void read_promises(const json_t *promises, char *out, size_t size)
{
    out[0] = '\0';
    char *text = promises != NULL ? json_dumps(promises, JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    if (text != NULL)
        copy_text(out, size, text);
    free(text);
}

int wire_read_hello(const json_t *root, struct wire_about *out, struct err *err)
{
    *out = (struct wire_about){0};
    const json_t *version = json_object_get(root, "hello");
    if (!json_is_integer(version) || json_integer_value(version) != WIRE_PROTOCOL)
        return err_set(err, "hello: the protocol must be %d", WIRE_PROTOCOL);
    read_text(root, "client", out->client, sizeof out->client);
    read_text(root, "runtime", out->runtime, sizeof out->runtime);
    if (out->client[0] == '\0')
        return err_set(err, "hello: \"client\" must name the library and its version");
    const char *model = json_string_value(json_object_get(root, "processes"));
    if (model == NULL || (strcmp(model, "one") != 0 && strcmp(model, "per_worker") != 0))
        return err_set(err, "hello: \"processes\" must be \"one\" or \"per_worker\"");
    out->per_worker = strcmp(model, "per_worker") == 0;
    read_honours(json_object_get(root, "honours"), out->honours, sizeof out->honours);
    read_promises(json_object_get(root, "promises"), out->promises, sizeof out->promises);
    return read_ops(json_object_get(root, "operations"), out, err);
}

/* Successes that an operation can have. All can have every failure. */
static bool fits(enum op op, enum outcome outcome)
{
    static const uint64_t successes[OP_COUNT] = {
        [OP_GET] = 1U << OUTCOME_HIT | 1U << OUTCOME_MISS,
        [OP_MULTI_GET] = 1U << OUTCOME_HIT | 1U << OUTCOME_MISS,
        [OP_SET] = 1U << OUTCOME_STORED | 1U << OUTCOME_NOT_STORED,
        [OP_MULTI_SET] = 1U << OUTCOME_STORED | 1U << OUTCOME_NOT_STORED,
        [OP_ADD] = 1U << OUTCOME_STORED | 1U << OUTCOME_NOT_STORED,
        [OP_DELETE] = 1U << OUTCOME_DELETED | 1U << OUTCOME_NOT_FOUND,
        [OP_INCREMENT] = 1U << OUTCOME_OK | 1U << OUTCOME_NOT_FOUND,
    };
    switch (outcome_class(outcome)) {
    case OUTCOME_CLASS_OK: return (successes[op] >> outcome & 1) != 0;
    case OUTCOME_CLASS_NEUTRAL:
    case OUTCOME_CLASS_FAILED: return true;
    case OUTCOME_CLASS_WRONG: break;
    }
    return false;
}

/* A node is given by its index or its address; none is an unknown one, unless there is no other. */
static int read_node(const json_t *value, const struct driver_config *config, struct wire_end *out,
                     struct err *err)
{
    if (value == NULL || json_is_null(value)) {
        out->node = config->server_count == 1 ? 0 : UINT32_MAX;
        return 0;
    }
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        (size_t)json_integer_value(value) < config->server_count) {
        out->node = (uint32_t)json_integer_value(value);
        return 0;
    }
    const char *text = json_string_value(value);
    for (size_t i = 0; text != NULL && i < config->server_count; i++) {
        if (strcmp(text, config->servers[i]) != 0)
            continue;
        out->node = (uint32_t)i;
        return 0;
    }
    return err_set(err, "\"node\" must be an index or an address of \"servers\"");
}

static int read_one(const json_t *item, enum op op, const struct driver_config *config,
                    struct wire_end *out, struct err *err)
{
    *out = (struct wire_end){.outcome = OUTCOME_OTHER, .node = UINT32_MAX};
    const char *word = json_string_value(json_object_get(item, "outcome"));
    int outcome = word != NULL ? outcome_by_name(word) : -1;
    if (outcome < 0)
        return err_set(err, "\"outcome\" must be a word of the list, not \"%.40s\"",
                       word != NULL ? word : "nothing");
    if (!fits(op, (enum outcome)outcome))
        return err_set(err, "%s cannot end with the outcome \"%s\"", op_name(op), word);
    const json_t *value = json_object_get(item, "value");
    out->value = json_string_value(value);
    out->value_length = json_string_length(value);
    if (outcome == OUTCOME_HIT && out->value == NULL)
        return err_set(err, "a hit needs \"value\", as base64");
    if (outcome == OUTCOME_OK && !read_number(json_object_get(item, "number"), &out->number))
        return err_set(err, "an increment that is ok needs \"number\", the counter's new value");
    out->unsent = json_is_true(json_object_get(item, "unsent"));
    if (read_node(json_object_get(item, "node"), config, out, err) != 0)
        return -1;
    out->outcome = (enum outcome)outcome;
    return 0;
}

int wire_read_end(const json_t *root, enum op op, const struct driver_config *config,
                  struct wire_end *out, struct err *err)
{
    return read_one(root, op, config, out, err);
}

int wire_read_item(const json_t *root, enum op op, const struct driver_config *config, size_t index,
                   size_t count, struct wire_end *out, struct err *err)
{
    *out = (struct wire_end){.outcome = OUTCOME_OTHER, .node = UINT32_MAX};
    const json_t *items = json_object_get(root, "items");
    if (items == NULL) /* one outcome for all, as when the whole call failed */
        return read_one(root, op, config, out, err);
    if (json_array_size(items) != count)
        return err_set(err, "%s: \"items\" has %zu entries for %zu keys", op_name(op),
                       json_array_size(items), count);
    return read_one(json_array_get(items, index), op, config, out, err);
}

static uint32_t stat(const json_t *node, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(node, name));
    return value >= 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

static enum breaker_view breaker_of(const json_t *node)
{
    const char *text = json_string_value(json_object_get(node, "breaker"));
    for (int i = 0; text != NULL && i < BREAKER_VIEW_COUNT; i++)
        if (strcmp(text, breaker_view_name((enum breaker_view)i)) == 0)
            return (enum breaker_view)i;
    return BREAKER_VIEW_NONE;
}

int wire_read_stats(const json_t *root, struct node_stats *out, size_t max, struct err *err)
{
    const json_t *list = json_object_get(root, "stats");
    if (!json_is_array(list))
        return err_set(err, "\"stats\" must be a list with an object per node");
    size_t i, count = 0;
    json_t *node;
    json_array_foreach(list, i, node)
    {
        if (i >= max)
            break;
        out[count++] = (struct node_stats){
            .pool_active = stat(node, "active"),
            .pool_idle = stat(node, "idle"),
            .pool_total = stat(node, "active") + stat(node, "idle"),
            .pool_waiting = stat(node, "waiting"),
            .breaker = breaker_of(node),
        };
    }
    return (int)count;
}
