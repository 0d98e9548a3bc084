/* SPDX-License-Identifier: MIT */
/*
 * The short way through a response line: one pass over a line that is there as a whole and holds
 * nothing unusual, which is nearly every line. Whatever is not plain is left to the reader's
 * machine, which alone decides what is an error.
 */
#include "mcmeta/response.h"

#include <string.h>

#define WORD(a, b) ((unsigned)(a) | (unsigned)(b) << 8)

static enum mcm_status status_of(const char *data)
{
    switch (WORD((unsigned char)data[0], (unsigned char)data[1])) {
    case WORD('H', 'D'): return MCM_STATUS_HD;
    case WORD('V', 'A'): return MCM_STATUS_VA;
    case WORD('E', 'N'): return MCM_STATUS_EN;
    case WORD('N', 'F'): return MCM_STATUS_NF;
    case WORD('N', 'S'): return MCM_STATUS_NS;
    case WORD('E', 'X'): return MCM_STATUS_EX;
    default: return MCM_STATUS_COUNT;
    }
}

static const char *take_opaque(const char *at, const char *end, struct mcm_response *response)
{
    const char *begin = at;
    while (at < end && *at != ' ' && *at != '\r' && *at != '\n')
        at++;
    size_t size = (size_t)(at - begin);
    if (size > sizeof(response->opaque))
        return NULL;
    memcpy(response->opaque, begin, size);
    response->opaque_size = (unsigned)size;
    return at;
}

/* Reads a flag from its letter on. */
static const char *take_flag(const char *at, const char *end, struct mcm_response *response)
{
    uint64_t number;
    char letter = *at++;
    if (letter == 'O') {
        response->seen |= MCM_RESPONSE_SEEN('O');
        return take_opaque(at, end, response);
    }
    at = mcm_digits_take(at, end, &number);
    if (at == NULL)
        return NULL;
    switch (letter) {
    case 'c': response->cas = number; break;
    case 's': response->item_size = number; break;
    case 'f':
        if (number > UINT32_MAX)
            return NULL;
        response->client_flags = (uint32_t)number;
        break;
    default: return NULL;
    }
    response->seen |= MCM_RESPONSE_SEEN(letter);
    return at;
}

/* Where the line ended, or NULL. */
static const char *take_line(const char *data, const char *end, struct mcm_response *response)
{
    const char *at = data + 2;
    response->status = status_of(data);
    if (response->status == MCM_STATUS_COUNT)
        return NULL;
    if (response->status == MCM_STATUS_VA) {
        if (*at++ != ' ')
            return NULL;
        at = mcm_digits_take(at, end, &response->value_size);
        if (at == NULL || response->value_size > MCM_RESPONSE_VALUE_MAX)
            return NULL;
    }
    while (end - at >= 2 && *at == ' ') {
        at = take_flag(at + 1, end, response);
        if (at == NULL)
            return NULL;
    }
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? at + 2 : NULL;
}

bool mcm_reader_take_line(struct mcm_reader *reader, const char *data, size_t size, size_t *used)
{
    if (size < 4)
        return false;
    size_t most = size < MCM_RESPONSE_LINE_MAX ? size : MCM_RESPONSE_LINE_MAX;
    const char *end = take_line(data, data + most, &reader->response);
    if (end == NULL) {
        mcm_reader_reset(reader);
        return false;
    }
    *used = (size_t)(end - data);
    return true;
}
