/* SPDX-License-Identifier: MIT */
/*
 * From the facts of a run to its checks and its verdict. No clock, no I/O.
 *
 * Checks, in this order (name, kind):
 *
 * - wrong_data, hard: no wrong, corrupt, truncated, stale, resurrected or future value, no counter
 *   out of bounds, no impossible request accepted
 * - baseline_steady, validity: see steady.h; only when there is a baseline phase
 * - fault_hit, validity, one per fault: at least one victim; where the proxy does not count them, a
 *   failure or a p99 above twice the baseline's + 1 ms
 * - generator_kept_up, validity: arrivals dropped in the baseline below a share
 * - generator_on_time, validity: one start in ten of the baseline was hardly late
 * - operations_done, validity: at least one operation succeeded
 * - no_operation_overdue, expected: nothing took longer than the deadline plus slack
 * - recovered, expected, one per fault: first success and steady again, not superseded
 * - others_clean, expected: no failure on nodes without a fault in the phases of faults
 * - breaker, expected, one per fault that says what the breaker must do
 * - breaker_closed, expected: no breaker of a recovered node is left open at the end
 *
 * and those that the scenario added itself before, and the rig: calls_ended, hard, see rig/run.c.
 *
 * In a run that a check ended early, the faults had no time to show the rest, so what is expected
 * of them is left out. Precedence: wrong data fails the run whatever else happened; a run that was
 * interrupted is called so, since it had no time to show the rest; then an invalid run; then a
 * failed check; else passed.
 */
#ifndef REPORT_VERDICT_H
#define REPORT_VERDICT_H

#include "report/result.h"

struct verdict_config {
    double baseline_dropped_share_max; /* 0.01 */
    ns_t baseline_lateness_max_ns;     /* 20 ms; of one start in ten */
    ns_t recovery_min_ns;              /* 5 s; see recovery_watched */
    bool others_may_fail;              /* leaves out others_clean */
    bool may_have_no_recovery;         /* leaves out recovered */
};

#define VERDICT_CONFIG_DEFAULT                                           \
    ((struct verdict_config){.baseline_dropped_share_max = 0.01,         \
                             .baseline_lateness_max_ns = 20 * NS_PER_MS, \
                             .recovery_min_ns = 5 * NS_PER_SEC})

/* A check of the scenario's own; call before verdict_judge(). Strings are copied. -1: no memory. */
int verdict_check_add(struct run_result *run, enum check_kind kind, const char *name, bool ok,
                      const char *text, const char *measured);

/* `result` gives the names of the nodes. Call once. -1: no memory. */
int verdict_judge(struct run_result *run, const struct result *result,
                  const struct verdict_config *config);

#endif
