/* SPDX-License-Identifier: MIT */
#include "driver/mcmeta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcmeta/mcmeta.h>

#include "metrics/recorder.h"

struct mcmeta_client {
    struct mcm_client *client;
    struct transitions *transitions;
};

static enum breaker_view view_of(enum mcm_breaker_state state)
{
    switch (state) {
    case MCM_BREAKER_CLOSED: return BREAKER_VIEW_CLOSED;
    case MCM_BREAKER_HALF_OPEN: return BREAKER_VIEW_HALF_OPEN;
    case MCM_BREAKER_OPEN: return BREAKER_VIEW_OPEN;
    case MCM_BREAKER_STATE_COUNT: break;
    }
    return BREAKER_VIEW_NONE;
}

static void on_breaker(void *arg, const struct mcm_breaker_event *event)
{
    struct mcmeta_client *c = arg;
    char cause[TRANSITION_CAUSE_BYTES];
    /* Only what opened it says more than the cause: a probe that succeeded, or time, does not. */
    if (event->to == MCM_BREAKER_OPEN && event->outcome < MCM_OUTCOME_COUNT)
        snprintf(cause, sizeof cause, "%s: %s", mcm_breaker_cause_name(event->cause),
                 mcm_outcome_name(event->outcome));
    else
        snprintf(cause, sizeof cause, "%s", mcm_breaker_cause_name(event->cause));
    if (c->transitions != NULL)
        transitions_add(c->transitions, event->server, view_of(event->from), view_of(event->to),
                        cause, event->at);
}

/* The preset, with what the user said on top. Returns NULL for a client without breakers. */
static const struct mcm_breaker_settings *breaker_settings(const struct driver_config *config,
                                                           struct mcm_breaker_settings *settings)
{
    if (config->breaker == BREAKER_OFF)
        return NULL;
    mcm_breaker_preset_get(
        config->breaker == BREAKER_ORIGINAL ? MCM_BREAKER_ORIGINAL : MCM_BREAKER_FAST, settings);
    if (config->breaker_half_open_max > 0)
        settings->half_open_max = (uint32_t)config->breaker_half_open_max;
    if (config->breaker_interval_ns > 0)
        settings->interval_ns = config->breaker_interval_ns;
    if (config->breaker_open_ns > 0)
        settings->open_ns = config->breaker_open_ns;
    if (config->breaker_requests_min > 0)
        settings->min_requests = (uint64_t)config->breaker_requests_min;
    if (config->breaker_failure_ratio > 0)
        settings->failure_ratio = config->breaker_failure_ratio;
    return settings;
}

static int mcmeta_open(const struct driver_config *config, void **out, struct err *err)
{
    struct mcmeta_client *c = calloc(1, sizeof *c);
    struct mcm_server *servers = calloc(config->server_count, sizeof *servers);
    char error[MCM_ERROR_SIZE] = "out of memory";
    if (c != NULL && servers != NULL) {
        for (size_t i = 0; i < config->server_count; i++)
            servers[i] =
                (struct mcm_server){.address = config->servers[i], .name = config->names[i]};
        struct mcm_breaker_settings breaker;
        struct mcm_client_config client = MCM_CLIENT_CONFIG_DEFAULT;
        client.servers = servers;
        client.server_count = config->server_count;
        client.seed = config->seed;
        client.connections_max = config->pool_max;
        client.lifetime_max = config->lifetime_max_ns;
        client.idle_max = config->idle_max_ns;
        client.health_check_period = config->health_period_ns;
        client.connect_timeout = config->connect_timeout_ns;
        client.breaker = breaker_settings(config, &breaker);
        client.on_breaker = on_breaker;
        client.on_breaker_arg = c;
        c->transitions = config->transitions;
        c->client = mcm_client_new(&client, error, sizeof error);
    }
    free(servers);
    if (c == NULL || c->client == NULL) {
        free(c);
        return err_set(err, "libmcmeta: %s", error);
    }
    *out = c;
    return 0;
}

static void mcmeta_interrupt(void *client)
{
    mcm_client_interrupt(((struct mcmeta_client *)client)->client);
}

static bool mcmeta_node_stats(void *client, size_t node, struct node_stats *out)
{
    struct mcm_server_stats s = {.size = sizeof s};
    if (mcm_client_stats(((struct mcmeta_client *)client)->client, (unsigned)node, &s) != 0)
        return false;
    *out = (struct node_stats){
        .pool_active = s.active,
        .pool_idle = s.idle,
        .pool_total = s.total,
        .pool_waiting = s.waiting,
        .pool_total_max = s.total_max,
        .pool_waiting_max = s.waiting_max,
        .breaker = s.has_breaker ? view_of(s.breaker_state) : BREAKER_VIEW_NONE,
        .breaker_requests = s.breaker_requests,
        .breaker_failures = s.breaker_failures,
        .breaker_consecutive_failures = s.breaker_consecutive_failures,
        .breaker_rejected = s.breaker_rejected,
    };
    return true;
}

static int mcmeta_node_of_key(void *client, const char *key, size_t key_size)
{
    struct mcm_slice slice = {.data = key, .size = key_size};
    return (int)mcm_client_server_index(((struct mcmeta_client *)client)->client, slice);
}

static void mcmeta_close(void *client)
{
    struct mcmeta_client *c = client;
    mcm_client_free(c->client);
    free(c);
}

/* All workers share the client; batches need memory of their own. */
struct mcmeta_worker {
    struct mcm_client *client;
    struct mcm_arena *arena; /* what the last batch fetched */
    struct mcm_batch_item *items;
    size_t item_cap;
};

static void mcmeta_worker_close(void *worker)
{
    struct mcmeta_worker *w = worker;
    mcm_arena_free(w->arena);
    free(w->items);
    free(w);
}

static void *mcmeta_worker_open(void *client, unsigned worker, struct err *err)
{
    (void)worker;
    struct mcmeta_worker *w = calloc(1, sizeof *w);
    if (w != NULL) {
        w->client = ((struct mcmeta_client *)client)->client;
        w->arena = mcm_arena_new();
        if (w->arena != NULL)
            return w;
        mcmeta_worker_close(w);
    }
    err_set(err, "libmcmeta: out of memory");
    return NULL;
}

/* The rig's word for an outcome of libmcmeta; `ok` is that of MCM_OK for the operation. */
static enum outcome outcome_of(enum mcm_outcome outcome, enum outcome ok)
{
    switch (outcome) {
    case MCM_OK: return ok;
    case MCM_MISS: return OUTCOME_MISS;
    case MCM_NOT_FOUND: return OUTCOME_NOT_FOUND;
    case MCM_NOT_STORED: return OUTCOME_NOT_STORED;
    case MCM_EXISTS: return OUTCOME_EXISTS;
    case MCM_E_KEY:
    case MCM_E_ARG:
    case MCM_E_TOO_BIG:
    case MCM_E_UNSUPPORTED: return OUTCOME_INVALID;
    case MCM_E_CANCELLED:
    case MCM_E_SHUTDOWN: return OUTCOME_CANCELLED;
    case MCM_E_RESOLVE: return OUTCOME_RESOLVE;
    case MCM_E_BACKOFF:
    case MCM_E_CONNECT:
    case MCM_E_CONNECT_REFUSED: return OUTCOME_REFUSED;
    case MCM_E_CONNECT_TIMEOUT: return OUTCOME_CONNECT_TIMEOUT;
    case MCM_E_TLS: return OUTCOME_TLS;
    case MCM_E_AUTH: return OUTCOME_AUTH;
    case MCM_E_RESET: return OUTCOME_RESET;
    case MCM_E_CLOSED: return OUTCOME_CLOSED;
    case MCM_E_CLOSED_IDLE: return OUTCOME_CLOSED_IDLE;
    case MCM_E_TIMEOUT_WRITE: return OUTCOME_WRITE_TIMEOUT;
    case MCM_E_TIMEOUT_READ: return OUTCOME_IO_TIMEOUT;
    case MCM_E_TIMEOUT_POOL: return OUTCOME_POOL_TIMEOUT;
    case MCM_E_WAITERS:
    case MCM_E_NO_MEMORY:
    case MCM_E_SYSTEM: return OUTCOME_LOCAL;
    case MCM_E_BREAKER_OPEN: return OUTCOME_BREAKER_OPEN;
    case MCM_E_BREAKER_BUSY: return OUTCOME_BREAKER_BUSY;
    case MCM_E_PROTOCOL: return OUTCOME_PROTOCOL;
    case MCM_E_CLIENT: return OUTCOME_CLIENT_ERROR;
    case MCM_E_REJECTED: return OUTCOME_TOO_LARGE;
    case MCM_E_SERVER: return OUTCOME_SERVER_ERROR;
    default: return OUTCOME_OTHER;
    }
}

static void answer(struct driver_result *result, const struct mcm_result *r, enum outcome ok)
{
    result->outcome = outcome_of(r->outcome, ok);
    result->node = r->server;
    result->value = r->value.data;
    result->value_size = r->value.size;
    result->number = r->number;
    result->unsent = !r->sent;
    result->connection = r->connection;
}

static void mcmeta_get(void *worker, const char *key, size_t key_size, void *buffer,
                       size_t buffer_size, ns_t deadline, struct driver_result *result)
{
    struct mcmeta_worker *w = worker;
    struct mcm_result r;
    mcm_get(w->client, (struct mcm_slice){key, key_size}, buffer, buffer_size, deadline, &r);
    answer(result, &r, OUTCOME_HIT);
}

static void mcmeta_set(void *worker, const char *key, size_t key_size, const void *value,
                       size_t value_size, uint32_t ttl_s, ns_t deadline,
                       struct driver_result *result)
{
    struct mcmeta_worker *w = worker;
    struct mcm_result r;
    mcm_set(w->client, (struct mcm_slice){key, key_size}, (struct mcm_slice){value, value_size},
            ttl_s, deadline, &r);
    answer(result, &r, OUTCOME_STORED);
}

static void mcmeta_delete(void *worker, const char *key, size_t key_size, ns_t deadline,
                          struct driver_result *result)
{
    struct mcmeta_worker *w = worker;
    struct mcm_result r;
    mcm_delete(w->client, (struct mcm_slice){key, key_size}, deadline, &r);
    answer(result, &r, OUTCOME_DELETED);
}

static void mcmeta_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                             uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    struct mcmeta_worker *w = worker;
    struct mcm_result r;
    struct mcm_increment change = {.delta = delta, .create = true, .initial = delta, .ttl = ttl_s};
    mcm_increment(w->client, (struct mcm_slice){key, key_size}, &change, deadline, &r);
    answer(result, &r, OUTCOME_OK);
}

static void mcmeta_add(void *worker, const char *key, size_t key_size, const void *value,
                       size_t value_size, uint32_t ttl_s, ns_t deadline,
                       struct driver_result *result)
{
    struct mcmeta_worker *w = worker;
    struct mcm_result r;
    mcm_add(w->client, (struct mcm_slice){key, key_size}, (struct mcm_slice){value, value_size},
            ttl_s, deadline, &r);
    answer(result, &r, OUTCOME_STORED);
}

/* The items as libmcmeta wants them, in memory that is kept for the next batch; NULL without. */
static struct mcm_batch_item *batch_items(struct mcmeta_worker *w, const struct driver_item *items,
                                          size_t count)
{
    if (count > w->item_cap) {
        struct mcm_batch_item *grown = realloc(w->items, count * sizeof *grown);
        if (grown == NULL)
            return NULL;
        w->items = grown;
        w->item_cap = count;
    }
    for (size_t i = 0; i < count; i++)
        w->items[i] = (struct mcm_batch_item){
            .key = {items[i].key, items[i].key_size},
            .value = {items[i].value, items[i].value_size},
            .ttl = items[i].ttl_s,
        };
    return w->items;
}

typedef enum mcm_batch_status batch_fn(struct mcm_client *client, struct mcm_batch_item *items,
                                       size_t count, const struct mcm_batch_options *options,
                                       struct mcm_batch_result *result);

static void batch(struct mcmeta_worker *w, struct driver_item *items, size_t count, ns_t deadline,
                  batch_fn *call, enum outcome ok)
{
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    struct mcm_batch_item *done = batch_items(w, items, count);
    options.arena = w->arena;
    options.deadline = deadline;
    mcm_arena_reset(w->arena);
    if (done != NULL)
        call(w->client, done, count, &options, NULL);
    for (size_t i = 0; i < count; i++) {
        items[i].outcome = done != NULL ? outcome_of(done[i].outcome, ok) : OUTCOME_LOCAL;
        items[i].node = done != NULL ? done[i].server : RECORDER_NODE_UNKNOWN;
        items[i].unsent = done == NULL || !done[i].sent;
        if (items[i].outcome == OUTCOME_HIT) {
            items[i].value = done[i].value.data;
            items[i].value_size = done[i].value.size;
        }
    }
}

static void mcmeta_multi_get(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    batch(worker, items, count, deadline, mcm_multi_get, OUTCOME_HIT);
}

static void mcmeta_multi_set(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    batch(worker, items, count, deadline, mcm_multi_set, OUTCOME_STORED);
}

const struct driver driver_mcmeta = {
    .name = "mcmeta",
    .help = "libmcmeta: meta protocol, a pool and a circuit breaker per node",
    .open = mcmeta_open,
    .interrupt = mcmeta_interrupt,
    .node_stats = mcmeta_node_stats,
    .node_of_key = mcmeta_node_of_key,
    .close = mcmeta_close,
    .worker_open = mcmeta_worker_open,
    .worker_close = mcmeta_worker_close,
    .get = mcmeta_get,
    .set = mcmeta_set,
    .delete_ = mcmeta_delete,
    .add = mcmeta_add,
    .increment = mcmeta_increment,
    .multi_get = mcmeta_multi_get,
    .multi_set = mcmeta_multi_set,
};
