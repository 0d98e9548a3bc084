/* SPDX-License-Identifier: MIT */
/*
 * Weighted rendezvous: each server bids for the key and the lowest bid wins, so a server that comes
 * or goes moves only the keys that it wins.
 *
 * The bid is -ln(u) / weight with u uniform in (0, 1) out of the hash of key and server name: the
 * minimum of such exponential numbers falls to a server in proportion to its weight. With equal
 * weights the order of the bids is that of the hash turned round, which saves the logarithm.
 */
#include "mcmeta/selection.h"

#include <math.h>
#include <string.h>

/* The finaliser of splitmix64: each input bit flips each output bit with probability 1/2. */
static uint64_t mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Positive doubles order like their bits. */
static uint64_t bits_of(double positive)
{
    uint64_t bits;
    memcpy(&bits, &positive, sizeof(bits));
    return bits;
}

uint64_t mcm_rendezvous_bid(const struct mcm_selector *s, uint64_t key_hash, size_t index)
{
    const struct mcm_selector_node *node = &s->nodes[index];
    uint64_t hash = mix(key_hash ^ node->id);
    if (!s->weighted)
        return ~hash;
    double u = ((double)(hash >> 11) + 0.5) * 0x1.0p-53;
    return bits_of(-log(u) / node->weight);
}

static size_t rendezvous_pick(const struct mcm_selector *s, const void *key, size_t key_size)
{
    uint64_t key_hash = mcm_selector_hash(key, key_size);
    size_t best = 0;
    uint64_t best_bid = mcm_rendezvous_bid(s, key_hash, 0);
    for (size_t i = 1; i < s->count; i++) {
        uint64_t bid = mcm_rendezvous_bid(s, key_hash, i);
        if (bid < best_bid) {
            best = i;
            best_bid = bid;
        }
    }
    return best;
}

const struct mcm_selector_ops mcm_selector_rendezvous = {
    .name = "rendezvous",
    .pick = rendezvous_pick,
};
