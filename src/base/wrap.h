/* SPDX-License-Identifier: MIT */
#ifndef BASE_WRAP_H
#define BASE_WRAP_H

#include <stddef.h>
#include <stdio.h>

/*
 * Prints `text` in lines that end before column `width` and begin in column `indent`, broken at
 * blanks; a word that is too long is cut. `column` is where the stream stands already (at most
 * `indent`). Counts bytes.
 */
void wrap_print(FILE *out, const char *text, size_t column, size_t indent, size_t width);

#endif
