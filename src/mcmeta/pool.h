/* SPDX-License-Identifier: MIT */
/*
 * Connection slots of one server: who may use which connection, who waits, when to dial or close.
 *
 * The pool does no I/O. It tells its caller what to do with a slot; the caller does it outside its
 * lock and reports back:
 *
 *               acquire                 dial_done(OK)
 *     free ---------------> dialing ----------------------> active <---+
 *       ^                    |   ^                           |    |    | acquire, hand-off
 *       |   FAILED/ABANDONED |   | acquire, all idle expired |    |    |
 *       +--------------------+   +-------- idle <------------+----|----+
 *       |                                 |    ^     release(KEEP)|
 *       |                      next_check |    | release(KEEP)    | release(DESTROY...), or the
 *       |  closed                         v    |                  | pool does not want it
 *       +------------- closing <------- checking                  |
 *                         ^---------------------------------------+
 *
 * - A slot is a member of exactly one list, the one of its state, and the counts are the lengths of
 *   the lists. Memory is allocated once; acquire and release allocate nothing.
 * - Waiters queue first in, first out. Whatever frees capacity (a release, a finished close, the
 * end of a dial in either way, the end of a dial back-off) grants it to the oldest live waiter in
 * the same call: the waiter gets the slot itself, either active or with the order to dial. So
 * whenever a waiter is queued there is neither an idle slot nor the right to dial.
 * - A function that returns a waiter has granted (or refused) its wish: wake it. When the waiter
 *   lives on the stack of another thread, wake it before leaving the lock, since that thread may
 *   notice by itself (spurious wake-up, time-out) and go away.
 *
 * Threads: not locked, the caller holds one mutex per server around every call.
 * Times are nanoseconds on the caller's monotonic clock.
 */
#ifndef MCMETA_POOL_H
#define MCMETA_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MCM_POOL_SIZE_MAX 4096

enum mcm_slot_state {
    MCM_SLOT_FREE,     /* no connection */
    MCM_SLOT_DIALING,  /* its holder is connecting */
    MCM_SLOT_IDLE,     /* connected, waiting for work */
    MCM_SLOT_ACTIVE,   /* connected, in use by its holder */
    MCM_SLOT_CHECKING, /* connected, taken by maintenance for a ping */
    MCM_SLOT_CLOSING,  /* its holder is closing the connection */
    MCM_SLOT_STATE_COUNT
};

/* Why a connection ends; also index of mcm_pool_stats.destroyed[]. */
enum mcm_pool_reason {
    MCM_POOL_BROKEN,   /* error on the connection, or it is out of step */
    MCM_POOL_STALE,    /* found closed by the peer when it was taken */
    MCM_POOL_UNWELL,   /* the ping of a health check failed */
    MCM_POOL_OLD,      /* max_lifetime */
    MCM_POOL_UNUSED,   /* max_idle_time */
    MCM_POOL_SURPLUS,  /* max_idle */
    MCM_POOL_RESET,    /* mcm_pool_reset() */
    MCM_POOL_SHUTDOWN, /* mcm_pool_close() */
    MCM_POOL_REASON_COUNT
};

/* What the holder of a slot thinks of its connection. The pool may still decide against KEEP. */
enum mcm_pool_fate {
    MCM_POOL_KEEP,        /* fine, and it was used */
    MCM_POOL_KEEP_UNUSED, /* fine, but do not touch its last-used time */
    MCM_POOL_DESTROY_BROKEN,
    MCM_POOL_DESTROY_STALE,
    MCM_POOL_DESTROY_UNWELL,
};

enum mcm_pool_dial_result {
    MCM_POOL_DIAL_OK,        /* slot->conn is set; the slot is now active and still the dialer's */
    MCM_POOL_DIAL_FAILED,    /* counts for the back-off */
    MCM_POOL_DIAL_ABANDONED, /* given up for a reason that is not the server's */
};

/* The answer to an acquire; a waiter that got WAIT finds the final one in its `verdict`. */
enum mcm_pool_verdict {
    MCM_POOL_GOT,              /* waiter->slot is active and yours; release it */
    MCM_POOL_DIAL,             /* waiter->slot is yours to connect; mcm_pool_dial_done() it. When
                                  slot->conn is not NULL, close that expired connection first */
    MCM_POOL_WAIT,             /* queued; the waiter must stay where it is */
    MCM_POOL_REFUSED_FULL,     /* max_waiters are queued already */
    MCM_POOL_REFUSED_DEADLINE, /* the deadline has passed */
    MCM_POOL_REFUSED_BACKOFF,  /* no connection, and none may be dialled before the deadline */
    MCM_POOL_REFUSED_CLOSED,   /* the pool is closed */
    MCM_POOL_VERDICT_COUNT
};

enum mcm_pool_reuse {
    MCM_POOL_LIFO, /* the warmest connection first; unneeded ones grow old and can be closed */
    MCM_POOL_FIFO, /* all connections in turn */
};

struct mcm_pool_list {
    struct mcm_pool_slot *head;
    struct mcm_pool_slot *tail;
    uint32_t count;
};

struct mcm_pool_slot {
    /* The caller's. Set it before dial_done(OK); the pool clears it when the slot is free again. */
    void *conn;

    /* Read-only for the caller. */
    enum mcm_slot_state state;
    uint16_t index;     /* 0 .. max_size - 1, constant */
    bool warming;       /* the pool's: dialled by maintenance, for nobody */
    int64_t created_ns; /* when the dial ended */
    int64_t used_ns;    /* last release(KEEP), or created_ns */

    /* The pool's. */
    struct mcm_pool_slot *prev, *next;
    int64_t expires_ns; /* end of its lifetime, jittered */
    int64_t checked_ns; /* last time it was known to be well */
    uint64_t epoch;     /* of the pool when its dial started */
};

/* One wish for a connection, in the caller's memory. Zero it and set owner before the first use. */
struct mcm_pool_waiter {
    void *owner; /* the caller's: how to wake it */

    /* Read under the lock. */
    enum mcm_pool_verdict verdict;
    struct mcm_pool_slot *slot;

    /* The pool's. */
    struct mcm_pool_waiter *prev, *next;
    int64_t since_ns;
    int64_t deadline_ns;
};

/* Zero in a time or limit means off, except where another default is given. */
struct mcm_pool_config {
    uint32_t max_size;    /* connections incl. those being dialled and closed; 0 means 10 */
    uint32_t min_idle;    /* next_check() asks to dial until so many are idle */
    uint32_t max_idle;    /* a release beyond this many idle ones closes; 0: max_size */
    uint32_t max_waiters; /* queue length; 0: no limit but the number of callers */
    uint32_t dial_concurrency_max; /* dials at the same time; 0: no limit */
    enum mcm_pool_reuse reuse;
    int64_t max_lifetime_ns;
    double lifetime_jitter; /* lifetime * uniform(1 - j, 1 + j), 0 <= j < 1 */
    int64_t max_idle_time_ns;
    int64_t health_interval_ns; /* ping a connection that has been idle for so long */
    bool backoff_refuses; /* callers that would have to wait for the end of a back-off are refused:
                             they have somewhere else to go */
    int64_t backoff_base_ns; /* after the n-th failed dial in a row none starts for uniform(0, */
    int64_t backoff_max_ns;  /* min(max, base * 2^(n-1))); max 0 means 100 * base */
};

struct mcm_pool_stats {
    /* Gauges; total = dialing + idle + active + checking + closing. */
    uint32_t total, dialing, idle, active, checking, closing, waiting;
    /* High-water marks. */
    uint32_t total_max, active_max, waiting_max;
    /* Counters. */
    uint64_t acquires; /* active slots handed to somebody, at once, after a wait, or after a dial */
    uint64_t waits;    /* acquires() that were queued */
    int64_t wait_ns;   /* total time in the queue, of all that have left it */
    uint64_t cancelled; /* left the queue without a grant: cancelled or deadline passed */
    uint64_t refused[MCM_POOL_VERDICT_COUNT]; /* by verdict, refused at once */
    uint64_t dials, dial_failures, dials_abandoned;
    uint64_t created;
    uint64_t destroyed[MCM_POOL_REASON_COUNT];
    uint64_t checks; /* pings ordered */
};

/* What release() did. */
struct mcm_pool_released {
    struct mcm_pool_waiter *wake; /* not NULL: it got this slot, wake it */
    bool close; /* the slot is closing: close its connection, then mcm_pool_closed() */
};

enum mcm_pool_check_action {
    MCM_POOL_CHECK_NONE,
    MCM_POOL_CHECK_CLOSE, /* slot is closing: close its connection, then mcm_pool_closed() */
    MCM_POOL_CHECK_PING,  /* slot is checking: ping it, then mcm_pool_release() */
    MCM_POOL_CHECK_DIAL,  /* slot is dialing: dial_done(), then release(KEEP_UNUSED) if OK */
};

struct mcm_pool_check {
    enum mcm_pool_check_action action;
    struct mcm_pool_slot *slot;
};

struct mcm_pool;

/* NULL when the config is usable, else a constant sentence. */
const char *mcm_pool_config_error(const struct mcm_pool_config *config);

/* The config is copied. NULL when out of memory or the config is wrong. */
struct mcm_pool *mcm_pool_new(const struct mcm_pool_config *config, uint64_t seed);
/* All slots must be free and no waiter queued. NULL is legal. */
void mcm_pool_free(struct mcm_pool *p);

/* Asks for a connection until deadline_ns (INT64_MAX: for ever). Returns waiter->verdict. */
enum mcm_pool_verdict mcm_pool_acquire(struct mcm_pool *p, struct mcm_pool_waiter *w,
                                       int64_t deadline_ns, int64_t now_ns);

/*
 * Takes back a wish that got WAIT. True: it is out of the queue and holds nothing. False: a grant
 * came first; w->verdict is GOT or DIAL and the caller owns w->slot: use it, or put it back with
 * release(KEEP_UNUSED) or dial_done(ABANDONED). Legal in every final verdict.
 */
bool mcm_pool_cancel(struct mcm_pool *p, struct mcm_pool_waiter *w, int64_t now_ns);

/* Ends a dial. Returns a waiter to wake or NULL. */
struct mcm_pool_waiter *mcm_pool_dial_done(struct mcm_pool *p, struct mcm_pool_slot *slot,
                                           enum mcm_pool_dial_result result, int64_t now_ns);

/* Gives an active or checking slot back: to the oldest waiter, to the idle ones, or to be closed.
 */
struct mcm_pool_released mcm_pool_release(struct mcm_pool *p, struct mcm_pool_slot *slot,
                                          enum mcm_pool_fate fate, int64_t now_ns);

/* The connection of a closing slot is closed. Returns a waiter to wake or NULL. */
struct mcm_pool_waiter *mcm_pool_closed(struct mcm_pool *p, struct mcm_pool_slot *slot,
                                        int64_t now_ns);

/* When mcm_pool_tick() has something to do: waiters exist and the dial back-off ends, or the pool
 * was closed; INT64_MAX: not before the next event. Without a back-off only closing needs ticks.
 * With one somebody who does not wait himself (maintenance, event loop) looks at this after a
 * dial_done(FAILED) and ticks then, since a waiter went to sleep before the back-off began. */
int64_t mcm_pool_deadline(const struct mcm_pool *p);
/* When a dial may start: the end of the back-off, which may have passed, or INT64_MAX while as many
 * run as may. */
int64_t mcm_pool_dial_deadline(const struct mcm_pool *p);
/* Grants what the passing of time made grantable, one waiter a call: repeat until NULL. */
struct mcm_pool_waiter *mcm_pool_tick(struct mcm_pool *p, int64_t now_ns);

/* Maintenance, one connection at a time: at most one ping is under way, so the pool is never
 * emptied by its health checks. Repeat until NONE; next_check_deadline() says when to come again.
 */
struct mcm_pool_check mcm_pool_next_check(struct mcm_pool *p, int64_t now_ns);
int64_t mcm_pool_next_check_deadline(const struct mcm_pool *p, int64_t now_ns);

/* From now on no connection made before is used again: next_check() returns the idle ones to be
 * closed, release() closes the others. */
void mcm_pool_reset(struct mcm_pool *p);

/* Refuses everything from now on. tick() returns all waiters, one a call, with REFUSED_CLOSED;
 * next_check() returns all idle slots to be closed. Idempotent. */
void mcm_pool_close(struct mcm_pool *p);
/* Nothing is left: no waiter, no slot in any state but free. */
bool mcm_pool_is_empty(const struct mcm_pool *p);

void mcm_pool_stats_get(const struct mcm_pool *p, struct mcm_pool_stats *out);

const char *mcm_pool_reason_name(enum mcm_pool_reason reason);
const char *mcm_pool_verdict_name(enum mcm_pool_verdict verdict);
const char *mcm_slot_state_name(enum mcm_slot_state state);

#endif
