/* SPDX-License-Identifier: MIT */
/* The key figures of one run: what repeated runs are summarised by and compared with. Each is a
 * metric of docs/checks.md, of all nodes together. */
#ifndef REPORT_FIGURES_H
#define REPORT_FIGURES_H

#include "base/jsonw.h"
#include "report/check_eval.h"
#include "report/human.h"

#define FIGURES_MAX 80
#define FIGURE_NAME_SIZE 96

struct figure {
    char name[FIGURE_NAME_SIZE]; /* "fault.p(99)" */
    enum check_unit unit;
    bool more_is_better;
    double value; /* INFINITY: never */
};

/* Those that the run has measured, always in the same order. Returns how many. */
size_t figures_of(const struct run_result *run, const struct result *result,
                  struct figure out[static FIGURES_MAX]);

/* "ns", "ratio", "per_s", "count": what JSON calls the units. */
const char *figure_unit_name(enum check_unit unit);
/* The unit called so, or CHECK_UNIT_KINDS. */
enum check_unit figure_unit_by_name(const char *name);

/* For people: "1.05 ms", "34 %", "6,600"; "never". Returns `buf`. */
const char *figure_text(enum check_unit unit, double value, bool ascii,
                        char buf[static HUMAN_SIZE]);

/* "figures" of a run and "spread" of the session, as keys of the open object. */
void figures_write(struct jsonw *j, const struct result *result, const struct run_result *run);
void spread_write(struct jsonw *j, const struct result *result);

#endif
