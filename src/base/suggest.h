/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean": finds among known names the one closest to a mistyped word, or none when nothing
 * is close enough to be a likely typo. Distance is Damerau-Levenshtein (insert, delete, replace,
 * swap two neighbours).
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

/* Words longer than this are never suggested; it bounds the work per comparison. */
#define SUGGEST_WORD_MAX 64

struct suggest {
    const char *word;
    const char *best; /* borrowed from the caller of suggest_offer(); NULL when nothing is close */
    unsigned distance;
};

/* For names that sit in a table: start with the word, offer each name, read `best`. */
struct suggest suggest_start(const char *word);
void suggest_offer(struct suggest *s, const char *candidate);

/* For a NULL-terminated list of names: the closest, or NULL. */
const char *suggest_best(const char *word, const char *const *candidates);

#endif
