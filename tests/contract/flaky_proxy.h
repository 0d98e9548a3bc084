/* SPDX-License-Identifier: MIT */
/* A small proxy on loopback whose faults can be switched while it runs. For tests only. */
#ifndef TESTS_CONTRACT_FLAKY_PROXY_H
#define TESTS_CONTRACT_FLAKY_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct flaky_proxy {
    char address[32]; /* where clients connect */
    int port, upstream_port;
    int listener; /* -1: refuses */
    pthread_t acceptor;
    atomic_bool stopping;
    atomic_uint epoch; /* connections of an older one are cut */
    atomic_int sessions;
    atomic_uint killed;

    /* Faults. */
    atomic_int kill_per_mille; /* of forwarded pieces, in the middle of which both sides are cut */
    atomic_int delay_us;       /* of every piece to the client */
    atomic_int jitter_us;      /* added, up to so much */
    atomic_bool hung;          /* nothing goes to the client */
};

bool flaky_proxy_start(struct flaky_proxy *proxy, int upstream_port);

/* Cuts all connections and ends. */
void flaky_proxy_stop(struct flaky_proxy *proxy);

/* Cuts all connections; new ones are taken. */
void flaky_proxy_cut(struct flaky_proxy *proxy);

/* Refuses connections and cuts those there are, until flaky_proxy_up(). */
void flaky_proxy_down(struct flaky_proxy *proxy);
bool flaky_proxy_up(struct flaky_proxy *proxy);

#endif
