/* SPDX-License-Identifier: MIT */
/*
 * One server as the client sees it: its pool with a socket per slot, its breaker, its counters.
 * The sans-I/O pool and breaker are locked here, waiting is done here, and here is the only place
 * where a socket is registered, shut down and closed: all of that under the lock, so another
 * thread may shut down a busy socket without meeting a reused descriptor.
 */
#ifndef MCMETA_BACKEND_H
#define MCMETA_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>

#include <mcmeta/client.h>

#include "base/rng.h"
#include "mcmeta/pool.h"
#include "mcmeta/socket.h"

/* What calls in progress must do; one for all servers of a client. */
enum mcm_stop { MCM_STOP_NOT, MCM_STOP_INTERRUPTED, MCM_STOP_SHUTDOWN };

/* The socket of a pool slot. */
struct mcm_link {
    int fd;       /* -1: none */
    bool busy;    /* somebody may be blocked on it */
    bool used;    /* an answer came over it before */
    bool stopped; /* it was shut down to wake whoever is blocked on it */
    struct mcm_conn conn;
};

/* A thread in the queue of the pool. */
struct mcm_sleeper {
    struct mcm_sleeper *prev, *next;
    pthread_cond_t wake;
    bool stopped; /* told to give up */
};

struct mcm_backend_config {
    const char *name;
    const char *address;
    const struct mcm_pool_config *pool;
    const struct mcm_breaker_settings *breaker; /* or NULL */
    mcm_ns connect_timeout;                     /* 0: none */
    bool verify;
    uint64_t seed;
    const atomic_int *stop; /* an enum mcm_stop */
};

struct mcm_backend {
    pthread_mutex_t lock; /* pool, breaker, links' fd and busy, sleepers, rng */
    char *name;
    struct mcm_address address;
    mcm_ns connect_timeout;
    bool verify;
    const atomic_int *stop;
    struct mcm_pool *pool;
    struct mcm_breaker *breaker;
    struct mcm_link *links; /* by index of the slot */
    unsigned link_count;
    struct mcm_sleeper *sleepers;
    struct rng rng;

    atomic_uint_least64_t outcomes[MCM_OUTCOME_COUNT];
    atomic_uint_least64_t retries;
    atomic_uint_least64_t health_failures;
};

/* A connection in the hands of a call. */
struct mcm_lease {
    struct mcm_pool_slot *slot;
    struct mcm_link *link;
    mcm_ns waited_ns; /* sum over all acquires of the call */
    int sys_errno;    /* of a failed acquire */
    bool stopped;     /* the call was woken to stop */
};

/* 0, or -1 when memory is short; nothing is left behind then. The address must be valid. */
int mcm_backend_init(struct mcm_backend *backend, const struct mcm_backend_config *config);

/* No call may be in progress. */
void mcm_backend_deinit(struct mcm_backend *backend);

/* Asks the breaker. MCM_OK (also without a breaker), MCM_E_BREAKER_OPEN or MCM_E_BREAKER_BUSY. */
enum mcm_outcome mcm_backend_admit(struct mcm_backend *backend, struct mcm_breaker_token *token,
                                   struct mcm_breaker_transition *moved);

/* Tells the breaker what an admitted call counts for, and counts its outcome. */
void mcm_backend_report(struct mcm_backend *backend, struct mcm_breaker_token token,
                        enum mcm_outcome outcome, enum mcm_count count,
                        struct mcm_breaker_transition *moved);

/*
 * A connection, kept or new, at the latest at `deadline`. A kept one that was unused for `idle_ns`
 * or longer is looked at first and replaced when it died. MCM_OK, or the outcome of the call.
 */
enum mcm_outcome mcm_backend_acquire(struct mcm_backend *backend, struct mcm_lease *lease,
                                     mcm_ns idle_ns, mcm_ns deadline);

/* Gives the connection back; whether it is kept is seen from its state. */
void mcm_backend_release(struct mcm_backend *backend, struct mcm_lease *lease);

/*
 * One step of maintenance: closes expired connections, then pings at most one. True when there is
 * more to do at once; otherwise *next is lowered to when there will be.
 */
bool mcm_backend_maintain(struct mcm_backend *backend, mcm_ns timeout, mcm_ns *next);

/* Wakes everybody who is blocked here, after *stop was set. */
void mcm_backend_stop(struct mcm_backend *backend);

/* Everything in *stats but the size. */
void mcm_backend_stats(struct mcm_backend *backend, struct mcm_server_stats *stats);

#endif
