/* SPDX-License-Identifier: MIT */
/*
 * All commands on one key, beyond the plain calls of client.h, and those on one server.
 *
 * What is said there holds here: calls block until the outcome is known or the deadline (absolute,
 * nanoseconds on CLOCK_MONOTONIC) has passed, any thread may make them, `result` is filled always
 * and its outcome is returned. A miss is never an error and an error never a miss. Rare wishes go
 * into an options struct that starts from its ..._DEFAULT; NULL means the default.
 *
 *     struct mcm_store_options options = MCM_STORE_OPTIONS_DEFAULT;
 *     options.mode = MCM_STORE_APPEND;
 *     options.vivify = true;
 *     options.vivify_ttl = 60;
 *     mcm_store(client, MCM_KEY("log"), MCM_KEY("line\n"), &options, mcm_after(span), &result);
 *
 * Calls that need a feature which some servers lack ask the server's version once and end with
 * MCM_E_UNSUPPORTED, before anything else is sent, when it is too old.
 */
#ifndef MCMETA_COMMANDS_H
#define MCMETA_COMMANDS_H

#include <mcmeta/client.h>
#include <mcmeta/ttl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a get asks for, bits of mcm_get_options.want. */
enum mcm_want {
    MCM_WANT_VALUE = 1 << 0,        /* result->value */
    MCM_WANT_CLIENT_FLAGS = 1 << 1, /* result->client_flags */
    MCM_WANT_CAS = 1 << 2,          /* result->cas */
    MCM_WANT_TTL = 1 << 3,          /* result->ttl_s, after a touch in the same call */
    MCM_WANT_SIZE = 1 << 4,         /* result->value_size, also without the value */
    MCM_WANT_HIT = 1 << 5,          /* result->hit_before */
    MCM_WANT_LAST_ACCESS = 1 << 6,  /* result->last_access_s */
    MCM_WANT_ALL = (1 << 7) - 1
};

struct mcm_get_options {
    size_t size;
    unsigned want;
    bool touch; /* give the item the new TTL `ttl` */
    uint32_t ttl;
    bool no_bump; /* leave the item's place in the LRU and its access marks as they are */
    bool vivify;  /* on a miss make an empty item that lives `vivify_ttl`: result->won */
    uint32_t vivify_ttl;
    bool recache; /* one caller wins (result->won) when fewer than `recache_ttl` seconds are left */
    uint32_t recache_ttl;
    /* No value when the item's CAS is `unless_cas`: MCM_OK with size 0 and result->cas, which is
     * asked for too. Needs MCM_CAN_GET_UNLESS. */
    bool unless;
    uint64_t unless_cas;
};

#define MCM_GET_OPTIONS_DEFAULT                                        \
    {                                                                  \
        .size = sizeof(struct mcm_get_options),                        \
        .want = MCM_WANT_VALUE | MCM_WANT_CLIENT_FLAGS | MCM_WANT_CAS, \
    }

/*
 * The item of `key`, as far as it is wanted. The value goes into `buffer`. MCM_OK, MCM_MISS, or
 * MCM_E_BUFFER with result->value_size. An item made by `vivify` or in the making by somebody else
 * (result->taken with size 0) is MCM_OK with an empty value: see lease.h for the whole dance.
 */
MCM_API enum mcm_outcome mcm_get_with(struct mcm_client *client, struct mcm_slice key, void *buffer,
                                      size_t buffer_size, const struct mcm_get_options *options,
                                      mcm_ns deadline, struct mcm_result *result);

/* Gives the item a new TTL and fetches it. MCM_OK, MCM_MISS. */
MCM_API enum mcm_outcome mcm_get_and_touch(struct mcm_client *client, struct mcm_slice key,
                                           uint32_t ttl, void *buffer, size_t buffer_size,
                                           mcm_ns deadline, struct mcm_result *result);

/* Gives the item a new TTL. MCM_OK, MCM_MISS. */
MCM_API enum mcm_outcome mcm_touch(struct mcm_client *client, struct mcm_slice key, uint32_t ttl,
                                   mcm_ns deadline, struct mcm_result *result);

enum mcm_store_mode {
    MCM_STORE_SET,     /* whatever is there */
    MCM_STORE_ADD,     /* only when there is no item; MCM_NOT_STORED else */
    MCM_STORE_REPLACE, /* only over an item; MCM_NOT_STORED without one */
    MCM_STORE_APPEND,  /* to the value of an item; MCM_NOT_STORED without one */
    MCM_STORE_PREPEND,
    MCM_STORE_MODE_COUNT
};

struct mcm_store_options {
    size_t size;
    enum mcm_store_mode mode;
    uint32_t ttl; /* see ttl.h; an append keeps the TTL of the item */
    uint32_t client_flags;
    bool compare; /* only when the item's CAS is `cas`; MCM_EXISTS or MCM_NOT_FOUND else */
    uint64_t cas;
    bool vivify; /* append or prepend to nothing makes an item: MCM_CAN_APPEND_VIVIFY */
    uint32_t vivify_ttl;
    bool invalidate;  /* with compare: an older `cas` stores too, but the item becomes stale */
    bool set_new_cas; /* `new_cas` becomes the item's CAS: MCM_CAN_NEW_CAS */
    uint64_t new_cas;
};

#define MCM_STORE_OPTIONS_DEFAULT                                        \
    {                                                                    \
        .size = sizeof(struct mcm_store_options), .mode = MCM_STORE_SET, \
    }

/* Stores `value`, which is not copied. result->cas is the item's new CAS. */
MCM_API enum mcm_outcome mcm_store(struct mcm_client *client, struct mcm_slice key,
                                   struct mcm_slice value, const struct mcm_store_options *options,
                                   mcm_ns deadline, struct mcm_result *result);

/* The modes above without further options. */
MCM_API enum mcm_outcome mcm_add(struct mcm_client *client, struct mcm_slice key,
                                 struct mcm_slice value, uint32_t ttl, mcm_ns deadline,
                                 struct mcm_result *result);
MCM_API enum mcm_outcome mcm_replace(struct mcm_client *client, struct mcm_slice key,
                                     struct mcm_slice value, uint32_t ttl, mcm_ns deadline,
                                     struct mcm_result *result);
MCM_API enum mcm_outcome mcm_append(struct mcm_client *client, struct mcm_slice key,
                                    struct mcm_slice value, mcm_ns deadline,
                                    struct mcm_result *result);
MCM_API enum mcm_outcome mcm_prepend(struct mcm_client *client, struct mcm_slice key,
                                     struct mcm_slice value, mcm_ns deadline,
                                     struct mcm_result *result);

/* Stores when the item is as it was at the get that told `cas`. MCM_OK, MCM_EXISTS when somebody
 * changed it, MCM_NOT_FOUND when it is gone. */
MCM_API enum mcm_outcome mcm_cas(struct mcm_client *client, struct mcm_slice key,
                                 struct mcm_slice value, uint64_t cas, uint32_t ttl,
                                 mcm_ns deadline, struct mcm_result *result);

struct mcm_delete_options {
    size_t size;
    bool compare; /* only when the item's CAS is `cas`; MCM_EXISTS else */
    uint64_t cas;
    bool invalidate; /* keep the item for `ttl` but mark it stale */
    bool drop_value; /* keep an empty item for `ttl`, a tombstone: MCM_CAN_DROP_VALUE */
    uint32_t ttl;    /* of what is kept */
};

#define MCM_DELETE_OPTIONS_DEFAULT                \
    {                                             \
        .size = sizeof(struct mcm_delete_options) \
    }

/* MCM_OK, MCM_NOT_FOUND, MCM_EXISTS. */
MCM_API enum mcm_outcome mcm_delete_with(struct mcm_client *client, struct mcm_slice key,
                                         const struct mcm_delete_options *options, mcm_ns deadline,
                                         struct mcm_result *result);

/*
 * The number of a counter: result->number. A value that mcm_get() fetches may have spaces at its
 * end after a decrement; here they are gone. MCM_OK, MCM_NOT_FOUND, MCM_E_CLIENT.
 */
MCM_API enum mcm_outcome mcm_counter(struct mcm_client *client, struct mcm_slice key,
                                     mcm_ns deadline, struct mcm_result *result);

/* A command of the meta protocol with the caller's own flags. */
enum mcm_raw_command { MCM_RAW_GET, MCM_RAW_SET, MCM_RAW_DELETE, MCM_RAW_ARITHMETIC };

struct mcm_raw_request {
    enum mcm_raw_command command;
    struct mcm_slice key;
    struct mcm_slice value; /* of MCM_RAW_SET */
    /* Flags as they go on the wire, one space between, for example "v t T60"; "" for none. At most
     * 16 and 200 bytes. O and q belong to the client: see `verify` and batch.h. */
    const char *flags;
};

/*
 * Sends a request as it is, in the order it is given. MCM_E_ARG when a token has a byte outside
 * 0x21-0x7e or does not start with a letter. A request that the server calls wrong (MCM_E_CLIENT)
 * costs the connection, for nobody can tell what the server made of it.
 */
MCM_API enum mcm_outcome mcm_raw(struct mcm_client *client, const struct mcm_raw_request *request,
                                 void *buffer, size_t buffer_size, mcm_ns deadline,
                                 struct mcm_result *result);

/* A pair of words from a server; both end with a zero and are valid during the call only. Must not
 * use the client. */
typedef void (*mcm_pair_fn)(void *arg, const char *name, const char *value);

/* What the server knows about an item, for debugging: exp, la, cas, fetch, cls, size. MCM_OK,
 * MCM_MISS. Not a test of existence: some servers always miss for keys sent as base64. */
MCM_API enum mcm_outcome mcm_debug(struct mcm_client *client, struct mcm_slice key,
                                   mcm_pair_fn each, void *arg, mcm_ns deadline,
                                   struct mcm_result *result);

/* Calls on the server with `index` in the configured list; MCM_E_ARG when there is none. */

/* Calls `each` for every statistic of `group`: NULL for the general ones, "items", "slabs",
 * "settings", "sizes", "conns". MCM_E_ARG for a group with anything but letters, digits, '_'
 * and single spaces. */
MCM_API enum mcm_outcome mcm_server_info(struct mcm_client *client, unsigned index,
                                         const char *group, mcm_pair_fn each, void *arg,
                                         mcm_ns deadline, struct mcm_result *result);

/* What a server's version can do. */
enum mcm_capability {
    MCM_CAN_NEW_CAS = 1 << 0,
    MCM_CAN_DROP_VALUE = 1 << 1,
    MCM_CAN_GET_UNLESS = 1 << 2,
    MCM_CAN_APPEND_VIVIFY = 1 << 3
};

/* The bits for a version text like "1.6.18"; 0 when it is not understood. */
MCM_API unsigned mcm_version_capabilities(const char *version);

#define MCM_VERSION_SIZE 32

/* Asks for the version: `version` (MCM_VERSION_SIZE bytes, or NULL) receives the text. */
MCM_API enum mcm_outcome mcm_server_version(struct mcm_client *client, unsigned index,
                                            char *version, mcm_ns deadline,
                                            struct mcm_result *result);

/* Makes the server forget everything, `delay_s` seconds from now. MCM_E_ARG unless the client was
 * configured with allow_flush. */
MCM_API enum mcm_outcome mcm_flush(struct mcm_client *client, unsigned index, uint32_t delay_s,
                                   mcm_ns deadline, struct mcm_result *result);

#ifdef __cplusplus
}
#endif

#endif
