/* SPDX-License-Identifier: MIT */
/*
 * Everybody asks for the same few keys, which expire every second: whoever misses makes the
 * value anew, which takes a while, and adds it. All but one of them do it in vain.
 */
#include "load/workload.h"

#define TTL_S 1
#define MAKING_NS (5 * NS_PER_MS)

static void step(struct session *s)
{
    struct key key;
    session_read_key(s, &key);
    if (session_get(s, &key) != OUTCOME_MISS || key.id >= s->load->keys.stored)
        return;
    session_pause(s, MAKING_NS);
    session_add(s, &key, TTL_S);
}

const struct workload workload_stampede = {
    .name = "stampede",
    .help = "all ask for three keys that expire every second; who misses adds them after 5 ms",
    .step = step,
    .keys = "3",
    .values = "1k",
};
