/* SPDX-License-Identifier: MIT */
/* What the charts are drawn from: columns in place of records, seconds since the start of the run.
 */
#include "report/html.h"

#include "base/hist_packed.h"
#include "base/jsonw.h"
#include "report/percentiles.h"

#include <math.h>
#include <stdlib.h>

/* Of the whole of a run's intervals, a figure of each. */
typedef double (*column)(const struct interval *e, const void *arg);

static void write_column(struct jsonw *j, const char *key, const struct run_result *run, column of,
                         const void *arg)
{
    jsonw_key_array(j, key);
    for (size_t i = 0; i < run->interval_count; i++)
        jsonw_double(j, of(&run->intervals[i], arg));
    jsonw_array_end(j);
}

static double seconds(const struct run_result *run, ns_t at)
{
    if (at == NS_NEVER)
        return NAN;
    return round((double)(at - run->start_ns) / (double)NS_PER_US) / 1e6;
}

static double from_of(const struct interval *e, const void *run)
{
    return seconds(run, e->start_ns);
}

static double to_of(const struct interval *e, const void *run)
{
    return seconds(run, e->end_ns);
}

static double offered_of(const struct interval *e, const void *arg)
{
    (void)arg;
    return (double)e->offered;
}

static double ok_of(const struct interval *e, const void *arg)
{
    (void)arg;
    return (double)e->succeeded;
}

static double failed_of(const struct interval *e, const void *arg)
{
    (void)arg;
    return (double)e->failed;
}

static double dropped_of(const struct interval *e, const void *arg)
{
    (void)arg;
    return (double)e->dropped;
}

static double outcome_of(const struct interval *e, const void *arg)
{
    return (double)e->by_outcome[*(const int *)arg];
}

static double latency_column(const struct interval *e, const void *offset)
{
    const char *base = (const char *)&e->service;
    return e->service.count > 0 ? (double)*(const ns_t *)(base + *(const size_t *)offset) : NAN;
}

static void write_latency(struct jsonw *j, const struct run_result *run)
{
    static const struct {
        const char *name;
        size_t offset;
    } of[] = {
        {"p50", offsetof(struct latency, p50_ns)}, {"p90", offsetof(struct latency, p90_ns)},
        {"p99", offsetof(struct latency, p99_ns)}, {"p99.9", offsetof(struct latency, p999_ns)},
        {"max", offsetof(struct latency, max_ns)},
    };
    jsonw_key_object(j, "latency");
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
        write_column(j, of[i].name, run, latency_column, &of[i].offset);
    jsonw_object_end(j);
}

static void write_kinds(struct jsonw *j, const struct run_result *run)
{
    jsonw_key_object(j, "kinds");
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (outcome_is_failure(i) && run->total.by_outcome[i] > 0)
            write_column(j, outcome_name(i), run, outcome_of, &i);
    }
    jsonw_object_end(j);
}

static void write_phases(struct jsonw *j, const struct run_result *run)
{
    jsonw_key_array(j, "phases");
    for (size_t i = 0; i < run->phase_count; i++) {
        jsonw_object(j);
        jsonw_key_string(j, "name", run->phases[i].name);
        jsonw_key_double(j, "start", seconds(run, run->phases[i].start_ns));
        jsonw_key_double(j, "end", seconds(run, run->phases[i].end_ns));
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_faults(struct jsonw *j, const struct run_result *run)
{
    jsonw_key_array(j, "faults");
    for (size_t i = 0; i < run->fault_count; i++) {
        const struct result_fault *f = &run->faults[i];
        jsonw_object(j);
        jsonw_key_string(j, "text", f->text);
        jsonw_key_uint(j, "node", f->node);
        jsonw_key_double(j, "start", seconds(run, f->times.fault_start_ns));
        jsonw_key_double(j, "end", seconds(run, f->times.fault_end_ns));
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_transitions(struct jsonw *j, const struct run_result *run)
{
    jsonw_key_array(j, "transitions");
    for (size_t i = 0; i < run->transition_count; i++) {
        const struct transition *t = &run->transitions[i];
        jsonw_object(j);
        jsonw_key_double(j, "at", seconds(run, t->at_ns));
        jsonw_key_uint(j, "node", t->node);
        jsonw_key_string(j, "to", breaker_view_name(t->to));
        jsonw_key_string(j, "cause", t->cause);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

/* ---- nodes ---- */

static double active_of(const struct interval *e, const void *node)
{
    return e->nodes[*(const unsigned *)node].stats.pool_active;
}

static double total_of(const struct interval *e, const void *node)
{
    return e->nodes[*(const unsigned *)node].stats.pool_total;
}

static double waiting_of(const struct interval *e, const void *node)
{
    return e->nodes[*(const unsigned *)node].stats.pool_waiting;
}

static void write_node(struct jsonw *j, const struct html *h, const struct run_result *run,
                       unsigned node)
{
    jsonw_object(j);
    jsonw_key_string(j, "name", h->result->nodes[node].name);
    write_column(j, "active", run, active_of, &node);
    write_column(j, "total", run, total_of, &node);
    write_column(j, "waiting", run, waiting_of, &node);
    jsonw_key_string(j, "breaker", breaker_view_name(run->nodes[node].stats.breaker));
    jsonw_object_end(j);
}

/* ---- the spectrum: a curve of percentiles per phase, one of the response time ---- */

static void write_curve(struct jsonw *j, const char *name, const struct hist *h)
{
    struct percentile points[PERCENTILES_MAX];
    size_t count = percentiles_of(h, points);
    if (count == 0)
        return;
    jsonw_object(j);
    jsonw_key_string(j, "name", name);
    jsonw_key_uint(j, "count", hist_count(h));
    jsonw_key_array(j, "points");
    for (size_t i = 0; i < count; i++) {
        jsonw_array(j);
        jsonw_double(j, round(points[i].share * 1e9) / 1e9);
        jsonw_int(j, points[i].value_ns);
        jsonw_array_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
}

static void write_spectrum(struct jsonw *j, const struct run_result *run)
{
    struct hist h;
    jsonw_key_array(j, "spectrum");
    if (hist_init(&h, &LATENCY_HIST_CONFIG, NULL) == 0) {
        for (size_t i = 0; i < run->phase_count; i++) {
            hist_reset(&h);
            if (run->phases[i].service_hist)
                hist_packed_add(run->phases[i].service_hist, &h);
            write_curve(j, run->phases[i].name, &h);
        }
        hist_reset(&h);
        percentiles_add_run(run, PERCENTILES_RESPONSE, &h);
        write_curve(j, "response time, whole run", &h);
        hist_deinit(&h);
    }
    jsonw_array_end(j);
}

static void write_run(struct jsonw *j, const struct html *h, const struct run_result *run)
{
    jsonw_object(j);
    jsonw_key_double(j, "start", 0);
    jsonw_key_double(j, "end", seconds(run, run->end_ns));
    write_phases(j, run);
    write_faults(j, run);
    write_transitions(j, run);
    write_column(j, "from", run, from_of, run);
    write_column(j, "to", run, to_of, run);
    write_column(j, "offered", run, offered_of, NULL);
    write_column(j, "dropped", run, dropped_of, NULL);
    write_column(j, "ok", run, ok_of, NULL);
    write_column(j, "failed", run, failed_of, NULL);
    write_kinds(j, run);
    write_latency(j, run);
    write_spectrum(j, run);
    jsonw_key_array(j, "nodes");
    for (unsigned i = 0; i < run->node_count; i++)
        write_node(j, h, run, i);
    jsonw_array_end(j);
    jsonw_object_end(j);
}

/* "</script>" and "<!--" end or change a script wherever they stand; JSON has '<' inside strings
 * only, where it can be written otherwise. */
static void write_safely(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '<')
            fputs("\\u003c", out);
        else
            fputc(text[i], out);
    }
}

int html_data(const struct html *h, size_t first)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (!memory)
        return -1;
    struct jsonw j;
    jsonw_init(&j, memory, JSONW_COMPACT);
    jsonw_object(&j);
    jsonw_key_array(&j, "runs");
    for (size_t i = first; i < h->result->run_count; i++)
        write_run(&j, h, h->result->runs[i]);
    jsonw_array_end(&j);
    jsonw_object_end(&j);
    int rc = jsonw_finish(&j);
    if (fclose(memory) != 0)
        rc = -1;
    if (rc == 0)
        write_safely(h->out, text, length);
    free(text);
    return rc;
}
