/* SPDX-License-Identifier: MIT */
/* What the breaker of one node did in one run, for the reports. */
#ifndef REPORT_BREAKERS_H
#define REPORT_BREAKERS_H

#include "report/result.h"

/* A probe is one stay in the half-open state: some operations are let through, and what becomes of
 * them closes the breaker or opens it again. With transitions that the log had to drop, these are
 * of those that it holds. */
struct breaker_summary {
    uint64_t opened;
    uint64_t probes;
    uint64_t probes_succeeded; /* the breaker closed */
    uint64_t probes_failed;    /* it opened again */
    uint64_t rejected;         /* operations refused while it was open or probing */
};

struct breaker_summary breaker_summary_of(const struct run_result *run, unsigned node);

#endif
