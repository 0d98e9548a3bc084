/* SPDX-License-Identifier: MIT */
/*
 * A broad mix: 40 % get, 24 % set, 6 % add, 8 % delete, 8 % increment on 256 counters, 8 %
 * multi-get and 6 % multi-set of 1 to 50 keys. An add that finds the key is a success.
 */
#include "load/workload.h"

#define BATCH_MAX 50
#define COUNTERS 256
#define TTL_S 60

static void batch(struct session *s, bool is_get)
{
    struct key keys[BATCH_MAX];
    size_t count = 1 + rng_below(&s->rng, BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        if (is_get)
            session_read_key(s, &keys[i]);
        else
            session_write_key(s, &keys[i]);
    }
    if (is_get)
        session_multi_get(s, keys, count);
    else
        session_multi_set(s, keys, count, TTL_S);
}

static void change(struct session *s, uint64_t dice)
{
    struct key key;
    session_write_key(s, &key);
    if (dice < 24)
        session_set(s, &key, TTL_S);
    else if (dice < 30)
        session_add(s, &key, TTL_S);
    else
        session_delete(s, &key);
}

static void step(struct session *s)
{
    struct key key;
    uint64_t dice = rng_below(&s->rng, 100);
    if (dice < 38) {
        change(s, dice);
    } else if (dice < 78) {
        session_read_key(s, &key);
        session_get(s, &key);
    } else if (dice < 86) {
        session_increment(s, (uint32_t)rng_below(&s->rng, COUNTERS), 1 + rng_below(&s->rng, 10));
    } else {
        batch(s, dice < 94);
    }
}

const struct workload workload_loadtest = {
    .name = "loadtest",
    .help = "40 % get, 24 % set, 6 % add, 8 % delete, 8 % increment, 14 % batches; 100000 keys",
    .step = step,
    .keys = "100k",
    .values = "80..600",
    .rate = "5k",
    .key_prefix = "stress:lt:",
    .counters = COUNTERS,
};
