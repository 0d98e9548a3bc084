/* SPDX-License-Identifier: MIT */
/*
 * A scenario: the real event it stands for, its phases, and the faults that are applied in them.
 * This is what a scenario file says, before durations are scaled and targets resolved (see plan.h).
 */
#ifndef SCENARIO_SCENARIO_H
#define SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "scenario/fault.h"

#define SCENARIO_NODES_MAX 64 /* a target is a set of nodes in one 64-bit word */
#define SCENARIO_STEPS_MAX 32

/* Every run walks through these in this order; a scenario without faults has a baseline only. */
enum phase {
    PHASE_BASELINE,
    PHASE_FAULT,
    PHASE_RECOVERY,
    PHASE_COUNT,
};

extern const char *const phase_names[PHASE_COUNT + 1]; /* NULL-terminated */

struct scenario_step {
    uint64_t nodes; /* bit n-1 for node n; all bits for "all" */
    ns_t at_ns;     /* from the start of the fault phase; scales with the phase */
    ns_t for_ns;    /* how long it lasts; NS_NEVER = to the end of the phase; does not scale */
    ns_t every_ns;  /* from one start to the next; 0 = once; does not scale */
    const struct fault_type *fault;
    unsigned streams; /* STREAM_ bits; 0 where the fault has no direction */
    double toxicity;
    struct fault_values values;
};

struct scenario {
    char name[64];
    char group[32]; /* "main" runs with -scenario all; see the catalog page */
    char description[1024];
    ns_t phase_ns[PHASE_COUNT]; /* 0 = the phase is absent */
    struct scenario_step steps[SCENARIO_STEPS_MAX];
    size_t step_count;
};

/*
 * Reads a scenario from YAML text. `source` is what messages call it: a file name. An error names
 * source:line:column, shows the line with a caret and suggests the nearest word. Returns 0 or -1.
 */
int scenario_parse(const char *source, const char *text, size_t length, struct scenario *out,
                   struct err *err);

/* Reads a file of at most 1 MiB. */
int scenario_load(const char *path, struct scenario *out, struct err *err);

/* The length of one run as written. */
ns_t scenario_length(const struct scenario *scenario);

#endif
