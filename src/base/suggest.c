/* SPDX-License-Identifier: MIT */
#include "base/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static int same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: three rows are enough, because a swap looks back two. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][SUGGEST_WORD_MAX + 1];
    unsigned *older = rows[0], *old = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++)
        old[j] = (unsigned)j;
    memcpy(older, old, (nb + 1) * sizeof old[0]);
    for (size_t i = 1; i <= na; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned cost = same(a[i - 1], b[j - 1]) ? 0 : 1;
            row[j] = min3(old[j] + 1, row[j - 1] + 1, old[j - 1] + cost);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = min3(row[j], older[j - 2] + 1, UINT_MAX);
        }
        unsigned *free_row = older;
        older = old;
        old = row;
        row = free_row;
    }
    return old[nb];
}

struct suggest suggest_start(const char *word)
{
    return (struct suggest){.word = word, .distance = UINT_MAX};
}

void suggest_offer(struct suggest *s, const char *candidate)
{
    size_t n = strlen(s->word);
    size_t nc = strlen(candidate);
    if (n == 0 || n > SUGGEST_WORD_MAX || nc > SUGGEST_WORD_MAX)
        return;
    /* One typo in three letters, as most people's typos are; more would suggest unrelated words. */
    size_t allowed = (n > nc ? n : nc) / 3;
    if (allowed == 0)
        allowed = 1;
    unsigned d = distance(s->word, n, candidate, nc);
    /* With as many changes as letters nothing of the word is left. */
    if (d <= allowed && d < n && d < s->distance) {
        s->distance = d;
        s->best = candidate;
    }
}

const char *suggest_best(const char *word, const char *const *candidates)
{
    struct suggest s = suggest_start(word);
    for (size_t i = 0; candidates[i] != NULL; i++)
        suggest_offer(&s, candidates[i]);
    return s.best;
}
