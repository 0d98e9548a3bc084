/* SPDX-License-Identifier: MIT */
/*
 * 60 % get, 30 % set, 5 % delete, 5 % increment. Three operations in ten go to one of ten hot keys
 * that all workers share, the others to one of 1000 keys that belong to the worker; each worker
 * increments a counter of its own.
 */
#include "load/workload.h"

#include <stdio.h>

#define HOT_KEYS 10
#define HOT_PERCENT 30
#define OWN_KEYS 1000
#define FILLER_MAX 512 /* values of 60 to 600 bytes */
#define TTL_MIN_S 30
#define TTL_RANGE_S 60

static void choose_key(struct session *s, char *key, size_t size)
{
    if (rng_below(&s->rng, 100) < HOT_PERCENT)
        snprintf(key, size, "hot-key-%u", (unsigned)rng_below(&s->rng, HOT_KEYS));
    else
        snprintf(key, size, "key-worker%u-%u", s->worker, (unsigned)rng_below(&s->rng, OWN_KEYS));
}

static void mixed_step(struct session *s)
{
    char key[SESSION_KEY_SIZE];
    uint64_t dice = rng_below(&s->rng, 100);
    if (dice >= 95) {
        snprintf(key, sizeof key, "counter-worker%u", s->worker);
        session_increment(s, key, 1, 0);
        return;
    }
    choose_key(s, key, sizeof key);
    if (dice < 60)
        session_get(s, key);
    else if (dice < 90)
        session_set(s, key, rng_below(&s->rng, FILLER_MAX),
                    TTL_MIN_S + (uint32_t)rng_below(&s->rng, TTL_RANGE_S));
    else
        session_delete(s, key);
}

const struct workload workload_mixed = {
    .name = "mixed",
    .help = "60 % get, 30 % set, 5 % delete, 5 % increment; 30 % of it on ten hot keys",
    .step = mixed_step,
};
