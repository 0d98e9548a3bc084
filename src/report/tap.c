/* SPDX-License-Identifier: MIT */
/* TAP 14, which readers of older versions understand too: a line per check of each run. */
#include "report/escape.h"
#include "report/formats.h"

static void line(FILE *out, bool ok, size_t number, const char *scenario, const char *text)
{
    fprintf(out, "%sok %zu - ", ok ? "" : "not ", number);
    escape_tap(out, scenario);
    fputs(": ", out);
    escape_tap(out, text);
}

static void yaml(FILE *out, const char *key, const char *value)
{
    fprintf(out, "  %s: ", key);
    escape_yaml(out, value);
    fputc('\n', out);
}

static void write_check(FILE *out, const struct run_result *run, const struct check *c,
                        size_t number)
{
    static const char *const severities[] = {
        [CHECK_HARD] = "wrong_data", [CHECK_VALIDITY] = "invalid", [CHECK_EXPECTED] = "failed"};
    line(out, c->ok, number, run->scenario, c->text);
    fputs(": ", out);
    escape_tap(out, c->measured);
    fputc('\n', out);
    if (c->ok)
        return;
    fputs("  ---\n", out);
    yaml(out, "check", c->name);
    yaml(out, "severity", severities[c->kind]);
    yaml(out, "measured", c->measured);
    fputs("  ...\n", out);
}

/* Returns the number of the last line. */
static size_t write_run(FILE *out, const struct run_result *run, size_t number)
{
    fputs("# ", out);
    escape_tap(out, run->scenario);
    fprintf(out, ", seed %llu: %s\n", (unsigned long long)run->seed, verdict_name(run->verdict));
    for (size_t i = 0; i < run->check_count; i++)
        write_check(out, run, &run->checks[i], ++number);
    if (run->verdict == VERDICT_INTERRUPTED) {
        line(out, false, ++number, run->scenario, "ran to its end: interrupted before");
        fputs("\n  ---\n  severity: \"interrupted\"\n  ...\n", out);
    }
    return number;
}

static int write_tap(FILE *out, const struct result *r)
{
    size_t count = r->skipped_count, number = 0;
    for (size_t i = 0; i < r->run_count; i++)
        count += r->runs[i]->check_count + (r->runs[i]->verdict == VERDICT_INTERRUPTED);
    fprintf(out, "TAP version 14\n1..%zu\n", count);
    for (size_t i = 0; i < r->run_count; i++)
        number = write_run(out, r->runs[i], number);
    for (size_t i = 0; i < r->skipped_count; i++) {
        line(out, true, ++number, r->skipped[i].scenario, "cannot be run here");
        fputs(" # SKIP ", out);
        escape_tap(out, r->skipped[i].reason);
        fputc('\n', out);
    }
    fprintf(out, "# verdict: %s, seed %llu, repeat with: ", verdict_name(r->verdict),
            (unsigned long long)r->seed);
    escape_tap(out, r->command);
    fputc('\n', out);
    return ferror(out) ? -1 : 0;
}

const struct report_format report_format_tap = {
    .name = "tap", .extension = ".tap", .help = "TAP 14: a line per check", .write = write_tap};
