/* SPDX-License-Identifier: MIT */
/* Calm and rush in turn: every 100 ms all operations of that time are to start at once. */
#include "load/workload.h"

#define GET_PERCENT 80

static void step(struct session *s)
{
    struct key key;
    if (rng_below(&s->rng, 100) < GET_PERCENT) {
        session_read_key(s, &key);
        session_get(s, &key);
    } else {
        session_write_key(s, &key);
        session_set(s, &key, 0);
    }
}

const struct workload workload_burst = {
    .name = "burst",
    .help = "as constant, but all operations of 100 ms start at once",
    .step = step,
    .keys = "10k",
    .values = "100",
    .arrival = "burst every 100ms",
    .prefill = true,
};
