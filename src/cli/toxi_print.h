/* SPDX-License-Identifier: MIT */
/* Output of the Toxiproxy commands: colours, aligned columns, and numbers as Go prints them. */
#ifndef CLI_TOXI_PRINT_H
#define CLI_TOXI_PRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/apiclient.h"

enum toxi_color {
    TOXI_PLAIN,
    TOXI_RED,
    TOXI_GREEN,
    TOXI_YELLOW,
    TOXI_BLUE,
    TOXI_PURPLE,
};

struct toxi;

/* Decides by the terminal and the environment (NO_COLOR, TERM) how to print. */
void toxi_print_init(struct toxi *t);

/* A text in a colour; on a terminal control characters become '?'. */
void toxi_print_text(const struct toxi *t, enum toxi_color color, const char *text);

/* The same, filled with blanks to `width` columns. */
void toxi_print_cell(const struct toxi *t, enum toxi_color color, const char *text, size_t width);

/* Columns that a text takes: UTF-8 characters, each taken for one column wide. */
size_t toxi_print_width(const char *text);

/* A line of '=' below a heading. */
void toxi_print_rule(size_t width);

/* An empty line and advice, on a terminal only; "%s" in it is the program's name. */
void toxi_print_hint(const struct toxi *t, const char *advice);

enum toxi_color toxi_enabled_color(bool enabled);
const char *toxi_enabled_text(bool enabled);

#define TOXI_NUMBER_SIZE 32

/* The shortest text that reads back as the same number; 1.23456789e+08 from six digits on. */
const char *toxi_number_text(double value, char out[static TOXI_NUMBER_SIZE]);

/* One line: name, type, stream, toxicity and every attribute. */
void toxi_print_toxic(const struct toxi *t, const struct apiclient_toxic_view *toxic);

#endif
