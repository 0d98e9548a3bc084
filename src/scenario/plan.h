/* SPDX-License-Identifier: MIT */
/*
 * A plan: one run of a scenario, resolved. Phases have start times, every fault has its node and
 * its exact on and off times, all relative to the start of the run. The plan is data: nothing here
 * touches a proxy or a clock, and the same seed makes the same plan.
 */
#ifndef SCENARIO_PLAN_H
#define SCENARIO_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "scenario/scenario.h"

#define PLAN_FAULTS_MAX 256    /* steps × nodes */
#define PLAN_EVENTS_MAX 100000 /* on, off and every change between, of every repetition */

/* What a plan is made for. */
struct plan_config {
    size_t node_count;
    ns_t duration;            /* of the run; 0 = as the scenario says */
    uint64_t seed;            /* decides targets and jitter */
    const double *key_shares; /* of the keys by node, for "hottest"; NULL = not known */
};

/* Begins the name of everything that a fault creates. */
#define PLAN_FAULT_PREFIX "memchaos_"

/* One step on one node. */
struct plan_fault {
    const struct scenario_step *step;
    size_t step_index;
    size_t node;   /* from 0 */
    ns_t start_ns; /* of its first repetition, without jitter */
    char name[32]; /* of its toxics in the proxy; the stream is appended */
};

/* At the same time, what ends comes before what begins. */
enum plan_action {
    PLAN_OFF,
    PLAN_CHANGE, /* to the ramps' values at `position` */
    PLAN_ON,
};

struct plan_event {
    ns_t at_ns;
    enum plan_action action;
    double position; /* within the ramps: 0 at the first value, 1 at the last */
    size_t fault;    /* index */
};

struct plan {
    struct scenario scenario;
    uint64_t seed;
    ns_t phase_start_ns[SCENARIO_PHASES_MAX + 1]; /* the one after the last is the end */
    struct plan_fault *faults;                    /* by step, then as the target was resolved */
    size_t fault_count;
    struct plan_event *events; /* by time */
    size_t event_count;
};

/*
 * Resolves `scenario`. With a duration the phases are stretched or shrunk in proportion to last
 * that long together; a step's `at` and `stagger` move with its phase, while `for`, `every` and
 * `jitter` describe the fault itself and stay, but no fault outlasts its phase, and nodes that took
 * turns still do. The plan must not be moved. The caller ends it with plan_deinit(). Returns 0, or
 * -1 with the reason: a target that does not exist, phases shorter than 100 ms, too many events.
 */
int plan_init(struct plan *plan, const struct scenario *scenario, const struct plan_config *config,
              struct err *err);
void plan_deinit(struct plan *plan);

ns_t plan_length(const struct plan *plan);

/* The index of the phase at `at_ns` from the start; the last one after the end. */
size_t plan_phase_at(const struct plan *plan, ns_t at_ns);

/* The attributes of a step at a position within its ramps, and its toxicity. */
struct fault_values plan_values_at(const struct scenario_step *step, double position,
                                   double *toxicity);

/* What a fault does, for people: "latency downstream latency=500 jitter=50", "proxy down",
 * with a ramp "latency downstream latency=0..500". */
void plan_fault_text(const struct plan_fault *fault, char *text, size_t size);

#endif
