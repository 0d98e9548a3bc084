/* SPDX-License-Identifier: MIT */
#include "metrics/op_reader.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define OUT_BYTES ((size_t)64 << 10)
/* Frames want at most this much memory for their window; those of ours have 256 KB. */
#define WINDOW_LOG_MAX 23

static const unsigned char zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

enum part { PART_MAGIC, PART_HEADER, PART_TEXT, PART_RECORDS };

struct op_reader {
    struct op_reader_config config;
    enum part part; /* what comes next */
    size_t wanted;  /* bytes of it */
    size_t have;
    unsigned char bytes[OP_FILE_TEXT_MAX + 1];
    struct op_file_header header;
    uint64_t records;

    bool is_packed;
    ZSTD_DCtx *zstd;
    bool in_frame;
    unsigned char out[OUT_BYTES];
};

struct op_reader *op_reader_new(const struct op_reader_config *config, struct err *err)
{
    struct op_reader *r = calloc(1, sizeof *r);
    if (r != NULL)
        r->zstd = ZSTD_createDCtx();
    if (r == NULL || r->zstd == NULL) {
        err_set(err, "no memory for the reader");
        free(r);
        return NULL;
    }
    ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    r->config = *config;
    r->wanted = sizeof zstd_magic;
    return r;
}

void op_reader_free(struct op_reader *r)
{
    if (r == NULL)
        return;
    ZSTD_freeDCtx(r->zstd);
    free(r);
}

static void expect(struct op_reader *r, enum part part, size_t size)
{
    r->part = part;
    r->wanted = size;
    r->have = 0;
}

static int take_record(struct op_reader *r, struct err *err)
{
    struct op_record record;
    if (!op_record_decode(r->bytes, &record))
        return err_set(err, "record %llu makes no sense: the file is damaged",
                       (unsigned long long)r->records + 1);
    r->records++;
    r->have = 0;
    return r->config.record(r->config.arg, &record);
}

static int take_text(struct op_reader *r)
{
    r->bytes[r->have] = '\0';
    int rc = r->config.head(r->config.arg, &r->header, (const char *)r->bytes);
    expect(r, PART_RECORDS, OP_RECORD_BYTES);
    return rc;
}

/* A whole part is there. The magic is known to be none of zstd's. */
static int take_part(struct op_reader *r, struct err *err)
{
    switch (r->part) {
    case PART_MAGIC:
        r->part = PART_HEADER;
        r->wanted = OP_FILE_HEADER_BYTES;
        return 0;
    case PART_HEADER:
        if (op_file_header_decode(r->bytes, &r->header, err) != 0)
            return -1;
        expect(r, PART_TEXT, r->header.text_bytes);
        return r->header.text_bytes == 0 ? take_text(r) : 0;
    case PART_TEXT: return take_text(r);
    case PART_RECORDS: break;
    }
    return take_record(r, err);
}

static int take_bytes(struct op_reader *r, const unsigned char *at, size_t size, struct err *err)
{
    int rc = 0;
    while (size > 0 && rc == 0) {
        size_t n = r->wanted - r->have < size ? r->wanted - r->have : size;
        memcpy(r->bytes + r->have, at, n);
        r->have += n;
        at += n;
        size -= n;
        if (r->have == r->wanted)
            rc = take_part(r, err);
    }
    return rc;
}

static int unpack(struct op_reader *r, const void *data, size_t size, struct err *err)
{
    ZSTD_inBuffer in = {data, size, 0};
    int rc = 0;
    bool more = true;
    /* Also once more when the output was full: there may be some left inside. */
    while (rc == 0 && (in.pos < in.size || more)) {
        ZSTD_outBuffer out = {r->out, sizeof r->out, 0};
        size_t left = ZSTD_decompressStream(r->zstd, &out, &in);
        if (ZSTD_isError(left))
            return err_set(err, "damaged after record %llu: %s", (unsigned long long)r->records,
                           ZSTD_getErrorName(left));
        r->in_frame = left != 0;
        more = out.pos == out.size;
        rc = take_bytes(r, r->out, out.pos, err);
    }
    return rc;
}

/* The first four bytes say whether the rest is compressed. */
static int sniff(struct op_reader *r, const unsigned char **at, size_t *size, struct err *err)
{
    size_t n = sizeof zstd_magic - r->have < *size ? sizeof zstd_magic - r->have : *size;
    memcpy(r->bytes + r->have, *at, n);
    r->have += n;
    *at += n;
    *size -= n;
    if (r->have < sizeof zstd_magic)
        return 0;
    r->is_packed = memcmp(r->bytes, zstd_magic, sizeof zstd_magic) == 0;
    if (!r->is_packed)
        return take_part(r, err);
    expect(r, PART_HEADER, OP_FILE_HEADER_BYTES);
    return unpack(r, zstd_magic, sizeof zstd_magic, err);
}

int op_reader_feed(struct op_reader *r, const void *data, size_t size, struct err *err)
{
    const unsigned char *at = data;
    if (r->part == PART_MAGIC && sniff(r, &at, &size, err) != 0)
        return -1;
    if (size == 0)
        return 0;
    return r->is_packed ? unpack(r, at, size, err) : take_bytes(r, at, size, err);
}

int op_reader_end(const struct op_reader *r, struct err *err)
{
    if (r->part != PART_RECORDS)
        return err_set(err, "ends within its header: not a file of memchaos, or nothing of it");
    if (r->have > 0 || r->in_frame)
        return err_set(err, "was cut off after record %llu: what was being written is lost",
                       (unsigned long long)r->records);
    return 0;
}
