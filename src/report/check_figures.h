/* SPDX-License-Identifier: MIT */
/* What a metric is asked of, resolved for one run: its part of the phases, the nodes and the
 * counts. Shared by the files that compute check values. */
#ifndef REPORT_CHECK_FIGURES_H
#define REPORT_CHECK_FIGURES_H

#include "report/check_eval.h"

#define CHECK_PHASE_ALL (-1)
#define CHECK_PHASE_ABSENT (-2)

struct check_scope {
    const struct check_facts *facts;
    const struct run_result *run;
    const struct check_ref *ref;
    int phase;        /* index, CHECK_PHASE_ALL or CHECK_PHASE_ABSENT */
    uint64_t nodes;   /* bit n for node n */
    bool all_nodes;   /* also what belongs to no node */
    const char **why; /* gets the reason of a NAN */
};

/* A NAN with its reason. */
double check_unknown(const struct check_scope *s, const char *why);

/* The nodes with a fault, or with one that overlaps in time with `phase` (CHECK_PHASE_ALL: any). */
uint64_t check_faulted_nodes(const struct run_result *run, int phase);

struct recorder_counts check_counts(const struct check_scope *s);

/* The times of faults and the figures of breakers: check_times.c. */
double check_time_value(const struct check_scope *s);
double check_breaker_value(const struct check_scope *s);

/* What remains of the goodput without the nodes that have a fault in `phase`: check_goodput.c. */
double check_goodput(const struct check_scope *s);
double check_healthy_share(const struct check_scope *s);

#endif
