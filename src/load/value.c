/* SPDX-License-Identifier: MIT */
#include "load/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHECKSUM_DIGITS 16
#define QUOTE_MAX 60 /* bytes of a bad value that the message shows */

static void checksum_write(char *out, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash = XXH3_64bits(data, size);
    for (int i = CHECKSUM_DIGITS - 1; i >= 0; i--, hash >>= 4)
        out[i] = digits[hash & 15];
}

/* The header holds the size of the whole, whose digits are part of it. */
static size_t header_write(char *buffer, const char *key, unsigned writer, uint64_t sequence,
                           size_t filler)
{
    size_t size = 0, length = 0;
    do { /* ends after at most three rounds: the number of digits only grows */
        size = length + filler + CHECKSUM_DIGITS;
        length = (size_t)snprintf(buffer, VALUE_OVERHEAD_MAX, "mc1 %s %u %" PRIu64 " %zu ", key,
                                  writer, sequence, size);
    } while (size != length + filler + CHECKSUM_DIGITS);
    return length;
}

size_t value_write(char *buffer, const char *key, unsigned writer, uint64_t sequence, size_t filler)
{
    size_t length = header_write(buffer, key, writer, sequence, filler);
    for (size_t i = 0; i < filler; i++)
        buffer[length + i] = (char)('a' + (sequence + i) % 26);
    length += filler;
    checksum_write(buffer + length, buffer, length);
    return length + CHECKSUM_DIGITS;
}

/* Bytes that may be anything, made printable. */
static void quote(char *out, size_t out_size, const char *value, size_t size)
{
    size_t n = size < QUOTE_MAX ? size : QUOTE_MAX;
    if (n > out_size - 1)
        n = out_size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = value[i] >= 0x20 && value[i] < 0x7f ? value[i] : '?';
    out[n] = '\0';
}

static enum outcome corrupt(char *why, size_t why_size, const char *what, const char *value,
                            size_t size)
{
    char text[QUOTE_MAX + 1];
    quote(text, sizeof text, value, size);
    snprintf(why, why_size, "%s: %zu bytes that begin \"%s\"", what, size, text);
    return OUTCOME_CORRUPT;
}

enum outcome value_check(const void *value, size_t size, const char *key, char *why,
                         size_t why_size)
{
    const char *text = value;
    char expected[CHECKSUM_DIGITS];
    if (size < CHECKSUM_DIGITS + 4 || memcmp(text, "mc1 ", 4) != 0)
        return corrupt(why, why_size, "not a value that this workload writes", text, size);
    checksum_write(expected, text, size - CHECKSUM_DIGITS);
    if (memcmp(expected, text + size - CHECKSUM_DIGITS, CHECKSUM_DIGITS) != 0)
        return corrupt(why, why_size, "the checksum does not match", text, size);
    /* The checksum holds, so the header is one that value_write() made. */
    const char *found = text + 4, *end = memchr(found, ' ', size - 4);
    size_t found_size = end != NULL ? (size_t)(end - found) : 0;
    if (found_size != strlen(key) || memcmp(found, key, found_size) != 0) {
        char other[QUOTE_MAX + 1];
        quote(other, sizeof other, found, found_size);
        snprintf(why, why_size, "an intact value of the key \"%s\"", other);
        return OUTCOME_WRONG_VALUE;
    }
    return OUTCOME_HIT;
}
