/* SPDX-License-Identifier: MIT */
/* Writers: one result in, bytes out. Whether to use colour is the caller's decision. Each returns
 * -1 when the stream has had an error. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "report/result.h"

#include <stdio.h>

struct report_style {
    bool colour;
    bool ascii; /* "ok"/"FAIL" in place of check marks, no other symbols */
};

/* The final summary for a person; the verdict is the last line. */
int report_text(FILE *out, const struct result *r, struct report_style style);
/* One run of it: for continuous mode, as soon as it has ended. */
int report_text_run(FILE *out, const struct result *r, const struct run_result *run,
                    struct report_style style);

/* What remains to be said when every run has been printed already: the overview and the verdict. */
int report_text_end(FILE *out, const struct result *r, struct report_style style);

/* How the figures of repeated scenarios vary; part of the two above that print an overview. */
void report_text_spread(FILE *out, const struct result *r, struct report_style style);

/* schema/result.v1.json */
int report_json(FILE *out, const struct result *r);

/* The live line of one interval, with a newline. `names` are the nodes', `phase` the phase's. */
int report_interval_line(FILE *out, const struct interval *interval, ns_t start_ns,
                         const char *phase, const struct result_node *nodes, size_t node_count,
                         struct report_style style);

/* Columns of the line above, to be printed once before the first. */
int report_interval_head(FILE *out, struct report_style style);

#endif
