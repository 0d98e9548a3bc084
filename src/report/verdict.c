/* SPDX-License-Identifier: MIT */
#include "report/verdict.h"

#include "report/human.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One check that is being added: everything but the array it goes to. */
struct judge {
    struct run_result *run;
    const struct result *result;
    const struct verdict_config *config;
    struct check *checks;
    size_t count;
    size_t cap;
    bool no_memory;
};

/* Checks that do not belong to a fault. */
#define GENERAL_CHECKS 9
/* Checks that one fault can have. */
#define FAULT_CHECKS 4

static int copy_check(struct arena *a, struct check *to, struct check check)
{
    *to = check;
    to->name = arena_text(a, check.name);
    to->text = arena_text(a, check.text);
    to->measured = arena_text(a, check.measured);
    return to->name && to->text && to->measured ? 0 : -1;
}

int verdict_check_add(struct run_result *run, enum check_kind kind, const char *name, bool ok,
                      const char *text, const char *measured)
{
    struct check *grown = arena_array(&run->arena, run->check_count + 1, sizeof(*grown));
    if (!grown)
        return -1;
    if (run->check_count > 0)
        memcpy(grown, run->checks, run->check_count * sizeof(*grown));
    struct check check = {kind, ok, name, text, measured};
    if (copy_check(&run->arena, &grown[run->check_count], check) < 0)
        return -1;
    run->checks = grown;
    run->check_count++;
    return 0;
}

static void add(struct judge *j, enum check_kind kind, const char *name, bool ok, const char *text,
                const char *measured)
{
    struct check check = {kind, ok, name, text, measured};
    if (j->count == j->cap || copy_check(&j->run->arena, &j->checks[j->count], check) < 0)
        j->no_memory = true;
    else
        j->count++;
}

static const char *node_name(const struct judge *j, unsigned node)
{
    const char *name = node < j->result->node_count ? j->result->nodes[node].name : NULL;
    return name ? name : "node?";
}

/* ---- the checks ---- */

static void check_wrong_data(struct judge *j)
{
    char measured[256], count[HUMAN_SIZE], all[HUMAN_SIZE];
    const struct recorder_counts *total = &j->run->total;
    int n = snprintf(measured, sizeof(measured), "%s of %s operations",
                     human_count(total->wrong, count), human_count(total->attempted, all));
    const char *before = ": ";
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (!outcome_is_wrong_data(i) || total->by_outcome[i] == 0)
            continue;
        n += snprintf(measured + n, sizeof(measured) - (size_t)n, "%s%s %s", before,
                      human_count(total->by_outcome[i], count), outcome_name(i));
        before = ", ";
    }
    add(j, CHECK_HARD, "wrong_data", total->wrong == 0, "no wrong data", measured);
}

static void check_baseline(struct judge *j)
{
    char measured[256], rate[HUMAN_SIZE];
    const struct gate *g = &j->run->baseline;
    if (j->run->baseline_phase < 0 || (j->run->aborted && j->run->phase_count < 2))
        return;
    human_count((uint64_t)g->goodput_per_s, rate);
    snprintf(measured, sizeof(measured), "%s operations/s", rate);
    if (!isnan(g->goodput_cv))
        snprintf(measured, sizeof(measured), "%s operations/s, varying by %.1f %%", rate,
                 100 * g->goodput_cv);
    add(j, CHECK_VALIDITY, "baseline_steady", g->ok, "the baseline was steady",
        g->ok ? measured : g->reason);
}

static bool has_victims(const struct victims *v)
{
    return v->connections > 0 || v->chunks > 0 || v->bytes > 0 || v->bytes_dropped > 0 ||
           v->delay_ms > 0 || v->resets > 0 || v->connections_cut > 0 ||
           v->connections_refused > 0 || v->items_lost > 0 || v->stores_refused > 0 ||
           v->packets > 0;
}

/*
 * Where the proxy counts no victims, the client's own view must show that something happened to the
 * node: a failure, or answers that took clearly longer than in the baseline.
 */
static bool client_was_hit(const struct judge *j, const struct result_fault *f, char *out,
                           size_t size)
{
    const struct result_node_run *node = &j->run->nodes[f->node];
    char failures[HUMAN_SIZE], before[HUMAN_SIZE], during[HUMAN_SIZE];
    const struct latency *base = &node->phase_service[j->run->baseline_phase];
    const struct latency *fault = &node->phase_service[f->phase];
    uint64_t failed = node->phases[f->phase].failed;
    snprintf(out, size, "not counted by this proxy; the client saw %s failures, p99 %s after %s",
             human_count(failed, failures), human_ns(fault->p99_ns, false, during),
             human_ns(base->p99_ns, false, before));
    return failed > 0 || fault->p99_ns > 2 * base->p99_ns + NS_PER_MS;
}

static void check_fault_hit(struct judge *j, const struct result_fault *f)
{
    char text[320], measured[HUMAN_VICTIMS_SIZE];
    bool hit;
    if (f->may_miss || j->run->aborted)
        return;
    if (f->victims.counted) {
        hit = has_victims(&f->victims);
        human_victims(&f->victims, measured);
    } else if (f->node < j->run->node_count && j->run->baseline_phase >= 0) {
        hit = client_was_hit(j, f, measured, sizeof(measured));
    } else {
        return;
    }
    snprintf(text, sizeof(text), "%s hit %s", f->text, node_name(j, f->node));
    add(j, CHECK_VALIDITY, "fault_hit", hit, text, measured);
}

static void check_generator(struct judge *j)
{
    char text[128], measured[128], dropped[HUMAN_SIZE], offered[HUMAN_SIZE];
    int phase = j->run->baseline_phase;
    if (phase < 0 || (size_t)phase >= j->run->phase_count)
        return;
    const struct recorder_counts *c = &j->run->phases[phase].counts;
    double share = c->offered > 0 ? (double)c->dropped / (double)c->offered : 0;
    bool ok = share <= j->config->baseline_dropped_share_max;
    snprintf(text, sizeof(text), "the load generator kept up (at most %.1f %% dropped)",
             100 * j->config->baseline_dropped_share_max);
    snprintf(measured, sizeof(measured), "%s%s of %s dropped in the baseline",
             ok ? "" : "saturated: ", human_count(c->dropped, dropped),
             human_count(c->offered, offered));
    add(j, CHECK_VALIDITY, "generator_kept_up", ok, text, measured);
}

/* Whoever is never on time is saturated; whoever is late after a burst is not. */
static void check_on_time(struct judge *j)
{
    char text[128], measured[160], limit[HUMAN_SIZE], p10[HUMAN_SIZE], p50[HUMAN_SIZE];
    int phase = j->run->baseline_phase;
    if (phase < 0 || (size_t)phase >= j->run->phase_count)
        return;
    const struct result_phase *p = &j->run->phases[phase];
    if (p->lateness.count == 0)
        return;
    snprintf(text, sizeof(text),
             "the load generator was not saturated (one start in ten at most %s late)",
             human_ns(j->config->baseline_lateness_max_ns, true, limit));
    snprintf(measured, sizeof(measured), "one in ten %s, half of them %s late in the baseline",
             human_ns(p->lateness_p10_ns, true, p10), human_ns(p->lateness.p50_ns, true, p50));
    add(j, CHECK_VALIDITY, "generator_on_time",
        p->lateness_p10_ns <= j->config->baseline_lateness_max_ns, text, measured);
}

static void check_operations(struct judge *j)
{
    char measured[64], count[HUMAN_SIZE];
    snprintf(measured, sizeof(measured), "%s succeeded",
             human_count(j->run->total.succeeded, count));
    add(j, CHECK_VALIDITY, "operations_done", j->run->total.succeeded > 0,
        "operations reached the nodes", measured);
}

static void check_overdue(struct judge *j)
{
    char text[128], measured[128], limit[HUMAN_SIZE], longest[HUMAN_SIZE], count[HUMAN_SIZE];
    if (j->run->overdue_ns == NS_NEVER)
        return;
    snprintf(text, sizeof(text), "no operation took longer than %s",
             human_ns(j->run->overdue_ns, true, limit));
    snprintf(measured, sizeof(measured), "%s overdue, the longest took %s",
             human_count(j->run->overdue, count), human_ns(j->run->longest_op_ns, true, longest));
    add(j, CHECK_EXPECTED, "no_operation_overdue", j->run->overdue == 0, text, measured);
}

/* "410 ms" from `since` to `at`, "never" for NS_NEVER. ASCII, as checks stand in every report. */
static const char *elapsed(ns_t since, ns_t at, char buf[static HUMAN_SIZE])
{
    return human_ns(at == NS_NEVER ? NS_NEVER : at - since, true, buf);
}

static void check_recovered(struct judge *j, const struct result_fault *f)
{
    char text[320], measured[160], success[HUMAN_SIZE], steady[HUMAN_SIZE];
    const struct recovery_times *t = &f->times;
    if (j->config->may_have_no_recovery || j->run->aborted || f->may_not_recover || t->superseded ||
        t->fault_end_ns == NS_NEVER || f->node >= j->run->node_count)
        return;
    snprintf(text, sizeof(text), "%s recovered from %s", node_name(j, f->node), f->text);
    snprintf(measured, sizeof(measured), "first success: %s, steady again: %s",
             elapsed(t->fault_end_ns, t->first_success_ns, success),
             elapsed(t->fault_end_ns, t->steady_ns, steady));
    bool ok =
        t->first_success_ns != NS_NEVER && (t->steady_ns != NS_NEVER || j->run->baseline_phase < 0);
    ns_t watched = j->run->end_ns - t->fault_end_ns;
    if (ok || watched >= j->config->recovery_min_ns) {
        add(j, CHECK_EXPECTED, "recovered", ok, text, measured);
        return;
    }
    size_t used = strlen(measured);
    snprintf(measured + used, sizeof(measured) - used, "; only watched for %s",
             human_ns(watched, true, steady));
    add(j, CHECK_VALIDITY, "recovery_watched", false, text, measured);
}

static bool is_faulted(const struct run_result *run, unsigned node)
{
    for (size_t i = 0; i < run->fault_count; i++) {
        if (run->faults[i].node == node)
            return true;
    }
    return false;
}

static bool phase_has_fault(const struct run_result *run, size_t phase)
{
    for (size_t i = 0; i < run->fault_count; i++) {
        if (run->faults[i].phase == phase)
            return true;
    }
    return false;
}

static uint64_t failed_under_fault(const struct run_result *run, unsigned node)
{
    uint64_t failed = 0;
    for (size_t p = 0; run->nodes[node].phases && p < run->phase_count; p++) {
        if (phase_has_fault(run, p))
            failed += run->nodes[node].phases[p].failed;
    }
    return failed;
}

static void check_others(struct judge *j)
{
    const struct run_result *run = j->run;
    char measured[128], count[HUMAN_SIZE];
    unsigned others = 0, worst = 0;
    uint64_t failed = 0, most = 0;
    for (unsigned node = 0; node < run->node_count; node++) {
        if (is_faulted(run, node))
            continue;
        uint64_t n = failed_under_fault(run, node);
        others++;
        failed += n;
        if (n > most) {
            most = n;
            worst = node;
        }
    }
    if (j->config->others_may_fail || run->fault_count == 0 || others == 0)
        return;
    snprintf(measured, sizeof(measured), "%s failed", human_count(failed, count));
    if (failed > 0)
        snprintf(measured, sizeof(measured), "%s failed, most on %s", count, node_name(j, worst));
    add(j, CHECK_EXPECTED, "others_clean", failed == 0, "nodes without a fault had no failures",
        measured);
}

static void check_breaker(struct judge *j, const struct result_fault *f)
{
    char text[320], measured[64], after[HUMAN_SIZE];
    const struct recovery_times *t = &f->times;
    bool opened = t->breaker_open_ns != NS_NEVER;
    if (f->breaker == BREAKER_MAY_OPEN || j->run->aborted)
        return;
    bool must = f->breaker == BREAKER_MUST_OPEN;
    snprintf(text, sizeof(text), "the breaker of %s %s under %s", node_name(j, f->node),
             must ? "opened" : "stayed closed", f->text);
    snprintf(measured, sizeof(measured), "never opened");
    if (opened)
        snprintf(measured, sizeof(measured), "opened after %s",
                 elapsed(t->fault_start_ns, t->breaker_open_ns, after));
    add(j, CHECK_EXPECTED, "breaker", opened == must, text, measured);
}

/* A node whose last fault has ended must not be left behind an open breaker. */
static bool must_be_closed(const struct run_result *run, unsigned node)
{
    bool any = false;
    for (size_t i = 0; i < run->fault_count; i++) {
        const struct result_fault *f = &run->faults[i];
        if (f->node != node)
            continue;
        if (f->may_not_recover || f->times.fault_end_ns == NS_NEVER)
            return false;
        any = true;
    }
    return any && run->nodes[node].stats.breaker != BREAKER_VIEW_NONE;
}

static void check_breakers_closed(struct judge *j)
{
    char measured[128] = "all closed";
    unsigned judged = 0, bad = 0;
    for (unsigned node = 0; node < j->run->node_count; node++) {
        enum breaker_view view = j->run->nodes[node].stats.breaker;
        if (!must_be_closed(j->run, node))
            continue;
        judged++;
        if (view == BREAKER_VIEW_CLOSED)
            continue;
        snprintf(measured, sizeof(measured), "%s is %s", node_name(j, node),
                 breaker_view_name(view));
        bad++;
    }
    if (judged > 0 && !j->config->may_have_no_recovery && !j->run->aborted)
        add(j, CHECK_EXPECTED, "breaker_closed", bad == 0, "breakers of recovered nodes are closed",
            measured);
}

/* ---- the verdict ---- */

static void add_general(struct judge *j)
{
    check_wrong_data(j);
    check_baseline(j);
    for (size_t i = 0; i < j->run->fault_count; i++)
        check_fault_hit(j, &j->run->faults[i]);
    check_generator(j);
    check_on_time(j);
    check_operations(j);
    check_overdue(j);
    for (size_t i = 0; i < j->run->fault_count; i++)
        check_recovered(j, &j->run->faults[i]);
    check_others(j);
    for (size_t i = 0; i < j->run->fault_count; i++)
        check_breaker(j, &j->run->faults[i]);
    check_breakers_closed(j);
}

static bool any_failed(const struct run_result *run, enum check_kind kind)
{
    for (size_t i = 0; i < run->check_count; i++) {
        if (run->checks[i].kind == kind && !run->checks[i].ok)
            return true;
    }
    return false;
}

static enum verdict decide(const struct run_result *run)
{
    if (any_failed(run, CHECK_HARD))
        return VERDICT_FAILED;
    if (run->interrupted)
        return VERDICT_INTERRUPTED;
    if (any_failed(run, CHECK_VALIDITY))
        return VERDICT_INVALID;
    return any_failed(run, CHECK_EXPECTED) ? VERDICT_FAILED : VERDICT_PASSED;
}

/* Only checks of the kind that decided are reasons. */
static bool is_reason(const struct check *c, const struct run_result *run)
{
    if (c->ok)
        return false;
    if (run->verdict == VERDICT_INVALID)
        return c->kind == CHECK_VALIDITY;
    return run->verdict == VERDICT_FAILED && c->kind != CHECK_VALIDITY;
}

static int give_reasons(struct run_result *run)
{
    run->reasons = arena_array(&run->arena, run->check_count + 1, sizeof(*run->reasons));
    if (!run->reasons)
        return -1;
    if (run->verdict == VERDICT_INTERRUPTED)
        run->reasons[run->reason_count++] = "stopped before the end of the scenario";
    for (size_t i = 0; i < run->check_count; i++) {
        const struct check *c = &run->checks[i];
        if (!is_reason(c, run))
            continue;
        const char *reason = arena_format(&run->arena, "%s: %s", c->text, c->measured);
        if (!reason)
            return -1;
        run->reasons[run->reason_count++] = reason;
    }
    return 0;
}

int verdict_judge(struct run_result *run, const struct result *result,
                  const struct verdict_config *config)
{
    struct judge j = {.run = run, .result = result, .config = config};
    j.cap = GENERAL_CHECKS + FAULT_CHECKS * run->fault_count + run->check_count;
    j.checks = arena_array(&run->arena, j.cap, sizeof(*j.checks));
    if (!j.checks)
        return -1;
    add_general(&j);
    if (j.no_memory)
        return -1;
    for (size_t i = 0; i < run->check_count; i++)
        j.checks[j.count++] = run->checks[i];
    run->checks = j.checks;
    run->check_count = j.count;
    run->verdict = decide(run);
    return give_reasons(run);
}
