/* SPDX-License-Identifier: MIT */
/* A cache that is mostly read. */
#include "load/workload.h"

#define GET_PERCENT 95
#define TTL_S 60

static void step(struct session *s)
{
    struct key key;
    if (rng_below(&s->rng, 100) < GET_PERCENT) {
        session_read_key(s, &key);
        session_get(s, &key);
    } else {
        session_write_key(s, &key);
        session_set(s, &key, TTL_S);
    }
}

const struct workload workload_get_heavy = {
    .name = "get-heavy",
    .help = "95 % get, 5 % set on 1000 keys that all workers share",
    .step = step,
    .keys = "1k",
    .values = "60..100",
    .prefill = true,
};
