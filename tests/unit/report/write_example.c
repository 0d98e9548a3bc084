/* SPDX-License-Identifier: MIT */
/* Writes the example in the format named by the first argument, "failing", "repeated", "invalid" or
 * with "hostile" texts: the golden files are its output. */
#include "example.h"
#include "report/registry.h"
#include "report/report.h"
#include "report/status.h"
#include "report/verdict.h"

#include <string.h>

static int write_live(const struct result *r, struct report_style style)
{
    const struct run_result *run = r->runs[0];
    report_interval_head(stdout, style);
    return report_interval_line(stdout, &run->intervals[0], run->start_ns, "fault", r->nodes,
                                r->node_count, style);
}

static int write_status(const struct result *r)
{
    const struct run_result *run = r->runs[0];
    struct status status = {
        .result = r,
        .now = run->start_ns + 12 * NS_PER_SEC,
        .run = 2,
        .scenario = run->scenario,
        .phase = run->phases[1].name,
        .run_start_ns = run->start_ns,
        .run_length_ns = 30 * NS_PER_SEC,
        .faults_on = 1,
        .succeeded = 113200,
        .failed = 6800,
        .interval = &run->intervals[0],
    };
    return status_write(stdout, &status);
}

static int write_format(const char *format, const struct result *r)
{
    if (strcmp(format, "status") == 0)
        return write_status(r);
    const struct report_format *registered = report_format_find(format, strlen(format));
    if (registered)
        return registered->write(stdout, r);
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

/* Texts that mean something in one format or another. */
static void make_hostile(struct result *r, struct run_result *run)
{
    static const struct result_skip skipped = {"</script><!-- , |",
                                               "\"needs\" <b>root</b> & # SKIP\n"};
    static const char text[] =
        "<script>alert('1')</script> \"x\" | `y` # SKIP ]]> \x01\xff \\ a,b\r\n&amp;";
    run->scenario = text;
    run->description = text;
    run->phases[1].name = text;
    run->faults[0].text = text;
    memcpy(run->transitions[0].cause, text, sizeof(run->transitions[0].cause) - 1);
    r->nodes[1].name = "node<2>,\"\n";
    r->options[0].value = text;
    r->command = text;
    r->skipped = (struct result_skip *)&skipped;
    r->skipped_count = 1;
    verdict_check_add(run, CHECK_EXPECTED, "<own>", false, text, text);
}

static int is(int argc, char **argv, const char *what)
{
    return argc == 3 && strcmp(argv[2], what) == 0;
}

int main(int argc, char **argv)
{
    struct result *r = example_result();
    struct run_result *run = example_run();
    if (is(argc, argv, "hostile"))
        make_hostile(r, run);
    if (is(argc, argv, "invalid"))
        run->faults[0].victims = (struct victims){.counted = true};
    if (is(argc, argv, "failing")) {
        run->faults[0].times.steady_ns = NS_NEVER;
        run->overdue = 2;
    }
    verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT);
    result_add_run(r, run);
    if (is(argc, argv, "repeated"))
        repeat(r);
    int failure = argc < 2 ? -1 : write_format(argv[1], r);
    result_free(r);
    return failure ? 1 : 0;
}
