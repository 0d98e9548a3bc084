/* SPDX-License-Identifier: MIT */
/* The same small work all the time: what is seen is the client and the network. */
#include "load/workload.h"

#define GET_PERCENT 80
#define TTL_S 0

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

const struct workload workload_constant = {
    .name = "constant",
    .help = "80 % get, 20 % set of 100 bytes on 10000 keys, evenly spaced in time",
    .step = step,
    .keys = "10k",
    .values = "100",
    .prefill = true,
};
