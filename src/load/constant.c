/* SPDX-License-Identifier: MIT */
/* The same small work all the time: what is seen is the client and the network. */
#include "load/workload.h"

#define GET_PERCENT 80
#define TTL_S 0

static void step(struct session *s)
{
    session_get_or_set(s, GET_PERCENT, TTL_S);
}

const struct workload workload_constant = {
    .name = "constant",
    .help = "80 % get, 20 % set of 100 bytes on 10000 keys, evenly spaced in time",
    .step = step,
    .keys = "10k",
    .values = "100",
    .prefill = true,
};
