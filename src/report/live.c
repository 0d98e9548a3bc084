/* SPDX-License-Identifier: MIT */
/* The live line: fixed columns first, so that lines stand below each other; what varies in length
 * comes last. */
#include "report/report.h"

#include "report/human.h"
#include "report/table.h"

#define COLUMNS "%9s  %-14.14s %9s %9s  %9s %9s %9s "

int report_interval_head(FILE *out, struct report_style style)
{
    (void)style;
    fprintf(out, COLUMNS " node breaker failures/requests, pool active/idle/total+waiting\n",
            "elapsed", "phase", "ok/s", "failed/s", "p50", "p95", "p99");
    return ferror(out) ? -1 : 0;
}

/* printf pads by bytes; "µ" has two, so that column would be one short. */
static const char *latency_cell(ns_t value, bool any, char buf[static HUMAN_SIZE])
{
    return any ? human_ns(value, true, buf) : "-";
}

static void write_nodes(FILE *out, const struct interval *interval, const struct result_node *nodes,
                        size_t node_count)
{
    for (size_t i = 0; i < node_count; i++) {
        const struct node_stats *s = &interval->nodes[i].stats;
        fprintf(out, "  %s %s", nodes[i].name, breaker_view_name(s->breaker));
        if (s->breaker != BREAKER_VIEW_NONE)
            fprintf(out, " %llu/%llu", (unsigned long long)s->breaker_failures,
                    (unsigned long long)s->breaker_requests);
        fprintf(out, ", %u/%u/%u", s->pool_active, s->pool_idle, s->pool_total);
        if (s->pool_waiting > 0)
            fprintf(out, "+%u", s->pool_waiting);
    }
}

static void write_failures(FILE *out, const struct interval *interval, struct report_style style)
{
    char count[HUMAN_SIZE];
    if (interval->failed == 0)
        return;
    fputs(style.colour ? "  \033[31mfailed:" : "  failed:", out);
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (outcome_is_failure(i) && interval->by_outcome[i] > 0)
            fprintf(out, " %s %s", outcome_name(i), human_count(interval->by_outcome[i], count));
    }
    fputs(style.colour ? "\033[0m" : "", out);
}

int report_interval_line(FILE *out, const struct interval *interval, ns_t start_ns,
                         const char *phase, const struct result_node *nodes, size_t node_count,
                         struct report_style style)
{
    char elapsed[HUMAN_SIZE], ok[HUMAN_SIZE], failed[HUMAN_SIZE];
    char p50[HUMAN_SIZE], p95[HUMAN_SIZE], p99[HUMAN_SIZE];
    ns_t length = interval->end_ns - interval->start_ns;
    const struct latency *l = &interval->service;
    snprintf(elapsed, sizeof(elapsed), "%.1f s",
             (double)(interval->end_ns - start_ns) / (double)NS_PER_SEC);
    fprintf(out, COLUMNS, elapsed, phase, human_rate(interval->succeeded, length, ok),
            human_rate(interval->failed, length, failed), latency_cell(l->p50_ns, l->count, p50),
            latency_cell(l->p95_ns, l->count, p95), latency_cell(l->p99_ns, l->count, p99));
    write_nodes(out, interval, nodes, node_count);
    write_failures(out, interval, style);
    if (interval->dropped > 0)
        fprintf(out, "  dropped %llu", (unsigned long long)interval->dropped);
    fputc('\n', out);
    return ferror(out) ? -1 : 0;
}
