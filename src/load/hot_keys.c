/* SPDX-License-Identifier: MIT */
/* A few keys that everybody wants: the nodes they are on carry the load. */
#include "load/workload.h"

#define GET_PERCENT 90
#define TTL_S 60

static void step(struct session *s)
{
    session_get_or_set(s, GET_PERCENT, TTL_S);
}

const struct workload workload_hot_keys = {
    .name = "hot-keys",
    .help = "90 % get, 10 % set; 90 % of it on ten keys, the rest on 10000",
    .step = step,
    .keys = "10k hot 10 90%",
    .values = "100..1000",
    .prefill = true,
};
