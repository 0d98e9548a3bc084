/* SPDX-License-Identifier: MIT */
#include "metrics/latency.h"

struct latency latency_of(const struct hist *h)
{
    return (struct latency){
        .count = hist_count(h),
        .min_ns = hist_min(h),
        .mean_ns = (ns_t)hist_mean(h),
        .p50_ns = hist_value_at_percentile(h, 50),
        .p90_ns = hist_value_at_percentile(h, 90),
        .p95_ns = hist_value_at_percentile(h, 95),
        .p99_ns = hist_value_at_percentile(h, 99),
        .p999_ns = hist_value_at_percentile(h, 99.9),
        .max_ns = hist_max(h),
    };
}
