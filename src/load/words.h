/* SPDX-License-Identifier: MIT */
/*
 * The small languages in which loads are written (`ramp 1k..50k 60s`, `100k zipf 0.99`): words
 * between blanks; `,` and `+` are words of their own. Errors name the column.
 */
#ifndef LOAD_WORDS_H
#define LOAD_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/time.h"

#define WORD_MAX 63

struct words {
    const char *text;
    size_t at, next;         /* offsets of this word and of what follows it */
    char word[WORD_MAX + 1]; /* "" at the end */
};

/* Starts at the first word. */
struct words words_start(const char *text);
void words_advance(struct words *words);

bool words_end(const struct words *words);
bool words_is(const struct words *words, const char *word);
/* Goes on when the present word is this one. */
bool words_take(struct words *words, const char *word);
/* These go on when the present word is of the kind. `unit` as for number_parse(). */
bool words_take_number(struct words *words, unsigned unit, double *out);
bool words_take_range(struct words *words, unsigned unit, double *from, double *to); /* A..B */
bool words_take_duration(struct words *words, ns_t *out);
bool words_take_percent(struct words *words, double *share); /* 30% */

/* "column 6, "5x": <message>"; returns -1. */
int words_error(const struct words *words, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
