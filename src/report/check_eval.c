/* SPDX-License-Identifier: MIT */
#include "report/check_eval.h"

#include "report/check_figures.h"
#include "report/human.h"
#include "report/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what is asked ---- */

double check_unknown(const struct check_scope *s, const char *why)
{
    *s->why = why;
    return NAN;
}

static bool fault_overlaps(const struct run_result *run, const struct result_fault *f, int phase)
{
    if (phase < 0)
        return true;
    const struct result_phase *p = &run->phases[phase];
    return f->times.fault_start_ns < p->end_ns && f->times.fault_end_ns > p->start_ns;
}

uint64_t check_faulted_nodes(const struct run_result *run, int phase)
{
    uint64_t nodes = 0;
    for (size_t i = 0; i < run->fault_count; i++) {
        const struct result_fault *f = &run->faults[i];
        if (f->node < run->node_count && fault_overlaps(run, f, phase))
            nodes |= UINT64_C(1) << f->node;
    }
    return nodes;
}

static int find_phase(const struct run_result *run, const char *name)
{
    if (name[0] == '\0')
        return CHECK_PHASE_ALL;
    for (size_t i = 0; i < run->phase_count; i++) {
        if (strcmp(run->phases[i].name, name) == 0)
            return (int)i;
    }
    return CHECK_PHASE_ABSENT;
}

static uint64_t find_nodes(const struct run_result *run, const struct check_ref *ref)
{
    uint64_t all = run->node_count < 64 ? (UINT64_C(1) << run->node_count) - 1 : UINT64_MAX;
    uint64_t faulted = check_faulted_nodes(run, CHECK_PHASE_ALL);
    switch (ref->nodes) {
    case CHECK_NODES_ONE: return all & (UINT64_C(1) << ref->node);
    case CHECK_NODES_FAULTED: return faulted;
    case CHECK_NODES_OTHERS: return all & ~faulted;
    case CHECK_NODES_ALL: break;
    }
    return all;
}

static void add_counts(struct recorder_counts *sum, const struct recorder_counts *c)
{
    sum->attempted += c->attempted;
    sum->succeeded += c->succeeded;
    sum->failed += c->failed;
    sum->wrong += c->wrong;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        sum->by_outcome[i] += c->by_outcome[i];
}

struct recorder_counts check_counts(const struct check_scope *s)
{
    struct recorder_counts sum = {0};
    if (s->all_nodes)
        return s->phase < 0 ? s->run->total : s->run->phases[s->phase].counts;
    for (unsigned node = 0; node < s->run->node_count; node++) {
        const struct result_node_run *n = &s->run->nodes[node];
        if (s->nodes & (UINT64_C(1) << node))
            add_counts(&sum, s->phase < 0 ? &n->counts : &n->phases[s->phase]);
    }
    return sum;
}

/* ---- counts and latencies ---- */

static double ratio(const struct check_scope *s, uint64_t part, uint64_t whole, const char *why)
{
    return whole > 0 ? (double)part / (double)whole : check_unknown(s, why);
}

static double latency_figure(const struct check_ref *ref, const struct latency *l)
{
    switch (ref->metric) {
    case CHECK_METRIC_MIN: return (double)l->min_ns;
    case CHECK_METRIC_AVG: return (double)l->mean_ns;
    case CHECK_METRIC_MED: return (double)l->p50_ns;
    case CHECK_METRIC_MAX: return (double)l->max_ns;
    default: break;
    }
    return (double)(ref->argument == 50   ? l->p50_ns
                    : ref->argument == 90 ? l->p90_ns
                    : ref->argument == 95 ? l->p95_ns
                    : ref->argument == 99 ? l->p99_ns
                                          : l->p999_ns);
}

/* Where operations ended and none of them well, the figure is worse than any. */
static double latency_or_never(const struct check_ref *ref, const struct latency *l,
                               uint64_t failed)
{
    if (l->count > 0)
        return latency_figure(ref, l);
    return failed > 0 ? INFINITY : NAN;
}

/* Of several nodes, that of the worst: percentiles of nodes do not add up to another. */
static double service_value(const struct check_scope *s)
{
    double worst = NAN;
    if (s->all_nodes)
        worst = latency_or_never(
            s->ref, s->phase < 0 ? &s->run->service : &s->run->phases[s->phase].service,
            check_counts(s).failed);
    for (unsigned node = 0; !s->all_nodes && node < s->run->node_count; node++) {
        const struct result_node_run *n = &s->run->nodes[node];
        if (!(s->nodes & (UINT64_C(1) << node)))
            continue;
        double value = s->phase < 0 ? latency_or_never(s->ref, &n->service, n->counts.failed)
                                    : latency_or_never(s->ref, &n->phase_service[s->phase],
                                                       n->phases[s->phase].failed);
        worst = fmax(worst, value);
    }
    return isnan(worst) ? check_unknown(s, "no operation ended there") : worst;
}

static double response_value(const struct check_scope *s)
{
    const struct latency *l = s->phase < 0 ? &s->run->response : &s->run->phases[s->phase].response;
    double value = latency_or_never(s->ref, l, check_counts(s).failed);
    return isnan(value) ? check_unknown(s, "no operation ended there") : value;
}

/* Of the whole run, that of the worst phase. */
static double lateness_value(const struct check_scope *s)
{
    double worst = NAN;
    for (size_t i = 0; i < s->run->phase_count; i++) {
        const struct latency *l = &s->run->phases[i].lateness;
        if ((s->phase < 0 || s->phase == (int)i) && l->count > 0)
            worst = fmax(worst, latency_figure(s->ref, l));
    }
    return isnan(worst) ? check_unknown(s, "no operation had an intended start") : worst;
}

static double max_operation(const struct check_scope *s)
{
    if (s->phase < 0)
        return (double)s->run->longest_op_ns;
    const struct result_phase *p = &s->run->phases[s->phase];
    return (double)ns_max(p->service.max_ns, p->service_failed.max_ns);
}

static double goodput_per_s(const struct check_scope *s)
{
    ns_t length = s->run->end_ns - s->run->start_ns;
    if (s->phase >= 0)
        length = s->run->phases[s->phase].end_ns - s->run->phases[s->phase].start_ns;
    if (length <= 0)
        return check_unknown(s, "the phase had no length");
    return (double)check_counts(s).succeeded * (double)NS_PER_SEC / (double)length;
}

static double pool_max(const struct check_scope *s)
{
    uint32_t max = 0;
    for (unsigned node = 0; node < s->run->node_count; node++) {
        if ((s->nodes & (UINT64_C(1) << node)) && s->run->nodes[node].pool_total_max > max)
            max = s->run->nodes[node].pool_total_max;
    }
    return max > 0 ? max : check_unknown(s, "the client does not tell its connections");
}

static double count_value(const struct check_scope *s)
{
    struct recorder_counts c = check_counts(s);
    const uint64_t *n = c.by_outcome;
    switch (s->ref->metric) {
    case CHECK_METRIC_ERROR_RATE:
        return ratio(s, c.failed, c.succeeded + c.failed, "no operation ended there");
    case CHECK_METRIC_FAILED: return (double)c.failed;
    case CHECK_METRIC_SUCCEEDED: return (double)c.succeeded;
    case CHECK_METRIC_ATTEMPTED: return (double)c.attempted;
    case CHECK_METRIC_OFFERED: return (double)c.offered;
    case CHECK_METRIC_DROPPED: return (double)c.dropped;
    case CHECK_METRIC_DROP_RATE: return ratio(s, c.dropped, c.offered, "nothing was offered");
    case CHECK_METRIC_HIT_RATE:
        return ratio(s, n[OUTCOME_HIT], n[OUTCOME_HIT] + n[OUTCOME_MISS], "nothing was read");
    case CHECK_METRIC_STALE_READS: return (double)(n[OUTCOME_STALE] + n[OUTCOME_RESURRECTED]);
    default: return (double)(c.wrong - n[OUTCOME_STALE] - n[OUTCOME_RESURRECTED]);
    }
}

static void add_traffic(struct traffic *sum, const struct result_node_run *n, int phase)
{
    sum->connections += n->phase_traffic[phase].connections;
    sum->bytes += n->phase_traffic[phase].bytes;
}

/* Operations for which the client did more than look at its breaker. */
static uint64_t tried(const struct recorder_counts *c)
{
    return c->attempted - c->by_outcome[OUTCOME_BREAKER_OPEN] - c->by_outcome[OUTCOME_BREAKER_BUSY];
}

/* Bytes in requests of the baseline, and connections, per operation. */
static double amplification(const struct check_scope *s)
{
    const struct run_result *run = s->run;
    struct traffic before = {0}, now = {0};
    uint64_t operations_before = 0, operations = 0;
    if (run->baseline_phase < 0)
        return check_unknown(s, "there was no baseline");
    for (unsigned node = 0; node < run->node_count; node++) {
        const struct result_node_run *n = &run->nodes[node];
        if (!n->phase_traffic)
            return check_unknown(s, "no proxy counted what the client sent");
        if (!(s->nodes & (UINT64_C(1) << node)))
            continue;
        add_traffic(&before, n, run->baseline_phase);
        operations_before += tried(&n->phases[run->baseline_phase]);
        for (size_t phase = 0; phase < run->phase_count; phase++) {
            if (s->phase >= 0 && s->phase != (int)phase)
                continue;
            add_traffic(&now, n, (int)phase);
            operations += tried(&n->phases[phase]);
        }
    }
    if (operations_before == 0 || before.bytes == 0 || operations == 0)
        return check_unknown(s, "no operation ended there");
    double request_bytes = (double)before.bytes / (double)operations_before;
    return ((double)now.bytes / request_bytes + (double)now.connections) / (double)operations;
}

static double run_value(const struct check_scope *s)
{
    if (s->ref->metric == CHECK_METRIC_OVERDUE)
        return s->run->overdue_ns == NS_NEVER ? check_unknown(s, "there is no limit for operations")
                                              : (double)s->run->overdue;
    if (s->run->leaked_connections < 0)
        return check_unknown(s, "the kernel did not tell");
    return (double)s->run->leaked_connections;
}

static double value_of(const struct check_scope *s)
{
    if (check_metrics[s->ref->metric].scope & CHECK_SCOPE_BREAKER)
        return check_breaker_value(s);
    switch (s->ref->metric) {
    case CHECK_METRIC_GOODPUT: return check_goodput(s);
    case CHECK_METRIC_GOODPUT_PER_S: return goodput_per_s(s);
    case CHECK_METRIC_P:
    case CHECK_METRIC_MIN:
    case CHECK_METRIC_AVG:
    case CHECK_METRIC_MED:
    case CHECK_METRIC_MAX: return service_value(s);
    case CHECK_METRIC_RESPONSE_P: return response_value(s);
    case CHECK_METRIC_LATENESS_P: return lateness_value(s);
    case CHECK_METRIC_MAX_OPERATION: return max_operation(s);
    case CHECK_METRIC_OVERDUE:
    case CHECK_METRIC_LEAKED_CONNECTIONS: return run_value(s);
    case CHECK_METRIC_FIRST_ERROR_WITHIN:
    case CHECK_METRIC_FIRST_SUCCESS_WITHIN:
    case CHECK_METRIC_RECOVERED_WITHIN: return check_time_value(s);
    case CHECK_METRIC_POOL_MAX: return pool_max(s);
    case CHECK_METRIC_AMPLIFICATION: return amplification(s);
    default: return count_value(s);
    }
}

static int scope_of(const struct check_facts *facts, const struct check_ref *ref, const char **why,
                    struct check_scope *s)
{
    *why = "";
    *s = (struct check_scope){.facts = facts,
                              .run = facts->run,
                              .ref = ref,
                              .phase = find_phase(facts->run, ref->phase),
                              .nodes = find_nodes(facts->run, ref),
                              .all_nodes = ref->nodes == CHECK_NODES_ALL,
                              .why = why};
    if (s->phase == CHECK_PHASE_ABSENT)
        *why = "the run had no such phase";
    else if (s->nodes == 0)
        *why = ref->nodes == CHECK_NODES_ONE       ? "there is no such node"
               : ref->nodes == CHECK_NODES_FAULTED ? "no node had a fault"
                                                   : "every node had a fault";
    return (*why)[0] == '\0' ? 0 : -1;
}

double check_value(const struct check_facts *facts, const struct check_ref *ref, const char **why)
{
    struct check_scope s;
    return scope_of(facts, ref, why, &s) == 0 ? value_of(&s) : NAN;
}

/* ---- the judgement ---- */

static double term_value(const struct check_facts *facts, const struct check_rule *rule,
                         const struct check_term *term, const char **why)
{
    struct check_scope s;
    switch (term->kind) {
    case CHECK_TERM_CONSTANT: return term->factor;
    case CHECK_TERM_TIMEOUT: return term->factor * (double)facts->run->timeout_ns;
    case CHECK_TERM_HEALTHY_SHARE:
        return scope_of(facts, &rule->left, why, &s) == 0 ? term->factor * check_healthy_share(&s)
                                                          : NAN;
    case CHECK_TERM_METRIC: break;
    }
    return term->factor * check_value(facts, &term->ref, why);
}

static double right_value(const struct check_facts *facts, const struct check_rule *rule,
                          const char **why)
{
    double sum = 0;
    for (size_t i = 0; i < rule->term_count && !isnan(sum); i++)
        sum += term_value(facts, rule, &rule->terms[i], why);
    if (isnan(sum) && (*why)[0] == '\0')
        *why = "the limit has no value";
    return sum;
}

static bool holds(enum check_op op, double left, double right)
{
    switch (op) {
    case CHECK_OP_LT: return left < right;
    case CHECK_OP_LE: return left <= right;
    case CHECK_OP_GT: return left > right;
    case CHECK_OP_GE: return left >= right;
    case CHECK_OP_EQ: return !(left < right) && !(left > right);
    case CHECK_OP_NE: return left < right || left > right;
    case CHECK_OP_ONLY: break;
    }
    return false;
}

static const char *value_text(enum check_unit unit, double value, char out[static HUMAN_SIZE])
{
    if (isinf(value))
        snprintf(out, HUMAN_SIZE, "never");
    else if (unit == CHECK_UNIT_DURATION)
        human_ns((ns_t)value, true, out);
    else if (unit == CHECK_UNIT_RATIO)
        snprintf(out, HUMAN_SIZE, "%.4g %%", 100 * value);
    else if (unit == CHECK_UNIT_FACTOR)
        snprintf(out, HUMAN_SIZE, "%.3g", value);
    else
        human_count((uint64_t)(value + 0.5), out);
    return out;
}

static bool is_listed(const struct check_rule *rule, enum outcome outcome)
{
    for (size_t i = 0; check_kinds[i].name; i++) {
        if (!(rule->kinds & (UINT64_C(1) << i)))
            continue;
        for (size_t m = 0; m < CHECK_KIND_MEMBERS_MAX && check_kinds[i].members[m]; m++) {
            if (strcmp(check_kinds[i].members[m], outcome_name(outcome)) == 0)
                return true;
        }
    }
    return false;
}

/* "30 io_timeout, 12 refused (not allowed)" */
static struct check_outcome judge_only(const struct check_facts *facts,
                                       const struct check_rule *rule)
{
    struct check_outcome out = {.state = CHECK_MET};
    struct check_scope s;
    const char *why;
    if (scope_of(facts, &rule->left, &why, &s) != 0) {
        out.state = CHECK_NOT_MEASURED;
        snprintf(out.measured, sizeof(out.measured), "not measured: %s", why);
        return out;
    }
    struct recorder_counts c = check_counts(&s);
    size_t used = 0;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        char count[HUMAN_SIZE];
        if (!outcome_is_failure(i) || c.by_outcome[i] == 0)
            continue;
        bool listed = is_listed(rule, i);
        if (!listed)
            out.state = CHECK_NOT_MET;
        int n = snprintf(out.measured + used, sizeof(out.measured) - used, "%s%s %s%s",
                         used > 0 ? ", " : "", human_count(c.by_outcome[i], count), outcome_name(i),
                         listed ? "" : " (not allowed)");
        used += (size_t)n < sizeof(out.measured) - used ? (size_t)n : 0;
    }
    if (used == 0)
        snprintf(out.measured, sizeof(out.measured), "no errors");
    return out;
}

/* "Never" does not prove that a time was above its limit when nobody watched for that long. */
static bool watched_too_short(const struct check_facts *facts, const struct check_rule *rule,
                              double right, ns_t *watched)
{
    const char *why;
    struct check_facts so_far = *facts;
    so_far.live = true;
    double bound = check_value(&so_far, &rule->left, &why);
    *watched = isinf(bound) ? NS_NEVER : (ns_t)bound;
    return (rule->op == CHECK_OP_LT || rule->op == CHECK_OP_LE) && holds(rule->op, bound, right);
}

struct check_outcome check_judge(const struct check_facts *facts, const struct check_rule *rule)
{
    if (rule->op == CHECK_OP_ONLY)
        return judge_only(facts, rule);
    struct check_outcome out;
    const char *why;
    char left_text[HUMAN_SIZE], right_text[HUMAN_SIZE];
    enum check_unit unit = check_metrics[rule->left.metric].unit;
    double left = check_value(facts, &rule->left, &why);
    double right = isnan(left) ? NAN : right_value(facts, rule, &why);
    if (isnan(left) || isnan(right)) {
        out.state = CHECK_NOT_MEASURED;
        snprintf(out.measured, sizeof(out.measured), "not measured: %s", why);
        return out;
    }
    ns_t watched;
    if (isinf(left) && watched_too_short(facts, rule, right, &watched)) {
        out.state = CHECK_NOT_MEASURED;
        snprintf(out.measured, sizeof(out.measured),
                 "not measured: it did not come, and was only watched for %s",
                 human_ns(watched, true, left_text));
        return out;
    }
    out.state = holds(rule->op, left, right) ? CHECK_MET : CHECK_NOT_MET;
    value_text(unit, left, left_text);
    if (rule->term_count == 1 && rule->terms[0].kind == CHECK_TERM_CONSTANT)
        snprintf(out.measured, sizeof(out.measured), "%s", left_text);
    else
        snprintf(out.measured, sizeof(out.measured), "%s, the limit was %s", left_text,
                 value_text(unit, right, right_text));
    return out;
}

/* ---- while the run goes on ---- */

/* Figures that can only grow. */
static bool only_grows(enum check_metric metric)
{
    enum check_unit unit = check_metrics[metric].unit;
    if (metric == CHECK_METRIC_LEAKED_CONNECTIONS || metric == CHECK_METRIC_CLOSED_WITHIN)
        return false;
    return unit == CHECK_UNIT_COUNT || unit == CHECK_UNIT_KINDS ||
           metric == CHECK_METRIC_MAX_OPERATION || metric == CHECK_METRIC_OPEN_TIME ||
           metric == CHECK_METRIC_HALF_OPEN_TIME || metric == CHECK_METRIC_FIRST_ERROR_WITHIN ||
           metric == CHECK_METRIC_FIRST_SUCCESS_WITHIN || metric == CHECK_METRIC_RECOVERED_WITHIN ||
           metric == CHECK_METRIC_OPENED_WITHIN;
}

static bool has_upper_limit(const struct check_facts *facts, const struct check_rule *rule)
{
    const char *why;
    if (rule->op != CHECK_OP_EQ)
        return rule->op == CHECK_OP_LT || rule->op == CHECK_OP_LE || rule->op == CHECK_OP_ONLY;
    return check_value(facts, &rule->left, &why) > right_value(facts, rule, &why);
}

static bool has_enough(const struct check_facts *facts, const struct check_ref *ref)
{
    struct check_scope s;
    const char *why;
    if (scope_of(facts, ref, &why, &s) != 0)
        return false;
    ns_t start = s.phase < 0 ? s.run->start_ns : s.run->phases[s.phase].start_ns;
    ns_t end = s.phase < 0 ? s.run->end_ns : s.run->phases[s.phase].end_ns;
    if (s.phase < 0 && s.run->phase_count > 0) /* a phase that has just begun says little */
        start = s.run->phases[s.run->phase_count - 1].start_ns;
    return end - start >= CHECK_LIVE_PHASE_MIN &&
           check_counts(&s).attempted >= CHECK_LIVE_OPERATIONS_MIN;
}

static bool can_be_judged(const struct check_facts *facts, const struct check_rule *rule)
{
    if (only_grows(rule->left.metric))
        return has_upper_limit(facts, rule);
    if (rule->left.metric == CHECK_METRIC_LEAKED_CONNECTIONS ||
        rule->left.metric == CHECK_METRIC_CLOSED_WITHIN)
        return false;
    return has_enough(facts, &rule->left);
}

bool check_fails_already(const struct check_facts *facts, const struct check_rule *rule,
                         struct check_outcome *out)
{
    if (!can_be_judged(facts, rule))
        return false;
    *out = check_judge(facts, rule);
    return out->state == CHECK_NOT_MET;
}

int check_add_all(struct run_result *run, const struct result *result,
                  const struct check_rule *rules, size_t count, int aborted_by,
                  const char *aborted_measured)
{
    struct check_facts facts = {.run = run, .result = result};
    for (size_t i = 0; i < count; i++) {
        char name[160];
        struct check_outcome out = check_judge(&facts, &rules[i]);
        if ((int)i == aborted_by) {
            out.state = CHECK_NOT_MET;
            snprintf(out.measured, sizeof(out.measured), "%.200s; this ended the run",
                     aborted_measured);
        }
        if (out.state == CHECK_NOT_MEASURED && (run->aborted || run->interrupted))
            continue;
        enum check_kind kind = out.state == CHECK_NOT_MEASURED ? CHECK_VALIDITY : CHECK_EXPECTED;
        check_ref_text(&rules[i].left, name, sizeof(name));
        if (verdict_check_add(run, kind, name, out.state == CHECK_MET, rules[i].text,
                              out.measured) < 0)
            return -1;
    }
    return 0;
}
