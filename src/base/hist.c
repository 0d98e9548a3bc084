/* SPDX-License-Identifier: MIT */
/*
 * Layout. Values fall into buckets of doubling width; each bucket has 2 * half_count sub-buckets of
 * equal width. The lower half of every bucket but the first would repeat the bucket below, so only
 * upper halves are stored: bucket b, sub-bucket s lives at (b + 1) * half_count + (s - half_count).
 * The sub-buckets are many enough that one is never wider than the promised share of its value.
 */
#include "base/hist.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static uint64_t load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static void store(_Atomic uint64_t *p, uint64_t value)
{
    atomic_store_explicit(p, value, memory_order_relaxed);
}

/* For a single writer: cheaper than an atomic addition, and readers still see whole numbers. */
static void bump(_Atomic uint64_t *p, uint64_t by)
{
    store(p, load(p) + by);
}

static int floor_log2(uint64_t value)
{
    return 63 - __builtin_clzll(value);
}

/* Fills everything of `h` that follows from its config; false for a config out of range. */
static bool layout_set(struct hist *h, const struct hist_config *config)
{
    if (config->lowest < 1 || config->digits < 1 || config->digits > 5 ||
        config->highest / 2 < config->lowest)
        return false;
    uint64_t exact = 2;
    for (int i = 0; i < config->digits; i++)
        exact *= 10;
    /* `exact` is no power of two, so this is log2 rounded up, minus one for the half. */
    int half_magnitude = floor_log2(exact);
    int unit_magnitude = floor_log2((uint64_t)config->lowest);
    if (unit_magnitude + half_magnitude + 1 > 62)
        return false;
    h->config = *config;
    h->unit_magnitude = unit_magnitude;
    h->half_magnitude = half_magnitude;
    h->half_count = UINT64_C(1) << half_magnitude;
    h->sub_mask = (2 * h->half_count - 1) << unit_magnitude;

    uint64_t limit = (2 * h->half_count) << unit_magnitude;
    size_t buckets = 1;
    while (limit <= (uint64_t)config->highest) {
        buckets++;
        limit <<= 1;
    }
    h->counts_len = (buckets + 1) * (size_t)h->half_count;
    return true;
}

size_t hist_bytes(const struct hist_config *config)
{
    struct hist h;
    return layout_set(&h, config) ? h.counts_len * sizeof *h.counts : 0;
}

int hist_init(struct hist *h, const struct hist_config *config, struct err *err)
{
    *h = (struct hist){0};
    if (!layout_set(h, config))
        return err_set(err, "histogram: no layout for values %lld to %lld with %d digits",
                       (long long)config->lowest, (long long)config->highest, config->digits);
    h->counts = calloc(h->counts_len, sizeof *h->counts);
    if (h->counts == NULL)
        return err_set(err, "histogram: out of memory");
    store(&h->min, UINT64_MAX);
    return 0;
}

void hist_deinit(struct hist *h)
{
    free(h->counts);
    h->counts = NULL;
    h->counts_len = 0;
}

void hist_reset(struct hist *h)
{
    for (size_t i = 0; i < h->counts_len; i++)
        store(&h->counts[i], 0);
    store(&h->total, 0);
    store(&h->sum, 0);
    store(&h->min, UINT64_MAX);
    store(&h->max, 0);
    store(&h->overflow, 0);
}

static size_t index_of(const struct hist *h, uint64_t value)
{
    int bucket = floor_log2(value | h->sub_mask) - h->unit_magnitude - h->half_magnitude;
    uint64_t sub = value >> (bucket + h->unit_magnitude);
    return ((size_t)(bucket + 1) << h->half_magnitude) + (size_t)sub - (size_t)h->half_count;
}

static uint64_t clamped(const struct hist *h, ns_t value)
{
    if (value < 0)
        return 0;
    return (uint64_t)ns_min(value, h->config.highest);
}

void hist_record(struct hist *h, ns_t value)
{
    uint64_t v = value < 0 ? 0 : (uint64_t)value;
    bump(&h->counts[index_of(h, clamped(h, value))], 1);
    bump(&h->total, 1);
    bump(&h->sum, v);
    if (v < load(&h->min))
        store(&h->min, v);
    if (v > load(&h->max))
        store(&h->max, v);
    if (value > h->config.highest)
        bump(&h->overflow, 1);
}

static void add_shared(_Atomic uint64_t *p, uint64_t by)
{
    atomic_fetch_add_explicit(p, by, memory_order_relaxed);
}

static void lower_to(_Atomic uint64_t *p, uint64_t value)
{
    uint64_t seen = load(p);
    while (value < seen && !atomic_compare_exchange_weak_explicit(
                               p, &seen, value, memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void raise_to(_Atomic uint64_t *p, uint64_t value)
{
    uint64_t seen = load(p);
    while (value > seen && !atomic_compare_exchange_weak_explicit(
                               p, &seen, value, memory_order_relaxed, memory_order_relaxed)) {
    }
}

void hist_record_shared(struct hist *h, ns_t value)
{
    uint64_t v = value < 0 ? 0 : (uint64_t)value;
    add_shared(&h->counts[index_of(h, clamped(h, value))], 1);
    add_shared(&h->total, 1);
    add_shared(&h->sum, v);
    lower_to(&h->min, v);
    raise_to(&h->max, v);
    if (value > h->config.highest)
        add_shared(&h->overflow, 1);
}

static bool same_layout(const struct hist *a, const struct hist *b)
{
    return a->config.lowest == b->config.lowest && a->config.highest == b->config.highest &&
           a->config.digits == b->config.digits;
}

void hist_add(struct hist *to, const struct hist *from)
{
    assert(same_layout(to, from));
    uint64_t total = 0;
    for (size_t i = 0; i < from->counts_len; i++) {
        uint64_t n = load(&from->counts[i]);
        if (n == 0)
            continue;
        bump(&to->counts[i], n);
        total += n;
    }
    /* Not from->total: while `from` records, only the sum of the counts just read agrees with them.
     */
    bump(&to->total, total);
    bump(&to->sum, load(&from->sum));
    lower_to(&to->min, load(&from->min));
    raise_to(&to->max, load(&from->max));
    bump(&to->overflow, load(&from->overflow));
}

void hist_copy(struct hist *to, const struct hist *from)
{
    hist_reset(to);
    hist_add(to, from);
}

/* Lowest and highest value by the counts alone, for a histogram that lost the exact ones. */
static void bounds_from_counts(struct hist *h)
{
    uint64_t old_min = load(&h->min), old_max = load(&h->max);
    store(&h->min, UINT64_MAX);
    store(&h->max, 0);
    for (size_t i = 0; i < h->counts_len; i++) {
        if (load(&h->counts[i]) == 0)
            continue;
        if (load(&h->min) == UINT64_MAX)
            store(&h->min, (uint64_t)hist_bucket_low(h, i));
        store(&h->max, (uint64_t)hist_bucket_high(h, i));
    }
    if (load(&h->min) == UINT64_MAX)
        return;
    /* The bounds of the whole bound the part, and are exact when the extreme lies in the part. */
    raise_to(&h->min, old_min);
    if (old_max < load(&h->max) || load(&h->overflow) > 0)
        store(&h->max, old_max);
}

void hist_subtract(struct hist *from, const struct hist *past)
{
    assert(same_layout(from, past));
    for (size_t i = 0; i < from->counts_len; i++) {
        uint64_t before = load(&past->counts[i]), now = load(&from->counts[i]);
        assert(before <= now);
        store(&from->counts[i], now - before);
    }
    store(&from->total, load(&from->total) - load(&past->total));
    store(&from->sum, load(&from->sum) - load(&past->sum));
    store(&from->overflow, load(&from->overflow) - load(&past->overflow));
    bounds_from_counts(from);
}

uint64_t hist_count(const struct hist *h)
{
    return load(&h->total);
}

uint64_t hist_overflow(const struct hist *h)
{
    return load(&h->overflow);
}

ns_t hist_min(const struct hist *h)
{
    uint64_t min = load(&h->min);
    return min == UINT64_MAX ? 0 : (ns_t)min;
}

ns_t hist_max(const struct hist *h)
{
    return (ns_t)load(&h->max);
}

double hist_mean(const struct hist *h)
{
    uint64_t total = load(&h->total);
    return total == 0 ? 0.0 : (double)load(&h->sum) / (double)total;
}

/* The rank, from 1, of the value that the percentile names among `total` sorted ones. */
static uint64_t rank_of(double percentile, uint64_t total)
{
    /* One step down first: 99.9 % of 1000 computes as 999.0000000000001 and must not be rank 1000.
     */
    double share = nextafter(percentile, -INFINITY) / 100.0;
    double rank = ceil(share * (double)total);
    if (!(rank >= 1.0))
        return 1;
    return rank >= (double)total ? total : (uint64_t)rank;
}

ns_t hist_value_at_percentile(const struct hist *h, double percentile)
{
    uint64_t total = load(&h->total);
    if (total == 0)
        return 0;
    if (percentile >= 100.0)
        return hist_max(h);
    uint64_t rank = rank_of(percentile, total);
    uint64_t seen = 0;
    for (size_t i = 0; i < h->counts_len; i++) {
        seen += load(&h->counts[i]);
        if (seen >= rank)
            return ns_min(hist_bucket_high(h, i), hist_max(h));
    }
    return hist_max(h);
}

uint64_t hist_count_up_to(const struct hist *h, ns_t value)
{
    if (value < 0)
        return 0;
    uint64_t seen = 0;
    size_t last = hist_bucket_of(h, value);
    for (size_t i = 0; i <= last; i++)
        seen += load(&h->counts[i]);
    return seen;
}

size_t hist_bucket_of(const struct hist *h, ns_t value)
{
    return index_of(h, clamped(h, value));
}

/* log2 of the width of the bucket at `index`. */
static int width_magnitude(const struct hist *h, size_t index)
{
    int bucket = (int)(index >> h->half_magnitude) - 1;
    return h->unit_magnitude + (bucket < 0 ? 0 : bucket);
}

ns_t hist_bucket_low(const struct hist *h, size_t index)
{
    assert(index < h->counts_len);
    uint64_t sub = index & (h->half_count - 1);
    if (index >= h->half_count)
        sub += h->half_count;
    return (ns_t)(sub << width_magnitude(h, index));
}

ns_t hist_bucket_high(const struct hist *h, size_t index)
{
    return hist_bucket_low(h, index) + (ns_t)((UINT64_C(1) << width_magnitude(h, index)) - 1);
}

uint64_t hist_bucket_count(const struct hist *h, size_t index)
{
    assert(index < h->counts_len);
    return load(&h->counts[index]);
}
