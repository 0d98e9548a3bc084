/* SPDX-License-Identifier: MIT */
#include "base/jsonw.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool bit_get(uint64_t bits, unsigned level)
{
    return (bits >> level) & 1;
}

static uint64_t bit_set(uint64_t bits, unsigned level, bool value)
{
    uint64_t mask = UINT64_C(1) << level;
    return value ? bits | mask : bits & ~mask;
}

static bool in_object(const struct jsonw *w)
{
    return w->depth > 0 && bit_get(w->in_object, w->depth - 1);
}

static void new_line(struct jsonw *w)
{
    if (w->style != JSONW_PRETTY)
        return;
    fprintf(w->out, "\n%*s", (int)(2 * w->depth), "");
}

/* The comma and the line break before a member of the current object or array. */
static void before_member(struct jsonw *w)
{
    if (w->depth == 0)
        return;
    if (bit_get(w->not_empty, w->depth - 1))
        fputc(',', w->out);
    w->not_empty = bit_set(w->not_empty, w->depth - 1, true);
    new_line(w);
}

static void before_value(struct jsonw *w)
{
    assert(in_object(w) == w->has_key);
    if (!w->has_key)
        before_member(w);
    w->has_key = false;
}

static void open_level(struct jsonw *w, bool object)
{
    before_value(w);
    assert(w->depth < JSONW_DEPTH_MAX);
    fputc(object ? '{' : '[', w->out);
    w->in_object = bit_set(w->in_object, w->depth, object);
    w->not_empty = bit_set(w->not_empty, w->depth, false);
    w->depth++;
}

static void close_level(struct jsonw *w, bool object)
{
    assert(w->depth > 0 && in_object(w) == object && !w->has_key);
    w->depth--;
    if (bit_get(w->not_empty, w->depth))
        new_line(w);
    fputc(object ? '}' : ']', w->out);
}

/* The length of the UTF-8 character at `p`, or 0 when it is not well-formed (RFC 3629). */
static size_t utf8_length(const unsigned char *p, size_t len)
{
    static const struct {
        unsigned char first, last, second_low, second_high, length;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (p[0] < rows[i].first || p[0] > rows[i].last)
            continue;
        if (rows[i].length > len)
            return 0;
        if (rows[i].length > 1 && (p[1] < rows[i].second_low || p[1] > rows[i].second_high))
            return 0;
        for (size_t k = 2; k < rows[i].length; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return rows[i].length;
    }
    return 0;
}

static void write_control(FILE *out, unsigned char c)
{
    static const char *const short_form[0x20] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    if (c < 0x20 && short_form[c] != NULL)
        fputs(short_form[c], out);
    else
        fprintf(out, "\\u%04x", c);
}

static void write_quoted(FILE *out, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + len;
    fputc('"', out);
    while (p < end) {
        size_t n = utf8_length(p, (size_t)(end - p));
        if (n == 0) {
            fputs("\xef\xbf\xbd", out);
            n = 1;
        } else if (*p == '"' || *p == '\\') {
            fputc('\\', out);
            fputc(*p, out);
        } else if (*p < 0x20 || *p == 0x7f) {
            write_control(out, *p);
        } else {
            fwrite(p, 1, n, out);
        }
        p += n;
    }
    fputc('"', out);
}

void jsonw_init(struct jsonw *w, FILE *out, enum jsonw_style style)
{
    *w = (struct jsonw){.out = out, .style = style};
}

int jsonw_finish(struct jsonw *w)
{
    assert(w->depth == 0);
    fputc('\n', w->out);
    return fflush(w->out) != 0 || ferror(w->out) ? -1 : 0;
}

void jsonw_object(struct jsonw *w)
{
    open_level(w, true);
}

void jsonw_object_end(struct jsonw *w)
{
    close_level(w, true);
}

void jsonw_array(struct jsonw *w)
{
    open_level(w, false);
}

void jsonw_array_end(struct jsonw *w)
{
    close_level(w, false);
}

void jsonw_key(struct jsonw *w, const char *key)
{
    assert(in_object(w) && !w->has_key);
    before_member(w);
    write_quoted(w->out, key, strlen(key));
    fputs(w->style == JSONW_PRETTY ? ": " : ":", w->out);
    w->has_key = true;
}

void jsonw_string(struct jsonw *w, const char *value)
{
    if (value == NULL)
        jsonw_null(w);
    else
        jsonw_string_n(w, value, strlen(value));
}

void jsonw_string_n(struct jsonw *w, const char *value, size_t len)
{
    before_value(w);
    write_quoted(w->out, value, len);
}

void jsonw_int(struct jsonw *w, int64_t value)
{
    before_value(w);
    fprintf(w->out, "%" PRId64, value);
}

void jsonw_uint(struct jsonw *w, uint64_t value)
{
    before_value(w);
    fprintf(w->out, "%" PRIu64, value);
}

void jsonw_double(struct jsonw *w, double value)
{
    if (!isfinite(value)) {
        jsonw_null(w);
        return;
    }
    before_value(w);
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    /* A locale with a decimal comma must not leak into the document. */
    char *comma = strchr(text, ',');
    if (comma != NULL)
        *comma = '.';
    fputs(text, w->out);
}

void jsonw_bool(struct jsonw *w, bool value)
{
    before_value(w);
    fputs(value ? "true" : "false", w->out);
}

void jsonw_null(struct jsonw *w)
{
    before_value(w);
    fputs("null", w->out);
}
