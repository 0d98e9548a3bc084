/* SPDX-License-Identifier: MIT */
/*
 * Which server holds a key.
 *
 * A selector is built from the names and weights of the servers and is immutable afterwards: change
 * the list by building a new one. The identity of a server is its name, not its address, so a
 * server may move to another address without moving its keys.
 *
 *   rendezvous  default; XXH3, weighted; order of the list does not matter, minimal movement
 *   jump        XXH3-64 (seed 0) and jump hash: as pior/memcache and memcached's proxy do by
 * default. Positional: only adding or removing at the end of the list moves few keys. No weights.
 *   modulo      CRC-32 (IEEE) modulo the number of servers, as gomemcache does. No weights.
 *   ketama...   rings that agree with other clients, by names of the form "host" or "host:port":
 *               ketama (libmemcached's consistent distribution), ketama-weighted (libmemcached with
 *               weights), ketama-spy (spymemcached), ketama-twemproxy (with its fnv1a_64),
 *               ketama-evcache (the "evcache" mode of memcached's proxy)
 *   callback    the caller's function
 *
 * Threads: any number may use one selector at the same time.
 */
#ifndef MCMETA_SELECTOR_H
#define MCMETA_SELECTOR_H

#include <stddef.h>
#include <stdint.h>

#include <mcmeta/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MCM_SELECTOR_SERVERS_MAX 1024
#define MCM_SELECTOR_NONE ((size_t)-1)

enum mcm_selector_kind {
    MCM_SELECTOR_RENDEZVOUS,
    MCM_SELECTOR_JUMP,
    MCM_SELECTOR_MODULO,
    MCM_SELECTOR_KETAMA,
    MCM_SELECTOR_KETAMA_WEIGHTED,
    MCM_SELECTOR_KETAMA_SPY,
    MCM_SELECTOR_KETAMA_TWEMPROXY,
    MCM_SELECTOR_KETAMA_EVCACHE,
    MCM_SELECTOR_CALLBACK,
    MCM_SELECTOR_KIND_COUNT
};

struct mcm_selector_server {
    const char *name;
    uint32_t weight; /* relative share of the keys; 0 means 1 */
};

/* Returns an index below `count` (which is at least 2), or MCM_SELECTOR_NONE. Called by any thread.
 */
typedef size_t (*mcm_selector_fn)(const void *key, size_t key_size, size_t count, void *arg);

struct mcm_selector_config {
    enum mcm_selector_kind kind;
    const struct mcm_selector_server *servers; /* names are copied where they are needed */
    size_t count;
    mcm_selector_fn callback; /* for MCM_SELECTOR_CALLBACK */
    void *callback_arg;
    /* Two characters such as "{}", or NULL. Of a key with the first and later the second of them,
     * and something in between, only what is in between decides: keys with the same tag live on the
     * same server, as with twemproxy's option of this name. Copied. */
    const char *hash_tag;
};

struct mcm_selector;

/* The kind of that name ("rendezvous", "jump" ...), or -1; and the name of a kind. */
MCM_API int mcm_selector_kind_by_name(const char *name);
MCM_API const char *mcm_selector_kind_name(enum mcm_selector_kind kind);

/* NULL when the config is usable, else a constant sentence that says what is wrong. */
MCM_API const char *mcm_selector_config_error(const struct mcm_selector_config *config);

/* NULL when out of memory or when mcm_selector_config_error() has something to say. */
MCM_API struct mcm_selector *mcm_selector_new(const struct mcm_selector_config *config);
MCM_API void mcm_selector_free(struct mcm_selector *s);

MCM_API size_t mcm_selector_count(const struct mcm_selector *s);

/* The index in the config's list of the server that holds the key; MCM_SELECTOR_NONE when there is
 * no server. With one server the algorithm is not asked. */
MCM_API size_t mcm_selector_pick(const struct mcm_selector *s, const void *key, size_t key_size);

/*
 * The first `k` choices for the key, best first, all different; out[0] is what pick() says. Returns
 * how many were written: min(k, number of servers), or 0 when a callback chose none. For every kind
 * the further choices are the rendezvous order of the remaining servers, so that the keys of a lost
 * server spread over all others. Meant for a small k.
 */
MCM_API size_t mcm_selector_rank(const struct mcm_selector *s, const void *key, size_t key_size,
                                 size_t *out, size_t k);

#ifdef __cplusplus
}
#endif

#endif
