/* SPDX-License-Identifier: MIT */
#include "report/escape.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct escape {
    char byte;
    const char *text;
};

static const char *find(const struct escape *table, char byte)
{
    for (; table->text; table++) {
        if (table->byte == byte)
            return table->text;
    }
    return NULL;
}

static void write_escaped(FILE *out, const char *text, const struct escape *table)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = utf8_length(text, left);
        const char *other = length == 1 ? find(table, *text) : NULL;
        if (length == 0)
            fputs(UTF8_REPLACEMENT, out);
        else if (length == 1 && ((unsigned char)*text < ' ' || *text == 0x7f))
            fputc(' ', out);
        else if (other)
            fputs(other, out);
        else
            fwrite(text, 1, length, out);
        length += length == 0;
        text += length;
        left -= length;
    }
}

void escape_markup(FILE *out, const char *text)
{
    static const struct escape table[] = {{'&', "&amp;"},  {'<', "&lt;"},   {'>', "&gt;"},
                                          {'"', "&quot;"}, {'\'', "&#39;"}, {0}};
    write_escaped(out, text, table);
}

void escape_markdown(FILE *out, const char *text)
{
    static const struct escape table[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'|', "\\|"},   {'`', "\\`"},   {'*', "\\*"},
        {'_', "\\_"},   {'[', "\\["},  {']', "\\]"},  {'\\', "\\\\"}, {'@', "&#64;"}, {0}};
    write_escaped(out, text, table);
}

void escape_code(FILE *out, const char *text)
{
    static const struct escape table[] = {{'`', "'"}, {0}};
    write_escaped(out, text, table);
}

void escape_tap(FILE *out, const char *text)
{
    static const struct escape table[] = {{'#', "\\#"}, {'\\', "\\\\"}, {0}};
    write_escaped(out, text, table);
}

void escape_csv(FILE *out, const char *text)
{
    static const struct escape table[] = {{'"', "\"\""}, {0}};
    bool quoted = strpbrk(text, "\",\r\n") != NULL;
    if (quoted)
        fputc('"', out);
    write_escaped(out, text, table);
    if (quoted)
        fputc('"', out);
}

void escape_yaml(FILE *out, const char *text)
{
    static const struct escape table[] = {{'"', "\\\""}, {'\\', "\\\\"}, {0}};
    fputc('"', out);
    write_escaped(out, text, table);
    fputc('"', out);
}
