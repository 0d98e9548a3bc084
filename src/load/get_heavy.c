/* SPDX-License-Identifier: MIT */
/* A cache that is mostly read. */
#include "load/workload.h"

#define GET_PERCENT 95
#define TTL_S 60

static void step(struct session *s)
{
    session_get_or_set(s, GET_PERCENT, TTL_S);
}

const struct workload workload_get_heavy = {
    .name = "get-heavy",
    .help = "95 % get, 5 % set on 1000 keys that all workers share",
    .step = step,
    .keys = "1k",
    .values = "60..100",
    .prefill = true,
};
