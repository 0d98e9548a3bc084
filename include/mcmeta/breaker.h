/* SPDX-License-Identifier: MIT */
/*
 * Circuit breaker of one server.
 *
 *            trip rule holds              open time passed
 *   closed ------------------> open ------------------------> half-open
 *      ^                         ^                              |    |
 *      |                         +--- a probe failed or hung ---+    |
 *      +--------------- half_open_max probes succeeded in a row -----+
 *
 * Ask mcm_breaker_allow() before a request and report with mcm_breaker_done() after it. The breaker
 * reads no clock: `now_ns` is the caller's monotonic time in nanoseconds. It looks at the time only
 * when it is called, and an expiry has passed when it is strictly smaller than `now_ns`.
 *
 * Semantics are those of gobreaker 2.4.0: fixed or rolling window, generations (a result of an
 * older generation is ignored), exclusions. Everything beyond it is off in a zeroed settings
 * struct.
 *
 * Presets and their arithmetic (3333 op/s to the server, all requests fail from t = 0 on):
 *
 *   ORIGINAL trips at >= 60 % failures of >= 5 requests counted in a window of 30 s that starts
 * anew when it is over. A window that holds s seconds of good traffic needs f failures with f /
 * (3333 s + f) >= 0.6, so f = 5000 s. When failures are as frequent as good requests were, that
 * takes 1.5 s for each second of window used: 18 s at the worst phase, where 12 s are used and 18 s
 * are left. Ten connections with a 1 s timeout give 10 failures/s, 500 s for each second used: in
 * effect only the start of the next window helps, up to 30 s later. So FAST exists.
 *
 *   FAST trips at 8 consecutive failures, or at >= 50 % of >= 20 requests in a rolling 10 s window.
 *     - refused at 16665/s: 8 failures take 0.5 ms; as frequent as before: 8 / 3333 = 2.4 ms;
 *     - silent, 10 connections, 1 s timeouts: the first ten fail together 1.0 s after the silence
 *       began, so it opens then; with 4 to 7 connections at the second round, 2 s;
 *     - no false trips: independent errors of probability p start a run of 8 failures
 *       3333 (1 - p) p^8 times a second; p = 5 % gives 1.2e-7, once in 90 days (5 in a row would be
 *       once in 17 minutes). Half of 20 requests is a matter of 1e-8 each, and only on a server
 *       with 2 op/s; on a busy one the window holds thousands;
 *     - recovery: when the server comes back, at worst a probe was just lost (1 s until its
 *       timeout, 2 s with the probe timeout) and one open time follows (1 s +- 20 %); then 3 probes
 *       succeed. That is 3.2 s, below 5 s.
 *
 * Threads: not locked; the caller holds its own lock around every call that is not marked
 * lock-free. The caller has one anyway (a request takes a connection from the pool of the same
 * server under it), so a second, lock-free set of counters would cost more than it saves. What pays
 * is refusing without the lock while open: mcm_breaker_reject_fast().
 */
#ifndef MCMETA_BREAKER_H
#define MCMETA_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcmeta/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Upper bound of interval_ns / bucket_ns. */
#define MCM_BREAKER_BUCKETS_MAX 1000

enum mcm_breaker_state {
    MCM_BREAKER_CLOSED = 0,
    MCM_BREAKER_HALF_OPEN = 1,
    MCM_BREAKER_OPEN = 2,
    MCM_BREAKER_STATE_COUNT
};

enum mcm_breaker_verdict {
    MCM_BREAKER_ALLOWED,      /* go on, and report the result with the token */
    MCM_BREAKER_REFUSED_OPEN, /* the circuit is open */
    MCM_BREAKER_REFUSED_BUSY, /* half-open, and all probes are taken */
};

/* EXCLUDED results (cancelled, wrong argument, own pool exhausted) say nothing about the server:
 * they touch no streak and give a half-open slot back. A CONNECT_FAILURE is a failure that came
 * before anything was asked: no connection could be made. */
enum mcm_breaker_result {
    MCM_BREAKER_SUCCESS,
    MCM_BREAKER_FAILURE,
    MCM_BREAKER_EXCLUDED,
    MCM_BREAKER_CONNECT_FAILURE
};

enum mcm_breaker_cause {
    MCM_BREAKER_CAUSE_NONE,             /* no transition happened */
    MCM_BREAKER_CAUSE_TRIPPED,          /* closed -> open */
    MCM_BREAKER_CAUSE_OPEN_EXPIRED,     /* open -> half-open */
    MCM_BREAKER_CAUSE_PROBES_SUCCEEDED, /* half-open -> closed */
    MCM_BREAKER_CAUSE_PROBE_FAILED,     /* half-open -> open */
    MCM_BREAKER_CAUSE_PROBE_TIMED_OUT,  /* half-open -> open */
};

/* Counts of the present generation (closed: of the window). A request counts when it is allowed. */
struct mcm_breaker_counts {
    uint64_t requests;
    uint64_t successes;
    uint64_t failures;
    uint64_t exclusions;
    uint64_t consecutive_successes;
    uint64_t consecutive_failures;
};

/* Own trip rule, called after a failure in closed state with the counts that include it. It runs
 * under the caller's lock and must not call the breaker. */
typedef bool (*mcm_breaker_trip_fn)(const struct mcm_breaker_counts *counts, void *arg);

/*
 * How many breakers may be away from closed at the same time. One quota belongs to all breakers of
 * a fleet, so that trouble of the client's own network, which makes every server look dead, does
 * not take all of them away. Breakers of different threads may share it; it must outlive them.
 */
struct mcm_breaker_quota {
    uint32_t away_max; /* set by the owner; may change at any time */
    uint32_t away;     /* kept by the breakers, atomically; 0 at first */
};

/* All zeroes is the gobreaker default: one probe, no window, 60 s open, trip at the 6th failure in
 * a row. */
struct mcm_breaker_settings {
    uint32_t half_open_max; /* requests let through in half-open; 0 means 1 */
    int64_t interval_ns;    /* closed-state window; <= 0: never cleared while closed */
    int64_t bucket_ns;      /* > 0: rolling window, interval rounded up to a multiple of this */
    int64_t open_ns;        /* time in open; <= 0 means 60 s */

    /* The circuit trips when any of these holds. With none of the three, 6 consecutive failures. */
    double failure_ratio;              /* failures / (requests - exclusions) >= this; 0 is off */
    uint64_t min_requests;             /* ... and at least so many requests - exclusions */
    uint64_t consecutive_failures;     /* >= this; 0 is off */
    mcm_breaker_trip_fn ready_to_trip; /* NULL is off */
    void *ready_to_trip_arg;

    /* Additions, off when zero. */
    int64_t probe_timeout_ns;  /* half-open: probes are in flight and none has ended for so long */
    double open_jitter;        /* open time * uniform(1 - j, 1 + j), 0 <= j < 1 */
    double open_backoff;       /* open time * this for every failed half-open in a row; > 1 is on */
    int64_t open_max_ns;       /* cap of the open time before jitter */
    uint64_t connect_failures; /* trips at so many failed connects in a row, whatever else holds */
    int64_t slow_ns; /* a success that came later than this after its admission is a failure; the
                        client leaves out its own waiting, and batches */
    struct mcm_breaker_quota *quota; /* trips only within it; borrowed. NULL: no limit */
    bool held_probes; /* half-open admits only mcm_breaker_allow_probe(): no caller's request is
                         put at risk to find out whether the server is back */
};

enum mcm_breaker_preset {
    MCM_BREAKER_GOBREAKER, /* name "gobreaker": the defaults above */
    MCM_BREAKER_ORIGINAL,  /* name "original" */
    MCM_BREAKER_FAST,      /* name "fast" */
    MCM_BREAKER_PRESET_COUNT
};

/* Proof of admission. Plain data, may be copied; report each token once. */
struct mcm_breaker_token {
    uint64_t generation;
    uint64_t age;
    int64_t began_ns; /* of slow_ns; may be moved forward by time that was not the server's */
};

/* What a call did, so that the caller can tell others after it has left its lock. One call makes at
 * most one transition; cause is MCM_BREAKER_CAUSE_NONE (0) when it made none. */
struct mcm_breaker_transition {
    enum mcm_breaker_state from;
    enum mcm_breaker_state to;
    enum mcm_breaker_cause cause;
    int64_t at_ns;
};

struct mcm_breaker_stats {
    enum mcm_breaker_state state;
    uint64_t generation;
    struct mcm_breaker_counts counts;
    int64_t since_ns;      /* when the present state began */
    int64_t open_until_ns; /* end of the open time, INT64_MAX unless open */
    uint64_t opens;        /* transitions to open */
    uint64_t rejected_open;
    uint64_t rejected_busy;
    uint64_t trips_refused;                    /* by the quota */
    int64_t state_ns[MCM_BREAKER_STATE_COUNT]; /* total time in each state */
};

struct mcm_breaker;

/* Fills `settings` with a preset. */
MCM_API void mcm_breaker_preset_get(enum mcm_breaker_preset preset,
                                    struct mcm_breaker_settings *settings);

/* The preset of that name, or -1. */
MCM_API int mcm_breaker_preset_by_name(const char *name);

/* NULL when the settings are usable, else a constant sentence that says what is wrong. */
MCM_API const char *mcm_breaker_settings_error(const struct mcm_breaker_settings *settings);

/* "closed", "half-open", "open". */
MCM_API const char *mcm_breaker_state_name(enum mcm_breaker_state state);
MCM_API const char *mcm_breaker_cause_name(enum mcm_breaker_cause cause);

/*
 * A closed breaker. The settings are copied; `seed` decides the jitter. NULL when out of memory or
 * when mcm_breaker_settings_error() has something to say. The caller frees it.
 */
MCM_API struct mcm_breaker *mcm_breaker_new(const struct mcm_breaker_settings *settings,
                                            uint64_t seed, int64_t now_ns);
MCM_API void mcm_breaker_free(struct mcm_breaker *b);

/* May a request go out? Fills the token when ALLOWED. `moved` may be NULL. */
MCM_API enum mcm_breaker_verdict mcm_breaker_allow(struct mcm_breaker *b, int64_t now_ns,
                                                   struct mcm_breaker_token *token,
                                                   struct mcm_breaker_transition *moved);

/* The same for a trial request that nobody waits for. With held_probes only this is let through
 * while half-open; else it is mcm_breaker_allow(). */
MCM_API enum mcm_breaker_verdict mcm_breaker_allow_probe(struct mcm_breaker *b, int64_t now_ns,
                                                         struct mcm_breaker_token *token,
                                                         struct mcm_breaker_transition *moved);

/* Reports how the request of `token` ended. `moved` may be NULL. */
MCM_API void mcm_breaker_done(struct mcm_breaker *b, struct mcm_breaker_token token,
                              enum mcm_breaker_result result, int64_t now_ns,
                              struct mcm_breaker_transition *moved);

/* The state at `now_ns`, after the transition that is due, if any. `moved` may be NULL. */
MCM_API enum mcm_breaker_state mcm_breaker_state(struct mcm_breaker *b, int64_t now_ns,
                                                 struct mcm_breaker_transition *moved);

/* The first time at which mcm_breaker_tick() would make a transition; INT64_MAX: not by itself.
 * Ticks are optional: they only make a transition visible before the next request. */
MCM_API int64_t mcm_breaker_deadline(const struct mcm_breaker *b);
MCM_API void mcm_breaker_tick(struct mcm_breaker *b, int64_t now_ns,
                              struct mcm_breaker_transition *moved);

/* Counts and times at `now_ns`; rolls the window but makes no transition. */
MCM_API void mcm_breaker_stats_get(struct mcm_breaker *b, int64_t now_ns,
                                   struct mcm_breaker_stats *out);

/* Lock-free: the state that was last entered; a transition that is due has not been made yet. */
MCM_API enum mcm_breaker_state mcm_breaker_state_hint(const struct mcm_breaker *b);

/* Lock-free: true when a request at `now_ns` is surely refused because the circuit is open, counted
 * as such. On false take the lock and ask mcm_breaker_allow(). */
MCM_API bool mcm_breaker_reject_fast(struct mcm_breaker *b, int64_t now_ns);

#ifdef __cplusplus
}
#endif

#endif
