/* SPDX-License-Identifier: MIT */
/*
 * Latency histogram with the bucket layout of HdrHistogram: for a given lowest and highest value
 * and a number of significant decimal digits, every recorded value is known to within one part in
 * 10^digits. Recording is O(1) and never allocates; merging is lossless, so percentiles of a whole
 * come from merged histograms and never from averaged percentiles.
 *
 * Threads: hist_record() is for one writer, hist_record_shared() for any number of writers into one
 * histogram; both are lock-free. Any thread may read meanwhile, and hist_copy() gives it a snapshot
 * that is consistent in itself. Every other function needs the histogram to itself. All values are
 * nanoseconds.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include "base/err.h"
#include "base/time.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hist_config {
    ns_t lowest;  /* smallest value told apart from 0, at least 1 */
    ns_t highest; /* values above are counted at the highest value and as overflow; at least 2 *
                     lowest */
    int digits;   /* significant decimal digits, 1 to 5 */
};

/* 1 µs to 60 s with 3 digits: 147,456 bytes. */
#define HIST_CONFIG_DEFAULT \
    ((struct hist_config){.lowest = NS_PER_US, .highest = 60 * NS_PER_SEC, .digits = 3})

struct hist {
    struct hist_config config;
    int unit_magnitude;
    int half_magnitude; /* log2 of half the sub-buckets of one bucket */
    uint64_t half_count;
    uint64_t sub_mask;
    size_t counts_len;
    _Atomic uint64_t *counts; /* owned */
    _Atomic uint64_t total;
    _Atomic uint64_t sum;
    _Atomic uint64_t min; /* UINT64_MAX while empty */
    _Atomic uint64_t max;
    _Atomic uint64_t overflow;
};

/* The caller owns `h` and ends it with hist_deinit(). Fails on a bad config or without memory. */
int hist_init(struct hist *h, const struct hist_config *config, struct err *err);
void hist_deinit(struct hist *h); /* may be called again, and on zeroed memory */
void hist_reset(struct hist *h);

/* Bytes that the counts of such a histogram take; 0 for a bad config. */
size_t hist_bytes(const struct hist_config *config);

/* Negative values count as 0. */
void hist_record(struct hist *h, ns_t value);
void hist_record_shared(struct hist *h, ns_t value);

/* For these three, all histograms have the same config. */
void hist_copy(struct hist *to, const struct hist *from); /* `from` may be recording */
void hist_add(struct hist *to, const struct hist *from);  /* `from` may be recording */
void hist_subtract(struct hist *from,
                   const struct hist *past); /* `past`: an earlier copy of `from` */

uint64_t hist_count(const struct hist *h);
uint64_t hist_overflow(const struct hist *h);
ns_t hist_min(
    const struct hist *h); /* exact, 0 when empty; after hist_subtract() within a bucket */
ns_t hist_max(const struct hist *h);    /* likewise */
double hist_mean(const struct hist *h); /* exact up to floating point; 0 when empty */

/*
 * The smallest recorded value such that at least `percentile` % of all recorded values are at or
 * below it, given as the highest value of its bucket but never above the maximum; 0 when empty.
 * 100 gives the exact maximum.
 */
ns_t hist_value_at_percentile(const struct hist *h, double percentile);

/* How many values are at or below `value`, to within its bucket. */
uint64_t hist_count_up_to(const struct hist *h, ns_t value);

/* The buckets, for reports: index 0 to counts_len - 1, each holding the values from low to high. */
size_t hist_bucket_of(const struct hist *h, ns_t value);
ns_t hist_bucket_low(const struct hist *h, size_t index);
ns_t hist_bucket_high(const struct hist *h, size_t index);
uint64_t hist_bucket_count(const struct hist *h, size_t index);

#endif
