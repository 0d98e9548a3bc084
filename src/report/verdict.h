/* SPDX-License-Identifier: MIT */
/*
 * From the facts of a run to its checks and its verdict. No clock, no I/O.
 *
 * Checks, in this order; docs/results.md has the table with their kinds: wrong_data,
 * baseline_steady, fault_hit (one per fault: at least one victim; where the proxy does not count
 * them, a failure or a p99 above twice the baseline's + 1 ms), generator_kept_up, operations_done,
 * no_operation_overdue, recovered (one per fault), others_clean, breaker (one per fault that says
 * what the breaker must do), breaker_closed,
 * and those that the scenario added itself before.
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
    double baseline_late_share_max;    /* 0.05 */
    ns_t recovery_min_ns;              /* 5 s; see recovery_watched */
    bool others_may_fail;              /* leaves out others_clean */
    bool may_have_no_recovery;         /* leaves out recovered */
};

#define VERDICT_CONFIG_DEFAULT                                   \
    ((struct verdict_config){.baseline_dropped_share_max = 0.01, \
                             .baseline_late_share_max = 0.05,    \
                             .recovery_min_ns = 5 * NS_PER_SEC})

/* A check of the scenario's own; call before verdict_judge(). Strings are copied. -1: no memory. */
int verdict_check_add(struct run_result *run, enum check_kind kind, const char *name, bool ok,
                      const char *text, const char *measured);

/* `result` gives the names of the nodes. Call once. -1: no memory. */
int verdict_judge(struct run_result *run, const struct result *result,
                  const struct verdict_config *config);

#endif
