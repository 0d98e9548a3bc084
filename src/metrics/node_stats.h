/* SPDX-License-Identifier: MIT */
/* The state of the client's side of one node, as a driver reports it. All zero is legal: a driver
 * without pools or breakers reports BREAKER_VIEW_NONE and zeros. */
#ifndef METRICS_NODE_STATS_H
#define METRICS_NODE_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_view {
    BREAKER_VIEW_NONE, /* the client has no breaker for this node */
    BREAKER_VIEW_CLOSED,
    BREAKER_VIEW_OPEN,
    BREAKER_VIEW_HALF_OPEN,
    BREAKER_VIEW_COUNT,
};

/* "none", "closed", "open", "half-open" */
const char *breaker_view_name(enum breaker_view view);

struct node_stats {
    /* Pool: connections now, except for the last two. */
    uint32_t pool_active;
    uint32_t pool_idle;
    uint32_t pool_total;
    uint32_t pool_waiting;   /* operations that wait for a connection */
    uint32_t pool_total_max; /* exact high-water marks since the client was made */
    uint32_t pool_waiting_max;

    /* Breaker: counts of its current window. */
    enum breaker_view breaker;
    uint64_t breaker_requests;
    uint64_t breaker_failures;
    uint64_t breaker_consecutive_failures;
    uint64_t breaker_rejected; /* since the client was made */
};

#endif
