/* SPDX-License-Identifier: MIT */
#include "driver/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memchaos/driver.h>

#include "driver/plugin_load.h"
#include "metrics/recorder.h"

struct plugin_client {
    const struct memchaos_driver *plugin;
    void *client;
    size_t server_count;
    struct transitions *transitions;
};

struct plugin_worker {
    const struct plugin_client *client;
    void *worker;
    struct memchaos_item *items; /* of batches */
    size_t item_cap;
};

/* ---- words ---- */

static enum breaker_view view_of(int breaker)
{
    switch (breaker) {
    case MEMCHAOS_BREAKER_CLOSED: return BREAKER_VIEW_CLOSED;
    case MEMCHAOS_BREAKER_IS_OPEN: return BREAKER_VIEW_OPEN;
    case MEMCHAOS_BREAKER_HALF_OPEN: return BREAKER_VIEW_HALF_OPEN;
    default: return BREAKER_VIEW_NONE;
    }
}

/* The rig's word; `ok` and `miss` are those of the operation. */
static enum outcome outcome_of(int outcome, enum outcome ok, enum outcome miss)
{
    switch (outcome) {
    case MEMCHAOS_OK: return ok;
    case MEMCHAOS_MISS: return miss;
    case MEMCHAOS_NOT_STORED: return OUTCOME_NOT_STORED;
    case MEMCHAOS_EXISTS: return OUTCOME_EXISTS;
    case MEMCHAOS_CANCELLED: return OUTCOME_CANCELLED;
    case MEMCHAOS_INVALID: return OUTCOME_INVALID;
    case MEMCHAOS_RESOLVE: return OUTCOME_RESOLVE;
    case MEMCHAOS_REFUSED: return OUTCOME_REFUSED;
    case MEMCHAOS_CONNECT_TIMEOUT: return OUTCOME_CONNECT_TIMEOUT;
    case MEMCHAOS_TLS: return OUTCOME_TLS;
    case MEMCHAOS_AUTH: return OUTCOME_AUTH;
    case MEMCHAOS_RESET: return OUTCOME_RESET;
    case MEMCHAOS_CLOSED: return OUTCOME_CLOSED;
    case MEMCHAOS_CLOSED_IDLE: return OUTCOME_CLOSED_IDLE;
    case MEMCHAOS_WRITE_TIMEOUT: return OUTCOME_WRITE_TIMEOUT;
    case MEMCHAOS_IO_TIMEOUT: return OUTCOME_IO_TIMEOUT;
    case MEMCHAOS_POOL_TIMEOUT: return OUTCOME_POOL_TIMEOUT;
    case MEMCHAOS_BREAKER_OPEN: return OUTCOME_BREAKER_OPEN;
    case MEMCHAOS_BREAKER_BUSY: return OUTCOME_BREAKER_BUSY;
    case MEMCHAOS_PROTOCOL: return OUTCOME_PROTOCOL;
    case MEMCHAOS_SERVER_ERROR: return OUTCOME_SERVER_ERROR;
    case MEMCHAOS_TOO_LARGE: return OUTCOME_TOO_LARGE;
    case MEMCHAOS_CLIENT_ERROR: return OUTCOME_CLIENT_ERROR;
    case MEMCHAOS_LOCAL: return OUTCOME_LOCAL;
    default: return OUTCOME_OTHER;
    }
}

static uint32_t node_of(const struct plugin_client *c, int node)
{
    return node >= 0 && (size_t)node < c->server_count ? (uint32_t)node : RECORDER_NODE_UNKNOWN;
}

/* ---- the client ---- */

static void breaker_changed(void *host, unsigned node, enum memchaos_breaker from,
                            enum memchaos_breaker to, const char *cause)
{
    struct plugin_client *c = host;
    if (c->transitions != NULL)
        transitions_add(c->transitions, node, view_of(from), view_of(to), cause, ns_now());
}

static int plugin_open(const struct driver_config *config, void **out, struct err *err)
{
    struct memchaos_error error = {""};
    struct plugin_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, "out of memory");
    c->plugin = plugin_load(config->command, err);
    c->server_count = config->server_count;
    c->transitions = config->transitions;
    if (c->plugin == NULL) {
        free(c);
        return -1;
    }
    const struct memchaos_config plugin = {
        .size = sizeof plugin,
        .servers = config->servers,
        .names = config->names,
        .server_count = config->server_count,
        .workers = config->workers,
        .pool_max = config->pool_max,
        .seed = config->seed,
        .timeout_ns = config->timeout_ns,
        .connect_timeout_ns = config->connect_timeout_ns,
        .lifetime_max_ns = config->lifetime_max_ns,
        .idle_max_ns = config->idle_max_ns,
        .health_period_ns = config->health_period_ns,
        .breaker = breaker_preset_names[config->breaker],
        .breaker_half_open_max = config->breaker_half_open_max,
        .breaker_requests_min = config->breaker_requests_min,
        .breaker_interval_ns = config->breaker_interval_ns,
        .breaker_open_ns = config->breaker_open_ns,
        .breaker_failure_ratio = config->breaker_failure_ratio,
        .breaker_changed = breaker_changed,
        .host = c,
    };
    c->client = c->plugin->open(&plugin, &error);
    if (c->client == NULL) {
        error.text[sizeof error.text - 1] = '\0';
        err_set(err, "driver %s: %s", c->plugin->name,
                error.text[0] != '\0' ? error.text : "could not be opened");
        free(c);
        return -1;
    }
    *out = c;
    return 0;
}

static void plugin_interrupt(void *client)
{
    struct plugin_client *c = client;
    if (c->plugin->interrupt != NULL)
        c->plugin->interrupt(c->client);
}

static bool plugin_node_stats(void *client, size_t node, struct node_stats *out)
{
    struct plugin_client *c = client;
    struct memchaos_node_stats s = {.size = sizeof s};
    if (c->plugin->node_stats == NULL || !c->plugin->node_stats(c->client, node, &s))
        return false;
    *out = (struct node_stats){
        .pool_active = s.pool_active,
        .pool_idle = s.pool_idle,
        .pool_total = s.pool_total,
        .pool_waiting = s.pool_waiting,
        .pool_total_max = s.pool_total_max,
        .pool_waiting_max = s.pool_waiting_max,
        .breaker = view_of(s.breaker),
        .breaker_rejected = s.breaker_rejected,
    };
    return true;
}

static int plugin_node_of_key(void *client, const char *key, size_t key_size)
{
    struct plugin_client *c = client;
    if (c->plugin->node_of_key == NULL)
        return -1;
    int node = c->plugin->node_of_key(c->client, key, key_size);
    return node >= 0 && (size_t)node < c->server_count ? node : -1;
}

static void plugin_close(void *client)
{
    struct plugin_client *c = client;
    c->plugin->close(c->client);
    free(c);
}

static void plugin_about(void *client, struct driver_about *out)
{
    const struct plugin_client *c = client;
    *out = (struct driver_about){0};
    snprintf(out->client, sizeof out->client, "%s", c->plugin->client);
}

/* ---- workers ---- */

static void *plugin_worker_open(void *client, unsigned worker, struct err *err)
{
    struct plugin_client *c = client;
    struct memchaos_error error = {""};
    struct plugin_worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        err_set(err, "out of memory");
        return NULL;
    }
    w->client = c;
    w->worker = c->plugin->worker_open(c->client, worker, &error);
    if (w->worker == NULL) {
        error.text[sizeof error.text - 1] = '\0';
        err_set(err, "driver %s: %s", c->plugin->name,
                error.text[0] != '\0' ? error.text : "could not be opened");
        free(w);
        return NULL;
    }
    return w;
}

static void plugin_worker_close(void *worker)
{
    struct plugin_worker *w = worker;
    w->client->plugin->worker_close(w->worker);
    free(w->items);
    free(w);
}

/* ---- calls ---- */

static struct memchaos_result blank(void)
{
    return (struct memchaos_result){.outcome = MEMCHAOS_OTHER, .node = -1};
}

static void answer(const struct plugin_worker *w, const struct memchaos_result *r, enum outcome ok,
                   enum outcome miss, struct driver_result *result)
{
    *result = (struct driver_result){
        .outcome = outcome_of(r->outcome, ok, miss),
        .node = node_of(w->client, r->node),
        .value = r->value != NULL ? r->value : "",
        .value_size = r->value != NULL ? r->value_size : 0,
        .number = r->number,
        .unsent = r->unsent,
    };
}

static void plugin_get(void *worker, const char *key, size_t key_size, void *buffer,
                       size_t buffer_size, ns_t deadline, struct driver_result *result)
{
    struct plugin_worker *w = worker;
    struct memchaos_result r = blank();
    (void)buffer;
    (void)buffer_size;
    w->client->plugin->get(w->worker, key, key_size, deadline, &r);
    answer(w, &r, OUTCOME_HIT, OUTCOME_MISS, result);
}

static void plugin_set(void *worker, const char *key, size_t key_size, const void *value,
                       size_t value_size, uint32_t ttl_s, ns_t deadline,
                       struct driver_result *result)
{
    struct plugin_worker *w = worker;
    struct memchaos_result r = blank();
    w->client->plugin->set(w->worker, key, key_size, value, value_size, ttl_s, deadline, &r);
    answer(w, &r, OUTCOME_STORED, OUTCOME_OTHER, result);
}

static void plugin_add(void *worker, const char *key, size_t key_size, const void *value,
                       size_t value_size, uint32_t ttl_s, ns_t deadline,
                       struct driver_result *result)
{
    struct plugin_worker *w = worker;
    struct memchaos_result r = blank();
    w->client->plugin->add(w->worker, key, key_size, value, value_size, ttl_s, deadline, &r);
    answer(w, &r, OUTCOME_STORED, OUTCOME_OTHER, result);
}

static void plugin_delete(void *worker, const char *key, size_t key_size, ns_t deadline,
                          struct driver_result *result)
{
    struct plugin_worker *w = worker;
    struct memchaos_result r = blank();
    w->client->plugin->remove(w->worker, key, key_size, deadline, &r);
    answer(w, &r, OUTCOME_DELETED, OUTCOME_NOT_FOUND, result);
}

static void plugin_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                             uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    struct plugin_worker *w = worker;
    struct memchaos_result r = blank();
    w->client->plugin->increment(w->worker, key, key_size, delta, ttl_s, deadline, &r);
    answer(w, &r, OUTCOME_OK, OUTCOME_NOT_FOUND, result);
}

static bool items_reserve(struct plugin_worker *w, size_t count)
{
    if (count <= w->item_cap)
        return true;
    struct memchaos_item *grown = realloc(w->items, count * sizeof *grown);
    if (grown == NULL)
        return false;
    w->items = grown;
    w->item_cap = count;
    return true;
}

typedef void batch_fn(void *worker, struct memchaos_item *items, size_t count, int64_t deadline);

static void batch(struct plugin_worker *w, struct driver_item *items, size_t count, ns_t deadline,
                  batch_fn *call, enum outcome ok)
{
    bool room = items_reserve(w, count);
    for (size_t i = 0; room && i < count; i++)
        w->items[i] = (struct memchaos_item){.key = items[i].key,
                                             .key_size = items[i].key_size,
                                             .value = items[i].value,
                                             .value_size = items[i].value_size,
                                             .ttl_s = items[i].ttl_s,
                                             .outcome = MEMCHAOS_OTHER,
                                             .node = -1};
    if (room)
        call(w->worker, w->items, count, deadline);
    for (size_t i = 0; i < count; i++) {
        struct driver_item *item = &items[i];
        item->outcome = room ? outcome_of(w->items[i].outcome, ok, OUTCOME_MISS) : OUTCOME_LOCAL;
        item->node = room ? node_of(w->client, w->items[i].node) : RECORDER_NODE_UNKNOWN;
        item->unsent = !room || w->items[i].unsent;
        if (item->outcome == OUTCOME_HIT) {
            item->value = w->items[i].value != NULL ? w->items[i].value : "";
            item->value_size = w->items[i].value != NULL ? w->items[i].value_size : 0;
        }
    }
}

static void plugin_multi_get(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    struct plugin_worker *w = worker;
    batch(w, items, count, deadline, w->client->plugin->multi_get, OUTCOME_HIT);
}

static void plugin_multi_set(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    struct plugin_worker *w = worker;
    batch(w, items, count, deadline, w->client->plugin->multi_set, OUTCOME_STORED);
}

/* Workloads ask whether a driver has calls for many keys, so there is a table for each answer. */
#define PLUGIN(get_many, set_many)                                                                 \
    {                                                                                              \
        .name = "plugin", .help = "a shared object", .open = plugin_open,                          \
        .interrupt = plugin_interrupt, .node_stats = plugin_node_stats,                            \
        .node_of_key = plugin_node_of_key, .close = plugin_close, .about = plugin_about,           \
        .worker_open = plugin_worker_open, .worker_close = plugin_worker_close, .get = plugin_get, \
        .set = plugin_set, .delete_ = plugin_delete, .add = plugin_add,                            \
        .increment = plugin_increment, .multi_get = (get_many), .multi_set = (set_many),           \
    }

static const struct driver plugin_drivers[2][2] = {
    {PLUGIN(NULL, NULL), PLUGIN(NULL, plugin_multi_set)},
    {PLUGIN(plugin_multi_get, NULL), PLUGIN(plugin_multi_get, plugin_multi_set)},
};

const struct driver *plugin_find(const char *text, struct err *err)
{
    const struct memchaos_driver *plugin = plugin_load(text, err);
    if (plugin == NULL)
        return NULL;
    return &plugin_drivers[plugin->multi_get != NULL][plugin->multi_set != NULL];
}
