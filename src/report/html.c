/* SPDX-License-Identifier: MIT */
/*
 * One page that needs no network and no other file: what was found as tables, charts over time
 * drawn by a small script of our own from data inside the page. Every text from outside is escaped;
 * the page's own policy (CSP) keeps anything from being fetched.
 */
#include "report/html.h"

#include "report/escape.h"
#include "report/formats.h"
#include "report/human.h"

#include <time.h>

void html_embed(FILE *out, const char *const *lines)
{
    for (; *lines; lines++)
        fputs(*lines, out);
}

static void write_head(const struct html *h)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>memchaos: ",
          h->out);
    fputs(verdict_name(h->result->verdict), h->out);
    if (h->result->run_count > 0) {
        fputs(", ", h->out);
        escape_markup(h->out, h->result->runs[0]->scenario);
    }
    fputs("</title>\n<style>\n", h->out);
    html_embed(h->out, embedded_style_css);
    fputs("</style>\n</head>\n<body>\n<main>\n", h->out);
}

static void badge(const struct html *h, enum verdict verdict)
{
    const char *name = verdict_name(verdict);
    fprintf(h->out, "<span class=\"badge %s\">%s</span>", name, name);
}

static void fact(const struct html *h, const char *name, const char *value)
{
    fprintf(h->out, "<span>%s ", name);
    escape_markup(h->out, value);
    fputs("</span>", h->out);
}

static void write_title(const struct html *h)
{
    const struct result *r = h->result;
    char text[64];
    time_t start = (time_t)(r->start_unix_ns / NS_PER_SEC);
    struct tm tm;
    fputs("<header><div class=\"row\"><h1>memchaos report</h1>", h->out);
    badge(h, r->verdict);
    fputs("</div>\n<div class=\"facts\">", h->out);
    if (gmtime_r(&start, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
        fact(h, "started", text);
    fact(h, "ran for", human_ns(r->end_ns - r->start_ns, false, text));
    snprintf(text, sizeof(text), "%llu", (unsigned long long)r->seed);
    fact(h, "seed", text);
    fact(h, "memchaos", r->version);
    if (r->host.memcached_version[0] != '\0')
        fact(h, "memcached", r->host.memcached_version);
    fact(h, "", r->host.kernel);
    snprintf(text, sizeof(text), "%u", r->host.cpus);
    fact(h, "CPUs", text);
    fputs("</div>\n<code class=\"command\">", h->out);
    escape_markup(h->out, r->command);
    fputs(
        "</code></header>\n<noscript><p class=\"card\">The charts are drawn by a script, which is "
        "switched off here. The tables have the same figures.</p></noscript>\n",
        h->out);
}

/* ---- the overview of several runs ---- */

static void overview_row(const struct html *h, size_t index, size_t first)
{
    const struct run_result *run = h->result->runs[index];
    const struct latency *l = &run->service;
    fputs("<tr><td>", h->out);
    if (index >= first)
        fprintf(h->out, "<a href=\"#run-%zu\">", index + 1);
    escape_markup(h->out, run->scenario);
    fputs(index >= first ? "</a></td><td>" : "</td><td>", h->out);
    badge(h, run->verdict);
    fputs("</td>", h->out);
    html_cell_count(h, run->total.succeeded);
    html_cell_count(h, run->total.failed);
    html_cell_latency(h, l, l->p50_ns);
    html_cell_latency(h, l, l->p99_ns);
    html_cell_latency(h, l, l->p999_ns);
    html_cell_latency(h, l, l->max_ns);
    fputs("</tr>\n", h->out);
}

static void write_overview(const struct html *h, size_t first)
{
    const struct result *r = h->result;
    static const char *const heads[] = {"scenario", "verdict", "#succeeded", "#failed", "#p50",
                                        "#p99",     "#p99.9",  "#max",       NULL};
    if (r->run_count + r->runs_dropped < 2)
        return;
    html_table_begin(h, "All runs", NULL, heads);
    for (size_t i = 0; i < r->run_count; i++)
        overview_row(h, i, first);
    html_table_end(h);
    if (r->runs_dropped > 0)
        fprintf(h->out, "<p class=\"soft\">and %llu earlier ones</p>\n",
                (unsigned long long)r->runs_dropped);
}

static void write_skipped(const struct html *h)
{
    const struct result *r = h->result;
    static const char *const heads[] = {"scenario", "reason", NULL};
    if (r->skipped_count == 0)
        return;
    html_table_begin(h, "Skipped", NULL, heads);
    for (size_t i = 0; i < r->skipped_count; i++) {
        fputs("<tr>", h->out);
        html_cell(h, r->skipped[i].scenario);
        html_cell(h, r->skipped[i].reason);
        fputs("</tr>\n", h->out);
    }
    html_table_end(h);
}

/* ---- one run ---- */

static void tile(const struct html *h, bool bad, const char *value, const char *name)
{
    fprintf(h->out, "<div class=\"tile%s\"><b>%s</b><span>%s</span></div>", bad ? " bad" : "",
            value, name);
}

static void latency_tile(const struct html *h, const struct latency *l, ns_t value,
                         const char *name)
{
    char text[HUMAN_SIZE];
    tile(h, false, l->count > 0 ? human_ns(value, false, text) : "–", name);
}

static void write_tiles(const struct html *h, const struct run_result *run)
{
    char text[HUMAN_SIZE];
    const struct recorder_counts *c = &run->total;
    const struct latency *l = &run->service;
    fputs("<div class=\"tiles\">", h->out);
    tile(h, false, human_rate(c->succeeded, run->end_ns - run->start_ns, text), "goodput per s");
    tile(h, c->failed > 0, human_count(c->failed, text), "failed");
    tile(h, c->wrong > 0, human_count(c->wrong, text), "wrong data");
    latency_tile(h, l, l->p50_ns, "p50");
    latency_tile(h, l, l->p90_ns, "p90");
    latency_tile(h, l, l->p95_ns, "p95");
    latency_tile(h, l, l->p99_ns, "p99");
    latency_tile(h, l, l->p999_ns, "p99.9");
    latency_tile(h, l, l->max_ns, "max");
    fputs("</div>\n", h->out);
}

/* With several runs, those that passed are folded. */
static void write_run(const struct html *h, size_t index, size_t first)
{
    const struct run_result *run = h->result->runs[index];
    bool open = h->result->run_count == 1 || run->verdict != VERDICT_PASSED;
    fprintf(h->out, "<details class=\"run\" id=\"run-%zu\"%s><summary><h2>", index + 1,
            open ? " open" : "");
    escape_markup(h->out, run->scenario);
    fputs("</h2>", h->out);
    badge(h, run->verdict);
    fputs("</summary>\n<p>", h->out);
    escape_markup(h->out, run->description);
    fputs("</p>\n", h->out);
    for (size_t i = 0; i < run->reason_count; i++) {
        fprintf(h->out, "<p><span class=\"badge %s\">why</span> ", verdict_name(run->verdict));
        escape_markup(h->out, run->reasons[i]);
        fputs("</p>\n", h->out);
    }
    write_tiles(h, run);
    fprintf(h->out, "<div class=\"charts\" data-run=\"%zu\"></div>\n", index - first);
    html_run_tables(h, run);
    fputs("</details>\n", h->out);
}

static void write_configuration(const struct html *h)
{
    const struct result *r = h->result;
    static const char *const heads[] = {"flag", "value", NULL};
    static const char *const node_heads[] = {"node", "memcached", "proxy", "#keys", NULL};
    html_table_begin(h, "Nodes of the session", NULL, node_heads);
    for (size_t i = 0; i < r->node_count; i++) {
        char share[HUMAN_SIZE];
        snprintf(share, sizeof(share), "%.1f %%", 100 * r->nodes[i].key_share);
        fputs("<tr>", h->out);
        html_cell(h, r->nodes[i].name);
        html_cell(h, r->nodes[i].address);
        html_cell(h, r->nodes[i].proxy_address[0] != '\0' ? r->nodes[i].proxy_address : "none");
        html_cell_number(h, share);
        fputs("</tr>\n", h->out);
    }
    html_table_end(h);
    html_table_begin(h, "Configuration", NULL, heads);
    for (size_t i = 0; i < r->option_count; i++) {
        fputs("<tr>", h->out);
        html_cell(h, r->options[i].name);
        html_cell(h, r->options[i].value);
        fputs("</tr>\n", h->out);
    }
    html_table_end(h);
}

static int write_html(FILE *out, const struct result *r)
{
    struct html h = {.out = out, .result = r};
    size_t first = r->run_count > HTML_RUNS_MAX ? r->run_count - HTML_RUNS_MAX : 0;
    write_head(&h);
    write_title(&h);
    write_overview(&h, first);
    write_skipped(&h);
    for (size_t i = first; i < r->run_count; i++)
        write_run(&h, i, first);
    fputs("<details class=\"run\"><summary><h2>Configuration</h2></summary>\n", out);
    write_configuration(&h);
    fputs("</details>\n</main>\n<script type=\"application/json\" id=\"data\">", out);
    if (html_data(&h, first) < 0)
        return -1;
    fputs("</script>\n<script>\n", out);
    html_embed(out, embedded_charts_js);
    fputs("</script>\n</body>\n</html>\n", out);
    return ferror(out) ? -1 : 0;
}

const struct report_format report_format_html = {
    .name = "html",
    .extension = ".html",
    .help = "one page with charts, readable without a network",
    .write = write_html};
