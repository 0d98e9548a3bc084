/* SPDX-License-Identifier: MIT */
/*
 * A load generator and its server for bench/proxy.py, each one thread on epoll and loopback only.
 *
 *   netload serve                            prints its port, serves until its input ends
 *   netload ops PORT CONNECTIONS SECONDS     32-byte requests, one in flight per connection
 *   netload churn PORT CONNECTIONS SECONDS   connect, one request, one answer, close
 *   netload bulk PORT STREAMS SECONDS        receives as fast as it goes
 *   netload idle PORT CONNECTIONS            one request each, then "ready" and silence until its
 *                                            input ends
 *   netload timer 0 COUNT                    how late this machine wakes up from a 5 ms timer
 *
 * The first byte that a connection carries tells the server what it is for: 'E' answers every
 * request with the same bytes, 'B' sends without end. Each mode prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/time.h"

#define MESSAGE_BYTES 32
#define BLOCK_BYTES (128 * 1024)
#define CONNECTIONS_MAX 20000
#define SAMPLES_MAX 4000000u
#define EVENTS_MAX 256
/* A connection that answers nothing for so long makes the measurement fail. */
#define SILENCE_MS 10000

static unsigned char block[BLOCK_BYTES];

static void fail(const char *what)
{
    fprintf(stderr, "netload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int loop, int op, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};
    if (epoll_ctl(loop, op, fd, &e) < 0)
        fail("epoll_ctl");
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void set_nodelay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- server ---- */

static void serve_accept(int loop, int listener, char *modes)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (fd >= 2 * CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        set_nodelay(fd);
        modes[fd] = 0;
        watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static void serve_one(int loop, int fd, uint32_t events, char *mode)
{
    if (events & EPOLLOUT) {
        if (send(fd, block, sizeof block, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
            close(fd);
        return;
    }
    ssize_t n = recv(fd, block, sizeof block, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0 && *mode == 0)
        *mode = (char)block[0];
    if (n > 0 && *mode == 'B')
        watch(loop, EPOLL_CTL_MOD, fd, EPOLLOUT);
    else if (n <= 0 || send(fd, block, (size_t)n, MSG_NOSIGNAL) != n)
        close(fd);
}

static int serve(void)
{
    static char modes[2 * CONNECTIONS_MAX];
    struct sockaddr_in a = loopback(0);
    socklen_t size = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || loop < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) < 0 ||
        listen(listener, SOMAXCONN) < 0 || getsockname(listener, (struct sockaddr *)&a, &size) < 0)
        fail("listen");
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    watch(loop, EPOLL_CTL_ADD, listener, EPOLLIN);
    watch(loop, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(loop, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == listener)
                serve_accept(loop, listener, modes);
            else
                serve_one(loop, fd, events[i].events, &modes[fd]);
        }
    }
}

/* ---- clients ---- */

struct load {
    int loop;
    int port;
    int connections;
    ns_t end;
    ns_t *started; /* of the request in flight, by descriptor */
    uint32_t *samples_tenth_us;
    size_t count;
};

static int dial(const struct load *l)
{
    struct sockaddr_in a = loopback(l->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || fd >= 2 * CONNECTIONS_MAX || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        fail("connect");
    set_nodelay(fd);
    return fd;
}

static void ask(struct load *l, int fd)
{
    static const char request[MESSAGE_BYTES] = "E: a request of thirty-two bytes";
    l->started[fd] = ns_now();
    if (send(fd, request, sizeof request, MSG_NOSIGNAL) != sizeof request)
        fail("send");
}

static void open_all(struct load *l)
{
    for (int i = 0; i < l->connections; i++) {
        int fd = dial(l);
        watch(l->loop, EPOLL_CTL_ADD, fd, EPOLLIN);
        ask(l, fd);
    }
}

static void take_answer(struct load *l, int fd)
{
    unsigned char answer[MESSAGE_BYTES];
    if (recv(fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer)
        fail("recv");
    ns_t took = ns_now() - l->started[fd];
    if (l->count < SAMPLES_MAX)
        l->samples_tenth_us[l->count] = (uint32_t)(took / 100);
    l->count++;
}

/* Runs until the end; `next` is what happens to a connection that got its answer. */
static void run(struct load *l, void (*next)(struct load *, int fd))
{
    while (ns_now() < l->end) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(l->loop, events, EVENTS_MAX, SILENCE_MS);
        if (n == 0) {
            errno = ETIMEDOUT;
            fail("no answer");
        }
        for (int i = 0; i < n; i++) {
            take_answer(l, events[i].data.fd);
            next(l, events[i].data.fd);
        }
    }
}

static void reconnect(struct load *l, int fd)
{
    /* A reset leaves no port in TIME_WAIT: they would run out within seconds. */
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
    fd = dial(l);
    watch(l->loop, EPOLL_CTL_ADD, fd, EPOLLIN);
    ask(l, fd);
}

/* The floor of every delay measured here. */
static void wait_for_timers(struct load *l)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    for (int i = 0; i < l->connections && l->count < SAMPLES_MAX; i++) {
        uint64_t expirations;
        ns_t due = ns_now() + 5 * NS_PER_MS;
        struct itimerspec when = {.it_value = ns_to_timespec(due)};
        if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) < 0 ||
            read(timer, &expirations, sizeof expirations) < 0)
            fail("timer");
        l->samples_tenth_us[l->count++] = (uint32_t)((ns_now() - due) / 100);
    }
    close(timer);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_load(struct load *l, ns_t began)
{
    double seconds = (double)(ns_now() - began) / NS_PER_SEC;
    size_t kept = l->count < SAMPLES_MAX ? l->count : SAMPLES_MAX;
    if (kept == 0)
        fail("nothing measured");
    qsort(l->samples_tenth_us, kept, sizeof *l->samples_tenth_us, compare);
    uint32_t p50 = l->samples_tenth_us[kept / 2], p99 = l->samples_tenth_us[kept * 99 / 100];
    printf("{\"count\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", l->count,
           seconds, p50 / 10.0, p99 / 10.0);
}

/* Counts from the first byte on, so that the connect and a slow start are no part of the rate. */
static void bulk(struct load *l, ns_t length)
{
    uint64_t bytes = 0;
    ns_t first = 0, last = 0;
    for (int i = 0; i < l->connections; i++) {
        int fd = dial(l);
        watch(l->loop, EPOLL_CTL_ADD, fd, EPOLLIN);
        if (send(fd, "B", 1, MSG_NOSIGNAL) != 1)
            fail("send");
    }
    while (first == 0 || last - first < length) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(l->loop, events, EVENTS_MAX, SILENCE_MS);
        for (int i = 0; i < n; i++) {
            ssize_t got = recv(events[i].data.fd, block, sizeof block, MSG_DONTWAIT);
            if (got <= 0)
                fail("recv");
            bytes += first > 0 ? (uint64_t)got : 0;
        }
        if (n <= 0) {
            errno = ETIMEDOUT;
            fail("no data");
        }
        last = ns_now();
        first = first > 0 ? first : last;
    }
    printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)bytes,
           (double)(last - first) / NS_PER_SEC);
}

static void idle(struct load *l)
{
    char byte;
    for (int i = 0; i < l->connections; i++) {
        int fd = dial(l);
        ask(l, fd);
        take_answer(l, fd);
    }
    printf("{\"ready\": %d}\n", l->connections);
    fflush(stdout);
    (void)!read(STDIN_FILENO, &byte, 1);
}

/* A whole number or a fraction, 0 or more; ends the program when it is neither. */
static double number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= SAMPLES_MAX)) {
        fprintf(stderr, "netload: %s is no number\n", text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve();
    if (argc < 4) {
        fprintf(stderr, "usage: netload serve | MODE PORT CONNECTIONS [SECONDS]\n");
        return 2;
    }
    struct load l = {.port = (int)number(argv[2]), .connections = (int)number(argv[3])};
    ns_t length = argc > 4 ? (ns_t)(number(argv[4]) * NS_PER_SEC) : 0;
    l.loop = epoll_create1(EPOLL_CLOEXEC);
    l.started = calloc(2 * CONNECTIONS_MAX, sizeof *l.started);
    l.samples_tenth_us = calloc(SAMPLES_MAX, sizeof *l.samples_tenth_us);
    if (l.loop < 0 || !l.started || !l.samples_tenth_us)
        fail("set up");
    ns_t began = ns_now();
    l.end = began + length;
    if (strcmp(argv[1], "idle") == 0) {
        idle(&l);
    } else if (strcmp(argv[1], "bulk") == 0) {
        bulk(&l, length);
    } else if (strcmp(argv[1], "timer") == 0) {
        wait_for_timers(&l);
        print_load(&l, began);
    } else {
        open_all(&l);
        run(&l, strcmp(argv[1], "churn") == 0 ? reconnect : ask);
        print_load(&l, began);
    }
    free(l.started);
    free(l.samples_tenth_us);
    close(l.loop);
    return 0;
}
