/* SPDX-License-Identifier: MIT */
/* A few counters that all workers increment; every result is checked against what was added. */
#include "load/workload.h"

#define COUNTERS 5
#define DELTA_MAX 10
#define GET_PERCENT 10

static void step(struct session *s)
{
    uint32_t counter = (uint32_t)rng_below(&s->rng, COUNTERS);
    if (rng_below(&s->rng, 100) < GET_PERCENT)
        session_counter_get(s, counter);
    else
        session_increment(s, counter, 1 + rng_below(&s->rng, DELTA_MAX));
}

const struct workload workload_counters = {
    .name = "counters",
    .help = "90 % increment by 1 to 10, 10 % get on five counters; every result is checked",
    .step = step,
    .keys = "1",
    .values = "100",
    .counters = COUNTERS,
};
