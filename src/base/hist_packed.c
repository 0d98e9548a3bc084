/* SPDX-License-Identifier: MIT */
#include "base/hist_packed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hist_codec.h"

#define LEB128_MAX 10 /* bytes of 64 bits, seven in each */

static size_t number_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static unsigned char *put_number(unsigned char *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (unsigned char)(value | 0x80);
    *to++ = (unsigned char)value;
    return to;
}

static const unsigned char *get_number(const unsigned char *from, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < LEB128_MAX; i++) {
        *value |= (uint64_t)(*from & 0x7f) << (7 * i);
        if (*from++ < 0x80)
            break;
    }
    return from;
}

/* Writes the buckets, or only measures them when `to` is NULL. Returns their size. */
static size_t buckets_put(const struct hist *h, unsigned char *to)
{
    size_t size = 0, empty = 0;
    for (size_t i = 0; i < h->counts_len; i++) {
        uint64_t count = hist_bucket_count(h, i);
        if (count == 0) {
            empty++;
            continue;
        }
        if (to != NULL)
            to = put_number(put_number(to, empty), count);
        size += number_size(empty) + number_size(count);
        empty = 0;
    }
    return size;
}

struct hist_packed *hist_pack(const struct hist *h)
{
    size_t size = buckets_put(h, NULL);
    struct hist_packed *packed = malloc(sizeof *packed + size);
    if (packed == NULL)
        return NULL;
    *packed = (struct hist_packed){
        .config = h->config,
        .total = h->total,
        .sum = h->sum,
        .min = h->min,
        .max = h->max,
        .overflow = h->overflow,
        .size = (uint32_t)size,
    };
    buckets_put(h, packed->bytes);
    return packed;
}

size_t hist_packed_size(const struct hist_packed *packed)
{
    return sizeof *packed + packed->size;
}

struct hist_packed *hist_packed_copy(const struct hist_packed *packed)
{
    if (packed == NULL)
        return NULL;
    struct hist_packed *copy = malloc(hist_packed_size(packed));
    if (copy != NULL)
        memcpy(copy, packed, hist_packed_size(packed));
    return copy;
}

void hist_packed_add(const struct hist_packed *packed, struct hist *to)
{
    const unsigned char *at = packed->bytes, *end = at + packed->size;
    assert(packed->config.lowest == to->config.lowest &&
           packed->config.highest == to->config.highest &&
           packed->config.digits == to->config.digits);
    for (size_t index = 0; at < end; index++) {
        uint64_t empty, count;
        at = get_number(get_number(at, &empty), &count);
        index += empty;
        assert(index < to->counts_len);
        to->counts[index] += count;
    }
    to->total += packed->total;
    to->sum += packed->sum;
    to->overflow += packed->overflow;
    if (packed->min < to->min)
        to->min = packed->min;
    if (packed->max > to->max)
        to->max = packed->max;
}

char *hist_packed_encode(const struct hist_packed *packed, struct err *err)
{
    struct hist h;
    if (hist_init(&h, &packed->config, err) < 0)
        return NULL;
    hist_packed_add(packed, &h);
    char *text = hist_encode(&h, err);
    hist_deinit(&h);
    return text;
}
