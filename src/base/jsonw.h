/* SPDX-License-Identifier: MIT */
/*
 * Streaming JSON writer: values go to the stream as they are told, nothing is kept but the nesting.
 * Misuse (a value without a key inside an object, an unclosed array) is a bug and asserts.
 */
#ifndef BASE_JSONW_H
#define BASE_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Objects and arrays inside each other. */
#define JSONW_DEPTH_MAX 64

enum jsonw_style {
    JSONW_COMPACT, /* no white space: one line */
    JSONW_PRETTY,  /* two spaces per level */
};

struct jsonw {
    FILE *out; /* borrowed */
    enum jsonw_style style;
    unsigned depth;
    uint64_t in_object; /* bit d: level d is an object */
    uint64_t not_empty; /* bit d: level d has a member already */
    bool has_key;
};

void jsonw_init(struct jsonw *w, FILE *out, enum jsonw_style style);

/* Ends the document with a newline. Returns 0, or -1 when the stream has had an error. */
int jsonw_finish(struct jsonw *w);

void jsonw_object(struct jsonw *w);
void jsonw_object_end(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_array_end(struct jsonw *w);
void jsonw_key(struct jsonw *w, const char *key);

/* NULL is written as null; bytes that are not UTF-8 become U+FFFD. */
void jsonw_string(struct jsonw *w, const char *value);
void jsonw_string_n(struct jsonw *w, const char *value, size_t len);
void jsonw_int(struct jsonw *w, int64_t value);
void jsonw_uint(struct jsonw *w, uint64_t value);
/* The shortest text that reads back to the same number; NaN and infinities become null. */
void jsonw_double(struct jsonw *w, double value);
void jsonw_bool(struct jsonw *w, bool value);
void jsonw_null(struct jsonw *w);

/* A key and its value in one call. */
static inline void jsonw_key_object(struct jsonw *w, const char *key)
{
    jsonw_key(w, key);
    jsonw_object(w);
}

static inline void jsonw_key_array(struct jsonw *w, const char *key)
{
    jsonw_key(w, key);
    jsonw_array(w);
}

static inline void jsonw_key_string(struct jsonw *w, const char *key, const char *value)
{
    jsonw_key(w, key);
    jsonw_string(w, value);
}

static inline void jsonw_key_int(struct jsonw *w, const char *key, int64_t value)
{
    jsonw_key(w, key);
    jsonw_int(w, value);
}

static inline void jsonw_key_uint(struct jsonw *w, const char *key, uint64_t value)
{
    jsonw_key(w, key);
    jsonw_uint(w, value);
}

static inline void jsonw_key_double(struct jsonw *w, const char *key, double value)
{
    jsonw_key(w, key);
    jsonw_double(w, value);
}

static inline void jsonw_key_bool(struct jsonw *w, const char *key, bool value)
{
    jsonw_key(w, key);
    jsonw_bool(w, value);
}

static inline void jsonw_key_null(struct jsonw *w, const char *key)
{
    jsonw_key(w, key);
    jsonw_null(w);
}

#endif
