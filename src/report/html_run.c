/* SPDX-License-Identifier: MIT */
/* What a run's part of the page says without any script. */
#include "report/breakers.h"
#include "report/escape.h"
#include "report/html.h"
#include "report/human.h"

/* Transitions and intervals listed per run; the other formats have all. */
#define ROWS_MAX 600

#define HEADS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void row(const struct html *h)
{
    fputs("<tr>", h->out);
}

static void row_end(const struct html *h)
{
    fputs("</tr>\n", h->out);
}

static const char *node_name(const struct html *h, unsigned node)
{
    return node < h->result->node_count ? h->result->nodes[node].name : "–";
}

static void elapsed(const struct html *h, ns_t since, ns_t at)
{
    html_cell_ns(h, since == NS_NEVER || at == NS_NEVER ? NS_NEVER : at - since);
}

static void seconds(const struct html *h, ns_t value)
{
    char text[HUMAN_SIZE];
    snprintf(text, sizeof(text), "%.3f", (double)value / (double)NS_PER_SEC);
    html_cell_number(h, text);
}

/* ---- checks ---- */

static void write_check(const struct html *h, const struct check *c)
{
    const char *class = c->ok ? "passed" : c->kind == CHECK_VALIDITY ? "invalid" : "failed";
    fprintf(h->out, "<li><span class=\"badge %s\">%s</span><span>", class, c->ok ? "ok" : class);
    escape_markup(h->out, c->text);
    fputs(": <b>", h->out);
    escape_markup(h->out, c->measured);
    fputs("</b></span></li>\n", h->out);
}

static void write_checks(const struct html *h, const struct run_result *run)
{
    fputs("<section class=\"card\"><h3>Checks</h3><ul class=\"checks\">\n", h->out);
    for (int ok = 0; ok <= 1; ok++) {
        for (size_t i = 0; i < run->check_count; i++) {
            if (run->checks[i].ok == ok)
                write_check(h, &run->checks[i]);
        }
    }
    fputs("</ul></section>\n", h->out);
}

/* ---- recovery ---- */

static void write_recovery(const struct html *h, const struct run_result *run)
{
    if (run->fault_count == 0)
        return;
    html_table_begin(h, "Recovery",
                     "Error and breaker from the start of the fault, success and steady from its "
                     "end.",
                     HEADS("fault", "node", "#at", "#for", "#first error", "#breaker open",
                           "#first success", "#steady again", "victims"));
    for (size_t i = 0; i < run->fault_count; i++) {
        const struct result_fault *f = &run->faults[i];
        const struct recovery_times *t = &f->times;
        char victims[HUMAN_VICTIMS_SIZE];
        row(h);
        html_cell(h, f->text);
        html_cell(h, node_name(h, f->node));
        elapsed(h, run->start_ns, t->fault_start_ns);
        elapsed(h, t->fault_start_ns, t->fault_end_ns);
        elapsed(h, t->fault_start_ns, t->first_error_ns);
        elapsed(h, t->fault_start_ns, t->breaker_open_ns);
        elapsed(h, t->fault_end_ns, t->first_success_ns);
        elapsed(h, t->fault_end_ns, t->steady_ns);
        html_cell(h, f->victims.counted ? human_victims(&f->victims, victims) : "not counted");
        row_end(h);
    }
    html_table_end(h);
}

/* ---- phases, latency, errors ---- */

static void error_rate(const struct html *h, const struct recorder_counts *c)
{
    char text[HUMAN_SIZE];
    uint64_t ended = c->succeeded + c->failed;
    snprintf(text, sizeof(text), "%.2f %%",
             ended > 0 ? 100.0 * (double)c->failed / (double)ended : 0);
    html_cell_number(h, ended > 0 ? text : "–");
}

static void phase_row(const struct html *h, const char *name, ns_t length,
                      const struct recorder_counts *c, const struct latency *l)
{
    char rate[HUMAN_SIZE];
    row(h);
    html_cell(h, name);
    html_cell_ns(h, length);
    html_cell_count(h, c->offered);
    html_cell_count(h, c->succeeded);
    html_cell_number(h, human_rate(c->succeeded, length, rate));
    html_cell_count(h, c->failed);
    error_rate(h, c);
    html_cell_count(h, c->dropped);
    html_cell_latency(h, l, l->p50_ns);
    html_cell_latency(h, l, l->p99_ns);
    html_cell_latency(h, l, l->max_ns);
    row_end(h);
}

static void write_phases(const struct html *h, const struct run_result *run)
{
    html_table_begin(h, "Phases", NULL,
                     HEADS("phase", "#length", "#offered", "#succeeded", "#per s", "#failed",
                           "#error rate", "#dropped", "#p50", "#p99", "#max"));
    for (size_t i = 0; i < run->phase_count; i++) {
        const struct result_phase *p = &run->phases[i];
        phase_row(h, p->name, p->end_ns - p->start_ns, &p->counts, &p->service);
    }
    phase_row(h, "total", run->end_ns - run->start_ns, &run->total, &run->service);
    html_table_end(h);
}

static void latency_row(const struct html *h, const char *name, const struct latency *l)
{
    if (l->count == 0)
        return;
    row(h);
    html_cell(h, name);
    html_cell_count(h, l->count);
    html_cell_ns(h, l->min_ns);
    html_cell_ns(h, l->mean_ns);
    html_cell_ns(h, l->p50_ns);
    html_cell_ns(h, l->p90_ns);
    html_cell_ns(h, l->p95_ns);
    html_cell_ns(h, l->p99_ns);
    html_cell_ns(h, l->p999_ns);
    html_cell_ns(h, l->max_ns);
    row_end(h);
}

static void write_latency(const struct html *h, const struct run_result *run)
{
    html_table_begin(
        h, "Latency of the whole run", NULL,
        HEADS("", "#count", "#min", "#mean", "#p50", "#p90", "#p95", "#p99", "#p99.9", "#max"));
    latency_row(h, "service time", &run->service);
    latency_row(h, "response time, from the intended start", &run->response);
    for (int op = 0; op < OP_COUNT; op++)
        latency_row(h, op_name(op), &run->ops[op].service);
    latency_row(h, "failed operations", &run->service_failed);
    html_table_end(h);
}

static void write_errors(const struct html *h, const struct run_result *run)
{
    if (run->total.failed == 0)
        return;
    html_table_begin(h, "Errors", NULL, HEADS("#failed", "kind", "meaning"));
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (!outcome_is_failure(i) || run->total.by_outcome[i] == 0)
            continue;
        row(h);
        html_cell_count(h, run->total.by_outcome[i]);
        html_cell(h, outcome_name(i));
        html_cell(h, outcome_text(i));
        row_end(h);
    }
    html_table_end(h);
}

/* ---- nodes ---- */

static void write_nodes(const struct html *h, const struct run_result *run)
{
    html_table_begin(h, "Nodes", NULL,
                     HEADS("node", "#succeeded", "#failed", "#p99", "#pool max", "#waiting max",
                           "#breaker closed", "#open", "#half-open", "#opened", "#probes",
                           "#rejected"));
    for (unsigned i = 0; i < run->node_count; i++) {
        const struct result_node_run *n = &run->nodes[i];
        struct breaker_summary s = breaker_summary_of(run, i);
        row(h);
        html_cell(h, node_name(h, i));
        html_cell_count(h, n->counts.succeeded);
        html_cell_count(h, n->counts.failed);
        html_cell_latency(h, &n->service, n->service.p99_ns);
        html_cell_count(h, n->pool_total_max);
        html_cell_count(h, n->pool_waiting_max);
        html_cell_ns(h, n->breaker_ns[BREAKER_VIEW_CLOSED]);
        html_cell_ns(h, n->breaker_ns[BREAKER_VIEW_OPEN]);
        html_cell_ns(h, n->breaker_ns[BREAKER_VIEW_HALF_OPEN]);
        html_cell_count(h, s.opened);
        html_cell_count(h, s.probes);
        html_cell_count(h, s.rejected);
        row_end(h);
    }
    html_table_end(h);
}

static void write_transitions(const struct html *h, const struct run_result *run)
{
    if (run->transition_count == 0)
        return;
    html_table_begin(h, "Breaker transitions", NULL, HEADS("#at s", "node", "from", "to", "cause"));
    for (size_t i = 0; i < run->transition_count && i < ROWS_MAX; i++) {
        const struct transition *t = &run->transitions[i];
        row(h);
        seconds(h, t->at_ns - run->start_ns);
        html_cell(h, node_name(h, t->node));
        html_cell(h, breaker_view_name(t->from));
        html_cell(h, breaker_view_name(t->to));
        html_cell(h, t->cause);
        row_end(h);
    }
    html_table_end(h);
    uint64_t more = run->transition_count + run->transitions_dropped;
    if (more > ROWS_MAX)
        fprintf(h->out, "<p class=\"soft\">and %llu more</p>\n",
                (unsigned long long)(more - ROWS_MAX));
}

/* The figures of the charts, for those who do not see them. */
static void write_intervals(const struct html *h, const struct run_result *run)
{
    if (run->interval_count == 0)
        return;
    html_table_begin(h, "Intervals: the data of the charts", NULL,
                     HEADS("#from s", "#to s", "phase", "#offered", "#succeeded", "#failed",
                           "#dropped", "#p50", "#p90", "#p99", "#p99.9", "#max"));
    for (size_t i = 0; i < run->interval_count && i < ROWS_MAX; i++) {
        const struct interval *e = &run->intervals[i];
        const struct latency *l = &e->service;
        row(h);
        seconds(h, e->start_ns - run->start_ns);
        seconds(h, e->end_ns - run->start_ns);
        html_cell(h, e->phase < run->phase_count ? run->phases[e->phase].name : "–");
        html_cell_count(h, e->offered);
        html_cell_count(h, e->succeeded);
        html_cell_count(h, e->failed);
        html_cell_count(h, e->dropped);
        html_cell_latency(h, l, l->p50_ns);
        html_cell_latency(h, l, l->p90_ns);
        html_cell_latency(h, l, l->p99_ns);
        html_cell_latency(h, l, l->p999_ns);
        html_cell_latency(h, l, l->max_ns);
        row_end(h);
    }
    html_table_end(h);
}

static void write_load(const struct html *h, const struct run_result *run)
{
    if (run->load_count == 0)
        return;
    html_table_begin(h, "Load of this run", NULL, HEADS("flag", "value"));
    for (size_t i = 0; i < run->load_count; i++) {
        row(h);
        html_cell(h, run->load[i].name);
        html_cell(h, run->load[i].value);
        row_end(h);
    }
    html_table_end(h);
}

void html_run_tables(const struct html *h, const struct run_result *run)
{
    write_recovery(h, run);
    write_phases(h, run);
    write_latency(h, run);
    write_errors(h, run);
    write_nodes(h, run);
    write_checks(h, run);
    fputs("<details><summary class=\"soft\">Transitions, intervals and load</summary>\n", h->out);
    write_transitions(h, run);
    write_intervals(h, run);
    write_load(h, run);
    fputs("</details>\n", h->out);
}
