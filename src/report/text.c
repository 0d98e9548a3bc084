/* SPDX-License-Identifier: MIT */
/* The summary for a person: facts first, checks after them, the verdict as the last line. */
#include "report/report.h"

#include "base/wrap.h"
#include "report/breakers.h"
#include "report/human.h"
#include "report/table.h"

#include <string.h>

/* Breaker transitions shown per run; the JSON report has all of them. */
#define TRANSITIONS_SHOWN_MAX 40

struct writer {
    FILE *out;
    const struct result *result;
    struct report_style style;
};

static const char *ns_text(const struct writer *w, ns_t value, char buf[static HUMAN_SIZE])
{
    return human_ns(value, w->style.ascii, buf);
}

static const char *node_name(const struct writer *w, unsigned node)
{
    return node < w->result->node_count ? w->result->nodes[node].name : "-";
}

static const char *red(const struct writer *w)
{
    return w->style.colour ? "\033[31m" : "";
}

static const char *green(const struct writer *w)
{
    return w->style.colour ? "\033[32m" : "";
}

static const char *yellow(const struct writer *w)
{
    return w->style.colour ? "\033[33m" : "";
}

static const char *bold(const struct writer *w)
{
    return w->style.colour ? "\033[1m" : "";
}

static const char *plain(const struct writer *w)
{
    return w->style.colour ? "\033[0m" : "";
}

static void title(const struct writer *w, const char *text)
{
    fprintf(w->out, "\n  %s%s%s\n", bold(w), text, plain(w));
}

static void cell_ns(const struct writer *w, struct table *t, ns_t value)
{
    char buf[HUMAN_SIZE];
    table_cell(t, ns_text(w, value, buf));
}

/* A figure of a histogram, which has none when it is empty. */
static void cell_latency(const struct writer *w, struct table *t, const struct latency *l,
                         ns_t value)
{
    if (l->count == 0)
        table_cell(t, "-");
    else
        cell_ns(w, t, value);
}

static void cell_count(struct table *t, uint64_t value)
{
    char buf[HUMAN_SIZE];
    table_cell(t, human_count(value, buf));
}

/* The time from `since` to `at`; "never" when either did not happen. */
static void cell_elapsed(const struct writer *w, struct table *t, ns_t since, ns_t at)
{
    cell_ns(w, t, since == NS_NEVER || at == NS_NEVER ? NS_NEVER : at - since);
}

static void head(struct table *t, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        table_cell(t, names[i]);
}

#define HEAD(t, ...)                            \
    head(t, (const char *const[]){__VA_ARGS__}, \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* ---- phases, latency, errors, nodes ---- */

/* Of the operations that succeeded or failed. */
static void cell_error_rate(struct table *t, const struct recorder_counts *c)
{
    uint64_t ended = c->succeeded + c->failed;
    if (ended == 0)
        table_cell(t, "-");
    else
        table_cellf(t, "%.2f %%", 100.0 * (double)c->failed / (double)ended);
}

static void phase_row(const struct writer *w, struct table *t, const char *name, ns_t length,
                      const struct recorder_counts *c, const struct latency *service)
{
    char rate[HUMAN_SIZE];
    table_cell(t, name);
    cell_ns(w, t, length);
    cell_count(t, c->offered);
    cell_count(t, c->succeeded);
    table_cell(t, human_rate(c->succeeded, length, rate));
    cell_count(t, c->failed);
    cell_error_rate(t, c);
    cell_count(t, c->dropped);
    cell_latency(w, t, service, service->p50_ns);
    cell_latency(w, t, service, service->p95_ns);
    cell_latency(w, t, service, service->p99_ns);
    cell_latency(w, t, service, service->max_ns);
}

static void write_phases(const struct writer *w, const struct run_result *run)
{
    struct table t;
    table_init(&t, "lrrrrrrrrrrr");
    HEAD(&t, "phase", "length", "offered", "succeeded", "per s", "failed", "error rate", "dropped",
         "p50", "p95", "p99", "max");
    for (size_t i = 0; i < run->phase_count; i++) {
        const struct result_phase *p = &run->phases[i];
        phase_row(w, &t, p->name, p->end_ns - p->start_ns, &p->counts, &p->service);
    }
    phase_row(w, &t, "total", run->end_ns - run->start_ns, &run->total, &run->service);
    title(w, "Phases");
    table_print(&t, w->out, 4);
    table_deinit(&t);
}

static void latency_row(const struct writer *w, struct table *t, const char *name,
                        const struct latency *l)
{
    if (l->count == 0)
        return;
    table_cell(t, name);
    cell_count(t, l->count);
    cell_ns(w, t, l->min_ns);
    cell_ns(w, t, l->mean_ns);
    cell_ns(w, t, l->p50_ns);
    cell_ns(w, t, l->p90_ns);
    cell_ns(w, t, l->p95_ns);
    cell_ns(w, t, l->p99_ns);
    cell_ns(w, t, l->p999_ns);
    cell_ns(w, t, l->max_ns);
}

static void write_hits(const struct writer *w, const struct recorder_counts *c)
{
    char hits[HUMAN_SIZE], misses[HUMAN_SIZE];
    uint64_t hit = c->by_outcome[OUTCOME_HIT], reads = hit + c->by_outcome[OUTCOME_MISS];
    if (reads > 0)
        fprintf(w->out, "\n    hit ratio %.1f %%: %s hits, %s misses\n",
                100.0 * (double)hit / (double)reads, human_count(hit, hits),
                human_count(c->by_outcome[OUTCOME_MISS], misses));
}

static void write_latency(const struct writer *w, const struct run_result *run)
{
    struct table t;
    table_init(&t, "lrrrrrrrrr");
    HEAD(&t, "", "count", "min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max");
    latency_row(w, &t, "service time", &run->service);
    latency_row(w, &t, "response time, from the intended start", &run->response);
    for (int op = 0; op < OP_COUNT; op++)
        latency_row(w, &t, op_name(op), &run->ops[op].service);
    latency_row(w, &t, "failed operations", &run->service_failed);
    title(w, "Latency");
    table_print(&t, w->out, 4);
    table_deinit(&t);
    write_hits(w, &run->total);
}

static void write_errors(const struct writer *w, const struct run_result *run)
{
    struct table t;
    if (run->total.failed == 0)
        return;
    table_init(&t, "rll");
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (!outcome_is_failure(i) || run->total.by_outcome[i] == 0)
            continue;
        cell_count(&t, run->total.by_outcome[i]);
        table_cell(&t, outcome_name(i));
        table_cell(&t, outcome_text(i));
    }
    title(w, "Errors");
    table_print(&t, w->out, 4);
    table_deinit(&t);
}

static void write_nodes(const struct writer *w, const struct run_result *run)
{
    struct table t;
    table_init(&t, "llrrrrrrrl");
    HEAD(&t, "node", "address", "key share", "load share", "succeeded", "failed", "p99",
         "pool high-water", "breaker open for", "now");
    for (unsigned i = 0; i < run->node_count && i < w->result->node_count; i++) {
        const struct result_node_run *n = &run->nodes[i];
        table_cell(&t, node_name(w, i));
        table_cell(&t, w->result->nodes[i].address);
        table_cellf(&t, "%.1f %%", 100 * w->result->nodes[i].key_share);
        table_cellf(&t, "%.1f %%", 100 * result_load_share(run, i));
        cell_count(&t, n->counts.succeeded);
        cell_count(&t, n->counts.failed);
        cell_latency(w, &t, &n->service, n->service.p99_ns);
        cell_count(&t, n->pool_total_max);
        cell_ns(w, &t, n->breaker_ns[BREAKER_VIEW_OPEN]);
        table_cell(&t, breaker_view_name(n->stats.breaker));
    }
    title(w, "Nodes");
    table_print(&t, w->out, 4);
    table_deinit(&t);
}

/* ---- faults and recovery ---- */

static void cell_victims(struct table *t, const struct victims *v)
{
    char text[HUMAN_VICTIMS_SIZE];
    table_cell(t, v->counted ? human_victims(v, text) : "not counted");
}

static void write_recovery(const struct writer *w, const struct run_result *run)
{
    struct table t;
    if (run->fault_count == 0)
        return;
    table_init(&t, "llrrrrrrl");
    HEAD(&t, "fault", "node", "at", "for", "first error", "breaker open", "first success",
         "steady again", "victims");
    for (size_t i = 0; i < run->fault_count; i++) {
        const struct result_fault *f = &run->faults[i];
        const struct recovery_times *times = &f->times;
        table_cell(&t, f->text);
        table_cell(&t, node_name(w, f->node));
        cell_elapsed(w, &t, run->start_ns, times->fault_start_ns);
        cell_elapsed(w, &t, times->fault_start_ns, times->fault_end_ns);
        cell_elapsed(w, &t, times->fault_start_ns, times->first_error_ns);
        cell_elapsed(w, &t, times->fault_start_ns, times->breaker_open_ns);
        cell_elapsed(w, &t, times->fault_end_ns, times->first_success_ns);
        cell_elapsed(w, &t, times->fault_end_ns, times->steady_ns);
        cell_victims(&t, &f->victims);
    }
    title(w,
          "Recovery (error and breaker from the fault's start, success and steady from its end)");
    table_print(&t, w->out, 4);
    table_deinit(&t);
}

static bool has_breakers(const struct run_result *run)
{
    for (size_t i = 0; i < run->node_count; i++) {
        if (run->nodes[i].stats.breaker != BREAKER_VIEW_NONE)
            return true;
    }
    return false;
}

static void write_breakers(const struct writer *w, const struct run_result *run)
{
    struct table t;
    if (!has_breakers(run))
        return;
    table_init(&t, "lrrrrrrrr");
    HEAD(&t, "node", "closed for", "open for", "half-open for", "opened", "probes", "succeeded",
         "failed", "rejected calls");
    for (unsigned i = 0; i < run->node_count; i++) {
        const struct result_node_run *n = &run->nodes[i];
        struct breaker_summary s = breaker_summary_of(run, i);
        table_cell(&t, node_name(w, i));
        cell_ns(w, &t, n->breaker_ns[BREAKER_VIEW_CLOSED]);
        cell_ns(w, &t, n->breaker_ns[BREAKER_VIEW_OPEN]);
        cell_ns(w, &t, n->breaker_ns[BREAKER_VIEW_HALF_OPEN]);
        cell_count(&t, s.opened);
        cell_count(&t, s.probes);
        cell_count(&t, s.probes_succeeded);
        cell_count(&t, s.probes_failed);
        cell_count(&t, s.rejected);
    }
    title(w, "Breakers");
    table_print(&t, w->out, 4);
    table_deinit(&t);
}

static void write_transitions(const struct writer *w, const struct run_result *run)
{
    struct table t;
    size_t shown = run->transition_count;
    if (shown == 0)
        return;
    if (shown > TRANSITIONS_SHOWN_MAX)
        shown = TRANSITIONS_SHOWN_MAX;
    table_init(&t, "rlll");
    for (size_t i = 0; i < shown; i++) {
        const struct transition *e = &run->transitions[i];
        table_cellf(&t, "%.3f s", (double)(e->at_ns - run->start_ns) / (double)NS_PER_SEC);
        table_cell(&t, node_name(w, e->node));
        table_cellf(&t, "%s %s %s", breaker_view_name(e->from), w->style.ascii ? "->" : "→",
                    breaker_view_name(e->to));
        table_cell(&t, e->cause);
    }
    title(w, "Breaker transitions");
    table_print(&t, w->out, 4);
    table_deinit(&t);
    if (run->transition_count > shown || run->transitions_dropped > 0)
        fprintf(w->out, "    and %llu more\n",
                (unsigned long long)(run->transition_count - shown + run->transitions_dropped));
}

/* ---- checks and verdict ---- */

static void write_check(const struct writer *w, const struct check *c)
{
    const char *mark = w->style.ascii ? (c->ok ? "ok  " : "FAIL") : (c->ok ? "✓" : "✗");
    fprintf(w->out, "    %s%s%s %s: %s\n", c->ok ? green(w) : red(w), mark, plain(w), c->text,
            c->measured);
}

static void write_checks(const struct writer *w, const struct run_result *run)
{
    title(w, "Checks");
    for (size_t i = 0; i < run->check_count; i++) {
        if (!run->checks[i].ok)
            write_check(w, &run->checks[i]);
    }
    for (size_t i = 0; i < run->check_count; i++) {
        if (run->checks[i].ok)
            write_check(w, &run->checks[i]);
    }
}

static void write_verdict_word(const struct writer *w, enum verdict verdict)
{
    const char *colour = verdict == VERDICT_PASSED   ? green(w)
                         : verdict == VERDICT_FAILED ? red(w)
                                                     : yellow(w);
    fprintf(w->out, "%s%s%s%s", bold(w), colour, verdict_name(verdict), plain(w));
}

/* The load, where it is not what the session's options say. */
static void write_load(const struct writer *w, const struct run_result *run)
{
    const char *lead = "  load of this scenario:";
    for (size_t i = 0; i < run->load_count; i++) {
        for (size_t o = 0; o < w->result->option_count; o++) {
            const struct named_value *option = &w->result->options[o];
            if (strcmp(option->name, run->load[i].name) != 0 ||
                strcmp(option->value, run->load[i].value) == 0)
                continue;
            fprintf(w->out, "%s %s %s", lead, run->load[i].name, run->load[i].value);
            lead = ",";
        }
    }
    if (lead[0] == ',')
        fputc('\n', w->out);
}

static void write_run(const struct writer *w, const struct run_result *run)
{
    char length[HUMAN_SIZE];
    fprintf(w->out, "\n%s%s%s (%s): ", bold(w), run->scenario, plain(w),
            ns_text(w, run->end_ns - run->start_ns, length));
    write_verdict_word(w, run->verdict);
    fputc('\n', w->out);
    wrap_print(w->out, run->description, 0, 2, 100);
    write_load(w, run);
    write_phases(w, run);
    write_latency(w, run);
    write_errors(w, run);
    write_nodes(w, run);
    write_recovery(w, run);
    write_breakers(w, run);
    write_transitions(w, run);
    write_checks(w, run);
}

static void write_head(const struct writer *w)
{
    const struct result *r = w->result;
    char length[HUMAN_SIZE];
    fprintf(w->out, "%smemchaos %s%s  %s  %u CPUs", bold(w), r->version, plain(w), r->host.kernel,
            r->host.cpus);
    if (r->host.memcached_version && r->host.memcached_version[0] != '\0')
        fprintf(w->out, "  memcached %s", r->host.memcached_version);
    fprintf(w->out, "  ran for %s\n", ns_text(w, r->end_ns - r->start_ns, length));
}

static void write_overview(const struct writer *w)
{
    const struct result *r = w->result;
    struct table t;
    if (r->run_count + r->runs_dropped < 2)
        return;
    table_init(&t, "llrrr");
    HEAD(&t, "scenario", "verdict", "succeeded", "failed", "p99");
    for (size_t i = 0; i < r->run_count; i++) {
        const struct run_result *run = r->runs[i];
        table_cell(&t, run->scenario);
        table_cell(&t, verdict_name(run->verdict));
        cell_count(&t, run->total.succeeded);
        cell_count(&t, run->total.failed);
        cell_latency(w, &t, &run->service, run->service.p99_ns);
    }
    fprintf(w->out, "\n%sAll runs%s\n", bold(w), plain(w));
    table_print(&t, w->out, 2);
    table_deinit(&t);
    if (r->runs_dropped > 0)
        fprintf(w->out, "  and %llu earlier ones\n", (unsigned long long)r->runs_dropped);
}

/* The reason of the run that decided. */
static const char *first_reason(const struct result *r)
{
    for (size_t i = 0; i < r->run_count; i++) {
        const struct run_result *run = r->runs[i];
        if (run->verdict == r->verdict && run->reason_count > 0)
            return run->reasons[0];
    }
    return NULL;
}

static void write_foot(const struct writer *w)
{
    const struct result *r = w->result;
    const char *reason = first_reason(r);
    for (size_t i = 0; i < r->skipped_count; i++)
        fprintf(w->out, "%sskipped %s: %s\n", i == 0 ? "\n" : "", r->skipped[i].scenario,
                r->skipped[i].reason);
    fprintf(w->out, "\nseed %llu, repeat with: %s\n", (unsigned long long)r->seed, r->command);
    fprintf(w->out, "verdict: ");
    write_verdict_word(w, r->verdict);
    if (reason)
        fprintf(w->out, ": %s", reason);
    fputc('\n', w->out);
}

int report_text(FILE *out, const struct result *r, struct report_style style)
{
    struct writer w = {out, r, style};
    write_head(&w);
    for (size_t i = 0; i < r->run_count; i++)
        write_run(&w, r->runs[i]);
    write_overview(&w);
    report_text_spread(out, r, style);
    write_foot(&w);
    return ferror(out) ? -1 : 0;
}

int report_text_end(FILE *out, const struct result *r, struct report_style style)
{
    struct writer w = {out, r, style};
    fputc('\n', out);
    write_head(&w);
    write_overview(&w);
    report_text_spread(out, r, style);
    write_foot(&w);
    return ferror(out) ? -1 : 0;
}

int report_text_run(FILE *out, const struct result *r, const struct run_result *run,
                    struct report_style style)
{
    struct writer w = {out, r, style};
    write_run(&w, run);
    return ferror(out) ? -1 : 0;
}
