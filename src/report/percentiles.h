/* SPDX-License-Identifier: MIT */
/* A histogram as a curve: denser and denser towards 100 %, as HdrHistogram's tools draw it. */
#ifndef REPORT_PERCENTILES_H
#define REPORT_PERCENTILES_H

#include "base/hist.h"
#include "report/result.h"

/* Steps until the distance to 100 % has halved. */
#define PERCENTILES_PER_HALVING 5
#define PERCENTILES_MAX (64 * PERCENTILES_PER_HALVING)

struct percentile {
    double share; /* 0 to 1 */
    ns_t value_ns;
    uint64_t count; /* of values up to there */
};

/* Ends with the maximum, at 1. Returns how many; 0 when the histogram is empty. */
size_t percentiles_of(const struct hist *h, struct percentile out[static PERCENTILES_MAX]);

enum percentiles_time {
    PERCENTILES_SERVICE,  /* from the real start */
    PERCENTILES_RESPONSE, /* from the intended start */
};

/* Adds the successes of all phases of the run. */
void percentiles_add_run(const struct run_result *run, enum percentiles_time time, struct hist *to);

#endif
