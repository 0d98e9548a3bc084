/* SPDX-License-Identifier: MIT */
/*
 * Our own proxy server in this process, before one memcached, with the faults of the storms. One
 * thread switches; anything that fails here fails the test.
 */
#ifndef TESTS_CONTRACT_FLAKY_PROXY_H
#define TESTS_CONTRACT_FLAKY_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct apiclient;
struct proxy_server;

struct flaky_proxy {
    char address[128]; /* where clients connect; stays the same while down */
    struct proxy_server *server;
    struct apiclient *api;
};

bool flaky_proxy_start(struct flaky_proxy *proxy, int upstream_port);

/* Cuts all connections and ends. */
void flaky_proxy_stop(struct flaky_proxy *proxy);

/* Refuses connections and cuts those there are, until flaky_proxy_up(). */
void flaky_proxy_down(struct flaky_proxy *proxy);
void flaky_proxy_up(struct flaky_proxy *proxy);

/* Cuts all connections; new ones are taken when it returns. */
void flaky_proxy_cut(struct flaky_proxy *proxy);

/* Of a thousand forwarded chunks so many are cut in the middle, and their connections with them;
 * 0: none from now on. */
void flaky_proxy_kill(struct flaky_proxy *proxy, int per_mille);
/* How many connections that has cut. */
uint64_t flaky_proxy_killed(struct flaky_proxy *proxy);

/* Answers are late by `ms` ± `jitter_ms`; 0 ± 0: not any more. */
void flaky_proxy_delay(struct flaky_proxy *proxy, int ms, int jitter_ms);

/* No answer passes; those that were held back go on when it ends. */
void flaky_proxy_hang(struct flaky_proxy *proxy, bool on);

uint64_t flaky_proxy_connections(struct flaky_proxy *proxy);

#endif
