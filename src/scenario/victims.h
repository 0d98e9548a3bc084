/* SPDX-License-Identifier: MIT */
/* Who was hit by a fault, as counted by what did it: the proof that it had an effect. */
#ifndef SCENARIO_VICTIMS_H
#define SCENARIO_VICTIMS_H

#include <stdbool.h>
#include <stdint.h>

struct victims {
    bool counted;         /* false: nothing counts them, as with Shopify's Toxiproxy */
    uint64_t connections; /* on which something below happened, or that waited for a paused node */
    uint64_t chunks;
    uint64_t bytes;
    uint64_t bytes_dropped;
    uint64_t delay_ms; /* summed over all delayed chunks */
    uint64_t resets;
    uint64_t connections_cut;     /* closed because the proxy was disabled or the node killed */
    uint64_t connections_refused; /* tried while the node was dead or full */
    uint64_t items_lost;          /* gone with a killed node, flushed, or evicted */
    uint64_t stores_refused;      /* for want of memory */
    uint64_t packets;             /* dropped or changed by the kernel */
};

#endif
