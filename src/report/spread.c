/* SPDX-License-Identifier: MIT */
#include "report/spread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

double spread_median(double *values, size_t count)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof(*values), compare_doubles);
    double low = values[(count - 1) / 2], high = values[count / 2];
    return isinf(high) ? high : low + (high - low) / 2;
}

bool spread_is_first(const struct result *result, size_t run)
{
    for (size_t i = 0; i < run; i++) {
        if (strcmp(result->runs[i]->scenario, result->runs[run]->scenario) == 0)
            return false;
    }
    return true;
}

static bool counts(const struct run_result *run)
{
    return run->verdict == VERDICT_PASSED || run->verdict == VERDICT_FAILED;
}

/* The runs of one scenario with their figures. */
struct samples {
    size_t runs;
    struct figure (*figures)[FIGURES_MAX];
    size_t *figure_counts;
};

static const struct figure *find(const struct samples *s, size_t run, const char *name)
{
    for (size_t i = 0; i < s->figure_counts[run]; i++) {
        if (strcmp(s->figures[run][i].name, name) == 0)
            return &s->figures[run][i];
    }
    return NULL;
}

static bool is_known(const struct spread *out, const char *name)
{
    for (size_t i = 0; i < out->figure_count; i++) {
        if (strcmp(out->figures[i].name, name) == 0)
            return true;
    }
    return false;
}

static void add_figure(struct spread *out, const struct samples *s, const struct figure *f)
{
    double values[RESULT_RUNS_MAX];
    size_t n = 0;
    if (out->figure_count == FIGURES_MAX || is_known(out, f->name))
        return;
    for (size_t i = 0; i < s->runs; i++) {
        const struct figure *same = find(s, i, f->name);
        if (same)
            values[n++] = same->value;
    }
    if (n == 0)
        return;
    struct spread_figure *to = &out->figures[out->figure_count++];
    snprintf(to->name, sizeof(to->name), "%s", f->name);
    to->unit = f->unit;
    to->count = n;
    to->median = spread_median(values, n); /* sorts */
    to->min = values[0];
    to->max = values[n - 1];
    to->relative = to->median > 0 && !isinf(to->max) ? (to->max - to->min) / to->median : NAN;
}

static void summarise(const struct samples *s, struct spread *out)
{
    for (size_t run = 0; run < s->runs; run++) {
        for (size_t i = 0; i < s->figure_counts[run]; i++)
            add_figure(out, s, &s->figures[run][i]);
    }
}

static void collect(const struct result *result, struct samples *s, struct spread *out)
{
    for (size_t i = 0; i < result->run_count; i++) {
        const struct run_result *run = result->runs[i];
        if (strcmp(run->scenario, out->scenario) != 0)
            continue;
        if (!counts(run)) {
            out->left_out++;
            continue;
        }
        s->figure_counts[s->runs] = figures_of(run, result, s->figures[s->runs]);
        s->runs++;
    }
}

bool spread_of(const struct result *result, size_t run, struct spread *out)
{
    struct samples s = {
        .figures = calloc(result->run_count, sizeof(*s.figures)),
        .figure_counts = calloc(result->run_count, sizeof(*s.figure_counts)),
    };
    *out = (struct spread){.scenario = result->runs[run]->scenario};
    if (s.figures && s.figure_counts) {
        collect(result, &s, out);
        out->runs = s.runs;
        if (s.runs >= 2)
            summarise(&s, out);
    }
    free(s.figures);
    free(s.figure_counts);
    return out->figure_count > 0;
}
