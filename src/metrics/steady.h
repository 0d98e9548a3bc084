/* SPDX-License-Identifier: MIT */
/*
 * Is it as it was? Two judgements on windows, without clock or threads:
 *
 * The gate: a baseline is fit to be compared with when it has enough windows and operations, no
 * failed operation, and a goodput per second whose coefficient of variation is below a limit.
 *
 * The band: what the windows of the baseline looked like. With m the median, d the median absolute
 * deviation, and low and high the extremes after 2 % of the windows on either side were left out,
 * all over the windows of the baseline:
 *
 *   - goodput at least min(m - 20 %, m - 3 d, low) and at most max(m + 50 %, m + 3 d, high)
 *   - p99 at most max(2 m, m + 5 ms, m + 3 d, high)
 *   - at least one success and no failure
 *
 * The extremes make it a band that the baseline itself kept to, on a noisy machine too, yet one
 * stall does not widen it; the fixed shares keep a very even baseline from asking for more than a
 * user would notice. The upper limit of goodput is there because a backlog being worked off is not
 * yet the steady state. Goodput is compared per second, so a window that was cut late is judged
 * rightly.
 *
 * Steady again is the start of the first window from which `windows` (10) windows in a row lie in
 * the band and together have a goodput of at least m - max(20 %, d): one second without anything
 * unusual. The second condition is what tells a node at half speed from a whole one where single
 * windows vary so much that their band says little.
 */
#ifndef METRICS_STEADY_H
#define METRICS_STEADY_H

#include "metrics/window.h"

#include <stdbool.h>
#include <stddef.h>

/* Windows that a baseline keeps: the most recent 102 s. */
#define BASELINE_WINDOWS_MAX 1024

/* The latest windows of one node, or of all nodes together. 40 KB. */
struct baseline {
    struct window windows[BASELINE_WINDOWS_MAX];
    size_t count; /* ever added */
};

void baseline_init(struct baseline *b);
void baseline_add(struct baseline *b, const struct window *window);
/* Windows kept. */
size_t baseline_len(const struct baseline *b);

struct gate_config {
    size_t windows_min;    /* 10: one second */
    uint64_t ok_min;       /* 100 successes in all */
    uint64_t failed_max;   /* 0 */
    double goodput_cv_max; /* 0.25, of goodput per second */
};

#define GATE_CONFIG_DEFAULT \
    ((struct gate_config){  \
        .windows_min = 10, .ok_min = 100, .failed_max = 0, .goodput_cv_max = 0.25})

struct gate {
    bool ok;
    char reason[160]; /* why not; "" when ok */
    size_t windows;
    uint64_t succeeded;
    uint64_t failed;
    double goodput_per_s;
    double goodput_cv; /* NAN with fewer than 3 whole seconds: then it is not judged */
};

/* Judges the windows of all nodes together. */
struct gate gate_judge(const struct baseline *b, const struct gate_config *config);

struct band_config {
    double goodput_low_share;  /* 0.20 below the median */
    double goodput_high_share; /* 0.50 above the median */
    double p99_factor;         /* 2 */
    ns_t p99_slack_ns;         /* 5 ms */
    double deviations;         /* 3 */
    double outlier_share;      /* 0.02 of the windows on either side */
};

#define BAND_CONFIG_DEFAULT                              \
    ((struct band_config){.goodput_low_share = 0.20,     \
                          .goodput_high_share = 0.50,    \
                          .p99_factor = 2,               \
                          .p99_slack_ns = 5 * NS_PER_MS, \
                          .deviations = 3,               \
                          .outlier_share = 0.02})

struct band {
    bool known; /* false without a baseline: nothing is then in the band */
    double goodput_low_per_s;
    double goodput_row_low_per_s; /* for several windows together */
    double goodput_high_per_s;
    ns_t p99_max_ns;
};

struct band band_of(const struct baseline *b, const struct band_config *config);
bool band_holds(const struct band *band, const struct window *window);

#define STEADY_WINDOWS_DEFAULT 10
#define STEADY_WINDOWS_MAX 32

/* The detector. `found_ns` is NS_NEVER until found, and then stays. */
struct steady {
    struct band band;
    ns_t since_ns;           /* windows that start earlier do not count */
    unsigned windows_needed; /* 1 to STEADY_WINDOWS_MAX */
    unsigned row_len;
    struct window row[STEADY_WINDOWS_MAX]; /* the latest windows, all in the band */
    ns_t found_ns;
};

void steady_init(struct steady *s, const struct band *band, ns_t since, unsigned windows_needed);
void steady_add(struct steady *s, const struct window *window);

#endif
