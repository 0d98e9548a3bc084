/* SPDX-License-Identifier: MIT */
/*
 * Packets dropped (nftables) or delayed, reordered and duplicated (netem) on the loopback of a
 * private namespace, by TCP port: what goes to the port is upstream, what comes from it downstream.
 * Packets are dropped where they arrive, so that the sender learns nothing.
 */
#ifndef NET_RULES_H
#define NET_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* netem has one band of a 16-band scheduler per set of rules; the first is everybody else's. */
#define RULES_NETEM_MAX 15

struct rules_hits {
    uint64_t packets;
    uint64_t bytes;
};

/* One set of rules. */
struct rules {
    unsigned id; /* names it: distinct among those that are on; below RULES_NETEM_MAX for netem */
    uint16_t port;
    bool upstream;
    bool downstream;
};

/* Drops a share of the packets; 1 = all. */
int rules_drop_on(const struct rules *rules, double share, struct err *err);
/* Another share, keeping the counts. */
int rules_drop_change(const struct rules *rules, double share, struct err *err);
/* Takes the rules off and tells what they dropped. Nothing happens when there are none. */
int rules_drop_off(const struct rules *rules, struct rules_hits *hits, struct err *err);

/* What netem does, as its own words. */
struct netem {
    double delay_ms;
    double jitter_ms;
    double reorder_share;   /* of the packets are not delayed and overtake */
    double duplicate_share; /* of the packets come twice */
};

int rules_netem_on(const struct rules *rules, const struct netem *netem, struct err *err);
int rules_netem_change(const struct rules *rules, const struct netem *netem, struct err *err);
int rules_netem_off(const struct rules *rules, struct rules_hits *hits, struct err *err);

/* Whether this kernel, from inside a private namespace, can do it at all. */
int rules_try_loss(struct err *err);
int rules_try_netem(struct err *err);

/* The texts given to nft and tc; for tests. Return the length, as snprintf() does. */
int rules_drop_text(const struct rules *rules, double share, char *text, size_t size);
int rules_netem_text(const struct netem *netem, char *text, size_t size);

#endif
