/* SPDX-License-Identifier: MIT */
/*
 * The format, all numbers big-endian:
 *   outer:   cookie 0x1c849314, length of the compressed part, zlib stream of the inner
 *   inner:   cookie 0x1c849313, length of the counts, normalizing offset (0), digits, lowest and
 *            highest value (64 bits each), ratio of integers to doubles (1.0), counts
 * Source: HdrHistogram's EncodableHistogram, V2; the digit 1 in the cookies' last byte but one says
 * how wide a word is and is part of what readers compare.
 */
#include "base/hist_codec.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/base64.h"

#define COOKIE_INNER 0x1c849313u
#define COOKIE_OUTER 0x1c849314u
#define INNER_HEADER 40
#define OUTER_HEADER 8
#define LEB128_MAX 9 /* bytes of one count: the ninth holds eight bits */
/* What hist_decode() accepts, far above what this program writes. */
#define COUNTS_MAX ((size_t)1 << 22)

struct bytes {
    unsigned char *data;
    size_t size;
};

static void put_u32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void put_u64(unsigned char *to, uint64_t value)
{
    put_u32(to, (uint32_t)(value >> 32));
    put_u32(to + 4, (uint32_t)value);
}

static uint32_t get_u32(const unsigned char *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint64_t get_u64(const unsigned char *from)
{
    return (uint64_t)get_u32(from) << 32 | get_u32(from + 4);
}

static size_t put_zigzag(unsigned char *to, int64_t value)
{
    uint64_t left = value < 0 ? ~((uint64_t)value << 1) : (uint64_t)value << 1;
    size_t n = 0;
    while (left >= 0x80 && n < LEB128_MAX - 1) {
        to[n++] = (unsigned char)(left | 0x80);
        left >>= 7;
    }
    to[n++] = (unsigned char)left;
    return n;
}

/* Returns the bytes taken, 0 when the input ends in the middle. */
static size_t get_zigzag(const unsigned char *from, size_t size, int64_t *out)
{
    uint64_t value = 0;
    for (size_t n = 0; n < size && n < LEB128_MAX; n++) {
        bool last = n == LEB128_MAX - 1;
        value |= (uint64_t)(last ? from[n] : from[n] & 0x7f) << (7 * n);
        if (last || from[n] < 0x80) {
            *out = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
            return n + 1;
        }
    }
    return 0;
}

/* One past the last bucket that holds anything. */
static size_t used_buckets(const struct hist *h)
{
    size_t used = h->counts_len;
    while (used > 0 && hist_bucket_count(h, used - 1) == 0)
        used--;
    return used;
}

static size_t encode_counts(const struct hist *h, unsigned char *to, size_t used)
{
    size_t size = 0;
    int64_t zeros = 0;
    for (size_t i = 0; i < used; i++) {
        uint64_t count = hist_bucket_count(h, i);
        if (count == 0) {
            zeros++;
            continue;
        }
        if (zeros > 0)
            size += put_zigzag(to + size, -zeros);
        zeros = 0;
        size += put_zigzag(to + size, (int64_t)count);
    }
    return size;
}

static int encode_inner(const struct hist *h, struct bytes *out, struct err *err)
{
    size_t used = used_buckets(h);
    out->data = malloc(INNER_HEADER + used * LEB128_MAX);
    if (out->data == NULL)
        return err_set(err, "histogram: out of memory");
    size_t counts = encode_counts(h, out->data + INNER_HEADER, used);
    const double ratio = 1.0;
    uint64_t ratio_bits;
    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    put_u32(out->data, COOKIE_INNER);
    put_u32(out->data + 4, (uint32_t)counts);
    put_u32(out->data + 8, 0);
    put_u32(out->data + 12, (uint32_t)h->config.digits);
    put_u64(out->data + 16, (uint64_t)h->config.lowest);
    put_u64(out->data + 24, (uint64_t)h->config.highest);
    put_u64(out->data + 32, ratio_bits);
    out->size = INNER_HEADER + counts;
    return 0;
}

static int encode_outer(const struct bytes *inner, struct bytes *out, struct err *err)
{
    uLongf size = compressBound((uLong)inner->size);
    out->data = malloc(OUTER_HEADER + size);
    if (out->data == NULL ||
        compress(out->data + OUTER_HEADER, &size, inner->data, (uLong)inner->size) != Z_OK) {
        free(out->data);
        out->data = NULL;
        return err_set(err, "histogram: out of memory");
    }
    put_u32(out->data, COOKIE_OUTER);
    put_u32(out->data + 4, (uint32_t)size);
    out->size = OUTER_HEADER + size;
    return 0;
}

static char *as_text(const struct bytes *in, struct err *err)
{
    size_t length = base64_length(in->size);
    char *text = malloc(length + 1);
    if (text == NULL) {
        err_set(err, "histogram: out of memory");
        return NULL;
    }
    base64_encode(text, in->data, in->size);
    text[length] = '\0';
    return text;
}

char *hist_encode(const struct hist *h, struct err *err)
{
    struct bytes inner = {NULL, 0}, outer = {NULL, 0};
    char *text = NULL;
    if (encode_inner(h, &inner, err) == 0 && encode_outer(&inner, &outer, err) == 0)
        text = as_text(&outer, err);
    free(inner.data);
    free(outer.data);
    return text;
}

static int from_text(const char *text, struct bytes *out, struct err *err)
{
    size_t length = strlen(text), span = base64_span(text);
    out->data = malloc(base64_room(length) + 1);
    if (out->data == NULL)
        return err_set(err, "histogram: out of memory");
    if (base64_decode(out->data, &out->size, text, length))
        return 0;
    if (text[span] == '\0' || text[span] == '=')
        return err_set(err, "histogram: the base64 text is cut short");
    return err_set(err, "histogram: character %zu is not base64", span + 1);
}

static int decode_outer(const struct bytes *outer, struct bytes *inner, struct err *err)
{
    if (outer->size < OUTER_HEADER || get_u32(outer->data) != COOKIE_OUTER)
        return err_set(err, "histogram: not HdrHistogram's compressed V2 encoding");
    uLong packed = get_u32(outer->data + 4);
    if (packed > outer->size - OUTER_HEADER)
        return err_set(err, "histogram: %lu compressed bytes promised, %zu there", packed,
                       outer->size - OUTER_HEADER);
    /* The size is not told; it grows until all fits. */
    for (size_t room = 1 << 16; room <= HIST_CODEC_BYTES_MAX; room *= 4) {
        free(inner->data);
        inner->data = malloc(room);
        uLongf size = room;
        if (inner->data == NULL)
            return err_set(err, "histogram: out of memory");
        int rc = uncompress(inner->data, &size, outer->data + OUTER_HEADER, packed);
        inner->size = size;
        if (rc == Z_OK)
            return 0;
        if (rc != Z_BUF_ERROR)
            return err_set(err, "histogram: the compressed part is damaged");
    }
    return err_set(err, "histogram: cut short, or larger than %zu bytes", HIST_CODEC_BYTES_MAX);
}

/* Adds `count` values of bucket `index` to an unshared histogram. */
static void fill_bucket(struct hist *h, size_t index, uint64_t count)
{
    uint64_t low = (uint64_t)hist_bucket_low(h, index);
    uint64_t high = (uint64_t)hist_bucket_high(h, index);
    h->counts[index] += count;
    h->total += count;
    h->sum += count * (low + (high - low) / 2);
    h->min = h->min < low ? h->min : low;
    h->max = h->max > high ? h->max : high;
}

static int decode_counts(const unsigned char *from, size_t size, struct hist *h, struct err *err)
{
    size_t index = 0;
    for (size_t at = 0; at < size;) {
        int64_t value = 0;
        size_t taken = get_zigzag(from + at, size - at, &value);
        if (taken == 0)
            return err_set(err, "histogram: the counts end in the middle of a number");
        at += taken;
        uint64_t step = value < 0 ? 0 - (uint64_t)value : 1;
        if (step > h->counts_len - index)
            return err_set(err, "histogram: more counts than its range has buckets");
        if (value > 0)
            fill_bucket(h, index, (uint64_t)value);
        index += step;
    }
    return 0;
}

static int decode_inner(const struct bytes *inner, struct hist *out, struct err *err)
{
    if (inner->size < INNER_HEADER || get_u32(inner->data) != COOKIE_INNER)
        return err_set(err, "histogram: not HdrHistogram's V2 encoding");
    uint32_t counts = get_u32(inner->data + 4);
    uint64_t lowest = get_u64(inner->data + 16), highest = get_u64(inner->data + 24);
    if (counts > inner->size - INNER_HEADER)
        return err_set(err, "histogram: %u bytes of counts promised, %zu there", counts,
                       inner->size - INNER_HEADER);
    if (get_u32(inner->data + 8) != 0)
        return err_set(err, "histogram: a normalizing offset is not supported");
    if (lowest > INT64_MAX || highest > INT64_MAX || get_u32(inner->data + 12) > 5)
        return err_set(err, "histogram: values or digits out of range");
    struct hist_config config = {
        .lowest = (ns_t)lowest, .highest = (ns_t)highest, .digits = (int)get_u32(inner->data + 12)};
    if (hist_bytes(&config) > COUNTS_MAX * sizeof(uint64_t))
        return err_set(err, "histogram: more than %zu buckets", COUNTS_MAX);
    if (hist_init(out, &config, err) != 0)
        return -1;
    if (decode_counts(inner->data + INNER_HEADER, counts, out, err) == 0)
        return 0;
    hist_deinit(out);
    return -1;
}

int hist_decode(const char *text, struct hist *out, struct err *err)
{
    struct bytes outer = {NULL, 0}, inner = {NULL, 0};
    int rc = -1;
    if (from_text(text, &outer, err) == 0 && decode_outer(&outer, &inner, err) == 0)
        rc = decode_inner(&inner, out, err);
    free(outer.data);
    free(inner.data);
    return rc;
}
