/* SPDX-License-Identifier: MIT */
/*
 * The figures that checks ask for, computed from a run's result, and the checks themselves. No
 * clock, no I/O. docs/checks.md defines every figure.
 *
 * A figure that the run did not measure has no value (NAN) and a reason: such a check makes the run
 * invalid, never a pass. What was waited for in vain is INFINITY: a recovery that never came, a
 * percentile of the successes where there was none. Those fail the check.
 */
#ifndef REPORT_CHECK_EVAL_H
#define REPORT_CHECK_EVAL_H

#include "report/result.h"
#include "scenario/check.h"

#define CHECK_MEASURED_SIZE 320

struct check_facts {
    const struct run_result *run;
    const struct result *result; /* for the nodes' names and their shares of the keys */
    bool live; /* the run goes on: what has not happened yet is as old as it is now (run->end_ns) */
};

enum check_state {
    CHECK_MET,
    CHECK_NOT_MET,
    CHECK_NOT_MEASURED,
};

struct check_outcome {
    enum check_state state;
    char measured[CHECK_MEASURED_SIZE];
};

/* The value in the metric's unit. *why is set when it is NAN. */
double check_value(const struct check_facts *facts, const struct check_ref *ref, const char **why);

struct check_outcome check_judge(const struct check_facts *facts, const struct check_rule *rule);

/*
 * For abort: is the rule known to fail while the run still goes on? Counts and times that only grow
 * are judged at once, against upper limits; rates and percentiles when their phase has lasted a
 * second and had CHECK_LIVE_OPERATIONS_MIN operations; the others wait for the end.
 */
#define CHECK_LIVE_OPERATIONS_MIN 100
#define CHECK_LIVE_PHASE_MIN NS_PER_SEC
bool check_fails_already(const struct check_facts *facts, const struct check_rule *rule,
                         struct check_outcome *out);

/*
 * Adds the checks of a scenario to those of the run, before it is judged (verdict.h). `aborted_by`
 * is the index of the rule that ended the run, with what it then measured, or -1. In a run that
 * ended early, what was not measured is left out. Returns 0, or -1 without memory.
 */
int check_add_all(struct run_result *run, const struct result *result,
                  const struct check_rule *rules, size_t count, int aborted_by,
                  const char *aborted_measured);

#endif
