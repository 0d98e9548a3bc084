/* SPDX-License-Identifier: MIT */
#include "report/check_figures.h"

#include <math.h>

/* A steady state is known this long after it has begun: its windows, and one for the sampling. */
#define STEADY_KNOWN_AFTER ((STEADY_WINDOWS_DEFAULT + 2) * WINDOW_DEFAULT_NS)

static bool has(const struct check_scope *s, unsigned node)
{
    return node < s->run->node_count && (s->nodes & (UINT64_C(1) << node));
}

/* From `since` to `at`; what has not happened is never, or while the run goes on as old as it is
 * now, less the time after which it would be known. */
static double elapsed(const struct check_scope *s, ns_t since, ns_t at, ns_t known_after)
{
    if (at != NS_NEVER)
        return (double)(at - since);
    if (s->facts->live)
        return (double)ns_max(s->run->end_ns - since - known_after, 0);
    return INFINITY;
}

/* The state of the node's breaker at `at`; *closed_at is when it was last closed before. */
static enum breaker_view view_at(const struct run_result *run, unsigned node, ns_t at,
                                 ns_t *closed_at)
{
    enum breaker_view view = BREAKER_VIEW_CLOSED;
    for (size_t i = 0; i < run->transition_count; i++) {
        const struct transition *t = &run->transitions[i];
        if (t->node != node || t->at_ns > at)
            continue;
        view = t->to;
        if (view == BREAKER_VIEW_CLOSED)
            *closed_at = t->at_ns;
    }
    return view;
}

/* When the breaker closed for good after the fault: before the next fault of the node begins. */
static ns_t closed_for_good(const struct run_result *run, const struct result_fault *f)
{
    ns_t limit = run->end_ns, closed_at = 0;
    for (size_t i = 0; i < run->fault_count; i++) {
        ns_t start = run->faults[i].times.fault_start_ns;
        if (run->faults[i].node == f->node && start >= f->times.fault_end_ns)
            limit = ns_min(limit, start);
    }
    if (view_at(run, f->node, limit, &closed_at) != BREAKER_VIEW_CLOSED)
        return NS_NEVER;
    return ns_max(closed_at, f->times.fault_end_ns);
}

/* The wanted time of one fault; NAN when it was not observed. */
static double time_of(const struct check_scope *s, const struct result_fault *f)
{
    const struct recovery_times *t = &f->times;
    bool ended = t->fault_end_ns != NS_NEVER && !t->superseded && !f->may_not_recover;
    switch (s->ref->metric) {
    case CHECK_METRIC_FIRST_ERROR_WITHIN:
        return elapsed(s, t->fault_start_ns, t->first_error_ns, WINDOW_DEFAULT_NS);
    case CHECK_METRIC_OPENED_WITHIN:
        return elapsed(s, t->fault_start_ns, t->breaker_open_ns, WINDOW_DEFAULT_NS);
    case CHECK_METRIC_FIRST_SUCCESS_WITHIN:
        return ended ? elapsed(s, t->fault_end_ns, t->first_success_ns, WINDOW_DEFAULT_NS) : NAN;
    case CHECK_METRIC_RECOVERED_WITHIN:
        return ended ? elapsed(s, t->fault_end_ns, t->steady_ns, STEADY_KNOWN_AFTER) : NAN;
    default: return ended ? elapsed(s, t->fault_end_ns, closed_for_good(s->run, f), 0) : NAN;
    }
}

double check_time_value(const struct check_scope *s)
{
    double worst = NAN;
    if (s->ref->metric == CHECK_METRIC_RECOVERED_WITHIN && s->run->baseline_phase < 0)
        return check_unknown(s, "there is no baseline to compare with");
    for (size_t i = 0; i < s->run->fault_count; i++) {
        const struct result_fault *f = &s->run->faults[i];
        if (has(s, f->node))
            worst = fmax(worst, time_of(s, f)); /* fmax leaves out a NAN */
    }
    if (isnan(worst))
        return check_unknown(s, "no fault of these nodes was observed for that");
    return worst;
}

/* ---- breakers ---- */

static double transitions_matching(const struct check_scope *s, int from, int to)
{
    uint64_t count = 0;
    if (s->run->transitions_dropped > 0)
        return check_unknown(s, "there were more transitions than the log holds");
    for (size_t i = 0; i < s->run->transition_count; i++) {
        const struct transition *t = &s->run->transitions[i];
        count += has(s, t->node) && (from < 0 || (int)t->from == from) && (int)t->to == to;
    }
    return (double)count;
}

static double longest_in(const struct check_scope *s, enum breaker_view view)
{
    ns_t longest = 0;
    for (unsigned node = 0; node < s->run->node_count; node++) {
        if (has(s, node))
            longest = ns_max(longest, s->run->nodes[node].breaker_ns[view]);
    }
    return (double)longest;
}

double check_breaker_value(const struct check_scope *s)
{
    for (unsigned node = 0; node < s->run->node_count; node++) {
        if (has(s, node) && s->run->nodes[node].stats.breaker == BREAKER_VIEW_NONE)
            return check_unknown(s, "the client has no circuit breaker");
    }
    switch (s->ref->metric) {
    case CHECK_METRIC_OPEN_TIME: return longest_in(s, BREAKER_VIEW_OPEN);
    case CHECK_METRIC_HALF_OPEN_TIME: return longest_in(s, BREAKER_VIEW_HALF_OPEN);
    case CHECK_METRIC_OPENED: return transitions_matching(s, -1, BREAKER_VIEW_OPEN);
    case CHECK_METRIC_PROBES: return transitions_matching(s, -1, BREAKER_VIEW_HALF_OPEN);
    case CHECK_METRIC_PROBES_FAILED:
        return transitions_matching(s, BREAKER_VIEW_HALF_OPEN, BREAKER_VIEW_OPEN);
    case CHECK_METRIC_REJECTED: {
        struct recorder_counts c = check_counts(s);
        return (double)(c.by_outcome[OUTCOME_BREAKER_OPEN] + c.by_outcome[OUTCOME_BREAKER_BUSY]);
    }
    default: return check_time_value(s);
    }
}
