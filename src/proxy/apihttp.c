/* SPDX-License-Identifier: MIT */
#include "proxy/apihttp.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/apiclient.h"
#include "proxy/resolver.h"
#include "proxy/sock.h"

#define DEFAULT_PORT 8474

int apihttp_target_parse(const char *url, struct apihttp_target *out, struct err *err)
{
    char text[ADDRESS_HOST_MAX + 16];
    struct address_hostport hostport;
    const char *p = strncasecmp(url, "http://", 7) == 0 ? url + 7 : url;
    size_t n = strcspn(p, "/");
    if (strstr(p, "://") || (p[n] == '/' && p[n + 1] != '\0'))
        return err_set(err, "%s: the API's URL has the form http://host:port", url);
    if (n == 0 || n >= ADDRESS_HOST_MAX)
        return err_set(err, "%s: no host in the API's URL", url);
    snprintf(text, sizeof text, "%.*s", (int)n, p);
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');
    if (!colon || (bracket && colon < bracket))
        snprintf(text + n, sizeof text - n, ":%d", DEFAULT_PORT);
    if (address_split(text, &hostport, err) < 0)
        return -1;
    snprintf(out->host, sizeof out->host, "%s", hostport.host[0] ? hostport.host : "localhost");
    out->port = hostport.port;
    return 0;
}

/* Waits for the descriptor (-1 = for time only). An apiclient_result, OK = it is ready. */
static int wait_for(int fd, short events, ns_t deadline, int cancel_fd)
{
    struct pollfd fds[2] = {{.fd = cancel_fd, .events = POLLIN}, {.fd = fd, .events = events}};
    for (;;) {
        ns_t left = deadline - ns_now();
        struct timespec timeout = ns_to_timespec(ns_max(left, 0));
        int n = ppoll(fds, 2, &timeout, NULL);
        if (n < 0 && errno == EINTR)
            continue;
        if (fds[0].revents != 0)
            return APICLIENT_CANCELLED;
        if (n > 0)
            return APICLIENT_OK;
        return APICLIENT_TIMEOUT;
    }
}

int apihttp_sleep_until(ns_t at, int cancel_fd)
{
    return wait_for(-1, 0, at, cancel_fd) == APICLIENT_CANCELLED ? -1 : 0;
}

static int fail_wait(int result, const char *doing, struct err *err)
{
    err_set(err, "%s: %s", doing, result == APICLIENT_CANCELLED ? "cancelled" : "timed out");
    return result;
}

static int fail_errno(const char *doing, int error, struct err *err)
{
    char why[128];
    err_set(err, "%s: %s", doing, sock_reason(error, why, sizeof why));
    return APICLIENT_UNREACHABLE;
}

/* Connects to one address; *fd_out is -1 unless OK. */
static int connect_to(const struct address *address, const struct apihttp_request *r, int *fd_out,
                      struct err *err)
{
    bool done = false;
    int error = 0;
    socklen_t size = sizeof error;
    *fd_out = -1;
    int fd = sock_dial(address, &done);
    if (fd < 0)
        return fail_errno("connect", errno, err);
    int rc = done ? APICLIENT_OK : wait_for(fd, POLLOUT, r->deadline, r->cancel_fd);
    if (rc != APICLIENT_OK) {
        close(fd);
        return fail_wait(rc, "connect", err);
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0) {
        close(fd);
        return fail_errno("connect", error, err);
    }
    *fd_out = fd;
    return APICLIENT_OK;
}

static int open_connection(const struct apihttp_request *r, int *fd_out, struct err *err)
{
    struct address_hostport hostport = {.port = r->target->port};
    struct address_list list;
    char why[ADDRESS_HOST_MAX + 64];
    snprintf(hostport.host, sizeof hostport.host, "%s", r->target->host);
    /* A name that is not local may take the system resolver's own time; that cannot be cut short.
     */
    if (!address_known(&hostport, &list))
        resolver_lookup_now(&hostport, &list, why, sizeof why);
    int rc = APICLIENT_UNREACHABLE;
    if (list.count == 0)
        err_set(err, "%s", why);
    for (size_t i = 0; i < list.count; i++) {
        struct err next;
        rc = connect_to(&list.items[i], r, fd_out, &next);
        if (rc == APICLIENT_OK)
            return rc;
        /* The first address's reason is the one to tell: the others are fallbacks. */
        if (i == 0)
            err_set(err, "%s", next.text);
        if (rc != APICLIENT_UNREACHABLE)
            break;
    }
    return rc;
}

static int send_all(int fd, const char *bytes, size_t size, const struct apihttp_request *r,
                    struct err *err)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            int rc = wait_for(fd, POLLOUT, r->deadline, r->cancel_fd);
            if (rc != APICLIENT_OK)
                return fail_wait(rc, "send", err);
        } else if (errno != EINTR) {
            return fail_errno("send", errno, err);
        }
    }
    return APICLIENT_OK;
}

static int send_request(int fd, const struct apihttp_request *r, struct err *err)
{
    char head[2048];
    bool v6 = strchr(r->target->host, ':') != NULL;
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: %s\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     r->method, r->path, v6 ? "[" : "", r->target->host, v6 ? "]" : "",
                     r->target->port, r->agent, r->body ? strlen(r->body) : 0);
    if (n < 0 || (size_t)n >= sizeof head) {
        err_set(err, "request is too long");
        return APICLIENT_REFUSED;
    }
    int rc = send_all(fd, head, (size_t)n, r, err);
    if (rc == APICLIENT_OK && r->body)
        rc = send_all(fd, r->body, strlen(r->body), r, err);
    return rc;
}

/* The value of a header in [head, end), or NULL; it ends at the line's end. */
static const char *find_header(const char *head, const char *end, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = head; line < end;) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        if (!eol)
            break;
        if ((size_t)(eol - line) > size && line[size] == ':' && strncasecmp(line, name, size) == 0)
            return line + size + 1 + strspn(line + size + 1, " \t");
        line = eol + 1;
    }
    return NULL;
}

/* 1, 0 or -1 as apihttp_parse(). */
static int parse_chunked(const char *p, size_t size, struct apihttp_answer *out)
{
    const char *end = p + size;
    out->body = malloc(size + 1);
    out->body_size = 0;
    if (!out->body)
        return -1;
    for (;;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        char *after;
        if (!eol)
            return 0;
        unsigned long n = strtoul(p, &after, 16);
        if (after == p || !isxdigit((unsigned char)*p) || n > APICLIENT_ANSWER_BYTES_MAX)
            return -1;
        p = eol + 1;
        if (n == 0)
            return 1;
        if ((size_t)(end - p) < n + 2)
            return 0;
        memcpy(out->body + out->body_size, p, n);
        out->body_size += n;
        p += n + 2;
    }
}

static int parse_body(const char *body, size_t size, const char *length, int closed,
                      struct apihttp_answer *out)
{
    size_t want = size;
    if (length) {
        want = strtoul(length, NULL, 10);
        if (want > APICLIENT_ANSWER_BYTES_MAX || (closed && size < want))
            return -1;
    }
    if (size < want || (!length && !closed))
        return 0;
    out->body = malloc(want + 1);
    if (!out->body)
        return -1;
    memcpy(out->body, body, want);
    out->body_size = want;
    return 1;
}

/* The head of the final answer: "100 Continue" and its like are passed over. 1, 0 or -1. */
static int find_head(const char **bytes, size_t *size, const char **body, int *status)
{
    for (;;) {
        const char *blank = memmem(*bytes, *size, "\r\n\r\n", 4);
        if (!blank)
            return 0;
        if (sscanf(*bytes, "HTTP/1.%*1d %3d", status) != 1)
            return -1;
        *body = blank + 4;
        if (*status < 100 || *status >= 200)
            return 1;
        *size -= (size_t)(*body - *bytes);
        *bytes = *body;
    }
}

/* `bytes` must end with a NUL after `size` bytes, which makes the text functions safe. */
int apihttp_parse(const char *bytes, size_t size, int closed, struct apihttp_answer *out)
{
    const char *body;
    *out = (struct apihttp_answer){0};
    int rc = find_head(&bytes, &size, &body, &out->status);
    if (rc != 1)
        return closed ? -1 : rc;
    size_t body_size = size - (size_t)(body - bytes);
    if (out->status == 204 || out->status == 304)
        return 1;
    const char *coding = find_header(bytes, body, "Transfer-Encoding");
    rc = coding && strncasecmp(coding, "chunked", 7) == 0
             ? parse_chunked(body, body_size, out)
             : parse_body(body, body_size, find_header(bytes, body, "Content-Length"), closed, out);
    if (rc != 1) {
        free(out->body);
        out->body = NULL;
    }
    return rc == 0 && closed ? -1 : rc;
}

struct received {
    char *bytes;
    size_t size;
    size_t capacity;
};

static int make_room(struct received *in)
{
    if (in->capacity - in->size > 4096)
        return 0;
    size_t capacity = in->capacity > 0 ? 2 * in->capacity : 16384;
    if (capacity > 4u * APICLIENT_ANSWER_BYTES_MAX)
        return -1;
    char *bytes = realloc(in->bytes, capacity);
    if (!bytes)
        return -1;
    in->bytes = bytes;
    in->capacity = capacity;
    return 0;
}

static int receive(int fd, const struct apihttp_request *r, struct received *in,
                   struct apihttp_answer *out, struct err *err)
{
    for (;;) {
        int rc = wait_for(fd, POLLIN, r->deadline, r->cancel_fd);
        if (rc != APICLIENT_OK)
            return fail_wait(rc, "wait for the answer", err);
        if (make_room(in) < 0) {
            err_set(err, "the answer is too long");
            return APICLIENT_UNREACHABLE;
        }
        ssize_t n = recv(fd, in->bytes + in->size, in->capacity - in->size - 1, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return fail_errno("receive", errno, err);
        in->size += (size_t)n;
        in->bytes[in->size] = '\0';
        int parsed = apihttp_parse(in->bytes, in->size, n == 0, out);
        if (parsed == 1)
            return APICLIENT_OK;
        if (parsed < 0) {
            err_set(err, in->size == 0 ? "the connection was closed" : "the answer is not HTTP");
            return APICLIENT_UNREACHABLE;
        }
    }
}

int apihttp_exchange(const struct apihttp_request *r, struct apihttp_answer *out, struct err *err)
{
    struct received in = {0};
    int fd;
    *out = (struct apihttp_answer){0};
    int rc = open_connection(r, &fd, err);
    if (rc != APICLIENT_OK)
        return rc;
    rc = send_request(fd, r, err);
    if (rc == APICLIENT_OK)
        rc = receive(fd, r, &in, out, err);
    free(in.bytes);
    close(fd);
    return rc;
}
