/* SPDX-License-Identifier: MIT */
/*
 * Encoder of meta protocol requests. Nothing that a caller hands in reaches the wire unchecked:
 * keys are validated before, numbers are formatted here, letters come from const tables.
 */
#ifndef MCMETA_REQUEST_H
#define MCMETA_REQUEST_H

#include <mcmeta/client.h>

enum mcm_command {
    MCM_COMMAND_GET,    /* mg */
    MCM_COMMAND_SET,    /* ms */
    MCM_COMMAND_DELETE, /* md */
    MCM_COMMAND_ARITH,  /* ma */
    MCM_COMMAND_NOOP,   /* mn */
    MCM_COMMAND_TEXT,   /* a classic line: `key` is its word, `value` the rest of it */
    MCM_COMMAND_COUNT
};

/* Flags of a request, bits of mcm_request.flags, in the order in which they are sent. */
enum mcm_request_flag {
    MCM_REQUEST_VALUE = 1 << 0,        /* v */
    MCM_REQUEST_TTL = 1 << 1,          /* T, before t: the TTL told is the new one */
    MCM_REQUEST_VIVIFY = 1 << 2,       /* N, with `vivify_ttl` */
    MCM_REQUEST_COMPARE = 1 << 3,      /* C */
    MCM_REQUEST_CLIENT_FLAGS = 1 << 4, /* F */
    MCM_REQUEST_DELTA = 1 << 5,        /* D */
    MCM_REQUEST_INITIAL = 1 << 6,      /* J */
    MCM_REQUEST_DECREMENT = 1 << 7,    /* MD */
    MCM_REQUEST_ADD = 1 << 8,          /* ME */
    MCM_REQUEST_REPLACE = 1 << 9,      /* MR */
    MCM_REQUEST_APPEND = 1 << 10,      /* MA */
    MCM_REQUEST_PREPEND = 1 << 11,     /* MP */
    MCM_REQUEST_TELL_FLAGS = 1 << 12,  /* f */
    MCM_REQUEST_TELL_CAS = 1 << 13,    /* c */
    MCM_REQUEST_TELL_TTL = 1 << 14,    /* t */
    MCM_REQUEST_BASE64 = 1 << 15,      /* b: the key was encoded by mcm_key_prepare() */
    MCM_REQUEST_TELL_HIT = 1 << 16,    /* h */
    MCM_REQUEST_TELL_ACCESS = 1 << 17, /* l */
    MCM_REQUEST_TELL_SIZE = 1 << 18,   /* s */
    MCM_REQUEST_TELL_KEY = 1 << 19,    /* k */
    MCM_REQUEST_NO_BUMP = 1 << 20,     /* u */
    MCM_REQUEST_NEW_CAS = 1 << 21,     /* E */
    MCM_REQUEST_RECACHE = 1 << 22,     /* R */
    MCM_REQUEST_INVALIDATE = 1 << 23,  /* I */
    MCM_REQUEST_DROP_VALUE = 1 << 24,  /* x */
    MCM_REQUEST_QUIET = 1 << 25        /* q: see mcm_op.quiet */
};

struct mcm_request {
    enum mcm_command command;
    uint32_t flags;
    struct mcm_slice key;   /* valid by mcm_key_is_valid(); unused by mn */
    struct mcm_slice value; /* of ms; only its size goes into the line */
    uint32_t ttl;
    uint32_t vivify_ttl;
    uint32_t client_flags;
    uint64_t compare;
    uint64_t delta;
    uint64_t initial;
    uint64_t new_cas;
    uint32_t recache_ttl;
    bool raw;                /* the caller's own flags: nothing is known about the answer */
    struct mcm_text *text;   /* of MCM_COMMAND_TEXT: reader of the answer */
    struct mcm_slice tokens; /* raw tokens, valid by mcm_tokens_are_valid(); "" without */
};

/* Every request line fits: key, six numbers with letters, opaque and the rest. */
#define MCM_REQUEST_LINE_MAX 512

/* Opaque tokens have a fixed size, 30 bits in an alphabet of 64. */
#define MCM_OPAQUE_SIZE 5

struct mcm_increment;

/* The requests behind the calls of the same names. */
struct mcm_request mcm_request_get(struct mcm_slice key);
struct mcm_request mcm_request_set(struct mcm_slice key, struct mcm_slice value, uint32_t ttl);
struct mcm_request mcm_request_increment(struct mcm_slice key, const struct mcm_increment *change);

/* 1 to 250 bytes, none of them a control character, space or DEL; bytes above 0x7f are allowed. */
bool mcm_key_is_valid(struct mcm_slice key);

/* Longest key that base64 still brings under MCM_KEY_SIZE_MAX. */
#define MCM_KEY_BASE64_MAX 186

/* A key as it goes on the wire. */
struct mcm_wire_key {
    struct mcm_slice key; /* the caller's bytes, or `encoded` */
    bool base64;
    char encoded[MCM_KEY_SIZE_MAX];
};

/* Checks `key` by the rule, and encodes it where the rule says so; false when it is refused. */
bool mcm_key_prepare(enum mcm_key_rule rule, struct mcm_slice key, struct mcm_wire_key *wire);

#define MCM_TOKENS_MAX 16       /* flags in a raw request */
#define MCM_TOKENS_SIZE_MAX 200 /* bytes of them with their spaces */

/* Tokens of 0x21 to 0x7e, each with a letter first, one space between. */
bool mcm_tokens_are_valid(struct mcm_slice tokens);

/* Whether one of the tokens begins with `letter`. */
bool mcm_tokens_have(struct mcm_slice tokens, char letter);

/*
 * Writes the request line with its CRLF to `line`, which has MCM_REQUEST_LINE_MAX bytes, and
 * returns its size. The data block of ms (value, CRLF) is the caller's to send. `opaque` is
 * MCM_OPAQUE_SIZE bytes from mcm_opaque_format(), or NULL.
 */
size_t mcm_request_encode(const struct mcm_request *request, const char *opaque, char *line);

/* The low 30 bits of `sequence` as a token, without terminator. */
void mcm_opaque_format(uint32_t sequence, char token[MCM_OPAQUE_SIZE]);

#endif
