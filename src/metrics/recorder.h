/* SPDX-License-Identifier: MIT */
/*
 * The recorder: what happened to every operation of one run, by operation, outcome, node and phase.
 *
 * Workers record with relaxed atomics into one of a few shards; nothing on that path takes a lock.
 * Readers merge the shards at any time; counters read while workers record are each exact but may
 * be an operation apart from each other.
 *
 * Histograms appear with the first operation that needs them; without memory for one its samples
 * are in the counters only. There is one of service times for each phase, node, operation and
 * outcome that occurs: those of successes in every shard, those of failures, which are not the hot
 * path, once. Bound: what can occur; an operation has two or three outcomes that are successes, so
 * 3 phases, 3 nodes and 8 shards take some 30 MB when all seven operations are used everywhere, and
 * every kind of failure adds 22.5 KB for each operation, node and phase that it strikes.
 *
 * Threads: recorder_record(), recorder_op_begin() and _end(), the counts of arrivals and all
 * readers may run at once; a worker number belongs to one thread at a time. new and free need the
 * recorder alone.
 */
#ifndef METRICS_RECORDER_H
#define METRICS_RECORDER_H

#include "base/err.h"
#include "base/time.h"
#include "metrics/latency.h"
#include "metrics/outcome.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORDER_NODES_MAX 64
#define RECORDER_PHASES_MAX 16
#define RECORDER_SHARDS_MAX 64
#define RECORDER_WORKERS_MAX 65536
/* Watches (see recorder_arm_first_error) that one node can have at once, per kind. */
#define RECORDER_WATCHES_MAX 8

/* The node of a sample when the client could not say which one it used. Counted in every total
 * that is not about one node. */
#define RECORDER_NODE_UNKNOWN UINT32_MAX
/* For the readers: the sum over all nodes, phases or operations. */
#define RECORDER_ALL (-1)

struct recorder;

struct recorder_config {
    unsigned nodes;   /* 1 to RECORDER_NODES_MAX */
    unsigned phases;  /* 1 to RECORDER_PHASES_MAX */
    unsigned workers; /* threads that record, 1 to RECORDER_WORKERS_MAX */
    unsigned shards;  /* a power of two; 0: 8, or fewer when there are fewer workers */
    ns_t overdue_ns;  /* an operation that takes longer counts as overdue: timeout + slack;
                         0 or NS_NEVER: none does */
};

struct recorder *recorder_new(const struct recorder_config *config, struct err *err);
void recorder_free(struct recorder *r);

const struct recorder_config *recorder_config(const struct recorder *r);

/* The phase that operations which start now belong to. Starts as 0. */
void recorder_phase_set(struct recorder *r, unsigned phase);
unsigned recorder_phase(const struct recorder *r);

/* ---- the workers' side ---- */

struct sample {
    enum op op;
    enum outcome outcome;
    uint32_t node;    /* or RECORDER_NODE_UNKNOWN */
    uint32_t phase;   /* recorder_phase() when the operation started */
    ns_t intended_ns; /* when the arrival process wanted it started; = start_ns in a closed loop */
    ns_t start_ns;
    ns_t end_ns;
};

/* `worker` is 0 to config.workers - 1. */
void recorder_record(struct recorder *r, unsigned worker, const struct sample *sample);

/* Around every blocking call of the driver: what the stall watch looks at. */
void recorder_op_begin(struct recorder *r, unsigned worker, ns_t start_ns);
void recorder_op_end(struct recorder *r, unsigned worker);

/* Arrivals that were scheduled in `phase`, and of those the ones that no worker could start in
 * time. In a closed loop every operation is offered when it starts. */
void recorder_offered(struct recorder *r, unsigned worker, unsigned phase, uint64_t count);
void recorder_dropped(struct recorder *r, unsigned worker, unsigned phase, uint64_t count);

/* How much later than intended an arrival of a schedule was started (not dropped). */
void recorder_late(struct recorder *r, unsigned worker, unsigned phase, ns_t late_ns);

/* ---- stall watch ---- */

/* The age of the oldest operation in flight, 0 when there is none. Also keeps the maximum. */
ns_t recorder_oldest_in_flight(struct recorder *r, ns_t now);
/* The longest that any operation took or, as seen by recorder_oldest_in_flight(), has been taking.
 */
ns_t recorder_longest_op(const struct recorder *r);
/* Operations that took longer than config.overdue_ns, and those in flight that already do. */
uint64_t recorder_overdue(const struct recorder *r, ns_t now);
unsigned recorder_in_flight(const struct recorder *r);

/* ---- watches: exact instants, found by the workers ---- */

/*
 * Finds the end of the first failed operation that ended at or after `since`, or of the first
 * successful one that STARTED at or after `since`. `since` must not lie in the past by more than
 * the caller can tolerate missing: only operations recorded after this call are seen. Returns a
 * watch, or -1 when the node has RECORDER_WATCHES_MAX of that kind already. One thread arms and
 * releases.
 */
int recorder_arm_first_error(struct recorder *r, unsigned node, ns_t since);
int recorder_arm_first_success(struct recorder *r, unsigned node, ns_t since);
/* NS_NEVER until found. It may still become earlier while operations that ended at the same time
 * are being recorded. -1 is allowed and never found. */
ns_t recorder_watch_found_ns(const struct recorder *r, int watch);
void recorder_watch_release(struct recorder *r, int watch);

/* ---- readers ---- */

struct recorder_counts {
    uint64_t offered;
    uint64_t dropped;
    uint64_t attempted; /* ended: succeeded + failed + neutral */
    uint64_t succeeded;
    uint64_t failed; /* wrong data included */
    uint64_t wrong;
    uint64_t by_outcome[OUTCOME_COUNT];
};

/* Each of phase, node (RECORDER_NODE_UNKNOWN allowed) and op may be RECORDER_ALL. offered and
 * dropped are known by phase only and are 0 when a node or op is given. */
struct recorder_counts recorder_counts(const struct recorder *r, int phase, int64_t node, int op);

/* These add to `out`, a histogram of LATENCY_HIST_CONFIG that the caller has initialised. Neutral
 * outcomes are in none of them. */
void recorder_service(const struct recorder *r, int phase, int64_t node, int op, bool succeeded,
                      struct hist *out);
/* The same of one outcome. */
uint64_t recorder_count(const struct recorder *r, int phase, int64_t node, int op,
                        enum outcome outcome);
void recorder_service_of(const struct recorder *r, int phase, int64_t node, int op,
                         enum outcome outcome, struct hist *out);
void recorder_response(const struct recorder *r, int phase, bool succeeded, struct hist *out);
/* What recorder_late() was told: the load generator's own delay. */
void recorder_lateness(const struct recorder *r, int phase, struct hist *out);
/* Service time of all successes on `node` (RECORDER_ALL: on all known nodes) since the start. */
void recorder_live(const struct recorder *r, int64_t node, struct hist *out);

struct recorder_live_counts {
    uint64_t succeeded;
    uint64_t failed;
};
/* Cheap: what the windows of 100 ms are made from. */
struct recorder_live_counts recorder_live_counts(const struct recorder *r, unsigned node);

#endif
