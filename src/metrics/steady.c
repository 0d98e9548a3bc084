/* SPDX-License-Identifier: MIT */
#include "metrics/steady.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole seconds needed before their variation says anything. */
#define SECONDS_MIN 3

static double per_second(uint64_t count, ns_t length)
{
    return length > 0 ? (double)count * (double)NS_PER_SEC / (double)length : 0;
}

/* ---- baseline ---- */

void baseline_init(struct baseline *b)
{
    b->count = 0;
}

void baseline_add(struct baseline *b, const struct window *window)
{
    b->windows[b->count++ % BASELINE_WINDOWS_MAX] = *window;
}

size_t baseline_len(const struct baseline *b)
{
    return b->count < BASELINE_WINDOWS_MAX ? b->count : BASELINE_WINDOWS_MAX;
}

/* The i-th oldest of those kept. */
static const struct window *baseline_at(const struct baseline *b, size_t i)
{
    return &b->windows[(b->count - baseline_len(b) + i) % BASELINE_WINDOWS_MAX];
}

/* ---- gate ---- */

/* Running mean and sum of squared deviations (Welford). */
struct spread {
    size_t count;
    double mean;
    double squares;
};

static void spread_add(struct spread *s, double x)
{
    s->count++;
    double delta = x - s->mean;
    s->mean += delta / (double)s->count;
    s->squares += delta * (x - s->mean);
}

static double spread_cv(const struct spread *s)
{
    if (s->count < SECONDS_MIN || s->mean <= 0)
        return NAN;
    return sqrt(s->squares / (double)(s->count - 1)) / s->mean;
}

/* Joins windows to stretches of at least a second; a remainder that is shorter is left out. */
static double goodput_cv(const struct baseline *b)
{
    struct spread spread = {0};
    uint64_t ok = 0;
    ns_t length = 0;
    for (size_t i = 0; i < baseline_len(b); i++) {
        const struct window *w = baseline_at(b, i);
        ok += w->ok;
        length += w->length_ns;
        if (length < NS_PER_SEC)
            continue;
        spread_add(&spread, per_second(ok, length));
        ok = 0;
        length = 0;
    }
    return spread_cv(&spread);
}

static void sum_windows(const struct baseline *b, struct gate *g)
{
    ns_t length = 0;
    for (size_t i = 0; i < baseline_len(b); i++) {
        const struct window *w = baseline_at(b, i);
        g->succeeded += w->ok;
        g->failed += w->failed;
        length += w->length_ns;
    }
    g->windows = baseline_len(b);
    g->goodput_per_s = per_second(g->succeeded, length);
    g->goodput_cv = goodput_cv(b);
}

struct gate gate_judge(const struct baseline *b, const struct gate_config *config)
{
    struct gate g = {0};
    size_t size = sizeof(g.reason);
    sum_windows(b, &g);
    if (g.windows < config->windows_min)
        snprintf(g.reason, size, "the baseline has %zu windows of %zu needed", g.windows,
                 config->windows_min);
    else if (g.failed > config->failed_max)
        snprintf(g.reason, size, "%llu operations failed in the baseline",
                 (unsigned long long)g.failed);
    else if (g.succeeded < config->ok_min)
        snprintf(g.reason, size, "the baseline has %llu successes of %llu needed",
                 (unsigned long long)g.succeeded, (unsigned long long)config->ok_min);
    else if (g.goodput_cv > config->goodput_cv_max)
        snprintf(g.reason, size,
                 "goodput per second varies by %.0f %% in the baseline, above %.0f %%",
                 100 * g.goodput_cv, 100 * config->goodput_cv_max);
    else
        g.ok = true;
    return g;
}

/* ---- band ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Where the bulk of some values lies. */
struct bulk {
    double median;
    double mad; /* median absolute deviation */
    double low; /* the lowest and highest value but for the outliers */
    double high;
};

/* Sorts and then overwrites `values`. n > 0. */
static struct bulk bulk_of(double *values, size_t n, double outlier_share)
{
    size_t outliers = (size_t)(outlier_share * (double)n + 1e-9);
    if (outliers > (n - 1) / 2)
        outliers = (n - 1) / 2;
    qsort(values, n, sizeof(*values), compare_doubles);
    struct bulk bulk = {
        .median = values[n / 2],
        .low = values[outliers],
        .high = values[n - 1 - outliers],
    };
    for (size_t i = 0; i < n; i++)
        values[i] = fabs(values[i] - bulk.median);
    qsort(values, n, sizeof(*values), compare_doubles);
    bulk.mad = values[n / 2];
    return bulk;
}

struct band band_of(const struct baseline *b, const struct band_config *config)
{
    double values[BASELINE_WINDOWS_MAX];
    size_t n = baseline_len(b);
    if (n == 0)
        return (struct band){0};

    for (size_t i = 0; i < n; i++)
        values[i] = per_second(baseline_at(b, i)->ok, baseline_at(b, i)->length_ns);
    struct bulk goodput = bulk_of(values, n, config->outlier_share);
    for (size_t i = 0; i < n; i++)
        values[i] = (double)baseline_at(b, i)->p99_ns;
    struct bulk p99 = bulk_of(values, n, config->outlier_share);

    double spread = config->deviations * goodput.mad;
    double low = fmin(goodput.median * (1 - config->goodput_low_share), goodput.median - spread);
    double high = fmax(goodput.median * (1 + config->goodput_high_share), goodput.median + spread);
    double slow = fmax(p99.median * config->p99_factor, p99.median + (double)config->p99_slack_ns);
    slow = fmax(slow, p99.median + config->deviations * p99.mad);
    return (struct band){
        .known = goodput.median > 0,
        .goodput_low_per_s = fmin(low, goodput.low),
        .goodput_row_low_per_s =
            goodput.median - fmax(goodput.median * config->goodput_low_share, goodput.mad),
        .goodput_high_per_s = fmax(high, goodput.high),
        .p99_max_ns = (ns_t)fmax(slow, p99.high),
    };
}

bool band_holds(const struct band *band, const struct window *window)
{
    double goodput = per_second(window->ok, window->length_ns);
    return band->known && window->failed == 0 && window->ok > 0 &&
           goodput >= band->goodput_low_per_s && goodput <= band->goodput_high_per_s &&
           window->p99_ns <= band->p99_max_ns;
}

/* ---- detector ---- */

void steady_init(struct steady *s, const struct band *band, ns_t since, unsigned windows_needed)
{
    assert(windows_needed >= 1 && windows_needed <= STEADY_WINDOWS_MAX);
    s->band = *band;
    s->since_ns = since;
    s->windows_needed = windows_needed;
    s->row_len = 0;
    s->found_ns = NS_NEVER;
}

static double row_goodput(const struct steady *s)
{
    uint64_t ok = 0;
    ns_t length = 0;
    for (unsigned i = 0; i < s->row_len; i++) {
        ok += s->row[i].ok;
        length += s->row[i].length_ns;
    }
    return per_second(ok, length);
}

void steady_add(struct steady *s, const struct window *window)
{
    if (s->found_ns != NS_NEVER || window->start_ns < s->since_ns)
        return;
    if (!band_holds(&s->band, window)) {
        s->row_len = 0;
        return;
    }
    if (s->row_len == s->windows_needed)
        memmove(s->row, s->row + 1, --s->row_len * sizeof(*s->row));
    s->row[s->row_len++] = *window;
    if (s->row_len == s->windows_needed && row_goodput(s) >= s->band.goodput_row_low_per_s)
        s->found_ns = s->row[0].start_ns;
}
