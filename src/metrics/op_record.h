/* SPDX-License-Identifier: MIT */
/*
 * One operation in full, as the flight recorder and the operation log keep it; and the files of
 * both: a header, a few lines of text ("key: value"), then records of a fixed size, little-endian.
 * docs/flight.md has the layout for other programs.
 */
#ifndef METRICS_OP_RECORD_H
#define METRICS_OP_RECORD_H

#include "base/err.h"
#include "base/time.h"
#include "metrics/outcome.h"

#include <stddef.h>
#include <stdint.h>

#define OP_RECORD_KEY 32   /* bytes of a key that are kept: its beginning */
#define OP_RECORD_BYTES 80 /* in a file */
#define OP_RECORD_WORDS (OP_RECORD_BYTES / 8)
#define OP_RECORD_NODE_UNKNOWN 255
#define OP_RECORD_IN_FLIGHT INT64_C(-1) /* as duration: had not ended */

struct op_record {
    ns_t start_ns; /* on the monotonic clock */
    ns_t duration_ns;
    ns_t late_ns;        /* of the start, against the intended one */
    uint32_t connection; /* number that the client gave it, by node; 0: not told */
    uint32_t worker;
    uint32_t bytes;    /* of the value; of all values of a batch */
    uint32_t key_hash; /* of the whole key */
    uint16_t run;      /* of the session, from 1 */
    uint8_t op;
    uint8_t outcome;
    uint8_t node; /* OP_RECORD_NODE_UNKNOWN: the client could not say */
    uint8_t phase;
    uint8_t key_size; /* of the whole key */
    uint8_t items;    /* keys of a batch; 1 for others */
    char key[OP_RECORD_KEY];
};

_Static_assert(sizeof(struct op_record) == OP_RECORD_BYTES, "no padding");

void op_record_key_set(struct op_record *r, const char *key, size_t size);

void op_record_encode(const struct op_record *r, unsigned char to[static OP_RECORD_BYTES]);
/* Returns false when a field has a value that no record has. */
bool op_record_decode(const unsigned char from[static OP_RECORD_BYTES], struct op_record *out);

enum op_file_kind { OP_FILE_FLIGHT, OP_FILE_LOG, OP_FILE_KIND_COUNT };

#define OP_FILE_HEADER_BYTES 40
#define OP_FILE_VERSION 1
#define OP_FILE_TEXT_MAX 8192

struct op_file_header {
    enum op_file_kind kind;
    uint32_t text_bytes;
    ns_t start_ns;         /* of the session, on the monotonic clock of the records */
    int64_t start_unix_ns; /* the same moment */
};

void op_file_header_encode(const struct op_file_header *h,
                           unsigned char to[static OP_FILE_HEADER_BYTES]);
int op_file_header_decode(const unsigned char from[static OP_FILE_HEADER_BYTES],
                          struct op_file_header *out, struct err *err);

#endif
