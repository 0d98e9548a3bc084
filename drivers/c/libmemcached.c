/* SPDX-License-Identifier: MIT */
/*
 * libmemcached as a driver, from one source in two forms:
 *
 *   driver-libmemcached       a memcached_st per worker, as its manual recommends for threads
 *   driver-libmemcached-pool  (POOLED=1) handles from one memcached_pool_st of -pool handles, each
 *                             of which has one connection per node
 *
 * docs/driver-libmemcached.md says which behaviours are set, and what the client cannot do.
 */
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libmemcached/memcached.h>
#include <libmemcached/util.h>

#include <memchaos/driver.h>

#ifndef POOLED
#define POOLED 0
#endif

#define HOST_SIZE 256
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct client {
    memcached_st *model; /* what handles are copies of; answers for node_of_key */
    memcached_pool_st *pool;
    size_t server_count;
    atomic_bool interrupted;
};

/* A value that a batch has fetched, until the next call. */
struct copy {
    size_t item;
    size_t offset;
    size_t size;
};

struct worker {
    struct client *client;
    memcached_st *own; /* NULL with a pool */
    char *value;       /* that the last get returned */
    char *bytes;       /* of the last multi_get */
    size_t bytes_used, bytes_cap;
    struct copy *copies;
    size_t copy_count, copy_cap;
    const char **keys; /* of the batch in progress, by libmemcached's wish */
    size_t *key_sizes;
    size_t key_cap;
};

/* ---- what libmemcached says ---- */

static int outcome_of_errno(int number)
{
    switch (number) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH: return MEMCHAOS_REFUSED;
    case ECONNRESET:
    case EPIPE: return MEMCHAOS_RESET;
    case ETIMEDOUT:
    case EAGAIN: return MEMCHAOS_IO_TIMEOUT;
    case ENOMEM:
    case EMFILE:
    case ENFILE: return MEMCHAOS_LOCAL;
    default: return MEMCHAOS_OTHER;
    }
}

/* It has one word for every timeout, that of connecting included, and one for several ways to lose
 * a connection. */
static int outcome_of(const memcached_st *m, memcached_return_t rc)
{
    switch (rc) {
    case MEMCACHED_SUCCESS:
    case MEMCACHED_STORED:
    case MEMCACHED_DELETED:
    case MEMCACHED_END: return MEMCHAOS_OK;
    case MEMCACHED_NOTFOUND: return MEMCHAOS_MISS;
    case MEMCACHED_NOTSTORED: return MEMCHAOS_NOT_STORED;
    case MEMCACHED_DATA_EXISTS: return MEMCHAOS_EXISTS;
    case MEMCACHED_TIMEOUT:
    case MEMCACHED_IN_PROGRESS: return MEMCHAOS_IO_TIMEOUT;
    case MEMCACHED_HOST_LOOKUP_FAILURE: return MEMCHAOS_RESOLVE;
    case MEMCACHED_CONNECTION_FAILURE: return MEMCHAOS_REFUSED;
    case MEMCACHED_SERVER_MARKED_DEAD:
    case MEMCACHED_SERVER_TEMPORARILY_DISABLED:
    case MEMCACHED_NO_SERVERS: return MEMCHAOS_BREAKER_OPEN;
    case MEMCACHED_WRITE_FAILURE: return MEMCHAOS_RESET;
    case MEMCACHED_READ_FAILURE:
    case MEMCACHED_UNKNOWN_READ_FAILURE:
    case MEMCACHED_PARTIAL_READ: return MEMCHAOS_CLOSED;
    case MEMCACHED_PROTOCOL_ERROR: return MEMCHAOS_PROTOCOL;
    case MEMCACHED_CLIENT_ERROR: return MEMCHAOS_CLIENT_ERROR;
    case MEMCACHED_SERVER_ERROR:
    case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE: return MEMCHAOS_SERVER_ERROR;
    case MEMCACHED_E2BIG: return MEMCHAOS_TOO_LARGE;
    case MEMCACHED_BAD_KEY_PROVIDED:
    case MEMCACHED_NO_KEY_PROVIDED:
    case MEMCACHED_KEY_TOO_BIG:
    case MEMCACHED_INVALID_ARGUMENTS:
    case MEMCACHED_NOT_SUPPORTED: return MEMCHAOS_INVALID;
    case MEMCACHED_AUTH_PROBLEM:
    case MEMCACHED_AUTH_FAILURE: return MEMCHAOS_AUTH;
    case MEMCACHED_MEMORY_ALLOCATION_FAILURE:
    case MEMCACHED_CONNECTION_SOCKET_CREATE_FAILURE: return MEMCHAOS_LOCAL;
    case MEMCACHED_ERRNO: return outcome_of_errno(memcached_last_error_errno(m));
    default: return MEMCHAOS_OTHER;
    }
}

/* It refuses to ask a node that it has given up, before it sends anything. */
static bool is_unsent(int outcome)
{
    return outcome == MEMCHAOS_BREAKER_OPEN || outcome == MEMCHAOS_RESOLVE ||
           outcome == MEMCHAOS_POOL_TIMEOUT || outcome == MEMCHAOS_CANCELLED;
}

static int node_of(memcached_st *m, const char *key, size_t key_size)
{
    return m->number_of_hosts > 0 ? (int)memcached_generate_hash(m, key, key_size) : -1;
}

/* ---- the client ---- */

/* "host:port" and "[host]:port". */
static bool server_add(memcached_st *m, const char *address)
{
    char host[HOST_SIZE];
    const char *colon = strrchr(address, ':');
    if (colon == NULL)
        return false;
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    if (size >= sizeof host)
        return false;
    memcpy(host, address, size);
    host[size] = '\0';
    unsigned long port = strtoul(colon + 1, NULL, 10);
    return memcached_server_add(m, host, (in_port_t)port) == MEMCACHED_SUCCESS;
}

/* Times of libmemcached are whole milliseconds; 0 would not wait at all. */
static uint64_t milliseconds(int64_t ns)
{
    return ns > NS_PER_MS ? (uint64_t)((ns + NS_PER_MS - 1) / NS_PER_MS) : 1;
}

static bool behaviours_set(memcached_st *m, const struct memchaos_config *config)
{
    const struct {
        memcached_behavior_t name;
        uint64_t value;
    } behaviours[] = {
        {MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, milliseconds(config->connect_timeout_ns)},
        {MEMCACHED_BEHAVIOR_POLL_TIMEOUT, milliseconds(config->timeout_ns)},
        {MEMCACHED_BEHAVIOR_NO_BLOCK, 1}, /* else sending has no limit in time */
        {MEMCACHED_BEHAVIOR_TCP_NODELAY, 1},
        {MEMCACHED_BEHAVIOR_RETRY_TIMEOUT, 1}, /* seconds; the default is 2 */
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof behaviours / sizeof behaviours[0]; i++)
        ok = ok && memcached_behavior_set(m, behaviours[i].name, behaviours[i].value) ==
                       MEMCACHED_SUCCESS;
    return ok;
}

static void client_close(void *client)
{
    struct client *c = client;
    if (c->pool != NULL)
        memcached_pool_destroy(c->pool); /* without the model, which is ours */
    memcached_free(c->model);
    free(c);
}

static void *client_open(const struct memchaos_config *config, struct memchaos_error *error)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->server_count = config->server_count;
    c->model = memcached_create(NULL);
    bool ok = c->model != NULL && behaviours_set(c->model, config);
    for (size_t i = 0; ok && i < config->server_count; i++)
        ok = server_add(c->model, config->servers[i]);
    if (ok && POOLED) {
        c->pool = memcached_pool_create(c->model, 1, config->pool_max);
        ok = c->pool != NULL;
    }
    if (ok)
        return c;
    snprintf(error->text, sizeof error->text, "libmemcached refuses its configuration");
    client_close(c);
    return NULL;
}

/* libmemcached cannot be woken: calls in progress end by its own timeouts. */
static void client_interrupt(void *client)
{
    atomic_store(&((struct client *)client)->interrupted, true);
}

static int client_node_of_key(void *client, const char *key, size_t key_size)
{
    return node_of(((struct client *)client)->model, key, key_size);
}

/* ---- workers ---- */

static void worker_close(void *worker)
{
    struct worker *w = worker;
    memcached_free(w->own);
    free(w->value);
    free(w->bytes);
    free(w->copies);
    free(w->keys);
    free(w->key_sizes);
    free(w);
}

static void *worker_open(void *client, unsigned number, struct memchaos_error *error)
{
    (void)number;
    struct worker *w = calloc(1, sizeof *w);
    if (w != NULL) {
        w->client = client;
        if (!POOLED)
            w->own = memcached_clone(NULL, w->client->model);
        if (POOLED || w->own != NULL)
            return w;
        worker_close(w);
    }
    snprintf(error->text, sizeof error->text, "out of memory");
    return NULL;
}

/*
 * Waits until the deadline for a handle of the pool. What memcached_pool_fetch() calls a relative
 * time it adds to the present whole second, so the fraction has to be that of the end.
 */
static memcached_st *pool_fetch(struct client *c, int64_t deadline)
{
    struct timespec monotonic, wall;
    memcached_return_t rc;
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t left = deadline - (monotonic.tv_sec * NS_PER_S + monotonic.tv_nsec);
    int64_t end = wall.tv_nsec + (left > 0 ? left : 0);
    struct timespec wait = {.tv_sec = (time_t)(end / NS_PER_S), .tv_nsec = (long)(end % NS_PER_S)};
    return memcached_pool_fetch(c->pool, &wait, &rc);
}

/* The handle for one call; NULL with the outcome when there is none. */
static memcached_st *handle_acquire(struct worker *w, int64_t deadline, int *outcome)
{
    *outcome = MEMCHAOS_CANCELLED;
    if (atomic_load_explicit(&w->client->interrupted, memory_order_relaxed))
        return NULL;
    *outcome = MEMCHAOS_POOL_TIMEOUT;
    return POOLED ? pool_fetch(w->client, deadline) : w->own;
}

static void handle_release(struct worker *w, memcached_st *m)
{
    if (POOLED)
        memcached_pool_release(w->client->pool, m);
}

/* ---- calls with one key ---- */

static void answer(memcached_st *m, const char *key, size_t key_size, memcached_return_t rc,
                   struct memchaos_result *result)
{
    result->outcome = outcome_of(m, rc);
    result->node = node_of(m, key, key_size);
    result->unsent = is_unsent(result->outcome);
}

/* Begins a call; NULL when it has already ended. */
static memcached_st *call_begin(struct worker *w, int64_t deadline, struct memchaos_result *result)
{
    memcached_st *m = handle_acquire(w, deadline, &result->outcome);
    result->unsent = m == NULL;
    return m;
}

static void call_get(void *worker, const char *key, size_t key_size, int64_t deadline,
                     struct memchaos_result *result)
{
    struct worker *w = worker;
    memcached_return_t rc;
    uint32_t flags;
    memcached_st *m = call_begin(w, deadline, result);
    if (m == NULL)
        return;
    free(w->value);
    w->value = memcached_get(m, key, key_size, &result->value_size, &flags, &rc);
    result->value = w->value;
    answer(m, key, key_size, rc, result);
    handle_release(w, m);
}

static void call_set(void *worker, const char *key, size_t key_size, const void *value,
                     size_t value_size, uint32_t ttl_s, int64_t deadline,
                     struct memchaos_result *result)
{
    struct worker *w = worker;
    memcached_st *m = call_begin(w, deadline, result);
    if (m == NULL)
        return;
    memcached_return_t rc = memcached_set(m, key, key_size, value, value_size, (time_t)ttl_s, 0);
    answer(m, key, key_size, rc, result);
    handle_release(w, m);
}

static void call_add(void *worker, const char *key, size_t key_size, const void *value,
                     size_t value_size, uint32_t ttl_s, int64_t deadline,
                     struct memchaos_result *result)
{
    struct worker *w = worker;
    memcached_st *m = call_begin(w, deadline, result);
    if (m == NULL)
        return;
    memcached_return_t rc = memcached_add(m, key, key_size, value, value_size, (time_t)ttl_s, 0);
    answer(m, key, key_size, rc, result);
    handle_release(w, m);
}

static void call_remove(void *worker, const char *key, size_t key_size, int64_t deadline,
                        struct memchaos_result *result)
{
    struct worker *w = worker;
    memcached_st *m = call_begin(w, deadline, result);
    if (m == NULL)
        return;
    answer(m, key, key_size, memcached_delete(m, key, key_size, 0), result);
    handle_release(w, m);
}

/* The text protocol cannot create a counter: one that is missing is added, and counted up after all
 * when somebody else was faster. */
static void call_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                           uint32_t ttl_s, int64_t deadline, struct memchaos_result *result)
{
    struct worker *w = worker;
    char digits[24];
    memcached_st *m = call_begin(w, deadline, result);
    if (m == NULL)
        return;
    memcached_return_t rc = memcached_increment(m, key, key_size, (uint32_t)delta, &result->number);
    if (rc == MEMCACHED_NOTFOUND) {
        int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)delta);
        result->number = delta;
        rc = memcached_add(m, key, key_size, digits, (size_t)n, (time_t)ttl_s, 0);
    }
    if (rc == MEMCACHED_NOTSTORED)
        rc = memcached_increment(m, key, key_size, (uint32_t)delta, &result->number);
    answer(m, key, key_size, rc, result);
    handle_release(w, m);
}

/* ---- many keys ---- */

static bool keys_reserve(struct worker *w, size_t count)
{
    if (count <= w->key_cap)
        return true;
    const char **keys = realloc(w->keys, count * sizeof *keys);
    if (keys != NULL)
        w->keys = keys;
    size_t *sizes = realloc(w->key_sizes, count * sizeof *sizes);
    if (sizes != NULL)
        w->key_sizes = sizes;
    struct copy *copies = realloc(w->copies, count * sizeof *copies);
    if (copies != NULL)
        w->copies = copies;
    if (keys == NULL || sizes == NULL || copies == NULL)
        return false;
    w->key_cap = w->copy_cap = count;
    return true;
}

/* Keeps the bytes of one result; -1 without memory. */
static int bytes_keep(struct worker *w, const memcached_result_st *result)
{
    size_t size = memcached_result_length(result);
    if (w->bytes_used + size > w->bytes_cap) {
        size_t cap = 2 * (w->bytes_used + size);
        char *grown = realloc(w->bytes, cap);
        if (grown == NULL)
            return -1;
        w->bytes = grown;
        w->bytes_cap = cap;
    }
    if (size > 0)
        memcpy(w->bytes + w->bytes_used, memcached_result_value(result), size);
    w->bytes_used += size;
    return 0;
}

static void result_take(struct worker *w, const memcached_result_st *result,
                        struct memchaos_item *items, size_t count)
{
    const char *key = memcached_result_key_value(result);
    size_t key_size = memcached_result_key_length(result), offset = w->bytes_used;
    if (bytes_keep(w, result) != 0)
        return; /* these keys stay as failed */
    for (size_t i = 0; i < count; i++) {
        if (items[i].outcome == MEMCHAOS_OK || items[i].key_size != key_size ||
            memcmp(items[i].key, key, key_size) != 0)
            continue;
        items[i].outcome = MEMCHAOS_OK;
        w->copies[w->copy_count++] = (struct copy){i, offset, memcached_result_length(result)};
    }
}

/* A key that did not come back is a miss if its node said that this was all, and else lost with it.
 * libmemcached keeps an error for each node, but forgets some: then the call's error is the key's.
 */
static int absent_outcome(const memcached_st *m, int node, memcached_return_t sent,
                          memcached_return_t fetched)
{
    const memcached_instance_st *server =
        node >= 0 ? memcached_server_instance_by_position(m, (uint32_t)node) : NULL;
    memcached_return_t own =
        server != NULL ? memcached_server_error_return(server) : MEMCACHED_SUCCESS;
    if (own != MEMCACHED_SUCCESS && own != MEMCACHED_END && own != MEMCACHED_NOTFOUND)
        return outcome_of(m, own);
    if (sent != MEMCACHED_SUCCESS && sent != MEMCACHED_SOME_ERRORS)
        return outcome_of(m, sent);
    if (fetched != MEMCACHED_END && fetched != MEMCACHED_NOTFOUND && fetched != MEMCACHED_SUCCESS)
        return outcome_of(m, fetched);
    return MEMCHAOS_MISS;
}

static void fetch_all(struct worker *w, memcached_st *m, struct memchaos_item *items, size_t count)
{
    memcached_return_t fetched = MEMCACHED_SUCCESS;
    memcached_result_st *result;
    w->bytes_used = w->copy_count = 0;
    memcached_return_t sent = memcached_mget(m, w->keys, w->key_sizes, count);
    while ((result = memcached_fetch_result(m, NULL, &fetched)) != NULL) {
        result_take(w, result, items, count);
        memcached_result_free(result);
    }
    for (size_t i = 0; i < count; i++) {
        items[i].node = node_of(m, items[i].key, items[i].key_size);
        if (items[i].outcome != MEMCHAOS_OK)
            items[i].outcome = absent_outcome(m, items[i].node, sent, fetched);
        items[i].unsent = is_unsent(items[i].outcome);
    }
    for (size_t i = 0; i < w->copy_count; i++) {
        items[w->copies[i].item].value = w->bytes + w->copies[i].offset;
        items[w->copies[i].item].value_size = w->copies[i].size;
    }
}

static void call_multi_get(void *worker, struct memchaos_item *items, size_t count,
                           int64_t deadline)
{
    struct worker *w = worker;
    int outcome = MEMCHAOS_LOCAL;
    memcached_st *m = keys_reserve(w, count) ? handle_acquire(w, deadline, &outcome) : NULL;
    if (m == NULL) {
        for (size_t i = 0; i < count; i++) {
            items[i].outcome = outcome;
            items[i].unsent = true;
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        w->keys[i] = items[i].key;
        w->key_sizes[i] = items[i].key_size;
    }
    fetch_all(w, m, items, count);
    handle_release(w, m);
}

const struct memchaos_driver *memchaos_driver_entry(void)
{
    static const struct memchaos_driver driver = {
        .abi = MEMCHAOS_DRIVER_ABI,
        .size = sizeof driver,
        .name = POOLED ? "libmemcached-pool" : "libmemcached",
        .client = "libmemcached " LIBMEMCACHED_VERSION_STRING,
        .open = client_open,
        .close = client_close,
        .interrupt = client_interrupt,
        .node_of_key = client_node_of_key,
        .worker_open = worker_open,
        .worker_close = worker_close,
        .get = call_get,
        .set = call_set,
        .add = call_add,
        .remove = call_remove,
        .increment = call_increment,
        .multi_get = call_multi_get,
    };
    return &driver;
}
