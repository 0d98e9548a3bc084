/* SPDX-License-Identifier: MIT */
#include "report/table.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

void table_init(struct table *t, const char *align)
{
    *t = (struct table){.align = align, .columns = strlen(align)};
    assert(t->columns >= 1 && t->columns <= TABLE_COLUMNS_MAX);
    t->cells = arena_array(&t->arena, TABLE_ROWS_MAX * t->columns, sizeof(*t->cells));
}

void table_deinit(struct table *t)
{
    arena_deinit(&t->arena);
}

void table_cell(struct table *t, const char *text)
{
    if (!t->cells || t->count == TABLE_ROWS_MAX * t->columns)
        return;
    const char *copy = arena_text(&t->arena, text);
    t->cells[t->count++] = copy ? copy : "";
}

void table_cellf(struct table *t, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    table_cell(t, text);
}

/* Columns on the terminal: bytes that do not continue a UTF-8 character. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* Spaces are held back until text follows them, so that no line ends in white space. */
static void print_row(FILE *out, const struct table *t, const char *const *row, const int *widths,
                      int indent)
{
    int spaces = indent;
    for (size_t i = 0; i < t->columns; i++) {
        int padding = widths[i] - width_of(row[i]);
        bool right = t->align[i] == 'r';
        spaces += right ? padding : 0;
        if (row[i][0] != '\0') {
            fprintf(out, "%*s%s", spaces, "", row[i]);
            spaces = 0;
        }
        spaces += right ? 2 : padding + 2;
    }
    fputc('\n', out);
}

void table_print(const struct table *t, FILE *out, int indent)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->count; i++) {
        int width = width_of(t->cells[i]);
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t i = 0; i + t->columns <= t->count; i += t->columns)
        print_row(out, t, &t->cells[i], widths, indent);
}
