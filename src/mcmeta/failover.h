/* SPDX-License-Identifier: MIT */
/*
 * Who stands in for a server that is down, and how often. Rounds count the servers that are asked
 * for a key: round 0 is its own server, the others are chosen by `on_failure` of the client.
 */
#ifndef MCMETA_FAILOVER_H
#define MCMETA_FAILOVER_H

#include <stdatomic.h>

#include <mcmeta/client.h>

#include "mcmeta/request.h"

#define MCM_FAILOVER_CHOICES_MAX 8

struct mcm_topology;

/* So many a second, and as many at once after a pause. Any thread. */
struct mcm_rate {
    mcm_ns interval;           /* 0: no limit */
    atomic_int_least64_t next; /* when the tokens that were taken are paid for */
};

void mcm_rate_init(struct mcm_rate *rate, unsigned per_second);
bool mcm_rate_take(struct mcm_rate *rate, mcm_ns now);

/* The server itself cannot be reached: nothing was sent, and trying elsewhere does no harm. */
bool mcm_outcome_is_down(enum mcm_outcome outcome);

/* Whether a request of that command may be tried in the round after `round`. */
bool mcm_failover_goes_on(const struct mcm_client *client, const struct mcm_topology *topology,
                          unsigned round);

/* Index of the server to ask in `round` (from 1 on), or MCM_SELECTOR_NONE. */
size_t mcm_failover_server(const struct mcm_client *client, const struct mcm_topology *topology,
                           struct mcm_slice key, unsigned round);

/* The request as a server that stands in gets it: what it stores must not live long there. */
struct mcm_request mcm_failover_request(const struct mcm_request *request, uint32_t ttl_max);

#endif
