/* SPDX-License-Identifier: MIT */
/* Writes recorded operations for people and programs, one per line. */
#ifndef REPORT_OP_WRITER_H
#define REPORT_OP_WRITER_H

#include "metrics/op_record.h"

#include <stdio.h>

enum op_format { OP_FORMAT_TEXT, OP_FORMAT_CSV, OP_FORMAT_NDJSON, OP_FORMAT_COUNT };

extern const char *const op_format_names[OP_FORMAT_COUNT + 1];

#define OP_WRITER_NAMES_MAX 64
#define OP_WRITER_NAME_SIZE 32

struct op_names {
    size_t count;
    char names[OP_WRITER_NAMES_MAX][OP_WRITER_NAME_SIZE];
};

struct op_writer {
    FILE *out;
    enum op_format format;
    struct op_file_header header;
    struct op_names nodes; /* from the file; without a name a node is its number, from 1 */
    struct op_names phases;
};

void op_writer_init(struct op_writer *w, FILE *out, enum op_format format,
                    const struct op_file_header *header, const char *text);

/* What stands before the first record: the lines of text of the file, the columns. */
void op_writer_begin(const struct op_writer *w, const char *text);
void op_writer_record(const struct op_writer *w, const struct op_record *r);

/* The index of a node by its name or number, from 1; -1 for none. */
int op_writer_node(const struct op_writer *w, const char *name);

#endif
