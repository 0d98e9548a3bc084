/* SPDX-License-Identifier: MIT */
/*
 * Every change of state of every breaker of a run, with its cause. The log is bounded: when it is
 * full the later ones are counted as dropped, but times in state and the state now stay exact.
 *
 * Threads: any function at any time; a short mutex inside, so that it can be called from a
 * breaker's callback. Never calls out.
 */
#ifndef METRICS_TRANSITIONS_H
#define METRICS_TRANSITIONS_H

#include "base/time.h"
#include "metrics/node_stats.h"

#include <stddef.h>

#define TRANSITIONS_CAP_DEFAULT 4096
#define TRANSITION_CAUSE_BYTES 48

struct transition {
    ns_t at_ns;
    unsigned node;
    enum breaker_view from;
    enum breaker_view to;
    char cause[TRANSITION_CAUSE_BYTES]; /* "6 consecutive failures"; cut to fit, "" when unknown */
};

struct transitions;

/* `nodes` <= 64. Every node starts as closed at `now`. NULL without memory. */
struct transitions *transitions_new(unsigned nodes, size_t cap, ns_t now);
void transitions_free(struct transitions *t);

/* `cause` may be NULL. A transition of a node that does not exist is ignored. */
void transitions_add(struct transitions *t, unsigned node, enum breaker_view from,
                     enum breaker_view to, const char *cause, ns_t at_ns);

/* Copies up to `max` entries from position `from` on and returns how many. */
size_t transitions_read(struct transitions *t, size_t from, struct transition *out, size_t max);
size_t transitions_count(struct transitions *t); /* kept */
uint64_t transitions_dropped(struct transitions *t);

/* Time that the node's breaker has spent in `view` from the start until `now`. */
ns_t transitions_time_in(struct transitions *t, unsigned node, enum breaker_view view, ns_t now);
/* When the node's breaker first opened at or after `since`, or NS_NEVER. */
ns_t transitions_first_open(struct transitions *t, unsigned node, ns_t since);

#endif
