/* SPDX-License-Identifier: MIT */
/* Encoder of meta protocol requests: one pass over a const table of flags. */
#include "mcmeta/request.h"

#include <assert.h>
#include <string.h>

#include <mcmeta/client.h>

static const char command_words[MCM_COMMAND_COUNT][4] = {
    [MCM_COMMAND_GET] = "mg ",   [MCM_COMMAND_SET] = "ms ", [MCM_COMMAND_DELETE] = "md ",
    [MCM_COMMAND_ARITH] = "ma ", [MCM_COMMAND_NOOP] = "mn", [MCM_COMMAND_TEXT] = "",
};

/* How the number behind a flag's letter is found. */
enum flag_token { TOKEN_NONE, TOKEN_U32, TOKEN_U64 };

struct flag_form {
    uint32_t bit;
    char text[3];
    enum flag_token token;
    size_t offset;
};

#define FIELD(name) offsetof(struct mcm_request, name)

static const struct flag_form flag_forms[] = {
    {MCM_REQUEST_VALUE, "v", TOKEN_NONE, 0},
    {MCM_REQUEST_TTL, "T", TOKEN_U32, FIELD(ttl)},
    {MCM_REQUEST_VIVIFY, "N", TOKEN_U32, FIELD(vivify_ttl)},
    {MCM_REQUEST_COMPARE, "C", TOKEN_U64, FIELD(compare)},
    {MCM_REQUEST_CLIENT_FLAGS, "F", TOKEN_U32, FIELD(client_flags)},
    {MCM_REQUEST_DELTA, "D", TOKEN_U64, FIELD(delta)},
    {MCM_REQUEST_INITIAL, "J", TOKEN_U64, FIELD(initial)},
    {MCM_REQUEST_DECREMENT, "MD", TOKEN_NONE, 0},
    {MCM_REQUEST_ADD, "ME", TOKEN_NONE, 0},
    {MCM_REQUEST_REPLACE, "MR", TOKEN_NONE, 0},
    {MCM_REQUEST_APPEND, "MA", TOKEN_NONE, 0},
    {MCM_REQUEST_PREPEND, "MP", TOKEN_NONE, 0},
    {MCM_REQUEST_TELL_FLAGS, "f", TOKEN_NONE, 0},
    {MCM_REQUEST_TELL_CAS, "c", TOKEN_NONE, 0},
    {MCM_REQUEST_TELL_TTL, "t", TOKEN_NONE, 0},
    {MCM_REQUEST_TELL_HIT, "h", TOKEN_NONE, 0},
    {MCM_REQUEST_TELL_ACCESS, "l", TOKEN_NONE, 0},
    {MCM_REQUEST_TELL_SIZE, "s", TOKEN_NONE, 0},
    {MCM_REQUEST_TELL_KEY, "k", TOKEN_NONE, 0},
    {MCM_REQUEST_BASE64, "b", TOKEN_NONE, 0},
    {MCM_REQUEST_NO_BUMP, "u", TOKEN_NONE, 0},
    {MCM_REQUEST_NEW_CAS, "E", TOKEN_U64, FIELD(new_cas)},
    {MCM_REQUEST_RECACHE, "R", TOKEN_U32, FIELD(recache_ttl)},
    {MCM_REQUEST_INVALIDATE, "I", TOKEN_NONE, 0},
    {MCM_REQUEST_DROP_VALUE, "x", TOKEN_NONE, 0},
    {MCM_REQUEST_QUIET, "q", TOKEN_NONE, 0},
};

#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t load_eight(const char *bytes)
{
    uint64_t eight;
    memcpy(&eight, bytes, sizeof(eight));
    return eight;
}

/* Not 0 when one of eight bytes is a space, below it, or 0x7f. A subtraction borrows into the
 * highest bit of a byte that was too small; what it does to the bytes above no longer matters. */
static uint64_t bad_bytes(uint64_t eight)
{
    uint64_t others = eight ^ EIGHT(0x7f);
    uint64_t low = (eight - EIGHT(0x21)) & ~eight;
    uint64_t deleted = (others - EIGHT(0x01)) & ~others;
    return (low | deleted) & EIGHT(0x80);
}

bool mcm_key_is_valid(struct mcm_slice key)
{
    const char *byte = key.data;
    uint64_t bad = 0;
    if (key.size == 0 || key.size > MCM_KEY_SIZE_MAX)
        return false;
    if (key.size < 8) {
        for (size_t i = 0; i < key.size; i++)
            bad |= ((unsigned char)byte[i] <= 0x20) | (byte[i] == 0x7f);
        return bad == 0;
    }
    for (size_t i = 0; i + 8 < key.size; i += 8)
        bad |= bad_bytes(load_eight(byte + i));
    /* The last eight, some of them for the second time. */
    return (bad | bad_bytes(load_eight(byte + key.size - 8))) == 0;
}

static char *put_bytes(char *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return put_bytes(at, digits + first, sizeof(digits) - first);
}

static char *put_flag(char *at, const struct mcm_request *request, const struct flag_form *form)
{
    *at++ = ' ';
    at = put_bytes(at, form->text, strlen(form->text));
    const char *field = (const char *)request + form->offset;
    uint32_t u32;
    uint64_t u64;
    switch (form->token) {
    case TOKEN_NONE: break;
    case TOKEN_U32:
        memcpy(&u32, field, sizeof(u32));
        at = put_number(at, u32);
        break;
    case TOKEN_U64:
        memcpy(&u64, field, sizeof(u64));
        at = put_number(at, u64);
        break;
    }
    return at;
}

/* The rest of a classic line, and its CRLF, are sent as the data block would be. */
static size_t encode_text(const struct mcm_request *request, char *line)
{
    bool has_rest = request->value.size > 0;
    char *at = put_bytes(line, request->key.data, request->key.size);
    at = put_bytes(at, has_rest ? " " : "\r\n", has_rest ? 1 : 2);
    return (size_t)(at - line);
}

size_t mcm_request_encode(const struct mcm_request *request, const char *opaque, char *line)
{
    if (request->command == MCM_COMMAND_TEXT)
        return encode_text(request, line);
    char *at =
        put_bytes(line, command_words[request->command], strlen(command_words[request->command]));
    if (request->command != MCM_COMMAND_NOOP) {
        assert(request->key.size > 0 && request->key.size <= MCM_KEY_SIZE_MAX);
        at = put_bytes(at, request->key.data, request->key.size);
        if (request->command == MCM_COMMAND_SET) {
            *at++ = ' ';
            at = put_number(at, request->value.size);
        }
        for (size_t i = 0; i < sizeof(flag_forms) / sizeof(flag_forms[0]); i++) {
            if (request->flags & flag_forms[i].bit)
                at = put_flag(at, request, &flag_forms[i]);
        }
        if (request->tokens.size > 0) {
            *at++ = ' ';
            at = put_bytes(at, request->tokens.data, request->tokens.size);
        }
        if (opaque != NULL) {
            at = put_bytes(at, " O", 2);
            at = put_bytes(at, opaque, MCM_OPAQUE_SIZE);
        }
    }
    at = put_bytes(at, "\r\n", 2);
    assert(at - line <= MCM_REQUEST_LINE_MAX);
    return (size_t)(at - line);
}

void mcm_opaque_format(uint32_t sequence, char token[MCM_OPAQUE_SIZE])
{
    static const char alphabet[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    for (int i = MCM_OPAQUE_SIZE - 1; i >= 0; i--) {
        token[i] = alphabet[sequence & 63];
        sequence >>= 6;
    }
}

struct mcm_request mcm_request_get(struct mcm_slice key)
{
    return (struct mcm_request){
        .command = MCM_COMMAND_GET,
        .key = key,
        .flags = MCM_REQUEST_VALUE | MCM_REQUEST_TELL_FLAGS | MCM_REQUEST_TELL_CAS,
    };
}

struct mcm_request mcm_request_set(struct mcm_slice key, struct mcm_slice value, uint32_t ttl)
{
    return (struct mcm_request){
        .command = MCM_COMMAND_SET,
        .key = key,
        .value = value,
        .flags = MCM_REQUEST_TELL_CAS | (ttl > 0 ? MCM_REQUEST_TTL : 0),
        .ttl = ttl,
    };
}

struct mcm_request mcm_request_increment(struct mcm_slice key, const struct mcm_increment *change)
{
    struct mcm_request request = {
        .command = MCM_COMMAND_ARITH,
        .key = key,
        .flags = MCM_REQUEST_VALUE | MCM_REQUEST_DELTA | MCM_REQUEST_TELL_CAS,
        .delta = change->delta,
        .initial = change->initial,
        .vivify_ttl = change->ttl,
    };
    if (change->decrement)
        request.flags |= MCM_REQUEST_DECREMENT;
    if (change->create)
        request.flags |= MCM_REQUEST_VIVIFY | MCM_REQUEST_INITIAL;
    return request;
}
