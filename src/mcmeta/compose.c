/* SPDX-License-Identifier: MIT */
#include "mcmeta/compose.h"

#include <string.h>

static bool is_ttl(uint32_t ttl)
{
    return ttl <= INT32_MAX;
}

/* Which bit asks for what. */
static const struct {
    unsigned want;
    uint32_t flag;
} want_flags[] = {
    {MCM_WANT_VALUE, MCM_REQUEST_VALUE},
    {MCM_WANT_CLIENT_FLAGS, MCM_REQUEST_TELL_FLAGS},
    {MCM_WANT_CAS, MCM_REQUEST_TELL_CAS},
    {MCM_WANT_TTL, MCM_REQUEST_TELL_TTL},
    {MCM_WANT_SIZE, MCM_REQUEST_TELL_SIZE},
    {MCM_WANT_HIT, MCM_REQUEST_TELL_HIT},
    {MCM_WANT_LAST_ACCESS, MCM_REQUEST_TELL_ACCESS},
};

static uint32_t flags_of_get(const struct mcm_get_options *options)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < sizeof(want_flags) / sizeof(want_flags[0]); i++) {
        if (options->want & want_flags[i].want)
            flags |= want_flags[i].flag;
    }
    flags |= options->touch ? MCM_REQUEST_TTL : 0;
    flags |= options->no_bump ? MCM_REQUEST_NO_BUMP : 0;
    flags |= options->vivify ? MCM_REQUEST_VIVIFY : 0;
    flags |= options->recache ? MCM_REQUEST_RECACHE : 0;
    flags |= options->unless ? MCM_REQUEST_COMPARE | MCM_REQUEST_TELL_CAS : 0;
    return flags;
}

enum mcm_outcome mcm_compose_get(struct mcm_slice key, const struct mcm_get_options *options,
                                 struct mcm_request *request)
{
    static const struct mcm_get_options defaults = MCM_GET_OPTIONS_DEFAULT;
    if (options == NULL)
        options = &defaults;
    if (options->size != sizeof(*options) || (options->want & ~(unsigned)MCM_WANT_ALL) != 0 ||
        !is_ttl(options->ttl) || !is_ttl(options->vivify_ttl) || !is_ttl(options->recache_ttl))
        return MCM_E_ARG;
    *request = (struct mcm_request){
        .command = MCM_COMMAND_GET,
        .key = key,
        .flags = flags_of_get(options),
        .ttl = options->ttl,
        .vivify_ttl = options->vivify_ttl,
        .recache_ttl = options->recache_ttl,
        .compare = options->unless_cas,
    };
    return MCM_OK;
}

static uint32_t flags_of_store(const struct mcm_store_options *options)
{
    static const uint32_t modes[MCM_STORE_MODE_COUNT] = {
        [MCM_STORE_ADD] = MCM_REQUEST_ADD,
        [MCM_STORE_REPLACE] = MCM_REQUEST_REPLACE,
        [MCM_STORE_APPEND] = MCM_REQUEST_APPEND,
        [MCM_STORE_PREPEND] = MCM_REQUEST_PREPEND,
    };
    uint32_t flags = MCM_REQUEST_TELL_CAS | modes[options->mode];
    flags |= options->ttl > 0 ? MCM_REQUEST_TTL : 0;
    flags |= options->client_flags > 0 ? MCM_REQUEST_CLIENT_FLAGS : 0;
    flags |= options->compare ? MCM_REQUEST_COMPARE : 0;
    flags |= options->vivify ? MCM_REQUEST_VIVIFY : 0;
    flags |= options->invalidate ? MCM_REQUEST_INVALIDATE : 0;
    flags |= options->set_new_cas ? MCM_REQUEST_NEW_CAS : 0;
    return flags;
}

static bool is_store(const struct mcm_store_options *options)
{
    bool joins = options->mode == MCM_STORE_APPEND || options->mode == MCM_STORE_PREPEND;
    return options->size == sizeof(*options) && (unsigned)options->mode < MCM_STORE_MODE_COUNT &&
           is_ttl(options->ttl) && is_ttl(options->vivify_ttl) && (joins || !options->vivify) &&
           (options->compare || !options->invalidate);
}

enum mcm_outcome mcm_compose_store(struct mcm_slice key, struct mcm_slice value,
                                   const struct mcm_store_options *options,
                                   struct mcm_request *request)
{
    static const struct mcm_store_options defaults = MCM_STORE_OPTIONS_DEFAULT;
    if (options == NULL)
        options = &defaults;
    if (!is_store(options))
        return MCM_E_ARG;
    *request = (struct mcm_request){
        .command = MCM_COMMAND_SET,
        .key = key,
        .value = value,
        .flags = flags_of_store(options),
        .ttl = options->ttl,
        .client_flags = options->client_flags,
        .compare = options->cas,
        .vivify_ttl = options->vivify_ttl,
        .new_cas = options->new_cas,
    };
    return MCM_OK;
}

enum mcm_outcome mcm_compose_delete(struct mcm_slice key, const struct mcm_delete_options *options,
                                    struct mcm_request *request)
{
    static const struct mcm_delete_options defaults = MCM_DELETE_OPTIONS_DEFAULT;
    if (options == NULL)
        options = &defaults;
    bool keeps = options->invalidate || options->drop_value;
    if (options->size != sizeof(*options) || !is_ttl(options->ttl))
        return MCM_E_ARG;
    *request = (struct mcm_request){
        .command = MCM_COMMAND_DELETE, .key = key, .ttl = options->ttl, .compare = options->cas};
    request->flags |= options->compare ? MCM_REQUEST_COMPARE : 0;
    request->flags |= options->invalidate ? MCM_REQUEST_INVALIDATE : 0;
    request->flags |= options->drop_value ? MCM_REQUEST_DROP_VALUE : 0;
    /* Without T the item that is kept would never expire. */
    request->flags |= keeps ? MCM_REQUEST_TTL : 0;
    return MCM_OK;
}

static enum mcm_command raw_command(enum mcm_raw_command command)
{
    switch (command) {
    case MCM_RAW_GET: return MCM_COMMAND_GET;
    case MCM_RAW_SET: return MCM_COMMAND_SET;
    case MCM_RAW_DELETE: return MCM_COMMAND_DELETE;
    case MCM_RAW_ARITHMETIC: return MCM_COMMAND_ARITH;
    }
    return MCM_COMMAND_COUNT;
}

enum mcm_outcome mcm_compose_raw(const struct mcm_raw_request *raw, struct mcm_request *request)
{
    struct mcm_slice tokens = mcm_slice_of_string(raw->flags != NULL ? raw->flags : "");
    enum mcm_command command = raw_command(raw->command);
    if (command == MCM_COMMAND_COUNT || !mcm_tokens_are_valid(tokens) ||
        mcm_tokens_have(tokens, 'O') || mcm_tokens_have(tokens, 'q') ||
        (command != MCM_COMMAND_SET && raw->value.size > 0))
        return MCM_E_ARG;
    *request = (struct mcm_request){
        .command = command, .key = raw->key, .value = raw->value, .raw = true, .tokens = tokens};
    return MCM_OK;
}

unsigned mcm_needed_capabilities(const struct mcm_request *request)
{
    unsigned needed = 0;
    if (request->flags & MCM_REQUEST_NEW_CAS)
        needed |= MCM_CAN_NEW_CAS;
    if (request->flags & MCM_REQUEST_DROP_VALUE)
        needed |= MCM_CAN_DROP_VALUE;
    if (request->command == MCM_COMMAND_GET && request->flags & MCM_REQUEST_COMPARE)
        needed |= MCM_CAN_GET_UNLESS;
    if (request->command == MCM_COMMAND_SET && request->flags & MCM_REQUEST_VIVIFY)
        needed |= MCM_CAN_APPEND_VIVIFY;
    return needed;
}
