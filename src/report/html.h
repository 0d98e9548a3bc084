/* SPDX-License-Identifier: MIT */
/* The parts of the HTML page. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report/result.h"

#include <stdio.h>

/* Runs shown in detail: the latest. A page of all 256 that a result keeps would be too large to
 * open. */
#define HTML_RUNS_MAX 64

struct html {
    FILE *out;
    const struct result *result;
};

/* "<th>" or "<td>" with escaped text. A number is aligned to the right; NS_NEVER stands out. */
void html_head(const struct html *h, const char *text);
void html_head_number(const struct html *h, const char *text);
void html_cell(const struct html *h, const char *text);
void html_cell_number(const struct html *h, const char *text);
void html_cell_count(const struct html *h, uint64_t value);
void html_cell_ns(const struct html *h, ns_t value);
/* "–" when nothing was measured. */
void html_cell_latency(const struct html *h, const struct latency *l, ns_t value);

/* `heads` ends with NULL; those that begin with '#' are of columns of numbers. */
void html_table_begin(const struct html *h, const char *title, const char *note,
                      const char *const *heads);
void html_table_end(const struct html *h);

/* The checks, what was measured, and all tables of one run. */
void html_run_tables(const struct html *h, const struct run_result *run);

/* The data of the charts of the runs from `first` on, as JSON that may stand inside <script>. 0 or
 * -1. */
int html_data(const struct html *h, size_t first);

/* Lines of a file that was embedded, NULL at the end. */
void html_embed(FILE *out, const char *const *lines);

extern const char *const embedded_style_css[];
extern const char *const embedded_charts_js[];

#endif
