/* SPDX-License-Identifier: MIT */
/* Who was hit by a fault, as counted by the proxy that did it: the proof that it had an effect. */
#ifndef SCENARIO_VICTIMS_H
#define SCENARIO_VICTIMS_H

#include <stdbool.h>
#include <stdint.h>

struct victims {
    bool counted; /* false: nothing counts them, as with Shopify's Toxiproxy */
    uint64_t connections;
    uint64_t chunks;
    uint64_t bytes;
    uint64_t bytes_dropped;
    uint64_t delay_ms; /* summed over all delayed chunks */
    uint64_t resets;
    uint64_t connections_cut; /* closed because the proxy was disabled */
};

#endif
