/* SPDX-License-Identifier: MIT */
/*
 * Counts of requests and results over a window made of buckets.
 *
 * The age is the number of bucket periods since the window began; bucket `age % n` is the present
 * one. A result belongs to the bucket in which its request started, and is ignored when that bucket
 * has left the window or has not come yet. One bucket whose age stays 0 is a fixed window. The
 * totals are always the sums of the buckets.
 */
#ifndef MCMETA_WINDOW_H
#define MCMETA_WINDOW_H

#include <mcmeta/breaker.h>

struct mcm_window {
    struct mcm_breaker_counts total;
    uint64_t age;
    uint32_t bucket_count; /* at least 1 */
    struct mcm_breaker_counts *buckets;
};

/* `buckets` stays the caller's and must live as long as the window. */
void mcm_window_init(struct mcm_window *w, struct mcm_breaker_counts *buckets, uint32_t count);
void mcm_window_clear(struct mcm_window *w);

/* Moves on to `age`, dropping the buckets that leave. An age in the past changes nothing. */
void mcm_window_grow(struct mcm_window *w, uint64_t age);

void mcm_window_count_request(struct mcm_window *w);
void mcm_window_count_result(struct mcm_window *w, uint64_t age, enum mcm_breaker_result result);

#endif
