/* SPDX-License-Identifier: MIT */
/*
 * Reader of one meta protocol response line. It takes bytes in pieces of any size, looks at each
 * byte once, keeps what it needs in typed fields and allocates nothing. The data block that
 * follows a VA line is not its business: the size says how much there is.
 */
#ifndef MCMETA_RESPONSE_H
#define MCMETA_RESPONSE_H

#include <mcmeta/client.h>
#include <mcmeta/types.h>

enum mcm_status {
    MCM_STATUS_HD,
    MCM_STATUS_VA,
    MCM_STATUS_EN,
    MCM_STATUS_NF,
    MCM_STATUS_NS,
    MCM_STATUS_EX,
    MCM_STATUS_MN,
    MCM_STATUS_ERROR,
    MCM_STATUS_CLIENT_ERROR,
    MCM_STATUS_SERVER_ERROR,
    MCM_STATUS_COUNT
};

/* Longest response line taken; a longer one is not from a memcached. */
#define MCM_RESPONSE_LINE_MAX 2048

/* Longest opaque token kept; the server allows 31 bytes. */
#define MCM_RESPONSE_OPAQUE_MAX 32

/* Largest data block believed. */
#define MCM_RESPONSE_VALUE_MAX (UINT64_C(1) << 30)

struct mcm_response {
    uint64_t seen;         /* bit (letter - 'A') for each flag that was in the line */
    uint64_t value_size;   /* of VA */
    uint64_t cas;          /* c */
    uint64_t item_size;    /* s */
    int64_t ttl;           /* t, -1 = never expires */
    uint64_t last_access;  /* l */
    bool hit_before;       /* h */
    uint32_t client_flags; /* f */
    unsigned opaque_size;
    enum mcm_status status;
    char opaque[MCM_RESPONSE_OPAQUE_MAX];
    char text[MCM_TEXT_SIZE]; /* of error lines, the whole line, cut, with a final zero */
};

#define MCM_RESPONSE_SEEN(letter) (UINT64_C(1) << ((letter) - 'A'))

enum mcm_reader_result {
    MCM_READER_MORE, /* all bytes were consumed and the line goes on */
    MCM_READER_DONE, /* `response` is complete; the byte after the consumed ones comes next */
    MCM_READER_BAD   /* not a response line; stays so until mcm_reader_reset() */
};

/* Where in the line the next byte stands. */
enum mcm_reader_position {
    MCM_READER_AT_STATUS,
    MCM_READER_AT_SIZE,
    MCM_READER_AT_GAP,    /* before a flag */
    MCM_READER_AT_NUMBER, /* in the token of a flag that has a number */
    MCM_READER_AT_OPAQUE,
    MCM_READER_AT_SKIPPED, /* in a token that is not kept */
    MCM_READER_AT_TEXT,    /* in an error line */
    MCM_READER_AT_LF,
    MCM_READER_AT_END,
    MCM_READER_AT_FAILURE
};

struct mcm_reader {
    enum mcm_reader_position position;
    unsigned line_size; /* bytes of the line so far */
    unsigned digits;
    char letter; /* of the number being read */
    bool negative;
    uint64_t number;
    char word[16]; /* first word of the line */
    unsigned word_size;
    struct mcm_response response;
};

/* Ready for the first byte of a line. */
void mcm_reader_reset(struct mcm_reader *reader);

/* Reads up to the end of the line. *consumed is at most `size`. */
enum mcm_reader_result mcm_reader_feed(struct mcm_reader *reader, const char *data, size_t size,
                                       size_t *consumed);

/*
 * The same at once for a plain line that is in `data` as a whole, to be tried at the start of a
 * line. False: the reader is as it was, and mcm_reader_feed() must look.
 */
bool mcm_reader_take_line(struct mcm_reader *reader, const char *data, size_t size, size_t *used);

#define MCM_DIGITS_MAX 19 /* that many cannot overflow */

/* Reads a number; where it ended, or NULL when there is none or it is long. */
static inline const char *mcm_digits_take(const char *at, const char *end, uint64_t *number)
{
    const char *begin = at;
    uint64_t value = 0;
    unsigned digit;
    for (; at < end && (digit = (unsigned)*at - '0') <= 9; at++)
        value = value * 10 + digit;
    *number = value;
    return (size_t)(at - begin) - 1 < MCM_DIGITS_MAX ? at : NULL;
}

#endif
