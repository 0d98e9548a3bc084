/* SPDX-License-Identifier: MIT */
/*
 * Reads flight recordings and operation logs: bytes in, records out, plain or in zstd frames, in
 * pieces of any size. Nothing in a file is trusted. No I/O.
 */
#ifndef METRICS_OP_READER_H
#define METRICS_OP_READER_H

#include "metrics/op_record.h"

struct op_reader;

struct op_reader_config {
    /* Called once, before the first record; the text ends with a 0 byte. A return other than 0 ends
     * the reading, as that of `record` does; it is given back. */
    int (*head)(void *arg, const struct op_file_header *header, const char *text);
    int (*record)(void *arg, const struct op_record *record);
    void *arg;
};

struct op_reader *op_reader_new(const struct op_reader_config *config, struct err *err);
void op_reader_free(struct op_reader *r);

/* Returns 0; what a callback returned; or -1 with the reason, after which nothing more can be
 * read. */
int op_reader_feed(struct op_reader *r, const void *data, size_t size, struct err *err);

/* All bytes have been fed. Returns 0; or -1 when the file ends in the middle of something, with
 * what that means: all records before it have been given. */
int op_reader_end(const struct op_reader *r, struct err *err);

#endif
