/* SPDX-License-Identifier: MIT */
/* A summary for the page of a CI job ($GITHUB_STEP_SUMMARY) or a merge request: what failed first,
 * the rest folded away. */
#include "report/escape.h"
#include "report/formats.h"
#include "report/human.h"

/* GitHub takes 1 MiB; a run is some KB. Of longer sessions the latest are shown in detail. */
#define DETAILED_RUNS_MAX 64

static const char *mark(enum verdict verdict)
{
    static const char *const marks[VERDICT_COUNT] = {
        [VERDICT_PASSED] = "✅",
        [VERDICT_INTERRUPTED] = "⏹️",
        [VERDICT_INVALID] = "⚠️",
        [VERDICT_FAILED] = "❌",
    };
    return marks[verdict];
}

static void cell(FILE *out, const char *text)
{
    fputs(" ", out);
    escape_markdown(out, text);
    fputs(" |", out);
}

static void cell_ns(FILE *out, ns_t value)
{
    char text[HUMAN_SIZE];
    cell(out, human_ns(value, false, text));
}

static void cell_latency(FILE *out, const struct latency *l, ns_t value)
{
    if (l->count == 0)
        cell(out, "-");
    else
        cell_ns(out, value);
}

static void cell_count(FILE *out, uint64_t value)
{
    char text[HUMAN_SIZE];
    cell(out, human_count(value, text));
}

static void cell_elapsed(FILE *out, ns_t since, ns_t at)
{
    cell_ns(out, since == NS_NEVER || at == NS_NEVER ? NS_NEVER : at - since);
}

static void write_overview(FILE *out, const struct result *r)
{
    fputs("\n| | scenario | verdict | succeeded | failed | p50 | p99 | p99.9 | max |\n"
          "|---|---|---|--:|--:|--:|--:|--:|--:|\n",
          out);
    for (size_t i = 0; i < r->run_count; i++) {
        const struct run_result *run = r->runs[i];
        fprintf(out, "| %s |", mark(run->verdict));
        cell(out, run->scenario);
        cell(out, verdict_name(run->verdict));
        cell_count(out, run->total.succeeded);
        cell_count(out, run->total.failed);
        cell_latency(out, &run->service, run->service.p50_ns);
        cell_latency(out, &run->service, run->service.p99_ns);
        cell_latency(out, &run->service, run->service.p999_ns);
        cell_latency(out, &run->service, run->service.max_ns);
        fputc('\n', out);
    }
    if (r->runs_dropped > 0)
        fprintf(out, "\nand %llu earlier runs\n", (unsigned long long)r->runs_dropped);
    for (size_t i = 0; i < r->skipped_count; i++) {
        fputs(i == 0 ? "\n- skipped " : "- skipped ", out);
        escape_markdown(out, r->skipped[i].scenario);
        fputs(": ", out);
        escape_markdown(out, r->skipped[i].reason);
        fputc('\n', out);
    }
}

static void write_check(FILE *out, const struct check *c)
{
    fprintf(out, "- %s ", c->ok ? "✅" : c->kind == CHECK_VALIDITY ? "⚠️" : "❌");
    escape_markdown(out, c->text);
    fputs(": **", out);
    escape_markdown(out, c->measured);
    fputs("**\n", out);
}

static void write_checks(FILE *out, const struct run_result *run, bool ok)
{
    for (size_t i = 0; i < run->check_count; i++) {
        if (run->checks[i].ok == ok)
            write_check(out, &run->checks[i]);
    }
}

static void write_recovery(FILE *out, const struct result *r, const struct run_result *run)
{
    if (run->fault_count == 0)
        return;
    fputs(
        "\n| fault | node | first error | breaker open | first success | steady again | victims |\n"
        "|---|---|--:|--:|--:|--:|---|\n",
        out);
    for (size_t i = 0; i < run->fault_count; i++) {
        const struct result_fault *f = &run->faults[i];
        const struct recovery_times *t = &f->times;
        char victims[HUMAN_VICTIMS_SIZE];
        fputc('|', out);
        cell(out, f->text);
        cell(out, f->node < r->node_count ? r->nodes[f->node].name : "-");
        cell_elapsed(out, t->fault_start_ns, t->first_error_ns);
        cell_elapsed(out, t->fault_start_ns, t->breaker_open_ns);
        cell_elapsed(out, t->fault_end_ns, t->first_success_ns);
        cell_elapsed(out, t->fault_end_ns, t->steady_ns);
        cell(out, f->victims.counted ? human_victims(&f->victims, victims) : "not counted");
        fputc('\n', out);
    }
    fputs("\nError and breaker from the start of the fault, success and steady from its end.\n",
          out);
}

static void write_phases(FILE *out, const struct run_result *run)
{
    fputs("\n| phase | succeeded | per s | failed | dropped | p50 | p95 | p99 | max |\n"
          "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
          out);
    for (size_t i = 0; i < run->phase_count; i++) {
        const struct result_phase *p = &run->phases[i];
        char rate[HUMAN_SIZE];
        fputc('|', out);
        cell(out, p->name);
        cell_count(out, p->counts.succeeded);
        cell(out, human_rate(p->counts.succeeded, p->end_ns - p->start_ns, rate));
        cell_count(out, p->counts.failed);
        cell_count(out, p->counts.dropped);
        cell_latency(out, &p->service, p->service.p50_ns);
        cell_latency(out, &p->service, p->service.p95_ns);
        cell_latency(out, &p->service, p->service.p99_ns);
        cell_latency(out, &p->service, p->service.max_ns);
        fputc('\n', out);
    }
}

static void write_errors(FILE *out, const struct run_result *run)
{
    if (run->total.failed == 0)
        return;
    fputs("\n| failed | kind | |\n|--:|---|---|\n", out);
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (!outcome_is_failure(i) || run->total.by_outcome[i] == 0)
            continue;
        fputc('|', out);
        cell_count(out, run->total.by_outcome[i]);
        cell(out, outcome_name(i));
        cell(out, outcome_text(i));
        fputc('\n', out);
    }
}

static void write_run(FILE *out, const struct result *r, const struct run_result *run)
{
    char length[HUMAN_SIZE];
    fprintf(out, "\n### %s ", mark(run->verdict));
    escape_markdown(out, run->scenario);
    fprintf(out, ": %s\n\n", verdict_name(run->verdict));
    write_checks(out, run, false);
    write_recovery(out, r, run);
    fprintf(out, "\n<details><summary>Phases, errors and checks of %s</summary>\n",
            human_ns(run->end_ns - run->start_ns, false, length));
    write_phases(out, run);
    write_errors(out, run);
    fputc('\n', out);
    write_checks(out, run, true);
    fputs("\n</details>\n", out);
}

static int write_markdown(FILE *out, const struct result *r)
{
    fprintf(out, "## %s memchaos: %s\n", mark(r->verdict), verdict_name(r->verdict));
    write_overview(out, r);
    size_t first = r->run_count > DETAILED_RUNS_MAX ? r->run_count - DETAILED_RUNS_MAX : 0;
    for (size_t i = first; i < r->run_count; i++)
        write_run(out, r, r->runs[i]);
    fprintf(out, "\nmemchaos %s, memcached %s, %s, %u CPUs. Repeat with `", r->version,
            r->host.memcached_version, r->host.kernel, r->host.cpus);
    escape_code(out, r->command);
    fputs("`\n", out);
    return ferror(out) ? -1 : 0;
}

const struct report_format report_format_markdown = {.name = "markdown",
                                                     .extension = ".md",
                                                     .help = "Markdown for the summary of a CI job",
                                                     .write = write_markdown};
