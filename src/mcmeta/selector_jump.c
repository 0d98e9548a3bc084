/* SPDX-License-Identifier: MIT */
/*
 * Jump consistent hash (Lamping and Veach, 2014) over XXH3-64 with seed 0. The key jumps from
 * bucket to bucket as the number of buckets grows; the last jump below the count is its place.
 */
#include "mcmeta/selection.h"

#define JUMP_MULTIPLIER UINT64_C(2862933555777941757)

static size_t jump_pick(const struct mcm_selector *s, const void *key, size_t key_size)
{
    uint64_t hash = mcm_selector_hash(key, key_size);
    uint64_t bucket = 0, next = 0;
    while (next < s->count) {
        bucket = next;
        hash = hash * JUMP_MULTIPLIER + 1;
        next = (uint64_t)((double)(bucket + 1) * ((double)(1u << 31) / (double)((hash >> 33) + 1)));
    }
    return (size_t)bucket;
}

const struct mcm_selector_ops mcm_selector_jump = {
    .name = "jump",
    .pick = jump_pick,
};
