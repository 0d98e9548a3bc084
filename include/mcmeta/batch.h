/* SPDX-License-Identifier: MIT */
/*
 * Many keys in one call.
 *
 *     struct mcm_arena *arena = mcm_arena_new();
 *     struct mcm_batch_item items[3] = {{.key = MCM_KEY("a")}, {.key = MCM_KEY("b")}, ...};
 *     struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
 *     options.arena = arena;
 *     options.deadline = mcm_after(250000000);
 *     struct mcm_batch_result result;
 *     mcm_multi_get(client, items, 3, &options, &result);
 *     // every items[i].outcome is set; of those with MCM_OK, items[i].value too
 *     mcm_arena_free(arena);
 *
 * The keys are grouped by server and each group is pipelined over one connection; all servers work
 * at the same time. Requests are written while answers are read, with a bounded number in flight,
 * so no number of keys can make both sides wait for each other. Every item gets an outcome of its
 * own: when one server fails, the items of the others are as they are. Keys may repeat.
 *
 * When nothing but values and client flags is wanted, keys travel in classic get lines of less than
 * 2 KiB, which costs the server half the work; each value comes with its key, which is checked.
 *
 * For the circuit breaker of a server the group is one request.
 *
 * When a server is down, `on_failure` of the client applies to each item as it does to a call on
 * one key: the items end as misses or with the error, or go out again, grouped by the servers that
 * stand in for them, with item->home_outcome saying why. One server that refuses keeps nobody
 * else's items waiting.
 */
#ifndef MCMETA_BATCH_H
#define MCMETA_BATCH_H

#include <mcmeta/commands.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Memory for fetched values. Not thread-safe. Values stay until it is reset or freed; memory is
 * kept over a reset, so that in the long run nothing is allocated. */
struct mcm_arena;
MCM_API struct mcm_arena *mcm_arena_new(void); /* NULL when memory is short */
MCM_API void mcm_arena_reset(struct mcm_arena *arena);
MCM_API void mcm_arena_free(struct mcm_arena *arena);

/* `size` bytes, aligned for any type, or NULL. */
MCM_API void *mcm_arena_take(struct mcm_arena *arena, size_t size);

struct mcm_batch_item {
    /* Filled by the caller. */
    struct mcm_slice key;
    struct mcm_slice value; /* to store; not copied. A get sets it to what was fetched */
    void *buffer;           /* of a get, or NULL: the arena of the options */
    size_t buffer_size;
    uint32_t ttl;          /* of a store */
    uint32_t client_flags; /* of a store; a get sets it */
    uint64_t cas;          /* not 0: store or delete only when the CAS matches. A get sets it */

    /* Filled by the call, always. */
    enum mcm_outcome outcome;
    unsigned server;   /* index of the server the key belongs to, or that stood in for it */
    size_t value_size; /* of the fetched value, also when it did not fit */
    bool sent;         /* some byte of the request left: a write may have happened */
    /* How the key's own server failed when on_failure took over, or what errors_as_misses hid; else
     * MCM_OK. */
    enum mcm_outcome home_outcome;
};

/* Item `index` has its outcome. Called in the thread of the batch, with no lock held. */
typedef void (*mcm_batch_item_fn)(void *arg, struct mcm_batch_item *items, size_t index);

struct mcm_batch_options {
    size_t size;
    mcm_ns deadline;         /* of the whole batch, absolute; 0 = 250 ms + 1 ms for 100 keys */
    mcm_ns progress_timeout; /* a server that is silent for so long has failed; 0 = deadline only */
    unsigned in_flight_max;  /* requests sent and not answered, per server; 1 to 4096 */
    bool want_cas;           /* of a get */
    bool plain;              /* no classic get lines */
    bool quiet;     /* servers keep quiet about misses and about stores and deletes that went well.
                       An error line in such a run concerns nobody by name, so all items of the
                       run that got no answer end with it. */
    bool fail_fast; /* when a server fails, items that were not sent end with MCM_E_CANCELLED */
    bool dedupe;    /* equal keys of a get (without buffers of their own) or of a delete are sent
                       once and share the answer; stores are always all sent, in order */
    bool errors_as_misses; /* items of a get whose server failed in any way end with MCM_MISS; how
                              is in home_outcome, how many in result->hidden */
    unsigned connections_per_server; /* a group of many keys may be split over so many, as far as
                                        they are free or may be made; 0 = 1; at most 16 */
    enum mcm_store_mode mode;        /* of mcm_multi_set() */
    struct mcm_arena *arena;         /* needed for items of a get without a buffer */
    mcm_batch_item_fn on_item;       /* or NULL */
    void *on_item_arg;
};

#define MCM_BATCH_OPTIONS_DEFAULT                                       \
    {                                                                   \
        .size = sizeof(struct mcm_batch_options), .in_flight_max = 512, \
    }

#define MCM_BATCH_IN_FLIGHT_MAX 4096
#define MCM_BATCH_CONNECTIONS_MAX 16

enum mcm_batch_status {
    MCM_BATCH_OK,      /* every item was answered: hits, misses, conditions */
    MCM_BATCH_PARTIAL, /* some were */
    MCM_BATCH_FAILED   /* none was */
};

struct mcm_batch_result {
    enum mcm_batch_status status;
    size_t ok;         /* items with MCM_OK */
    size_t answered;   /* items with any normal answer, ok included */
    size_t failed;     /* the others */
    size_t redirected; /* items that were sent to a server that stands in for theirs */
    size_t hidden;     /* items that errors_as_misses made a miss; they count as answered */
    unsigned servers;  /* groups, those of servers that stood in included */
    unsigned servers_failed;
    unsigned retries;         /* groups that were sent again: a kept connection had died */
    enum mcm_outcome outcome; /* of the first item that failed, or MCM_OK */
    int sys_errno;            /* of the first server that failed, or 0 */
    char text[MCM_TEXT_SIZE]; /* the first error line of a server, or "" */
};

/* Fetches all keys. options NULL = default; result NULL = not wanted. */
MCM_API enum mcm_batch_status mcm_multi_get(struct mcm_client *client, struct mcm_batch_item *items,
                                            size_t count, const struct mcm_batch_options *options,
                                            struct mcm_batch_result *result);

/* Stores all values; items are independent of each other, there is no all-or-nothing. */
MCM_API enum mcm_batch_status mcm_multi_set(struct mcm_client *client, struct mcm_batch_item *items,
                                            size_t count, const struct mcm_batch_options *options,
                                            struct mcm_batch_result *result);

MCM_API enum mcm_batch_status mcm_multi_delete(struct mcm_client *client,
                                               struct mcm_batch_item *items, size_t count,
                                               const struct mcm_batch_options *options,
                                               struct mcm_batch_result *result);

#ifdef __cplusplus
}
#endif

#endif
