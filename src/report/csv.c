/* SPDX-License-Identifier: MIT */
/* CSV for spreadsheets: a line per interval of each run. The head names the units; an empty field
 * is one that was not measured. */
#include "report/escape.h"
#include "report/formats.h"

#include <string.h>

static void write_head(FILE *out, const struct result *r)
{
    fputs("run,scenario,phase,start_s,end_s,offered_ops,dropped_ops,succeeded_ops,failed_ops,"
          "goodput_ops_per_s,p50_ms,p90_ms,p95_ms,p99_ms,p999_ms,max_ms",
          out);
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (outcome_is_failure(i))
            fprintf(out, ",%s_ops", outcome_name(i));
    }
    for (size_t i = 0; i < r->node_count; i++) {
        static const char *const columns[] = {"succeeded_ops",    "failed_ops",
                                              "breaker",          "pool_active_connections",
                                              "pool_connections", "pool_waiting_ops"};
        for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
            char name[128];
            snprintf(name, sizeof(name), "%.64s_%s", r->nodes[i].name, columns[c]);
            fputc(',', out);
            escape_csv(out, name);
        }
    }
    fputs("\r\n", out);
}

static void ms(FILE *out, const struct latency *l, ns_t value)
{
    fputc(',', out);
    if (l->count > 0)
        fprintf(out, "%.6f", (double)value / (double)NS_PER_MS);
}

static void write_latency(FILE *out, const struct latency *l)
{
    const ns_t values[] = {l->p50_ns, l->p90_ns, l->p95_ns, l->p99_ns, l->p999_ns, l->max_ns};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        ms(out, l, values[i]);
}

static void write_node(FILE *out, const struct interval_node *n)
{
    fprintf(out, ",%llu,%llu,%s,%u,%u,%u", (unsigned long long)n->succeeded,
            (unsigned long long)n->failed, breaker_view_name(n->stats.breaker),
            n->stats.pool_active, n->stats.pool_total, n->stats.pool_waiting);
}

static void write_interval(FILE *out, const struct run_result *run, size_t number,
                           const struct interval *e)
{
    double seconds = (double)(e->end_ns - e->start_ns) / (double)NS_PER_SEC;
    fprintf(out, "%zu,", number);
    escape_csv(out, run->scenario);
    fputc(',', out);
    escape_csv(out, e->phase < run->phase_count ? run->phases[e->phase].name : "");
    fprintf(out, ",%.3f,%.3f,%llu,%llu,%llu,%llu,%.3f",
            (double)(e->start_ns - run->start_ns) / (double)NS_PER_SEC,
            (double)(e->end_ns - run->start_ns) / (double)NS_PER_SEC,
            (unsigned long long)e->offered, (unsigned long long)e->dropped,
            (unsigned long long)e->succeeded, (unsigned long long)e->failed,
            seconds > 0 ? (double)e->succeeded / seconds : 0);
    write_latency(out, &e->service);
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (outcome_is_failure(i))
            fprintf(out, ",%llu", (unsigned long long)e->by_outcome[i]);
    }
    for (size_t i = 0; i < run->node_count; i++)
        write_node(out, &e->nodes[i]);
    fputs("\r\n", out);
}

static int write_csv(FILE *out, const struct result *r)
{
    write_head(out, r);
    for (size_t i = 0; i < r->run_count; i++) {
        const struct run_result *run = r->runs[i];
        for (size_t k = 0; k < run->interval_count; k++)
            write_interval(out, run, (size_t)r->runs_dropped + i + 1, &run->intervals[k]);
    }
    return ferror(out) ? -1 : 0;
}

const struct report_format report_format_csv = {
    .name = "csv",
    .extension = ".csv",
    .help = "a line per interval for spreadsheets, units in the head",
    .write = write_csv};
