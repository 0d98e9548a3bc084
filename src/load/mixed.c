/* SPDX-License-Identifier: MIT */
/*
 * 60 % get, 30 % set, 5 % delete, 5 % increment. Three operations in ten go to one of ten hot keys
 * that all workers share, the others to one of 1000 keys that belong to the worker; each worker
 * increments a counter of its own.
 */
#include "load/workload.h"

#define TTL_MIN_S 30
#define TTL_RANGE_S 60

static void step(struct session *s)
{
    struct key key;
    uint64_t dice = rng_below(&s->rng, 100);
    if (dice >= 95) {
        session_increment(s, s->worker, 1);
    } else if (dice < 60) {
        session_read_key(s, &key);
        session_get(s, &key);
    } else {
        session_write_key(s, &key);
        if (dice < 90)
            session_set(s, &key, TTL_MIN_S + (uint32_t)rng_below(&s->rng, TTL_RANGE_S));
        else
            session_delete(s, &key);
    }
}

const struct workload workload_mixed = {
    .name = "mixed",
    .help = "60 % get, 30 % set, 5 % delete, 5 % increment; 30 % of it on ten hot keys",
    .step = step,
    .keys = "1k per worker hot 10 30%",
    .values = "60..600",
    .counters_of_worker = 1,
};
