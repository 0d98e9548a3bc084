/* SPDX-License-Identifier: MIT */
/*
 * The response reader: a machine with one small function per position in the line. Positions:
 *
 *     STATUS -> SIZE (only VA) -> GAP <-> NUMBER | OPAQUE | SKIPPED -> LF -> END
 *     STATUS -> TEXT (ERROR, CLIENT_ERROR, SERVER_ERROR)            -> LF -> END
 *
 * A bare LF ends a line as CR LF does. A CR must be followed by LF.
 */
#include "mcmeta/response.h"

#include <string.h>

static const struct {
    const char *word;
    enum mcm_status status;
} status_words[] = {
    {"HD", MCM_STATUS_HD},
    {"VA", MCM_STATUS_VA},
    {"EN", MCM_STATUS_EN},
    {"NF", MCM_STATUS_NF},
    {"NS", MCM_STATUS_NS},
    {"EX", MCM_STATUS_EX},
    {"MN", MCM_STATUS_MN},
    {"ERROR", MCM_STATUS_ERROR},
    {"CLIENT_ERROR", MCM_STATUS_CLIENT_ERROR},
    {"SERVER_ERROR", MCM_STATUS_SERVER_ERROR},
};

void mcm_reader_reset(struct mcm_reader *reader)
{
    /* The long arrays are guarded by their sizes and need no clearing. */
    reader->position = MCM_READER_AT_STATUS;
    reader->line_size = 0;
    reader->word_size = 0;
    reader->digits = 0;
    reader->number = 0;
    reader->negative = false;
    struct mcm_response *response = &reader->response;
    response->status = MCM_STATUS_COUNT;
    response->seen = 0;
    response->value_size = 0;
    response->cas = 0;
    response->item_size = 0;
    response->ttl = 0;
    response->last_access = 0;
    response->hit_before = false;
    response->client_flags = 0;
    response->opaque_size = 0;
    response->text[0] = '\0';
}

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

static enum mcm_reader_position after_line_end(char c)
{
    return c == '\r' ? MCM_READER_AT_LF : MCM_READER_AT_END;
}

/* What follows a token that `c` ended. */
static enum mcm_reader_position after_token(char c)
{
    return c == ' ' ? MCM_READER_AT_GAP : after_line_end(c);
}

static enum mcm_reader_position keep_text(struct mcm_reader *reader, char c)
{
    if (is_line_end(c))
        return after_line_end(c);
    size_t used = strlen(reader->response.text);
    if (used + 1 < MCM_TEXT_SIZE) {
        /* The text ends up in logs and terminals. */
        reader->response.text[used] = (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
        reader->response.text[used + 1] = '\0';
    }
    return MCM_READER_AT_TEXT;
}

static enum mcm_reader_position end_status(struct mcm_reader *reader, char c)
{
    enum mcm_status status = MCM_STATUS_COUNT;
    for (size_t i = 0; i < sizeof(status_words) / sizeof(status_words[0]); i++) {
        const char *word = status_words[i].word;
        if (strlen(word) == reader->word_size && memcmp(word, reader->word, reader->word_size) == 0)
            status = status_words[i].status;
    }
    if (status == MCM_STATUS_COUNT)
        return MCM_READER_AT_FAILURE;
    reader->response.status = status;
    if (status >= MCM_STATUS_ERROR) {
        memcpy(reader->response.text, reader->word, reader->word_size);
        reader->response.text[reader->word_size] = '\0';
        return keep_text(reader, c);
    }
    if (c == ':')
        return MCM_READER_AT_FAILURE;
    if (status == MCM_STATUS_VA)
        return c == ' ' ? MCM_READER_AT_SIZE : MCM_READER_AT_FAILURE;
    return after_token(c);
}

static enum mcm_reader_position read_status(struct mcm_reader *reader, char c)
{
    if (c == ' ' || c == ':' || is_line_end(c))
        return end_status(reader, c);
    if (reader->word_size == sizeof(reader->word))
        return MCM_READER_AT_FAILURE;
    reader->word[reader->word_size++] = c;
    return MCM_READER_AT_STATUS;
}

/* Adds a digit to the number; false when it is none or the number does not fit 64 bits. */
static bool add_digit(struct mcm_reader *reader, char c)
{
    if (c < '0' || c > '9')
        return false;
    reader->digits++;
    return !__builtin_mul_overflow(reader->number, UINT64_C(10), &reader->number) &&
           !__builtin_add_overflow(reader->number, (uint64_t)(c - '0'), &reader->number);
}

static enum mcm_reader_position read_size(struct mcm_reader *reader, char c)
{
    if (c != ' ' && !is_line_end(c))
        return add_digit(reader, c) ? MCM_READER_AT_SIZE : MCM_READER_AT_FAILURE;
    if (reader->digits == 0 || reader->number > MCM_RESPONSE_VALUE_MAX)
        return MCM_READER_AT_FAILURE;
    reader->response.value_size = reader->number;
    return after_token(c);
}

static enum mcm_reader_position read_gap(struct mcm_reader *reader, char c)
{
    if (c == ' ')
        return MCM_READER_AT_GAP;
    if (is_line_end(c))
        return after_line_end(c);
    if (c < 'A' || c > 'z')
        return MCM_READER_AT_FAILURE;
    reader->response.seen |= MCM_RESPONSE_SEEN(c);
    switch (c) {
    case 'c':
    case 'f':
    case 'h':
    case 'l':
    case 's':
    case 't':
        reader->letter = c;
        reader->number = 0;
        reader->digits = 0;
        reader->negative = false;
        return MCM_READER_AT_NUMBER;
    case 'O': reader->response.opaque_size = 0; return MCM_READER_AT_OPAQUE;
    default: return MCM_READER_AT_SKIPPED;
    }
}

static bool keep_number(struct mcm_reader *reader)
{
    struct mcm_response *response = &reader->response;
    uint64_t number = reader->number;
    if (reader->digits == 0 || (reader->negative && (reader->letter != 't' || number != 1)))
        return false;
    switch (reader->letter) {
    case 'c': response->cas = number; return true;
    case 's': response->item_size = number; return true;
    case 'l': response->last_access = number; return true;
    case 'h': response->hit_before = number != 0; return number <= 1;
    case 'f': response->client_flags = (uint32_t)number; return number <= UINT32_MAX;
    default: response->ttl = reader->negative ? -1 : (int64_t)number; return number <= INT64_MAX;
    }
}

static enum mcm_reader_position read_number(struct mcm_reader *reader, char c)
{
    if (c == ' ' || is_line_end(c))
        return keep_number(reader) ? after_token(c) : MCM_READER_AT_FAILURE;
    if (c == '-' && reader->digits == 0 && !reader->negative) {
        reader->negative = true;
        return MCM_READER_AT_NUMBER;
    }
    return add_digit(reader, c) ? MCM_READER_AT_NUMBER : MCM_READER_AT_FAILURE;
}

static enum mcm_reader_position read_opaque(struct mcm_reader *reader, char c)
{
    struct mcm_response *response = &reader->response;
    if (c == ' ' || is_line_end(c))
        return after_token(c);
    if (response->opaque_size == sizeof(response->opaque))
        return MCM_READER_AT_FAILURE;
    response->opaque[response->opaque_size++] = c;
    return MCM_READER_AT_OPAQUE;
}

static enum mcm_reader_position read_byte(struct mcm_reader *reader, char c)
{
    switch (reader->position) {
    case MCM_READER_AT_STATUS: return read_status(reader, c);
    case MCM_READER_AT_SIZE: return read_size(reader, c);
    case MCM_READER_AT_GAP: return read_gap(reader, c);
    case MCM_READER_AT_NUMBER: return read_number(reader, c);
    case MCM_READER_AT_OPAQUE: return read_opaque(reader, c);
    case MCM_READER_AT_SKIPPED:
        return c == ' ' || is_line_end(c) ? after_token(c) : MCM_READER_AT_SKIPPED;
    case MCM_READER_AT_TEXT: return keep_text(reader, c);
    case MCM_READER_AT_LF: return c == '\n' ? MCM_READER_AT_END : MCM_READER_AT_FAILURE;
    case MCM_READER_AT_END:
    case MCM_READER_AT_FAILURE: break;
    }
    return MCM_READER_AT_FAILURE;
}

enum mcm_reader_result mcm_reader_feed(struct mcm_reader *reader, const char *data, size_t size,
                                       size_t *consumed)
{
    size_t used = 0;
    while (used < size && reader->position < MCM_READER_AT_END) {
        reader->position = read_byte(reader, data[used++]);
        if (++reader->line_size > MCM_RESPONSE_LINE_MAX)
            reader->position = MCM_READER_AT_FAILURE;
    }
    *consumed = used;
    if (reader->position == MCM_READER_AT_END)
        return MCM_READER_DONE;
    return reader->position == MCM_READER_AT_FAILURE ? MCM_READER_BAD : MCM_READER_MORE;
}
