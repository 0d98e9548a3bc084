/* SPDX-License-Identifier: MIT */
/* Bytes as text, RFC 4648 with padding: the form in which values travel inside JSON. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* How many characters `size` bytes take. */
static inline size_t base64_length(size_t size)
{
    return (size + 2) / 3 * 4;
}

/* Writes base64_length(size) characters, without a NUL. */
void base64_encode(char *out, const void *data, size_t size);

/* An upper bound of the bytes in `length` characters. */
static inline size_t base64_room(size_t length)
{
    return length / 4 * 3;
}

/* The bytes in it, if it is base64. */
static inline size_t base64_size(const char *text, size_t length)
{
    size_t size = base64_room(length);
    for (size_t i = 0; i < 2 && i < length && text[length - 1 - i] == '='; i++)
        size--;
    return length % 4 == 0 && length > 0 ? size : 0;
}

/* How many characters from the start are of the alphabet; padding is not. */
size_t base64_span(const char *text);

/* Writes at most base64_room(length) bytes; false when the text is not base64 with its padding. */
bool base64_decode(void *out, size_t *size_out, const char *text, size_t length);

#endif
