/* SPDX-License-Identifier: MIT */
/*
 * What can be done to a node on purpose: stop it, kill it, start it again, give it less, empty it;
 * and what that did. Holds add up: a node that two faults paused goes on when both are over, and
 * one that is held dead is started by the last of them. All calls are made by the thread that
 * started the node and block for 5 s at most, a start for some 20 ms as a rule.
 */
#ifndef NODE_CONTROL_H
#define NODE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "node/node.h"

/* In which ways the process is started with less; 0 = as configured. */
struct node_limits {
    unsigned connections_max; /* -c */
    unsigned memory_mb;       /* -m */
    unsigned item_bytes_min;  /* -n: what the smallest item takes */
    bool no_eviction;         /* -M */
};

/* SIGSTOP and SIGCONT. A paused process keeps its connections, and the kernel accepts new ones. */
int node_pause(struct node *node, struct err *err);
int node_resume(struct node *node, struct err *err);

/* SIGKILL, and a cold start on the same port. */
int node_kill(struct node *node, struct err *err);
int node_revive(struct node *node, struct err *err);

/* Both at once, with the limits as they are now; a node that is held dead stays dead. */
int node_restart(struct node *node, struct err *err);

/* Restarts it and pauses it before it has answered anybody; node_resume() ends that. */
int node_restart_paused(struct node *node, struct err *err);

/* To be changed before node_restart(). */
struct node_limits *node_limits(struct node *node);

/* Makes every item expire. */
int node_flush(struct node *node, struct err *err);

/* How many of `-c` connections this memcached keeps for itself; found by trying with another
 * process. */
int node_connection_reserve(const struct node *node, unsigned *out, struct err *err);

/* What the process has counted since it was started. */
struct node_counters {
    uint64_t items;                /* stored now */
    uint64_t evictions;            /* items thrown out for want of memory */
    uint64_t connections_rejected; /* over -c */
    uint64_t stores_refused;       /* for want of memory */
};

/* Asks it; all 0 and -1 when it does not answer within a second. */
int node_counters(struct node *node, struct node_counters *out, struct err *err);

/* Its connections as the kernel sees them, whatever state the process is in. */
struct node_sockets {
    uint64_t established;  /* both sides are still there */
    uint64_t waiting;      /* something came that the process has not read, or it is not accepted */
    uint64_t unread_bytes; /* in all of these */
};

/* All 0 when the kernel does not tell. */
void node_sockets(const struct node *node, struct node_sockets *out);

#endif
