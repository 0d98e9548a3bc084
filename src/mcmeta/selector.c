/* SPDX-License-Identifier: MIT */
/* The registry of selection algorithms, and what is the same for all of them. */
#include "mcmeta/selection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static size_t callback_pick(const struct mcm_selector *s, const void *key, size_t key_size)
{
    size_t index = s->callback(key, key_size, s->count, s->callback_arg);
    return index < s->count ? index : MCM_SELECTOR_NONE;
}

static const struct mcm_selector_ops selector_callback = {
    .name = "callback",
    .pick = callback_pick,
};

static const struct mcm_selector_ops *const kinds[MCM_SELECTOR_KIND_COUNT] = {
    [MCM_SELECTOR_RENDEZVOUS] = &mcm_selector_rendezvous,
    [MCM_SELECTOR_JUMP] = &mcm_selector_jump,
    [MCM_SELECTOR_MODULO] = &mcm_selector_modulo,
    [MCM_SELECTOR_KETAMA] = &mcm_selector_ketama,
    [MCM_SELECTOR_KETAMA_WEIGHTED] = &mcm_selector_ketama_weighted,
    [MCM_SELECTOR_KETAMA_SPY] = &mcm_selector_ketama_spy,
    [MCM_SELECTOR_KETAMA_TWEMPROXY] = &mcm_selector_ketama_twemproxy,
    [MCM_SELECTOR_KETAMA_EVCACHE] = &mcm_selector_ketama_evcache,
    [MCM_SELECTOR_CALLBACK] = &selector_callback,
};

uint64_t mcm_selector_hash(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

int mcm_selector_kind_by_name(const char *name)
{
    for (int i = 0; i < MCM_SELECTOR_KIND_COUNT; i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return i;
    }
    return -1;
}

const char *mcm_selector_kind_name(enum mcm_selector_kind kind)
{
    assert((unsigned)kind < MCM_SELECTOR_KIND_COUNT);
    return kinds[kind]->name;
}

/* Two servers of one name would share all keys of it in rendezvous; lists by position may repeat.
 */
static bool has_duplicates(const struct mcm_selector_config *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(c->servers[i].name, c->servers[j].name) == 0)
                return true;
        }
    }
    return false;
}

const char *mcm_selector_config_error(const struct mcm_selector_config *c)
{
    if ((unsigned)c->kind >= MCM_SELECTOR_KIND_COUNT)
        return "unknown kind of selector";
    if (c->count > MCM_SELECTOR_SERVERS_MAX)
        return "more servers than MCM_SELECTOR_SERVERS_MAX";
    if (c->kind == MCM_SELECTOR_CALLBACK && c->callback == NULL)
        return "a callback selector needs a callback";
    if (c->kind == MCM_SELECTOR_RENDEZVOUS && has_duplicates(c))
        return "two servers have the same name";
    if (c->hash_tag != NULL && strlen(c->hash_tag) != sizeof(((struct mcm_selector *)0)->hash_tag))
        return "hash_tag must be two characters";
    return NULL;
}

struct mcm_selector *mcm_selector_new(const struct mcm_selector_config *c)
{
    if (mcm_selector_config_error(c) != NULL)
        return NULL;
    struct mcm_selector *s = calloc(1, sizeof(*s) + c->count * sizeof(s->nodes[0]));
    if (s == NULL)
        return NULL;
    s->ops = kinds[c->kind];
    s->callback = c->callback;
    s->callback_arg = c->callback_arg;
    s->count = c->count;
    if (c->hash_tag != NULL)
        memcpy(s->hash_tag, c->hash_tag, sizeof(s->hash_tag));
    for (size_t i = 0; i < c->count; i++) {
        const struct mcm_selector_server *server = &c->servers[i];
        s->nodes[i].id = mcm_selector_hash(server->name, strlen(server->name));
        s->nodes[i].weight = server->weight > 0 ? server->weight : 1;
        s->weighted = s->weighted || s->nodes[i].weight != s->nodes[0].weight;
    }
    if (s->ops->prepare != NULL && s->ops->prepare(s, c) != 0) {
        mcm_selector_free(s);
        return NULL;
    }
    return s;
}

void mcm_selector_free(struct mcm_selector *s)
{
    if (s != NULL)
        free(s->points);
    free(s);
}

size_t mcm_selector_count(const struct mcm_selector *s)
{
    return s->count;
}

/* Leaves of the key what decides about its server. */
static void reduce_to_tag(const struct mcm_selector *s, const void **key, size_t *key_size)
{
    if (s->hash_tag[0] == '\0')
        return;
    const char *end = (const char *)*key + *key_size;
    const char *open = memchr(*key, s->hash_tag[0], *key_size);
    if (open == NULL)
        return;
    const char *close = memchr(open + 1, s->hash_tag[1], (size_t)(end - open - 1));
    if (close == NULL || close == open + 1)
        return;
    *key = open + 1;
    *key_size = (size_t)(close - open - 1);
}

size_t mcm_selector_pick(const struct mcm_selector *s, const void *key, size_t key_size)
{
    if (s->count < 2)
        return s->count == 1 ? 0 : MCM_SELECTOR_NONE;
    reduce_to_tag(s, &key, &key_size);
    return s->ops->pick(s, key, key_size);
}

static bool contains(const size_t *list, size_t count, size_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == value)
            return true;
    }
    return false;
}

/* The best bidder that is not taken yet. One pass per rank: callers want two or three. */
static size_t best_bidder(const struct mcm_selector *s, uint64_t key_hash, const size_t *taken,
                          size_t taken_count)
{
    size_t best = MCM_SELECTOR_NONE;
    uint64_t best_bid = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (contains(taken, taken_count, i))
            continue;
        uint64_t bid = mcm_rendezvous_bid(s, key_hash, i);
        if (best == MCM_SELECTOR_NONE || bid < best_bid) {
            best = i;
            best_bid = bid;
        }
    }
    return best;
}

size_t mcm_selector_rank(const struct mcm_selector *s, const void *key, size_t key_size,
                         size_t *out, size_t k)
{
    size_t wanted = k < s->count ? k : s->count;
    if (wanted == 0)
        return 0;
    out[0] = mcm_selector_pick(s, key, key_size);
    if (out[0] == MCM_SELECTOR_NONE)
        return 0;
    reduce_to_tag(s, &key, &key_size);
    uint64_t key_hash = mcm_selector_hash(key, key_size);
    for (size_t n = 1; n < wanted; n++)
        out[n] = best_bidder(s, key_hash, out, n);
    return wanted;
}
