/* SPDX-License-Identifier: MIT */
/*
 * Fills a run's result from what measured it. The caller then adds what only it knows (description,
 * victims, expectations) and has it judged (verdict.h).
 */
#ifndef REPORT_COLLECT_H
#define REPORT_COLLECT_H

#include "metrics/sampler.h"
#include "report/result.h"

struct collect_phase {
    const char *name;
    ns_t start_ns;
    ns_t end_ns;
};

struct collect_fault {
    const char *text;
    const char *target; /* as the scenario says it; may be NULL */
    unsigned node;
    unsigned phase;
    int handle; /* of sampler_fault_start(); -1: start and end are taken
                   from here, and recovery is not judged */
    ns_t start_ns;
    ns_t end_ns;
    struct victims victims;
    bool may_miss;
    bool may_not_recover;
    enum breaker_expectation breaker;
};

/* All borrowed, strings are copied. May be called while the run goes on. */
struct collect {
    const char *scenario;
    const char *description;
    uint64_t seed;
    ns_t start_ns;
    ns_t end_ns;
    bool figures_only; /* without the series and the cells, which take longer */
    bool open_loop;
    bool interrupted;
    bool aborted;
    ns_t timeout_ns;
    int64_t leaked_connections;    /* -1: not known */
    const struct traffic *traffic; /* by phase, then by node; NULL: not known */
    int baseline_phase;
    const struct recorder *recorder;
    struct sampler *sampler;
    struct transitions *transitions;     /* may be NULL */
    const struct node_stats *node_stats; /* at the end, one per node; may be NULL */
    const struct collect_phase *phases;
    size_t phase_count;
    const struct collect_fault *faults;
    size_t fault_count;
};

/* NULL without memory. */
struct run_result *collect_run(const struct collect *c, struct err *err);

#endif
