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

static void print_cell(FILE *out, const char *text, int width, bool right, bool last)
{
    int padding = width - width_of(text);
    if (right)
        fprintf(out, "%*s%s", padding, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : padding, "");
}

void table_print(const struct table *t, FILE *out, int indent)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->count; i++) {
        int width = width_of(t->cells[i]);
        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t i = 0; i < t->count; i++) {
        size_t column = i % t->columns;
        bool last = column + 1 == t->columns;
        fprintf(out, "%*s", column == 0 ? indent : 2, "");
        print_cell(out, t->cells[i], widths[column], t->align[column] == 'r', last);
        if (last)
            fputc('\n', out);
    }
}
