/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <stdint.h>

static const char letters[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
    'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
    'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
    'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/',
};

void base64_encode(char *out, const void *data, size_t size)
{
    const unsigned char *in = data;
    for (; size >= 3; size -= 3, in += 3, out += 4) {
        uint32_t bits = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        out[0] = letters[bits >> 18];
        out[1] = letters[bits >> 12 & 63];
        out[2] = letters[bits >> 6 & 63];
        out[3] = letters[bits & 63];
    }
    if (size == 0)
        return;
    uint32_t bits = (uint32_t)in[0] << 16 | (size > 1 ? (uint32_t)in[1] << 8 : 0);
    out[0] = letters[bits >> 18];
    out[1] = letters[bits >> 12 & 63];
    out[2] = size > 1 ? letters[bits >> 6 & 63] : '=';
    out[3] = '=';
}

/* The six bits of a letter, 64 for any other character. */
static uint32_t bits_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0' + 52);
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

size_t base64_span(const char *text)
{
    size_t span = 0;
    while (bits_of(text[span]) < 64)
        span++;
    return span;
}

bool base64_decode(void *out, size_t *size_out, const char *text, size_t length)
{
    unsigned char *p = out;
    *size_out = 0;
    if (length % 4 != 0)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < length; i += 4) {
        size_t count = i + 4 == length ? 4 - padding : 4; /* letters of this group */
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            uint32_t six = k < count ? bits_of(text[i + k]) : 0;
            if (six > 63)
                return false;
            bits = bits << 6 | six;
        }
        for (size_t k = 0; k + 1 < count; k++)
            *p++ = (unsigned char)(bits >> (16 - 8 * k));
    }
    *size_out = (size_t)(p - (unsigned char *)out);
    return true;
}
