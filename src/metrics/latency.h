/* SPDX-License-Identifier: MIT */
/*
 * The figures read from one (merged) histogram. They cannot be combined again: whoever needs the
 * figures of a whole merges histograms first.
 */
#ifndef METRICS_LATENCY_H
#define METRICS_LATENCY_H

#include "base/hist.h"

/* Every latency histogram of the recorder: 1 µs to 100 s within 1 %, 22.5 KB each. */
#define LATENCY_HIST_CONFIG \
    ((struct hist_config){.lowest = NS_PER_US, .highest = 100 * NS_PER_SEC, .digits = 2})

/* All 0 when count is 0. */
struct latency {
    uint64_t count;
    ns_t min_ns;
    ns_t mean_ns;
    ns_t p50_ns;
    ns_t p90_ns;
    ns_t p95_ns;
    ns_t p99_ns;
    ns_t p999_ns;
    ns_t max_ns;
};

struct latency latency_of(const struct hist *h);

#endif
