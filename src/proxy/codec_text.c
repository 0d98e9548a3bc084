/* SPDX-License-Identifier: MIT */
#include "proxy/codec_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT_ESCAPE "\\ufffd"
#define ESCAPE_SIZE 6 /* of \uXXXX */
/* Of a 64-bit integer without sign; a longer one is looked at. */
#define INTEGER_DIGITS_SAFE 18

/* What remains to be read, and what was written so far. */
struct text {
    const char *in;
    const char *end;
    char *out;
};

static void put(struct text *t, const char *bytes, size_t size)
{
    memcpy(t->out, bytes, size);
    t->out += size;
}

static void copy_character(struct text *t)
{
    size_t length = utf8_length(t->in, (size_t)(t->end - t->in));
    if (length > 0)
        put(t, t->in, length);
    else
        put(t, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
    t->in += length > 0 ? length : 1;
}

/* The code unit of a \uXXXX at p, or -1. */
static int32_t escaped_unit(const char *p, const char *end)
{
    int32_t unit = 0;
    if (end - p < ESCAPE_SIZE || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < ESCAPE_SIZE; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = p[i] == '\0' ? NULL : strchr(digits, p[i]);
        if (!digit)
            return -1;
        unit = unit * 16 + (int32_t)((digit - digits) % 16);
    }
    return unit;
}

static bool is_high(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* At a backslash inside a string. */
static void copy_escape(struct text *t)
{
    int32_t unit = escaped_unit(t->in, t->end);
    if (unit < 0) {
        /* A short escape, or an error for the parser to find; both bytes are taken together, so
         * that an escaped quote does not end the string. A second byte of its own kind waits. */
        put(t, t->in++, 1);
        if (t->in < t->end && *t->in != '\0' && (unsigned char)*t->in < 0x80)
            put(t, t->in++, 1);
        return;
    }
    size_t size = ESCAPE_SIZE;
    bool pair = is_high(unit) && is_low(escaped_unit(t->in + ESCAPE_SIZE, t->end));
    if (pair)
        size = (size_t)2 * ESCAPE_SIZE;
    if (unit == 0 || is_low(unit) || (is_high(unit) && !pair))
        put(t, REPLACEMENT_ESCAPE, ESCAPE_SIZE);
    else
        put(t, t->in, size);
    t->in += size;
}

/* From the quote that begins a string to the one that ends it. */
static void copy_string(struct text *t)
{
    put(t, t->in++, 1);
    while (t->in < t->end && *t->in != '"') {
        if (*t->in == '\\')
            copy_escape(t);
        else
            copy_character(t);
    }
    if (t->in < t->end)
        put(t, t->in++, 1);
}

static void copy_number(struct text *t)
{
    const char *begin = t->in;
    const char *start = t->out;
    bool real = false;
    while (t->in < t->end && *t->in != '\0' && strchr("+-.0123456789eE", *t->in)) {
        real = real || strchr(".eE", *t->in);
        t->in++;
    }
    size_t size = (size_t)(t->in - begin);
    put(t, begin, size);
    if (size <= INTEGER_DIGITS_SAFE && !real)
        return;
    *t->out = '\0';
    char *parsed;
    errno = 0;
    if (real) {
        bool overflows = isinf(strtod(start, &parsed)) != 0;
        if (overflows && parsed == t->out) {
            t->out -= size;
            put(t, "-", *begin == '-');
            put(t, "1e308", 5);
        }
        return;
    }
    (void)strtoll(start, &parsed, 10);
    if (errno == ERANGE && parsed == t->out)
        put(t, "e0", 2);
}

char *codec_text_normal(const char *bytes, size_t size, size_t *size_out)
{
    /* No byte becomes more than three; the marks after long numbers are less than that. */
    char *copy = malloc(3 * size + sizeof "1e308");
    if (!copy)
        return NULL;
    struct text t = {.in = bytes, .end = bytes + size, .out = copy};
    while (t.in < t.end) {
        if (*t.in == '"')
            copy_string(&t);
        else if (*t.in == '-' || (*t.in >= '0' && *t.in <= '9'))
            copy_number(&t);
        else
            copy_character(&t);
    }
    *t.out = '\0';
    *size_out = (size_t)(t.out - copy);
    return copy;
}
