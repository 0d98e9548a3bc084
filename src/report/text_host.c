/* SPDX-License-Identifier: MIT */
#include "report/report.h"

#include "report/human.h"
#include "report/table.h"

#include <math.h>

#define MIB (1024.0 * 1024.0)

static void cell_share(struct table *t, double share)
{
    if (isnan(share))
        table_cell(t, "-");
    else
        table_cellf(t, "%.0f %%", 100 * share);
}

static void cell_number(struct table *t, uint64_t value)
{
    char buf[HUMAN_SIZE];
    table_cell(t, value == HOST_UNKNOWN ? "-" : human_count(value, buf));
}

static void cell_memory(struct table *t, uint64_t bytes)
{
    if (bytes == HOST_UNKNOWN)
        table_cell(t, "-");
    else
        table_cellf(t, "%.0f MiB", (double)bytes / MIB);
}

static void row(struct table *t, const struct result_phase *phase)
{
    const struct host_use *use = &phase->host;
    table_cell(t, phase->name);
    cell_share(t, host_share(use->cpu_busy_ns, use->cpu_ns));
    cell_share(t, host_share(use->generator_cpu_ns, use->cpu_ns));
    cell_share(t, host_share(use->nodes_cpu_ns, use->cpu_ns));
    for (int i = 0; i < HOST_RESOURCE_COUNT; i++)
        cell_share(t, host_pressure(use, i));
    cell_number(t, use->tcp_retransmits);
    cell_number(t, use->tcp_accept_drops);
    cell_memory(t, use->generator_memory_max_bytes);
    cell_memory(t, use->memory_available_min_bytes);
    table_cell(t, bottleneck_name(phase->bottleneck));
}

void report_text_host(FILE *out, const struct run_result *run, struct report_style style)
{
    static const char *const head[] = {
        "phase",        "CPU busy",         "generator",   "nodes",
        "wait CPU",     "wait memory",      "wait I/O",    "retransmits",
        "accept drops", "generator memory", "memory left", "limit"};
    struct table t;
    if (run->host.length_ns == 0)
        return;
    table_init(&t, "lrrrrrrrrrrl");
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        table_cell(&t, head[i]);
    for (size_t i = 0; i < run->phase_count; i++)
        row(&t, &run->phases[i]);
    fprintf(out, "\n  %sHost%s\n", style.colour ? "\033[1m" : "", style.colour ? "\033[0m" : "");
    table_print(&t, out, 4);
    table_deinit(&t);
    if (bottleneck_is_limit(run->bottleneck))
        fprintf(out, "    The limit in %s was %s.\n", run->phases[run->bottleneck_phase].name,
                bottleneck_text(run->bottleneck));
}
