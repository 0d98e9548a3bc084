/* SPDX-License-Identifier: MIT */
/*
 * A driver to start from: a client of the text protocol that is as small as it can be, with a
 * connection of its own per worker and node. Whatever goes wrong on a connection closes it, since
 * nobody knows what would come out of it next.
 *
 *     cc -shared -fPIC -fvisibility=hidden example.c -o example.so
 *     memchaos -driver ./example.so -scenario brief-packet-drop -duration 10s
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem, ppoll */
#endif
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <memchaos/driver.h>

#define NODES_MAX 64
#define LINE_MAX_SIZE 512
#define VALUE_MAX (1024 * 1024)
#define WAIT_SLICE_NS INT64_C(50000000) /* how long a wait may overlook an interrupt */

struct client {
    size_t node_count;
    struct addrinfo *nodes[NODES_MAX];
    atomic_bool interrupted;
};

struct worker {
    struct client *client;
    int fds[NODES_MAX]; /* -1 = not connected */
    char buffer[LINE_MAX_SIZE + VALUE_MAX + 2];
    size_t used;
};

/* ---- the client: addresses, and the node of a key ---- */

static void client_close(void *client)
{
    struct client *c = client;
    for (size_t i = 0; i < c->node_count; i++)
        freeaddrinfo(c->nodes[i]);
    free(c);
}

static int resolve(const char *server, struct addrinfo **out)
{
    char host[256];
    const char *colon = strrchr(server, ':');
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (colon == NULL || (size_t)(colon - server) >= sizeof host)
        return EAI_NONAME;
    bool brackets = server[0] == '[' && colon > server && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - server) - 2 * brackets, server + brackets);
    return getaddrinfo(host, colon + 1, &hints, out);
}

static void *client_open(const struct memchaos_config *config, struct memchaos_error *error)
{
    struct client *c = calloc(1, sizeof *c);
    for (size_t i = 0; c != NULL && i < config->server_count && i < NODES_MAX; i++) {
        int rc = resolve(config->servers[i], &c->nodes[i]);
        if (rc != 0) {
            snprintf(error->text, sizeof error->text, "%.100s: %s", config->servers[i],
                     gai_strerror(rc));
            client_close(c);
            return NULL;
        }
        c->node_count++;
    }
    return c;
}

static void client_interrupt(void *client)
{
    atomic_store(&((struct client *)client)->interrupted, true);
}

static int client_node_of_key(void *client, const char *key, size_t key_size)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < key_size; i++)
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    return (int)(hash % ((struct client *)client)->node_count);
}

static void worker_close(void *worker)
{
    struct worker *w = worker;
    for (size_t i = 0; i < NODES_MAX; i++)
        if (w->fds[i] >= 0)
            close(w->fds[i]);
    free(w);
}

static void *worker_open(void *client, unsigned number, struct memchaos_error *error)
{
    (void)number;
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        snprintf(error->text, sizeof error->text, "out of memory");
        return NULL;
    }
    w->client = client;
    for (size_t i = 0; i < NODES_MAX; i++)
        w->fds[i] = -1;
    return w;
}

/* ---- bytes, until the deadline. 0, or the outcome that is not MEMCHAOS_OK ---- */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int wait_for(struct worker *w, int fd, short events, int64_t deadline, int late)
{
    for (;;) {
        int64_t left = deadline - now_ns();
        if (atomic_load(&w->client->interrupted))
            return MEMCHAOS_CANCELLED;
        if (left <= 0)
            return late;
        if (left > WAIT_SLICE_NS)
            left = WAIT_SLICE_NS;
        struct pollfd pfd = {.fd = fd, .events = events};
        const struct timespec timeout = {.tv_nsec = (long)left};
        if (ppoll(&pfd, 1, &timeout, NULL) > 0)
            return MEMCHAOS_OK;
    }
}

static int connect_node(struct worker *w, int node, int64_t deadline)
{
    const struct addrinfo *a = w->client->nodes[node];
    int on = 1, error = 0, fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof error;
    if (fd < 0)
        return MEMCHAOS_LOCAL;
    w->fds[node] = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return MEMCHAOS_OK;
    if (errno != EINPROGRESS)
        return MEMCHAOS_REFUSED;
    int rc = wait_for(w, fd, POLLOUT, deadline, MEMCHAOS_CONNECT_TIMEOUT);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return rc != MEMCHAOS_OK ? rc : error != 0 ? MEMCHAOS_REFUSED : MEMCHAOS_OK;
}

static int send_all(struct worker *w, int fd, const char *data, size_t size, int64_t deadline)
{
    while (size > 0) {
        int rc = wait_for(w, fd, POLLOUT, deadline, MEMCHAOS_WRITE_TIMEOUT);
        if (rc != MEMCHAOS_OK)
            return rc;
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return MEMCHAOS_RESET;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return MEMCHAOS_OK;
}

static int receive_more(struct worker *w, int fd, int64_t deadline)
{
    int rc = wait_for(w, fd, POLLIN, deadline, MEMCHAOS_IO_TIMEOUT);
    if (rc != MEMCHAOS_OK)
        return rc;
    if (w->used == sizeof w->buffer)
        return MEMCHAOS_PROTOCOL;
    ssize_t n = recv(fd, w->buffer + w->used, sizeof w->buffer - w->used, 0);
    if (n == 0)
        return MEMCHAOS_CLOSED;
    if (n < 0)
        return errno == EAGAIN ? MEMCHAOS_OK : MEMCHAOS_RESET;
    w->used += (size_t)n;
    return MEMCHAOS_OK;
}

/* ---- one request and its answer ---- */

/* The size of the first line, with its end; 0 when it is not there yet. */
static size_t line_size(const struct worker *w)
{
    const char *end = memmem(w->buffer, w->used, "\r\n", 2);
    return end != NULL ? (size_t)(end - w->buffer) + 2 : 0;
}

static bool begins(const struct worker *w, const char *word)
{
    return strncmp(w->buffer, word, strlen(word)) == 0;
}

/* "VALUE key flags size", the value and END. */
static int read_value(struct worker *w, int fd, const char *key, size_t key_size, int64_t deadline,
                      struct memchaos_result *result)
{
    size_t head = line_size(w), size;
    char name[256];
    if (sscanf(w->buffer, "VALUE %255s %*u %zu", name, &size) != 2 || size > VALUE_MAX ||
        strlen(name) != key_size || memcmp(name, key, key_size) != 0)
        return MEMCHAOS_PROTOCOL;
    size_t all = head + size + 7; /* "\r\nEND\r\n" */
    int rc = MEMCHAOS_OK;
    while (rc == MEMCHAOS_OK && w->used < all)
        rc = receive_more(w, fd, deadline);
    if (rc == MEMCHAOS_OK &&
        (w->used > all || memcmp(w->buffer + head + size, "\r\nEND\r\n", 7) != 0))
        rc = MEMCHAOS_PROTOCOL;
    result->value = w->buffer + head;
    result->value_size = size;
    return rc;
}

static int read_answer(struct worker *w, int fd, const char *key, size_t key_size, int64_t deadline,
                       struct memchaos_result *result)
{
    w->used = 0;
    while (line_size(w) == 0) {
        int rc = receive_more(w, fd, deadline);
        if (rc != MEMCHAOS_OK)
            return rc;
    }
    if (begins(w, "VALUE "))
        return read_value(w, fd, key, key_size, deadline, result);
    if (w->used != line_size(w))
        return MEMCHAOS_PROTOCOL;
    if (begins(w, "STORED\r") || begins(w, "DELETED\r"))
        return MEMCHAOS_OK;
    if (begins(w, "END\r") || begins(w, "NOT_FOUND\r"))
        return MEMCHAOS_MISS;
    if (begins(w, "NOT_STORED\r"))
        return MEMCHAOS_NOT_STORED;
    if (begins(w, "SERVER_ERROR"))
        return begins(w, "SERVER_ERROR object too large") ? MEMCHAOS_TOO_LARGE
                                                          : MEMCHAOS_SERVER_ERROR;
    if (begins(w, "CLIENT_ERROR"))
        return MEMCHAOS_CLIENT_ERROR;
    return sscanf(w->buffer, "%" SCNu64, &result->number) == 1 ? MEMCHAOS_OK : MEMCHAOS_PROTOCOL;
}

static bool is_answer(int outcome)
{
    return outcome < MEMCHAOS_CANCELLED;
}

/* The text protocol has no way to quote a key. */
static bool is_key(const char *key, size_t key_size)
{
    for (size_t i = 0; i < key_size; i++)
        if ((unsigned char)key[i] <= ' ' || key[i] == 0x7f)
            return false;
    return key_size > 0 && key_size <= 250;
}

static void call(struct worker *w, const char *key, size_t key_size, const char *request, size_t n,
                 const void *value, size_t value_size, int64_t deadline,
                 struct memchaos_result *result)
{
    int node = result->node = client_node_of_key(w->client, key, key_size);
    int rc = w->fds[node] >= 0 ? MEMCHAOS_OK : connect_node(w, node, deadline);
    result->unsent = rc != MEMCHAOS_OK;
    if (rc == MEMCHAOS_OK)
        rc = send_all(w, w->fds[node], request, n, deadline);
    if (rc == MEMCHAOS_OK && value != NULL)
        rc = send_all(w, w->fds[node], value, value_size, deadline);
    if (rc == MEMCHAOS_OK && value != NULL)
        rc = send_all(w, w->fds[node], "\r\n", 2, deadline);
    if (rc == MEMCHAOS_OK)
        rc = read_answer(w, w->fds[node], key, key_size, deadline, result);
    result->outcome = rc;
    if (!is_answer(rc) && w->fds[node] >= 0) {
        close(w->fds[node]);
        w->fds[node] = -1;
    }
}

/* ---- the operations ---- */

static void call_get(void *worker, const char *key, size_t key_size, int64_t deadline,
                     struct memchaos_result *result)
{
    char line[LINE_MAX_SIZE];
    result->outcome = MEMCHAOS_INVALID;
    result->unsent = true;
    if (!is_key(key, key_size))
        return;
    int n = snprintf(line, sizeof line, "get %.*s\r\n", (int)key_size, key);
    call(worker, key, key_size, line, (size_t)n, NULL, 0, deadline, result);
}

static void store(const char *verb, struct worker *w, const char *key, size_t key_size,
                  const void *value, size_t value_size, uint32_t ttl_s, int64_t deadline,
                  struct memchaos_result *result)
{
    char line[LINE_MAX_SIZE];
    result->outcome = MEMCHAOS_INVALID;
    result->unsent = true;
    if (!is_key(key, key_size))
        return;
    int n = snprintf(line, sizeof line, "%s %.*s 0 %u %zu\r\n", verb, (int)key_size, key, ttl_s,
                     value_size);
    call(w, key, key_size, line, (size_t)n, value != NULL ? value : "", value_size, deadline,
         result);
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
    char line[LINE_MAX_SIZE];
    result->outcome = MEMCHAOS_INVALID;
    result->unsent = true;
    if (!is_key(key, key_size))
        return;
    int n = snprintf(line, sizeof line, "delete %.*s\r\n", (int)key_size, key);
    call(worker, key, key_size, line, (size_t)n, NULL, 0, deadline, result);
}

/* Counts up; a counter that is missing is added, and counted up after all when somebody else was
 * faster. What was not sent at last has changed nothing before either. */
static void call_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                           uint32_t ttl_s, int64_t deadline, struct memchaos_result *result)
{
    char line[LINE_MAX_SIZE], digits[24];
    result->outcome = MEMCHAOS_INVALID;
    result->unsent = true;
    if (!is_key(key, key_size))
        return;
    int n = snprintf(line, sizeof line, "incr %.*s %" PRIu64 "\r\n", (int)key_size, key, delta);
    call(worker, key, key_size, line, (size_t)n, NULL, 0, deadline, result);
    if (result->outcome != MEMCHAOS_MISS)
        return;
    int digit_count = snprintf(digits, sizeof digits, "%" PRIu64, delta);
    call_add(worker, key, key_size, digits, (size_t)digit_count, ttl_s, deadline, result);
    result->number = delta;
    if (result->outcome == MEMCHAOS_NOT_STORED)
        call(worker, key, key_size, line, (size_t)n, NULL, 0, deadline, result);
}

const struct memchaos_driver *memchaos_driver_entry(void)
{
    static const struct memchaos_driver driver = {
        .abi = MEMCHAOS_DRIVER_ABI,
        .size = sizeof driver,
        .name = "example",
        .client = "example 1.0",
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
    };
    return &driver;
}
