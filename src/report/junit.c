/* SPDX-License-Identifier: MIT */
/*
 * JUnit XML as CI servers read it: a suite per run, a case per check. What was measured stands in
 * the message, since that is what servers show. A check that makes a run invalid is an error, one
 * that fails it a failure.
 */
#include "report/escape.h"
#include "report/formats.h"

#include <time.h>

static void attribute(FILE *out, const char *name, const char *value)
{
    fprintf(out, " %s=\"", name);
    escape_markup(out, value);
    fputc('"', out);
}

static void property(FILE *out, const char *name, const char *value)
{
    fputs("      <property", out);
    attribute(out, "name", name);
    attribute(out, "value", value);
    fputs("/>\n", out);
}

static void write_properties(FILE *out, const struct result *r, const struct run_result *run)
{
    char seed[24];
    fputs("    <properties>\n", out);
    property(out, "memchaos_version", r->version);
    property(out, "verdict", verdict_name(run->verdict));
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->seed);
    property(out, "seed", seed);
    property(out, "command", r->command);
    property(out, "kernel", r->host.kernel);
    property(out, "memcached_version", r->host.memcached_version);
    for (size_t i = 0; i < r->option_count; i++)
        property(out, r->options[i].name, r->options[i].value);
    fputs("    </properties>\n", out);
}

static void case_head(FILE *out, const char *scenario, const char *name, const char *text)
{
    fputs("    <testcase classname=\"memchaos.", out);
    escape_markup(out, scenario);
    fputs("\" name=\"", out);
    escape_markup(out, name);
    if (text[0] != '\0')
        fputs(": ", out);
    escape_markup(out, text);
    fputs("\" time=\"0\">\n", out);
}

static void problem(FILE *out, const char *element, const char *type, const char *text,
                    const char *measured)
{
    fprintf(out, "      <%s type=\"%s\" message=\"", element, type);
    escape_markup(out, measured);
    fputs("\">", out);
    escape_markup(out, text);
    fputs(": ", out);
    escape_markup(out, measured);
    fprintf(out, "</%s>\n", element);
}

static void write_check(FILE *out, const struct run_result *run, const struct check *c)
{
    case_head(out, run->scenario, c->name, c->text);
    if (c->ok) {
        fputs("      <system-out>", out);
        escape_markup(out, c->measured);
        fputs("</system-out>\n", out);
    } else if (c->kind == CHECK_VALIDITY) {
        problem(out, "error", "invalid", c->text, c->measured);
    } else {
        problem(out, "failure", c->kind == CHECK_HARD ? "wrong_data" : "failed", c->text,
                c->measured);
    }
    fputs("    </testcase>\n", out);
}

static size_t count_bad(const struct run_result *run, bool validity)
{
    size_t count = 0;
    for (size_t i = 0; i < run->check_count; i++)
        count += !run->checks[i].ok && (run->checks[i].kind == CHECK_VALIDITY) == validity;
    return count;
}

/* A run that was stopped has shown nothing, whatever its checks say. */
static void write_interrupted(FILE *out, const struct run_result *run)
{
    case_head(out, run->scenario, "completed", "ran to its end");
    problem(out, "error", "interrupted", "ran to its end", "interrupted before");
    fputs("    </testcase>\n", out);
}

static void suite_head(FILE *out, const char *scenario, size_t tests, size_t failures,
                       size_t errors, size_t skipped, double seconds)
{
    fputs("  <testsuite name=\"memchaos.", out);
    escape_markup(out, scenario);
    fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"",
            tests, failures, errors, skipped, seconds);
}

static void write_run(FILE *out, const struct result *r, const struct run_result *run)
{
    bool interrupted = run->verdict == VERDICT_INTERRUPTED;
    time_t start = (time_t)((r->start_unix_ns + (run->start_ns - r->start_ns)) / NS_PER_SEC);
    struct tm tm;
    char text[32] = "";
    if (gmtime_r(&start, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    suite_head(out, run->scenario, run->check_count + interrupted, count_bad(run, false),
               count_bad(run, true) + interrupted, 0,
               (double)(run->end_ns - run->start_ns) / (double)NS_PER_SEC);
    attribute(out, "timestamp", text);
    fputs(">\n", out);
    write_properties(out, r, run);
    for (size_t i = 0; i < run->check_count; i++)
        write_check(out, run, &run->checks[i]);
    if (interrupted)
        write_interrupted(out, run);
    fputs("  </testsuite>\n", out);
}

static void write_skip(FILE *out, const struct result_skip *skip)
{
    suite_head(out, skip->scenario, 1, 0, 0, 1, 0);
    fputs(">\n", out);
    case_head(out, skip->scenario, "runnable", "can be run here");
    fputs("      <skipped", out);
    attribute(out, "message", skip->reason);
    fputs("/>\n    </testcase>\n  </testsuite>\n", out);
}

static int write_junit(FILE *out, const struct result *r)
{
    size_t tests = r->skipped_count, failures = 0, errors = 0;
    for (size_t i = 0; i < r->run_count; i++) {
        bool interrupted = r->runs[i]->verdict == VERDICT_INTERRUPTED;
        tests += r->runs[i]->check_count + interrupted;
        failures += count_bad(r->runs[i], false);
        errors += count_bad(r->runs[i], true) + interrupted;
    }
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    fprintf(out,
            "<testsuites name=\"memchaos\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\""
            " skipped=\"%zu\" time=\"%.3f\">\n",
            tests, failures, errors, r->skipped_count,
            (double)(r->end_ns - r->start_ns) / (double)NS_PER_SEC);
    for (size_t i = 0; i < r->run_count; i++)
        write_run(out, r, r->runs[i]);
    for (size_t i = 0; i < r->skipped_count; i++)
        write_skip(out, &r->skipped[i]);
    fputs("</testsuites>\n", out);
    return ferror(out) ? -1 : 0;
}

const struct report_format report_format_junit = {
    .name = "junit",
    .extension = ".xml",
    .help = "JUnit XML: a case per check, invalid is an error, failed a failure",
    .write = write_junit};
