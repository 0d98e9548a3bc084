/* SPDX-License-Identifier: MIT */
/*
 * Ordinary work with requests in between that must be refused: an answer too few or too many would
 * shift all those after it on the connection.
 */
#include "load/workload.h"

#define POISON_PERCENT 20
#define LARGE_ONE_IN 100 /* of the poisonous ones */
#define TTL_S 60

static void poison(struct session *s)
{
    if (rng_below(&s->rng, LARGE_ONE_IN) == 0)
        session_poison(s, POISON_VALUE_TOO_LARGE);
    else
        session_poison(s, (enum poison)rng_below(&s->rng, POISON_VALUE_TOO_LARGE));
}

static void step(struct session *s)
{
    struct key key;
    if (rng_below(&s->rng, 100) < POISON_PERCENT) {
        poison(s);
    } else if (rng_below(&s->rng, 2) == 0) {
        session_read_key(s, &key);
        session_get(s, &key);
    } else {
        session_write_key(s, &key);
        session_set(s, &key, TTL_S);
    }
}

const struct workload workload_poison = {
    .name = "poison",
    .help = "get and set on 100 keys, and 20 % requests that must be refused",
    .step = step,
    .keys = "100",
    .values = "60..600",
    .rate = "2k",
};
