/* SPDX-License-Identifier: MIT */
/* Reads only. */
#include "load/workload.h"

static void step(struct session *s)
{
    struct key key;
    session_read_key(s, &key);
    session_get(s, &key);
}

const struct workload workload_get = {
    .name = "get",
    .help = "reads only, of 1000 keys that were stored before",
    .step = step,
    .keys = "1k",
    .values = "60..100",
    .prefill = true,
};
