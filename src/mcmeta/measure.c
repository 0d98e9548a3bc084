/* SPDX-License-Identifier: MIT */
#include "mcmeta/measure.h"

#include <pthread.h>
#include <string.h>

#define EXACT 16 /* values below have a bucket each */
#define STEPS 8  /* buckets of a doubling above */
#define STEP_BITS 3
#define TIME_UNIT 256

const char *mcm_measure_name(enum mcm_measure measure)
{
    static const char *const names[MCM_MEASURE_COUNT] = {
        [MCM_MEASURE_GET] = "get",       [MCM_MEASURE_STORE] = "store",
        [MCM_MEASURE_DELETE] = "delete", [MCM_MEASURE_ARITHMETIC] = "arithmetic",
        [MCM_MEASURE_OTHER] = "other",   [MCM_MEASURE_BATCH] = "batch",
        [MCM_MEASURE_DIAL] = "dial",     [MCM_MEASURE_WAIT] = "wait",
        [MCM_MEASURE_DEPTH] = "depth",
    };
    return (unsigned)measure < MCM_MEASURE_COUNT ? names[measure] : "unknown";
}

unsigned mcm_histogram_index(uint64_t units)
{
    if (units < EXACT)
        return (unsigned)units;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(units);
    unsigned step = (unsigned)(units >> (exponent - STEP_BITS)) & (STEPS - 1);
    unsigned index = EXACT + (exponent - 4) * STEPS + step;
    return index < MCM_HISTOGRAM_BUCKETS ? index : MCM_HISTOGRAM_BUCKETS - 1;
}

uint64_t mcm_histogram_bound(const struct mcm_histogram *histogram, unsigned index)
{
    if (index >= MCM_HISTOGRAM_BUCKETS - 1)
        return UINT64_MAX;
    if (index < EXACT)
        return (index + 1) * histogram->unit - 1;
    unsigned exponent = 4 + (index - EXACT) / STEPS;
    uint64_t next = STEPS + (index - EXACT) % STEPS + 1;
    return (next << (exponent - STEP_BITS)) * histogram->unit - 1;
}

uint64_t mcm_histogram_quantile(const struct mcm_histogram *histogram, double quantile)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < MCM_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= quantile * (double)histogram->count)
            return mcm_histogram_bound(histogram, i);
    }
    return 0;
}

void mcm_histogram_add(struct mcm_histogram *sum, const struct mcm_histogram *more)
{
    sum->unit = more->unit;
    sum->count += more->count;
    sum->sum += more->sum;
    for (unsigned i = 0; i < MCM_HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += more->buckets[i];
}

static uint64_t unit_of(enum mcm_measure measure)
{
    return measure == MCM_MEASURE_DEPTH ? 1 : TIME_UNIT;
}

void mcm_measure_add(struct mcm_measures *measures, enum mcm_measure measure, uint64_t value)
{
    uint64_t mixed = (uint64_t)pthread_self() * UINT64_C(0x9e3779b97f4a7c15);
    struct mcm_measure_copy *copy = &measures->copies[(mixed >> 32) % MCM_MEASURE_COPIES];
    unsigned index = mcm_histogram_index(value / unit_of(measure));
    atomic_fetch_add_explicit(&copy->buckets[measure][index], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&copy->sums[measure], value, memory_order_relaxed);
}

static uint64_t load(const atomic_uint_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void mcm_measure_sum(const struct mcm_measures *measures, enum mcm_measure measure,
                     struct mcm_histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->unit = unit_of(measure);
    for (unsigned c = 0; c < MCM_MEASURE_COPIES; c++) {
        const struct mcm_measure_copy *copy = &measures->copies[c];
        histogram->sum += load(&copy->sums[measure]);
        for (unsigned i = 0; i < MCM_HISTOGRAM_BUCKETS; i++) {
            uint64_t count = load(&copy->buckets[measure][i]);
            histogram->buckets[i] += count;
            histogram->count += count;
        }
    }
}
