/* SPDX-License-Identifier: MIT */
/*
 * What is counted for one server without a lock: histograms, system calls, and outcomes by
 * operation. Threads are spread over a few copies; relaxed additions, summed when read.
 */
#ifndef MCMETA_MEASURE_H
#define MCMETA_MEASURE_H

#include <stdatomic.h>

#include <mcmeta/observe.h>

#define MCM_MEASURE_COPIES 4

struct mcm_measure_copy {
    atomic_uint_least64_t buckets[MCM_MEASURE_COUNT][MCM_HISTOGRAM_BUCKETS];
    atomic_uint_least64_t sums[MCM_MEASURE_COUNT];
};

struct mcm_measures {
    struct mcm_measure_copy copies[MCM_MEASURE_COPIES];
    atomic_uint_least64_t sends, receives;
    atomic_uint_least64_t results[MCM_OPERATION_COUNT][MCM_OUTCOME_COUNT];
};

/* Counts a value: nanoseconds, or requests. */
void mcm_measure_add(struct mcm_measures *measures, enum mcm_measure measure, uint64_t value);

void mcm_measure_sum(const struct mcm_measures *measures, enum mcm_measure measure,
                     struct mcm_histogram *histogram);

/* The bucket of a value in units. */
unsigned mcm_histogram_index(uint64_t units);

#endif
