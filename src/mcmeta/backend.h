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
#include "mcmeta/lookup.h"
#include "mcmeta/measure.h"
#include "mcmeta/missed.h"
#include "mcmeta/pool.h"
#include "mcmeta/socket.h"
#include "mcmeta/traffic.h"
#include "mcmeta/stream.h"

/* What calls in progress must do; one for all servers of a client. */
enum mcm_stop { MCM_STOP_NOT, MCM_STOP_INTERRUPTED, MCM_STOP_SHUTDOWN };

/* The socket of a pool slot. */
struct mcm_link {
    int fd;                    /* -1: none */
    bool busy;                 /* somebody may be blocked on it */
    bool used;                 /* an answer came over it before */
    bool stopped;              /* it was shut down to wake whoever is blocked on it */
    mcm_ns moved_at;           /* the backend's when it was dialled */
    struct mcm_stream *stream; /* NULL: bytes go as they are */
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
    mcm_ns acquire_timeout;                     /* 0: none */
    mcm_ns unacked_max;
    mcm_ns resolve_period;
    struct mcm_tls *tls; /* or NULL; must outlive the backend */
    const char *user, *password;
    bool verify;
    uint64_t seed;
    const struct mcm_hooks *hooks; /* must outlive the backend */
    const atomic_int *stop;        /* an enum mcm_stop */
    unsigned missed_max;           /* 0: missed writes are not remembered */
    unsigned lane_count;           /* 0: exclusive connections only */
    unsigned lane_in_flight_max;
};

struct mcm_backend {
    pthread_mutex_t lock; /* pool, breaker, links' fd and busy, sleepers, rng */
    char *name;
    char *address_text;
    struct mcm_address address;
    mcm_ns connect_timeout;
    mcm_ns acquire_timeout;
    mcm_ns unacked_max;
    struct mcm_tls_peer *tls; /* NULL: plain */
    struct mcm_auth auth;

    /* A host name is looked up again a period after resolved_at, or soon after a connect failed. */
    mcm_ns resolve_period; /* 0: never */
    mcm_ns resolved_at;
    bool connect_failed;           /* since the last lookup began */
    struct mcm_lookup *lookup;     /* going on, or NULL */
    atomic_int_least64_t moved_at; /* when the name came to mean nothing but other addresses */

    bool verify;
    const atomic_int *stop;
    struct mcm_pool *pool;
    struct mcm_breaker *breaker;
    struct mcm_link *links; /* by index of the slot */
    unsigned link_count;
    struct mcm_sleeper *sleepers;
    struct rng rng;
    struct mcm_shared *lanes; /* NULL: exclusive connections only */
    unsigned lane_count;

    const struct mcm_hooks *hooks;
    struct mcm_measures *measures;
    struct mcm_missed *missed;  /* NULL: not kept */
    unsigned closed;            /* connections that the hooks were not told of yet; locked */
    struct mcm_traffic traffic; /* of exclusive connections */
    atomic_uint capabilities;   /* enum mcm_capability, and whether they are known */
    atomic_uint_least64_t item_size_max; /* of its settings; or MCM_ITEM_SIZE_... */
    atomic_uint_least64_t outcomes[MCM_OUTCOME_COUNT];
    atomic_uint_least64_t retries;
    atomic_uint_least64_t failovers, failovers_refused;
    atomic_uint_least64_t health_failures;
    atomic_uint_least64_t lane_checks; /* health checks of a loop */
};

#define MCM_CAPABILITIES_KNOWN (1u << 31)

#define MCM_ITEM_SIZE_UNKNOWN 0 /* not asked for yet */
#define MCM_ITEM_SIZE_DOUBTED 1 /* the server refused a value that should fit */
#define MCM_ITEM_SIZE_DEFAULT (1024 * 1024)

/* A connection in the hands of a call. */
struct mcm_lease {
    struct mcm_pool_slot *slot;
    struct mcm_link *link;
    mcm_ns waited_ns;           /* sum over all acquires of the call */
    int sys_errno;              /* of a failed acquire */
    bool stopped;               /* the call was woken to stop */
    struct mcm_traffic traffic; /* what went over it, counted when it is given back */
};

/* 0, or -1 when memory is short; nothing is left behind then. The address must be valid. */
int mcm_backend_init(struct mcm_backend *backend, const struct mcm_backend_config *config);

/* No call may be in progress. */
void mcm_backend_deinit(struct mcm_backend *backend);

/* In a child process: closes the descriptors and frees what can be freed without a lock. */
void mcm_backend_disown(struct mcm_backend *backend);

/* Asks the breaker. MCM_OK (also without a breaker), MCM_E_BREAKER_OPEN or MCM_E_BREAKER_BUSY. */
enum mcm_outcome mcm_backend_admit(struct mcm_backend *backend, struct mcm_breaker_token *token,
                                   struct mcm_breaker_transition *moved);

/* The same for a trial request of maintenance. MCM_E_BREAKER_OPEN also when none is wanted now:
 * *next is then lowered to when one will be. */
enum mcm_outcome mcm_backend_admit_probe(struct mcm_backend *backend,
                                         struct mcm_breaker_token *token,
                                         struct mcm_breaker_transition *moved, mcm_ns *next);

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

/* The same, but MCM_E_TIMEOUT_POOL when others would have to give one back first. */
enum mcm_outcome mcm_backend_try_acquire(struct mcm_backend *backend, struct mcm_lease *lease,
                                         mcm_ns idle_ns, mcm_ns deadline);

/* Gives the connection back; whether it is kept is seen from its state. */
void mcm_backend_release(struct mcm_backend *backend, struct mcm_lease *lease);

/* Whether an unused connection is still open and silent. */
bool mcm_link_is_quiet(struct mcm_link *link);

/* Gives back a connection that was found dead before it was used. */
void mcm_backend_discard(struct mcm_backend *backend, struct mcm_lease *lease);

/* MCM_E_SHUTDOWN or MCM_E_CANCELLED, of a call that was told to stop. */
enum mcm_outcome mcm_backend_stop_outcome(const struct mcm_backend *backend);

/*
 * One step of maintenance: closes expired connections, then pings at most one. True when there is
 * more to do at once; otherwise *next is lowered to when there will be.
 */
bool mcm_backend_maintain(struct mcm_backend *backend, mcm_ns timeout, mcm_ns *next);

/*
 * Has the host name looked up again when that is due: a period after the last time, or soon after a
 * failed connect. Does not wait for the answer, which is taken by the next call of this or the next
 * dial. Connections stay while the name still means an address it meant before; else they are
 * replaced after their present use. Lowers *next to when there may be something to do.
 */
void mcm_backend_resolve(struct mcm_backend *backend, mcm_ns *next);

/* What a new connection is to be made to; notes in the link that it was asked now. */
void mcm_backend_address(struct mcm_backend *backend, struct mcm_link *link,
                         struct mcm_address *address);

/* A new socket for the link, not connected, and known to those who may have to shut it down; -1
 * with errno. What the link had before is closed. */
int mcm_backend_open_link(struct mcm_backend *backend, struct mcm_link *link,
                          const struct mcm_address *address, unsigned index);

/* Ends the dial of a slot: the link is connected when `outcome` is MCM_OK, else it is closed here.
 * Returns what became of it, which may be that the client was told to stop. */
enum mcm_outcome mcm_backend_end_dial(struct mcm_backend *backend, struct mcm_lease *lease,
                                      mcm_ns began, enum mcm_outcome outcome);

/* Whether a connection in use should be replaced as soon as nobody needs it: it reached its
 * lifetime, or the server moved. Needs no lock. */
static inline bool mcm_backend_is_outdated(const struct mcm_backend *backend,
                                           const struct mcm_lease *lease, mcm_ns now)
{
    return lease->slot->expires_ns <= now ||
           lease->link->moved_at != atomic_load_explicit(&backend->moved_at, memory_order_relaxed);
}

/* Wakes everybody who is blocked here, after *stop was set. */
void mcm_backend_stop(struct mcm_backend *backend);

/* Tells the hooks what was closed since the last time. Without any lock. */
void mcm_backend_tell_closed(struct mcm_backend *backend);

/* Everything in *stats but the size. */
void mcm_backend_stats(struct mcm_backend *backend, struct mcm_server_stats *stats);

#endif
