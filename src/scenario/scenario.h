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
#include "scenario/check.h"
#include "scenario/document.h"
#include "scenario/fault.h"
#include "scenario/target.h"

#define SCENARIO_NODES_MAX TARGET_NODES_MAX
#define SCENARIO_PHASES_MAX 16
#define SCENARIO_STEPS_MAX 32
#define SCENARIO_GROUPS_MAX 8
#define SCENARIO_RAMP_STEPS_MAX 1000

/* A run walks through its phases in the order of the file: the baseline, then any number of fault
 * phases and the recovery, or neither. */
enum phase_kind {
    PHASE_BASELINE,
    PHASE_FAULT,
    PHASE_RECOVERY,
};

/* The index of the baseline, which every scenario has. */
#define SCENARIO_BASELINE 0

struct scenario_phase {
    char name[32]; /* "baseline", "recovery", and what the file calls the others */
    enum phase_kind kind;
    ns_t length_ns;
};

struct scenario_step {
    struct target target;
    size_t phase;    /* index */
    ns_t at_ns;      /* from the start of the phase; scales with it */
    ns_t stagger_ns; /* from one node's start to the next one's; scales with the phase */
    ns_t for_ns;     /* how long it lasts; NS_NEVER = to the end of the phase; does not scale */
    ns_t every_ns;   /* from one start to the next; 0 = once; does not scale */
    ns_t jitter_ns;  /* each start is late by up to this much; does not scale */
    const struct fault_type *fault;
    unsigned streams; /* STREAM_ bits; 0 where the fault has no direction */
    double toxicity;
    struct fault_values values;
    /* A ramp leads from those to these while the fault is on. */
    double toxicity_to;
    struct fault_values values_to;
    unsigned ramp_steps; /* values of the longest ramp, the first and the last included; 0 = none */
};

/* The load that a scenario asks for: texts of the command line's flags, "" where it asks for
 * nothing. A flag that the user gave wins. */
enum scenario_load_key {
    LOAD_WORKLOAD,
    LOAD_ARRIVAL,
    LOAD_RATE,
    LOAD_CONCURRENCY,
    LOAD_KEYS,
    LOAD_VALUES,
    LOAD_HIT_RATIO,
    LOAD_PREFILL,
    LOAD_KEY_COUNT,
};

/* NULL-terminated, and the flags by the same index. */
extern const char *const scenario_load_keys[LOAD_KEY_COUNT + 1];
extern const char *const scenario_load_flags[LOAD_KEY_COUNT + 1];

struct scenario_load {
    char text[LOAD_KEY_COUNT][128];
};

struct scenario {
    char name[64];
    char groups[SCENARIO_GROUPS_MAX][32]; /* "main" runs with -scenario all */
    size_t group_count;
    char description[1024];
    struct scenario_phase phases[SCENARIO_PHASES_MAX];
    size_t phase_count;
    struct scenario_step steps[SCENARIO_STEPS_MAX];
    size_t step_count;
    struct check_rule checks[CHECK_RULES_MAX];
    size_t check_count;
    struct scenario_load load;
};

/* What a file may say about the layers above, which check it. */
struct scenario_rules {
    /* Whether `text` fits the load key: 0, or -1 with the reason. */
    int (*load_check)(void *arg, enum scenario_load_key key, const char *text, struct err *err);
    void *arg;
};

struct scenario_source {
    const char *name; /* what messages call it: a file name */
    const char *text;
    size_t length;
    const struct scenario_rules *rules; /* NULL: none */
};

/*
 * Reads a scenario from YAML text. An error names source:line:column, shows the line with a caret
 * and suggests the nearest word. Returns 0, or -1 with all that is wrong.
 */
int scenario_read(const struct scenario_source *source, struct scenario *out,
                  struct yaml_problems *problems);

/* The same without rules, for callers that want only the first error. */
int scenario_parse(const char *source, const char *text, size_t length, struct scenario *out,
                   struct err *err);

/* Reads a file of at most 1 MiB. `rules` may be NULL. */
int scenario_load(const char *path, const struct scenario_rules *rules, struct scenario *out,
                  struct yaml_problems *problems);

/* The length of one run as written. */
ns_t scenario_length(const struct scenario *scenario);

bool scenario_in_group(const struct scenario *scenario, const char *group);

/* The index of the phase called `name`, or -1. */
int scenario_phase_find(const struct scenario *scenario, const char *name);

#endif
