/* SPDX-License-Identifier: MIT */
#include "load/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/number.h"

#define BLANKS " \t\n"

void words_advance(struct words *w)
{
    w->at = w->next + strspn(w->text + w->next, BLANKS);
    size_t size = strcspn(w->text + w->at, BLANKS ",+");
    if (size == 0 && w->text[w->at] != '\0')
        size = 1; /* a comma or a plus */
    w->next = w->at + size;
    /* A word that is too long is none of those that we know, also when it is cut. */
    snprintf(w->word, sizeof w->word, "%.*s", (int)(size < WORD_MAX ? size : WORD_MAX),
             w->text + w->at);
}

struct words words_start(const char *text)
{
    struct words words = {.text = text};
    words_advance(&words);
    return words;
}

bool words_end(const struct words *w)
{
    return w->word[0] == '\0';
}

bool words_is(const struct words *w, const char *word)
{
    return strcmp(w->word, word) == 0;
}

bool words_take(struct words *w, const char *word)
{
    bool is = words_is(w, word);
    if (is)
        words_advance(w);
    return is;
}

bool words_take_number(struct words *w, unsigned unit, double *out)
{
    if (number_parse(w->word, unit, out) != 0)
        return false;
    words_advance(w);
    return true;
}

bool words_take_range(struct words *w, unsigned unit, double *from, double *to)
{
    char low[WORD_MAX + 1];
    const char *dots = strstr(w->word, "..");
    if (dots == NULL)
        return false;
    snprintf(low, sizeof low, "%.*s", (int)(dots - w->word), w->word);
    if (number_parse(low, unit, from) != 0 || number_parse(dots + 2, unit, to) != 0)
        return false;
    words_advance(w);
    return true;
}

bool words_take_duration(struct words *w, ns_t *out)
{
    double number;
    if (number_parse(w->word, 1000, &number) == 0 || duration_parse(w->word, out, NULL) != 0 ||
        *out < 0)
        return false;
    words_advance(w);
    return true;
}

bool words_take_percent(struct words *w, double *share)
{
    char digits[WORD_MAX + 1];
    size_t size = strlen(w->word);
    if (size < 2 || w->word[size - 1] != '%')
        return false;
    snprintf(digits, sizeof digits, "%.*s", (int)size - 1, w->word);
    if (number_parse(digits, 1000, share) != 0 || *share > 100)
        return false;
    *share /= 100;
    words_advance(w);
    return true;
}

int words_error(const struct words *w, struct err *err, const char *format, ...)
{
    char message[300];
    va_list ap;
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    if (words_end(w))
        return err_set(err, "\"%.120s\" ends too early: %s", w->text, message);
    return err_set(err, "\"%.120s\", column %zu, \"%s\": %s", w->text, w->at + 1, w->word, message);
}
