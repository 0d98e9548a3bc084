/* SPDX-License-Identifier: MIT */
/*
 * One run of one scenario: a fresh client, workers, faults at their times, measurement, verdict.
 * Everything that a run starts has ended when rig_run() returns.
 */
#ifndef RIG_RUN_H
#define RIG_RUN_H

#include <stdbool.h>

#include "driver/driver.h"
#include "load/workload.h"
#include "metrics/sampler.h"
#include "metrics/oplog.h"
#include "report/result.h"
#include "rig/flight_dump.h"
#include "rig/topology.h"
#include "scenario/plan.h"

/* Beyond its timeout an operation may take this long before it counts as overdue: scheduling on a
 * busy machine. */
#define RUN_OVERDUE_SLACK_NS (250 * NS_PER_MS)

#define RUN_BEHIND_NS (500 * NS_PER_MS)

struct run_config {
    struct topology *topology;
    const struct plan *plan;
    const struct driver *driver;
    struct driver_config client; /* servers, names and transitions are filled in by the run */
    const struct load_spec *load;
    unsigned workers;
    ns_t timeout_ns;
    ns_t interval_ns; /* of the live figures */
    uint64_t seed;
    int signal_fd; /* readable = stop now; not read */
    int dump_fd;   /* readable = write the flight recording; -1 = none; not read */
    struct flight_files *flight_files; /* of the session; NULL = no flight recorder */
    struct oplog *oplog;               /* of the session; NULL = no log of all operations */
    unsigned run;                      /* of the session, from 1 */
    bool private_network;              /* everything runs in a network namespace of our own */
    /* Called on the sampler's thread; `start_ns` is when the run began. May be NULL. */
    void (*on_interval)(void *arg, const struct interval *interval, unsigned nodes, ns_t start_ns);
    /* Called on the caller's thread. May be NULL. */
    void (*on_fault)(void *arg, const struct plan_fault *fault, bool on, ns_t now);
    /* A phase begins. Called on the caller's thread. May be NULL. */
    void (*on_phase)(void *arg, const char *name, ns_t now);
    /* A breaker changed its state. Called on the sampler's thread, those of an interval before its
     * on_interval(). May be NULL. */
    void (*on_transition)(void *arg, const struct transition *transition);
    /* The result that an interruption now would give, each `so_far_ns` (0 = never). Called on the
     * caller's thread, which switches faults: it must be quick. The callee owns the result. May be
     * NULL. */
    void (*on_so_far)(void *arg, struct run_result *so_far);
    ns_t so_far_ns;
    /* The load is behind its schedule by RUN_BEHIND_NS; once per phase. May be NULL. */
    void (*on_behind)(void *arg, size_t phase, ns_t behind);
    /* An operation has been in flight for longer than its deadline and RUN_OVERDUE_SLACK_NS; once
     * per phase. May be NULL. */
    void (*on_stall)(void *arg, size_t phase, ns_t age);
    /* A flight recording was written to `path`, or could not be: NULL, and why. Called on the
     * caller's thread. May be NULL. */
    void (*on_flight)(void *arg, const char *path, const char *reason);
    /* dump_fd is readable: reads it. Needed with a dump_fd. */
    void (*take_dump)(void *arg);
    void *arg;
};

/* The seed of a session's `index`-th run: each has its own, so that repetitions differ and still
 * repeat. */
uint64_t rig_run_seed(uint64_t session_seed, uint64_t index);

/*
 * Runs and judges. Returns 0 with the result, which the caller owns; a run that was stopped early,
 * or whose node died, has a result too. Returns -1 when it could not begin. `result` gives the
 * names of nodes to the judgement.
 */
int rig_run(const struct run_config *config, const struct result *result, struct run_result **out,
            struct err *err);

#endif
