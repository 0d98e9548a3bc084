/* SPDX-License-Identifier: MIT */
/* A cache that is mostly filled. */
#include "load/workload.h"

#define GET_PERCENT 20
#define TTL_S 30

static void step(struct session *s)
{
    session_get_or_set(s, GET_PERCENT, TTL_S);
}

const struct workload workload_set_heavy = {
    .name = "set-heavy",
    .help = "20 % get, 80 % set on 100 keys per worker",
    .step = step,
    .keys = "100 per worker",
    .values = "60..100",
};
