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
#include "report/result.h"
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
    int signal_fd;        /* readable = stop now; not read */
    bool private_network; /* everything runs in a network namespace of our own */
    /* Called on the sampler's thread; `start_ns` is when the run began. May be NULL. */
    void (*on_interval)(void *arg, const struct interval *interval, unsigned nodes, ns_t start_ns);
    /* Called on the caller's thread. May be NULL. */
    void (*on_fault)(void *arg, const struct plan_fault *fault, bool on, ns_t now);
    /* The load is behind its schedule by RUN_BEHIND_NS; once per phase. May be NULL. */
    void (*on_behind)(void *arg, size_t phase, ns_t behind);
    /* An operation has been in flight for longer than its deadline and RUN_OVERDUE_SLACK_NS; once
     * per phase. May be NULL. */
    void (*on_stall)(void *arg, size_t phase, ns_t age);
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
