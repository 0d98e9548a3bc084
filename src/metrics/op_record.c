/* SPDX-License-Identifier: MIT */
#include "metrics/op_record.h"

#include <string.h>

static const char magics[OP_FILE_KIND_COUNT][8] = {
    [OP_FILE_FLIGHT] = {'M', 'C', 'F', 'L', 'I', 'G', 'H', 'T'},
    [OP_FILE_LOG] = {'M', 'C', 'O', 'P', 'L', 'O', 'G', '\n'},
};

static unsigned char *put(unsigned char *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *to++ = (unsigned char)(value >> (8 * i));
    return to;
}

static uint64_t take(const unsigned char **from, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t) * (*from)++ << (8 * i);
    return value;
}

static uint32_t fnv1a(const char *bytes, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 16777619u;
    return hash;
}

void op_record_key_set(struct op_record *r, const char *key, size_t size)
{
    r->key_size = (uint8_t)(size < UINT8_MAX ? size : UINT8_MAX);
    r->key_hash = fnv1a(key, size);
    memcpy(r->key, key, size < OP_RECORD_KEY ? size : OP_RECORD_KEY);
}

void op_record_encode(const struct op_record *r, unsigned char to[static OP_RECORD_BYTES])
{
    to = put(to, (uint64_t)r->start_ns, 8);
    to = put(to, (uint64_t)r->duration_ns, 8);
    to = put(to, (uint64_t)r->late_ns, 8);
    to = put(to, r->connection, 4);
    to = put(to, r->worker, 4);
    to = put(to, r->bytes, 4);
    to = put(to, r->key_hash, 4);
    to = put(to, r->run, 2);
    to = put(to, r->op, 1);
    to = put(to, r->outcome, 1);
    to = put(to, r->node, 1);
    to = put(to, r->phase, 1);
    to = put(to, r->key_size, 1);
    to = put(to, r->items, 1);
    memcpy(to, r->key, OP_RECORD_KEY);
}

bool op_record_decode(const unsigned char from[static OP_RECORD_BYTES], struct op_record *out)
{
    const unsigned char *at = from;
    *out = (struct op_record){
        .start_ns = (ns_t)take(&at, 8),
        .duration_ns = (ns_t)take(&at, 8),
        .late_ns = (ns_t)take(&at, 8),
        .connection = (uint32_t)take(&at, 4),
        .worker = (uint32_t)take(&at, 4),
        .bytes = (uint32_t)take(&at, 4),
        .key_hash = (uint32_t)take(&at, 4),
        .run = (uint16_t)take(&at, 2),
        .op = (uint8_t)take(&at, 1),
        .outcome = (uint8_t)take(&at, 1),
        .node = (uint8_t)take(&at, 1),
        .phase = (uint8_t)take(&at, 1),
        .key_size = (uint8_t)take(&at, 1),
        .items = (uint8_t)take(&at, 1),
    };
    memcpy(out->key, at, OP_RECORD_KEY);
    return out->op < OP_COUNT && out->outcome < OUTCOME_COUNT && out->start_ns >= 0 &&
           out->duration_ns >= OP_RECORD_IN_FLIGHT && out->late_ns >= 0;
}

void op_file_header_encode(const struct op_file_header *h,
                           unsigned char to[static OP_FILE_HEADER_BYTES])
{
    memcpy(to, magics[h->kind], sizeof magics[0]);
    to = put(to + sizeof magics[0], OP_FILE_VERSION, 4);
    to = put(to, OP_RECORD_BYTES, 4);
    to = put(to, (uint64_t)h->start_ns, 8);
    to = put(to, (uint64_t)h->start_unix_ns, 8);
    to = put(to, h->text_bytes, 4);
    put(to, 0, 4);
}

int op_file_header_decode(const unsigned char from[static OP_FILE_HEADER_BYTES],
                          struct op_file_header *out, struct err *err)
{
    unsigned kind = 0;
    while (kind < OP_FILE_KIND_COUNT && memcmp(from, magics[kind], sizeof magics[0]) != 0)
        kind++;
    if (kind == OP_FILE_KIND_COUNT)
        return err_set(err, "neither a flight recording nor an operation log of memchaos");
    const unsigned char *at = from + sizeof magics[0];
    uint64_t version = take(&at, 4), size = take(&at, 4);
    if (version != OP_FILE_VERSION || size != OP_RECORD_BYTES)
        return err_set(err, "version %llu with records of %llu bytes: only version %d is known",
                       (unsigned long long)version, (unsigned long long)size, OP_FILE_VERSION);
    out->kind = kind;
    out->start_ns = (ns_t)take(&at, 8);
    out->start_unix_ns = (int64_t)take(&at, 8);
    out->text_bytes = (uint32_t)take(&at, 4);
    if (out->text_bytes > OP_FILE_TEXT_MAX || out->start_ns < 0)
        return err_set(err, "its header makes no sense");
    return 0;
}
