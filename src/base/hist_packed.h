/* SPDX-License-Identifier: MIT */
/*
 * A histogram without its empty buckets, in one block of memory: three bytes for each bucket in
 * use, so seldom more than 2 KB in the place of the 22.5 KB of a latency histogram, and thousands
 * can be kept. Nothing is lost: sum, extremes and overflow are in it too, and packed ones can be
 * added up again.
 *
 * Pure functions: no thread rules.
 */
#ifndef BASE_HIST_PACKED_H
#define BASE_HIST_PACKED_H

#include "base/hist.h"

struct hist_packed {
    struct hist_config config;
    uint64_t total;
    uint64_t sum;
    uint64_t min; /* UINT64_MAX while empty */
    uint64_t max;
    uint64_t overflow;
    uint32_t size;         /* of bytes */
    unsigned char bytes[]; /* for each bucket in use: how many empty ones come before it, its
                              count; each as LEB128 */
};

/* Returns what the caller frees with free(), or NULL without memory. Nobody records into `h`. */
struct hist_packed *hist_pack(const struct hist *h);

/* Bytes of memory that it takes: those a copy needs. */
size_t hist_packed_size(const struct hist_packed *packed);
/* A copy of its own, for free(); NULL without memory, and of NULL. */
struct hist_packed *hist_packed_copy(const struct hist_packed *packed);

/* Adds all it holds to `to`, which has the same config. */
void hist_packed_add(const struct hist_packed *packed, struct hist *to);

/* As hist_encode(): the text "HISTFAAAA..." for HdrHistogram's logs. The caller frees it; NULL
 * without memory. */
char *hist_packed_encode(const struct hist_packed *packed, struct err *err);

#endif
