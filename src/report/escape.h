/* SPDX-License-Identifier: MIT */
/* Text from outside (names of scenarios, causes, errors) inside other formats. Bytes that are not
 * UTF-8 become U+FFFD, control characters a space. */
#ifndef REPORT_ESCAPE_H
#define REPORT_ESCAPE_H

#include <stdio.h>

/* XML and HTML, as text or in a quoted attribute. */
void escape_markup(FILE *out, const char *text);
/* A cell of a Markdown table, or running text; no HTML comes through. */
void escape_markdown(FILE *out, const char *text);
/* Between backticks. */
void escape_code(FILE *out, const char *text);
/* The description of a test in TAP. */
void escape_tap(FILE *out, const char *text);
/* A field of CSV (RFC 4180), in quotes where it needs them. */
void escape_csv(FILE *out, const char *text);
/* A double-quoted YAML scalar, with the quotes. */
void escape_yaml(FILE *out, const char *text);

#endif
