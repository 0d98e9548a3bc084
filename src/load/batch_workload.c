/* SPDX-License-Identifier: MIT */
/* Many keys in one call; value and key at each position are checked against each other. */
#include "load/workload.h"

#define BATCH_MAX 50
#define TTL_S 60

static void step(struct session *s)
{
    struct key keys[BATCH_MAX];
    size_t count = 1 + rng_below(&s->rng, BATCH_MAX);
    bool is_get = rng_below(&s->rng, 2) == 0;
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

const struct workload workload_batch = {
    .name = "batch",
    .help = "half multi-get, half multi-set of 1 to 50 keys out of 500, 1000 calls per second",
    .step = step,
    .keys = "500",
    .values = "60..600",
    .rate = "1k",
    .prefill = true,
};
