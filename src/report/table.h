/* SPDX-License-Identifier: MIT */
/* A text table with columns as wide as their widest cell. */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include "report/arena.h"

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12
#define TABLE_ROWS_MAX 1100

struct table {
    struct arena arena;
    const char *align; /* per column 'l' or 'r' */
    size_t columns;
    size_t count;       /* cells */
    const char **cells; /* TABLE_ROWS_MAX × columns */
};

/* `align`: one letter per column. Without memory the table stays empty. */
void table_init(struct table *t, const char *align);
void table_deinit(struct table *t);

/* Cells from left to right; a row begins with the first cell after a full one. The text is copied.
 * Rows above the maximum are left out. */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Each row after `indent` spaces, columns two spaces apart. */
void table_print(const struct table *t, FILE *out, int indent);

#endif
