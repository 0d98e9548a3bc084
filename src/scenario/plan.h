/* SPDX-License-Identifier: MIT */
/*
 * A plan: one run of a scenario, resolved. Phases have start times, every fault has its node and
 * its exact on and off times, all relative to the start of the run. The plan is data: nothing here
 * touches a proxy or a clock.
 */
#ifndef SCENARIO_PLAN_H
#define SCENARIO_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "scenario/scenario.h"

#define PLAN_FAULTS_MAX 256    /* steps × nodes */
#define PLAN_EVENTS_MAX 100000 /* on and off of every repetition */

/* One step on one node. */
struct plan_fault {
    const struct scenario_step *step;
    size_t node;   /* from 0 */
    char name[32]; /* of its toxics in the proxy; the stream is appended */
};

struct plan_event {
    ns_t at_ns;
    bool on;
    size_t fault; /* index */
};

struct plan {
    struct scenario scenario;
    ns_t phase_start_ns[PHASE_COUNT + 1]; /* an absent phase has no length; the last is the end */
    struct plan_fault *faults;
    size_t fault_count;
    struct plan_event *events; /* by time; at the same time, what ends comes before what begins */
    size_t event_count;
};

/*
 * Resolves `scenario` for `node_count` nodes. With `duration` > 0 the phases are stretched or
 * shrunk in proportion to last that long together; a step's `at` moves with its phase, `for` and
 * `every` describe the fault itself and stay, but no fault outlasts the fault phase. The caller
 * ends the plan with plan_deinit(). Returns 0, or -1 with the reason: a target that does not exist,
 * phases shorter than 100 ms, too many events.
 */
int plan_init(struct plan *plan, const struct scenario *scenario, size_t node_count, ns_t duration,
              struct err *err);
void plan_deinit(struct plan *plan);

ns_t plan_length(const struct plan *plan);

/* The phase at `at_ns` from the start; the last one that exists after the end. */
enum phase plan_phase_at(const struct plan *plan, ns_t at_ns);

/* What a fault does, for people: "latency downstream latency=500 jitter=50", "proxy down". */
void plan_fault_text(const struct plan_fault *fault, char *text, size_t size);

#endif
