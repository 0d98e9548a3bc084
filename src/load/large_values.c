/* SPDX-License-Identifier: MIT */
/* Values that take many packets, and a while. */
#include "load/workload.h"

#define GET_PERCENT 80
#define TTL_S 300

static void step(struct session *s)
{
    session_get_or_set(s, GET_PERCENT, TTL_S);
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
