/* SPDX-License-Identifier: MIT */
/* What may go into a request line: keys by each rule, and the tokens of raw requests. */
#include <string.h>

#include "mcmeta/request.h"

/* Space, CR and LF would split the line and a tab may; a NUL makes some servers execute the data
 * block. The rest is accepted by all of them. */
static bool is_lenient_byte(unsigned char byte)
{
    return byte != ' ' && byte != '\t' && byte != '\r' && byte != '\n' && byte != '\0';
}

static bool is_lenient_key(struct mcm_slice key)
{
    const unsigned char *byte = key.data;
    for (size_t i = 0; i < key.size; i++) {
        if (!is_lenient_byte(byte[i]))
            return false;
    }
    return key.size > 0 && key.size <= MCM_KEY_SIZE_MAX;
}

static bool is_ascii(struct mcm_slice text)
{
    const unsigned char *byte = text.data;
    unsigned high = 0;
    for (size_t i = 0; i < text.size; i++)
        high |= byte[i];
    return high < 0x80;
}

/* Standard alphabet, padded: servers refuse anything else. Returns the size. */
static size_t encode_base64(struct mcm_slice raw, char *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *byte = raw.data;
    char *at = out;
    for (size_t i = 0; i < raw.size; i += 3) {
        size_t left = raw.size - i;
        uint32_t bits = (uint32_t)byte[i] << 16;
        bits |= left > 1 ? (uint32_t)byte[i + 1] << 8 : 0;
        bits |= left > 2 ? byte[i + 2] : 0;
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    return (size_t)(at - out);
}

bool mcm_key_prepare(enum mcm_key_rule rule, struct mcm_slice key, struct mcm_wire_key *wire)
{
    wire->key = key;
    wire->base64 = false;
    switch (rule) {
    case MCM_KEYS_DEFAULT: return mcm_key_is_valid(key);
    case MCM_KEYS_STRICT_ASCII: return mcm_key_is_valid(key) && is_ascii(key);
    case MCM_KEYS_LENIENT: return is_lenient_key(key);
    case MCM_KEYS_AUTO_BASE64: break;
    }
    if (mcm_key_is_valid(key))
        return true;
    if (key.size == 0 || key.size > MCM_KEY_BASE64_MAX)
        return false;
    wire->base64 = true;
    wire->key = (struct mcm_slice){wire->encoded, encode_base64(key, wire->encoded)};
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool mcm_tokens_are_valid(struct mcm_slice tokens)
{
    const char *byte = tokens.data;
    unsigned count = 0;
    bool starts = true;
    if (tokens.size > MCM_TOKENS_SIZE_MAX)
        return false;
    for (size_t i = 0; i < tokens.size; i++) {
        if (starts && !is_letter(byte[i]))
            return false;
        if (byte[i] != ' ' && (byte[i] < 0x21 || byte[i] > 0x7e))
            return false;
        count += starts;
        starts = byte[i] == ' ';
    }
    return count <= MCM_TOKENS_MAX && (tokens.size == 0 || !starts);
}

bool mcm_tokens_have(struct mcm_slice tokens, char letter)
{
    const char *byte = tokens.data;
    for (size_t i = 0; i < tokens.size; i++) {
        if (byte[i] == letter && (i == 0 || byte[i - 1] == ' '))
            return true;
    }
    return false;
}
