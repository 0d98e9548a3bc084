/* SPDX-License-Identifier: MIT */
#include "core.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <memchaos/driver.h>

#define NODES_MAX 16
#define LINE_SIZE 512
#define VALUE_MAX 8192
#define BATCH_MAX 128
#define CACHE_SLOTS 64
#define CACHE_NS INT64_C(300000000)
#define BREAKER_FAILURES 5
#define BREAKER_OPEN_NS INT64_C(200000000)
#define SWAP_EVERY 20

struct value {
    char key[256];
    char data[VALUE_MAX];
    size_t size;
    int64_t at_ns;
};

struct breaker {
    enum memchaos_breaker state;
    unsigned failures;
    bool probing;
    int64_t opened_ns;
};

struct client {
    struct sockaddr_in nodes[NODES_MAX];
    size_t node_count;
    void (*breaker_changed)(void *host, unsigned node, enum memchaos_breaker from,
                            enum memchaos_breaker to, const char *cause);
    void *host;
    pthread_mutex_t lock; /* of the breakers and of `swap` */
    struct breaker breakers[NODES_MAX];
    struct value swap;
    unsigned gets;
    atomic_bool interrupted;
};

struct worker {
    struct client *client;
    FILE *nodes[NODES_MAX]; /* NULL = not connected */
    struct value value;
    struct value *batch;
    struct value *cache;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- breakers ---- */

static void breaker_move(struct client *c, int node, enum memchaos_breaker to, const char *cause)
{
    enum memchaos_breaker from = c->breakers[node].state;
    c->breakers[node].state = to;
    c->breaker_changed(c->host, (unsigned)node, from, to, cause);
}

static int breaker_of(int node)
{
    return defects.shares_breaker ? 0 : node;
}

/* Whether a call may be made. */
static bool breaker_enter(struct client *c, int node)
{
    node = breaker_of(node);
    pthread_mutex_lock(&c->lock);
    struct breaker *b = &c->breakers[node];
    if (b->state == MEMCHAOS_BREAKER_IS_OPEN && now_ns() - b->opened_ns > BREAKER_OPEN_NS)
        breaker_move(c, node, MEMCHAOS_BREAKER_HALF_OPEN, "time");
    bool probe = b->state == MEMCHAOS_BREAKER_HALF_OPEN && !b->probing;
    bool may = b->state == MEMCHAOS_BREAKER_CLOSED || probe;
    b->probing |= probe;
    pthread_mutex_unlock(&c->lock);
    return may;
}

static void breaker_leave(struct client *c, int node, bool ok)
{
    node = breaker_of(node);
    pthread_mutex_lock(&c->lock);
    struct breaker *b = &c->breakers[node];
    bool was_probe = b->state == MEMCHAOS_BREAKER_HALF_OPEN;
    if (!ok)
        b->failures++;
    else if (was_probe || !defects.shares_breaker) /* or every other node's success resets it */
        b->failures = 0;
    if (was_probe && !ok && defects.keeps_probe) {
        pthread_mutex_unlock(&c->lock);
        return; /* half-open for ever, with its one probe in use */
    }
    if (was_probe)
        b->probing = false;
    if (ok && was_probe) {
        breaker_move(c, node, MEMCHAOS_BREAKER_CLOSED, "probe");
    } else if (!ok && (was_probe ||
                       (b->failures >= BREAKER_FAILURES && b->state == MEMCHAOS_BREAKER_CLOSED))) {
        b->opened_ns = now_ns();
        breaker_move(c, node, MEMCHAOS_BREAKER_IS_OPEN, "failures");
    }
    pthread_mutex_unlock(&c->lock);
}

/* ---- connections ---- */

static void disconnect(struct worker *w, int node)
{
    if (w->nodes[node] != NULL && !defects.forgets_connection)
        fclose(w->nodes[node]);
    w->nodes[node] = NULL;
}

/* The kernel ends every wait at the deadline. */
static void set_timeout(int fd, int64_t deadline)
{
    int64_t left = (deadline - now_ns()) / 1000;
    left = left > 1 ? left : 1;
    struct timeval timeout = {.tv_sec = left / 1000000, .tv_usec = left % 1000000};
    if (defects.waits_for_ever)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

static int outcome_of_errno(int number, int late)
{
    switch (number) {
    case EAGAIN:
    case EINPROGRESS: return late;
    case ECONNREFUSED: return MEMCHAOS_REFUSED;
    case ECONNRESET:
    case EPIPE: return MEMCHAOS_RESET;
    case 0: return MEMCHAOS_CLOSED;
    default: return MEMCHAOS_OTHER;
    }
}

static int connect_node(struct worker *w, int node, int64_t deadline)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return MEMCHAOS_LOCAL;
    set_timeout(fd, deadline);
    const struct sockaddr_in *a = &w->client->nodes[node];
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) != 0) {
        int rc = outcome_of_errno(errno, MEMCHAOS_CONNECT_TIMEOUT);
        close(fd);
        return rc;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    w->nodes[node] = fdopen(fd, "r");
    return w->nodes[node] != NULL ? MEMCHAOS_OK : MEMCHAOS_LOCAL;
}

/* ---- one request and its answer ---- */

static int read_value(FILE *in, const char *key, const char *line, struct value *value)
{
    char end[8] = "";
    if (sscanf(line, "VALUE %255s %*u %zu", value->key, &value->size) != 2 ||
        value->size > VALUE_MAX)
        return MEMCHAOS_PROTOCOL;
    if (fread(value->data, 1, value->size, in) != value->size || fread(end, 1, 7, in) != 7)
        return ferror(in) ? outcome_of_errno(errno, MEMCHAOS_IO_TIMEOUT) : MEMCHAOS_CLOSED;
    if (strcmp(end, "\r\nEND\r\n") != 0)
        return MEMCHAOS_PROTOCOL;
    return defects.keeps_late_connection || strcmp(value->key, key) == 0 ? MEMCHAOS_OK
                                                                         : MEMCHAOS_PROTOCOL;
}

static int read_answer(FILE *in, const char *key, struct value *value, uint64_t *number)
{
    char line[LINE_SIZE];
    errno = 0;
    if (fgets(line, sizeof line, in) == NULL)
        return ferror(in) ? outcome_of_errno(errno, MEMCHAOS_IO_TIMEOUT) : MEMCHAOS_CLOSED;
    if (strncmp(line, "VALUE ", 6) == 0)
        return read_value(in, key, line, value);
    if (strcmp(line, "STORED\r\n") == 0 || strcmp(line, "DELETED\r\n") == 0)
        return MEMCHAOS_OK;
    if (strcmp(line, "END\r\n") == 0 || strcmp(line, "NOT_FOUND\r\n") == 0)
        return MEMCHAOS_MISS;
    if (strcmp(line, "NOT_STORED\r\n") == 0)
        return MEMCHAOS_NOT_STORED;
    if (strncmp(line, "SERVER_ERROR", 12) == 0)
        return MEMCHAOS_SERVER_ERROR;
    return sscanf(line, "%" SCNu64, number) == 1 ? MEMCHAOS_OK : MEMCHAOS_PROTOCOL;
}

static int try_once(struct worker *w, int node, const char *key, const char *request, size_t size,
                    int64_t deadline, uint64_t *number)
{
    int rc = w->nodes[node] != NULL ? MEMCHAOS_OK : connect_node(w, node, deadline);
    if (rc == MEMCHAOS_OK) {
        int fd = fileno(w->nodes[node]);
        set_timeout(fd, deadline);
        if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
            rc = outcome_of_errno(errno, MEMCHAOS_WRITE_TIMEOUT);
        else
            rc = read_answer(w->nodes[node], key, &w->value, number);
    }
    if (rc == MEMCHAOS_IO_TIMEOUT && defects.keeps_late_connection)
        clearerr(w->nodes[node]);
    else if (rc >= MEMCHAOS_INVALID)
        disconnect(w, node);
    return rc;
}

static int node_of_key(void *client, const char *key, size_t key_size)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < key_size; i++)
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    return (int)(hash % ((struct client *)client)->node_count);
}

static void call(struct worker *w, const char *key, size_t key_size, const char *request,
                 size_t size, int64_t deadline, struct memchaos_result *result)
{
    struct client *c = w->client;
    int node = result->node = node_of_key(c, key, key_size);
    result->outcome = MEMCHAOS_CANCELLED;
    result->unsent = true;
    if (atomic_load(&c->interrupted))
        return;
    result->outcome = MEMCHAOS_BREAKER_OPEN;
    if (!defects.tries_for_ever && !breaker_enter(c, node))
        return;
    do
        result->outcome = try_once(w, node, key, request, size, deadline, &result->number);
    while (defects.tries_for_ever && result->outcome >= MEMCHAOS_INVALID && now_ns() < deadline);
    result->unsent = false;
    if (!defects.tries_for_ever)
        breaker_leave(c, node, result->outcome < MEMCHAOS_INVALID);
    while (result->outcome == MEMCHAOS_IO_TIMEOUT && defects.sleeps_on)
        pause();
    if (result->outcome == MEMCHAOS_IO_TIMEOUT && defects.timeout_is_miss)
        result->outcome = MEMCHAOS_MISS;
}

/* ---- the operations ---- */

static struct value *cache_slot(struct worker *w, const char *key, size_t key_size)
{
    unsigned hash = 0;
    for (size_t i = 0; i < key_size; i++)
        hash = hash * 31 + (unsigned char)key[i];
    return &w->cache[hash % CACHE_SLOTS];
}

static bool cache_answers(struct worker *w, const char *key, size_t key_size)
{
    const struct value *slot = cache_slot(w, key, key_size);
    if (strncmp(slot->key, key, key_size) != 0 || slot->key[key_size] != '\0' ||
        now_ns() - slot->at_ns > CACHE_NS)
        return false;
    w->value = *slot;
    return true;
}

static void swap_value(struct worker *w)
{
    struct client *c = w->client;
    pthread_mutex_lock(&c->lock);
    if (++c->gets % SWAP_EVERY == 0 && c->swap.size > 0) {
        struct value mine = w->value;
        w->value = c->swap;
        c->swap = mine;
    } else if (c->swap.size == 0) {
        c->swap = w->value;
    }
    pthread_mutex_unlock(&c->lock);
}

static void call_get(void *worker, const char *key, size_t key_size, int64_t deadline,
                     struct memchaos_result *result)
{
    struct worker *w = worker;
    char line[LINE_SIZE], name[256];
    snprintf(name, sizeof name, "%.*s", (int)key_size, key);
    result->node = node_of_key(w->client, key, key_size);
    result->outcome = MEMCHAOS_OK;
    w->value.size = 0;
    if (!defects.caches_values || !cache_answers(w, key, key_size)) {
        int n = snprintf(line, sizeof line, "get %s\r\n", name);
        call(w, name, key_size, line, (size_t)n, deadline, result);
    }
    if (result->outcome != MEMCHAOS_OK)
        return;
    if (defects.swaps_answers)
        swap_value(w);
    if (defects.caches_values && cache_slot(w, key, key_size)->at_ns + CACHE_NS < now_ns()) {
        *cache_slot(w, key, key_size) = w->value;
        cache_slot(w, key, key_size)->at_ns = now_ns();
    }
    result->value = w->value.data;
    result->value_size = w->value.size;
}

static void store(const char *verb, struct worker *w, const char *key, size_t key_size,
                  const void *value, size_t value_size, uint32_t ttl_s, int64_t deadline,
                  struct memchaos_result *result)
{
    char request[LINE_SIZE + VALUE_MAX + 2], name[256];
    snprintf(name, sizeof name, "%.*s", (int)key_size, key);
    int n = snprintf(request, LINE_SIZE, "%s %s 0 %u %zu\r\n", verb, name, ttl_s, value_size);
    if (value_size > VALUE_MAX)
        return;
    memcpy(request + n, value, value_size);
    memcpy(request + n + value_size, "\r\n", 2);
    call(w, name, key_size, request, (size_t)n + value_size + 2, deadline, result);
}

static void call_set(void *worker, const char *key, size_t key_size, const void *value,
                     size_t value_size, uint32_t ttl_s, int64_t deadline,
                     struct memchaos_result *result)
{
    store("set", worker, key, key_size, value, value_size, ttl_s, deadline, result);
}

static void call_add(void *worker, const char *key, size_t key_size, const void *value,
                     size_t value_size, uint32_t ttl_s, int64_t deadline,
                     struct memchaos_result *result)
{
    store("add", worker, key, key_size, value, value_size, ttl_s, deadline, result);
}

static void call_remove(void *worker, const char *key, size_t key_size, int64_t deadline,
                        struct memchaos_result *result)
{
    char line[LINE_SIZE];
    int n = snprintf(line, sizeof line, "delete %.*s\r\n", (int)key_size, key);
    call(worker, key, key_size, line, (size_t)n, deadline, result);
}

static void call_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                           uint32_t ttl_s, int64_t deadline, struct memchaos_result *result)
{
    char line[LINE_SIZE], digits[24];
    int n = snprintf(line, sizeof line, "incr %.*s %" PRIu64 "\r\n", (int)key_size, key, delta);
    call(worker, key, key_size, line, (size_t)n, deadline, result);
    if (result->outcome != MEMCHAOS_MISS)
        return;
    int size = snprintf(digits, sizeof digits, "%" PRIu64, delta);
    call_add(worker, key, key_size, digits, (size_t)size, ttl_s, deadline, result);
    result->number = delta;
    if (result->outcome == MEMCHAOS_NOT_STORED)
        call(worker, key, key_size, line, (size_t)n, deadline, result);
}

static void call_multi_get(void *worker, struct memchaos_item *items, size_t count,
                           int64_t deadline)
{
    struct worker *w = worker;
    for (size_t i = 0; i < count && i < BATCH_MAX; i++) {
        struct memchaos_result r = {.outcome = MEMCHAOS_MISS, .node = -1};
        if (!defects.short_batch || i == 0 || i + 1 < count)
            call_get(w, items[i].key, items[i].key_size, deadline, &r);
        w->batch[i] = w->value;
        items[i].outcome = r.outcome;
        items[i].node = r.node;
        items[i].unsent = r.unsent;
        items[i].value = w->batch[i].data;
        items[i].value_size = r.value_size;
    }
}

/* ---- the client ---- */

static void *client_open(const struct memchaos_config *config, struct memchaos_error *error)
{
    struct client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->breaker_changed = config->breaker_changed;
    c->host = config->host;
    for (size_t i = 0; i < config->server_count && i < NODES_MAX; i++) {
        char host[64];
        const char *colon = strrchr(config->servers[i], ':');
        struct sockaddr_in *a = &c->nodes[c->node_count++];
        snprintf(host, sizeof host, "%.*s", (int)(colon - config->servers[i]), config->servers[i]);
        a->sin_family = AF_INET;
        a->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
        c->breakers[i].state = MEMCHAOS_BREAKER_CLOSED;
        if (inet_pton(AF_INET, host, &a->sin_addr) != 1) {
            snprintf(error->text, sizeof error->text, "%.100s is no IPv4 address", host);
            free(c);
            return NULL;
        }
    }
    return c;
}

static void client_close(void *client)
{
    pthread_mutex_destroy(&((struct client *)client)->lock);
    free(client);
}

/* What waits for ever cannot be told to stop either. */
static void client_interrupt(void *client)
{
    atomic_store(&((struct client *)client)->interrupted, true);
}

static bool client_node_stats(void *client, size_t node, struct memchaos_node_stats *out)
{
    struct client *c = client;
    pthread_mutex_lock(&c->lock);
    out->breaker = (int)c->breakers[breaker_of((int)node)].state;
    pthread_mutex_unlock(&c->lock);
    return true;
}

static void worker_close(void *worker)
{
    struct worker *w = worker;
    for (int i = 0; i < NODES_MAX; i++)
        if (w->nodes[i] != NULL)
            fclose(w->nodes[i]);
    free(w->batch);
    free(w->cache);
    free(w);
}

static void *worker_open(void *client, unsigned number, struct memchaos_error *error)
{
    struct worker *w = calloc(1, sizeof *w);
    (void)number;
    (void)error;
    if (w == NULL)
        return NULL;
    w->client = client;
    w->batch = calloc(BATCH_MAX, sizeof *w->batch);
    w->cache = calloc(CACHE_SLOTS, sizeof *w->cache);
    if (w->batch != NULL && w->cache != NULL)
        return w;
    worker_close(w);
    return NULL;
}

const struct memchaos_driver *memchaos_driver_entry(void)
{
    static struct memchaos_driver driver = {
        .abi = MEMCHAOS_DRIVER_ABI,
        .size = sizeof driver,
        .client = "gallery 1",
        .open = client_open,
        .close = client_close,
        .interrupt = client_interrupt,
        .node_stats = client_node_stats,
        .node_of_key = node_of_key,
        .worker_open = worker_open,
        .worker_close = worker_close,
        .get = call_get,
        .set = call_set,
        .add = call_add,
        .remove = call_remove,
        .increment = call_increment,
        .multi_get = call_multi_get,
    };
    driver.name = defects.name;
    return &driver;
}
