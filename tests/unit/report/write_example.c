/* SPDX-License-Identifier: MIT */
/* Writes the example in the format named by the first argument, "failing" or "repeated": the golden
 * files are its output. */
#include "example.h"
#include "report/report.h"
#include "report/verdict.h"

#include <string.h>

static int write_live(const struct result *r, struct report_style style)
{
    const struct run_result *run = r->runs[0];
    report_interval_head(stdout, style);
    return report_interval_line(stdout, &run->intervals[0], run->start_ns, "fault", r->nodes,
                                r->node_count, style);
}

static int write_format(const char *format, const struct result *r)
{
    if (strcmp(format, "json") == 0)
        return report_json(stdout, r);
    if (strcmp(format, "text") == 0)
        return report_text(stdout, r, (struct report_style){0});
    if (strcmp(format, "ascii") == 0)
        return report_text(stdout, r, (struct report_style){.ascii = true});
    if (strcmp(format, "live") == 0)
        return write_live(r, (struct report_style){0});
    return -1;
}

/* Two more runs, each a little slower. */
static void repeat(struct result *r)
{
    for (int i = 1; i <= 2; i++) {
        struct run_result *run = example_run();
        run->phases[1].service.p99_ns += i * 100 * NS_PER_US;
        if (i == 2)
            run->faults[0].times.steady_ns = NS_NEVER;
        verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT);
        result_add_run(r, run);
    }
}

int main(int argc, char **argv)
{
    struct result *r = example_result();
    struct run_result *run = example_run();
    if (argc == 3 && strcmp(argv[2], "failing") == 0) {
        run->faults[0].times.steady_ns = NS_NEVER;
        run->overdue = 2;
    }
    verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT);
    result_add_run(r, run);
    if (argc == 3 && strcmp(argv[2], "repeated") == 0)
        repeat(r);
    int failure = argc < 2 ? -1 : write_format(argv[1], r);
    result_free(r);
    return failure ? 1 : 0;
}
