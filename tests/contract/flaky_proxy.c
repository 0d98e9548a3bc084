/* SPDX-License-Identifier: MIT */
#include "flaky_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rng.h"

#define PIECE_SIZE 2048
#define LOOK_MS 5

struct session {
    struct flaky_proxy *proxy;
    int client, server;
    unsigned epoch;
    atomic_int users; /* pumps */
};

struct pump {
    struct session *session;
    int from, to;
    bool to_client;
    struct rng rng;
};

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool is_over(const struct session *session)
{
    return atomic_load(&session->proxy->stopping) ||
           atomic_load(&session->proxy->epoch) != session->epoch;
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        size -= (size_t)sent;
    }
}

static void hold_back(struct pump *pump)
{
    struct flaky_proxy *proxy = pump->session->proxy;
    int jitter = atomic_load(&proxy->jitter_us);
    int delay = atomic_load(&proxy->delay_us);
    if (jitter > 0)
        delay += (int)rng_below(&pump->rng, (uint64_t)jitter);
    for (; delay > 0 && !is_over(pump->session); delay -= 5000)
        usleep((useconds_t)(delay < 5000 ? delay : 5000));
    while (atomic_load(&proxy->hung) && !is_over(pump->session))
        usleep(1000);
}

/* Forwards a piece; false when the connection ends. */
static bool forward(struct pump *pump)
{
    struct flaky_proxy *proxy = pump->session->proxy;
    char piece[PIECE_SIZE];
    ssize_t got = recv(pump->from, piece, sizeof(piece), 0);
    if (got <= 0)
        return false;
    if (pump->to_client)
        hold_back(pump);
    if (is_over(pump->session))
        return false;
    if ((int)rng_below(&pump->rng, 1000) < atomic_load(&proxy->kill_per_mille)) {
        atomic_fetch_add(&proxy->killed, 1);
        send_all(pump->to, piece, (size_t)rng_below(&pump->rng, (uint64_t)got));
        return false;
    }
    send_all(pump->to, piece, (size_t)got);
    return true;
}

static void leave(struct session *session)
{
    struct flaky_proxy *proxy = session->proxy;
    shutdown(session->client, SHUT_RDWR);
    shutdown(session->server, SHUT_RDWR);
    if (atomic_fetch_sub(&session->users, 1) > 1)
        return;
    close(session->client);
    close(session->server);
    free(session);
    atomic_fetch_sub(&proxy->sessions, 1);
}

static void *run_pump(void *arg)
{
    struct pump *pump = arg;
    struct pollfd polled = {.fd = pump->from, .events = POLLIN};
    while (!is_over(pump->session)) {
        if (poll(&polled, 1, LOOK_MS) > 0 && !forward(pump))
            break;
    }
    leave(pump->session);
    free(pump);
    return NULL;
}

static void start_pump(struct session *session, bool to_client)
{
    static atomic_uint seeds;
    struct pump *pump = calloc(1, sizeof(*pump));
    pthread_t thread;
    pump->session = session;
    pump->to_client = to_client;
    pump->from = to_client ? session->server : session->client;
    pump->to = to_client ? session->client : session->server;
    pump->rng = rng_seeded(atomic_fetch_add(&seeds, 1));
    if (pthread_create(&thread, NULL, run_pump, pump) == 0) {
        pthread_detach(thread);
        return;
    }
    free(pump);
    leave(session);
}

static void start_session(struct flaky_proxy *proxy, int client)
{
    struct sockaddr_in sa = loopback(proxy->upstream_port);
    int on = 1, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(server, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
        close(server);
        close(client);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct session *session = calloc(1, sizeof(*session));
    session->proxy = proxy;
    session->client = client;
    session->server = server;
    session->epoch = atomic_load(&proxy->epoch);
    atomic_store(&session->users, 2);
    atomic_fetch_add(&proxy->sessions, 1);
    start_pump(session, true);
    start_pump(session, false);
}

static void *accept_clients(void *arg)
{
    struct flaky_proxy *proxy = arg;
    int fd;
    while ((fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        start_session(proxy, fd);
    return NULL;
}

bool flaky_proxy_up(struct flaky_proxy *proxy)
{
    struct sockaddr_in sa = loopback(proxy->port);
    socklen_t size = sizeof(sa);
    int on = 1;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(proxy->listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        listen(proxy->listener, 128) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&sa, &size) != 0)
        return false;
    proxy->port = ntohs(sa.sin_port);
    snprintf(proxy->address, sizeof(proxy->address), "127.0.0.1:%d", proxy->port);
    return pthread_create(&proxy->acceptor, NULL, accept_clients, proxy) == 0;
}

bool flaky_proxy_start(struct flaky_proxy *proxy, int upstream_port)
{
    memset(proxy, 0, sizeof(*proxy));
    proxy->upstream_port = upstream_port;
    return flaky_proxy_up(proxy);
}

void flaky_proxy_cut(struct flaky_proxy *proxy)
{
    atomic_fetch_add(&proxy->epoch, 1);
}

void flaky_proxy_down(struct flaky_proxy *proxy)
{
    if (proxy->listener < 0)
        return;
    shutdown(proxy->listener, SHUT_RDWR);
    pthread_join(proxy->acceptor, NULL);
    close(proxy->listener);
    proxy->listener = -1;
    flaky_proxy_cut(proxy);
}

void flaky_proxy_stop(struct flaky_proxy *proxy)
{
    flaky_proxy_down(proxy);
    atomic_store(&proxy->stopping, true);
    while (atomic_load(&proxy->sessions) > 0)
        usleep(1000);
}
