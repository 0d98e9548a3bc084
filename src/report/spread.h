/* SPDX-License-Identifier: MIT */
/* How much the key figures of a scenario vary from run to run. */
#ifndef REPORT_SPREAD_H
#define REPORT_SPREAD_H

#include "report/figures.h"

struct spread_figure {
    char name[FIGURE_NAME_SIZE];
    enum check_unit unit;
    size_t count;            /* runs that measured it */
    double min, median, max; /* INFINITY: never */
    double relative;         /* (max - min) ÷ median; NAN where that says nothing */
};

struct spread {
    const char *scenario;
    size_t runs;     /* that passed or failed */
    size_t left_out; /* invalid or interrupted ones */
    struct spread_figure figures[FIGURES_MAX];
    size_t figure_count;
};

/* Is this the first run of its scenario? */
bool spread_is_first(const struct result *result, size_t run);

/* Of the scenario of that run. Returns false when fewer than two runs count. */
bool spread_of(const struct result *result, size_t run, struct spread *out);

/* The median; sorts `values`. NAN without any. INFINITY is a value. */
double spread_median(double *values, size_t count);

#endif
