/* SPDX-License-Identifier: MIT */
#include "cli/toxi_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/toxi.h"

static const char *const escapes[] = {
    [TOXI_PLAIN] = "",          [TOXI_RED] = "\x1b[31m",  [TOXI_GREEN] = "\x1b[32m",
    [TOXI_YELLOW] = "\x1b[33m", [TOXI_BLUE] = "\x1b[34m", [TOXI_PURPLE] = "\x1b[35m",
};

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0';
}

void toxi_print_init(struct toxi *t)
{
    const char *term = getenv("TERM");
    t->table = isatty(STDOUT_FILENO) == 1;
    t->color = t->table && !is_set("NO_COLOR") && (term == NULL || strcmp(term, "dumb") != 0);
}

void toxi_print_text(const struct toxi *t, enum toxi_color color, const char *text)
{
    bool colored = t->color && color != TOXI_PLAIN;
    if (colored)
        fputs(escapes[color], stdout);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        /* A name from the server must not be able to command the terminal. */
        putchar(t->table && (c < 0x20 || c == 0x7f) ? '?' : c);
    }
    if (colored)
        fputs("\x1b[0m", stdout);
}

size_t toxi_print_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        if (((unsigned char)*text & 0xc0) != 0x80)
            width++;
    return width;
}

void toxi_print_cell(const struct toxi *t, enum toxi_color color, const char *text, size_t width)
{
    toxi_print_text(t, color, text);
    for (size_t n = toxi_print_width(text); n < width; n++)
        putchar(' ');
}

void toxi_print_rule(size_t width)
{
    while (width-- > 0)
        putchar('=');
    putchar('\n');
}

void toxi_print_hint(const struct toxi *t, const char *advice)
{
    if (!t->table)
        return;
    const char *mark = strstr(advice, "%s");
    int before = mark != NULL ? (int)(mark - advice) : (int)strlen(advice);
    printf("\nHint: %.*s%s%s\n", before, advice, mark != NULL ? t->program : "",
           mark != NULL ? mark + 2 : "");
}

enum toxi_color toxi_enabled_color(bool enabled)
{
    return enabled ? TOXI_GREEN : TOXI_RED;
}

const char *toxi_enabled_text(bool enabled)
{
    return enabled ? "enabled" : "disabled";
}

const char *toxi_number_text(double value, char out[static TOXI_NUMBER_SIZE])
{
    int digits = 1;
    do
        snprintf(out, TOXI_NUMBER_SIZE, "%.*e", digits - 1, value);
    while (strtod(out, NULL) != value && digits++ < 17);
    const char *e = strchr(out, 'e');
    long exponent = e != NULL ? strtol(e + 1, NULL, 10) : 0;
    if (exponent < -4 || exponent >= 6)
        return out;
    long decimals = digits - 1 - exponent;
    snprintf(out, TOXI_NUMBER_SIZE, "%.*f", decimals > 0 ? (int)decimals : 0, value);
    return out;
}

void toxi_print_toxic(const struct toxi *t, const struct apiclient_toxic_view *toxic)
{
    char number[TOXI_NUMBER_SIZE];
    toxi_print_text(t, TOXI_BLUE, toxic->name);
    fputs(t->table ? ":\ttype=" : "\ttype=", stdout);
    toxi_print_text(t, TOXI_PLAIN, toxic->type);
    fputs("\tstream=", stdout);
    toxi_print_text(t, TOXI_PLAIN, toxic->stream);
    printf("\ttoxicity=%.2f\tattributes=[", toxic->toxicity);
    for (size_t i = 0; i < toxic->attribute_count; i++) {
        const struct apiclient_attribute_view *a = &toxic->attributes[i];
        putchar('\t');
        toxi_print_text(t, TOXI_PLAIN, a->name);
        putchar('=');
        toxi_print_text(t, TOXI_PLAIN,
                        a->is_number ? toxi_number_text(a->number, number) : a->text);
    }
    fputs("\t]\n", stdout);
}
