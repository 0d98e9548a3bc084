/* SPDX-License-Identifier: MIT */
/* Values that take many packets, and a while. */
#include "load/workload.h"

#define GET_PERCENT 80
#define TTL_S 300

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

const struct workload workload_large_values = {
    .name = "large-values",
    .help = "80 % get, 20 % set of 64 KiB to 1 MB on 100 keys, 100 operations per second",
    .step = step,
    .keys = "100",
    .values = "64k..1000k",
    .rate = "100",
    .prefill = true,
};
