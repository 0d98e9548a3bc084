/* SPDX-License-Identifier: MIT */
/*
 * The processes behind an external driver, and who talks to them: worker threads ask, a reader
 * thread per process brings the answers to the worker they belong to. Private to the driver.
 */
#ifndef DRIVER_PEERS_H
#define DRIVER_PEERS_H

#include <stdatomic.h>

#include "driver/external.h"
#include "driver/program.h"
#include "driver/slot.h"

#define STATS_NODES_MAX 64 /* of which a program may tell the state */

struct external;

/* One process. */
struct peer {
    struct external *all;
    unsigned index;
    struct program *program;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    bool greeted, failed; /* hello has come, or never will: `why` */
    bool bye_sent, bye_seen, hung_up;
    struct wire_about about;
    struct err why;
    struct node_stats stats[STATS_NODES_MAX];
    size_t stats_count;
};

/* What one key of a batch got. */
struct part {
    struct slot_fate fate;
    json_t *answer; /* owned; of the whole batch for the first, when it was one call */
    struct wire_end end;
};

struct worker {
    struct slot slot;
    _Atomic(struct peer *) peer; /* changes once, while the programs start */
    struct wire_out out;
    struct part *parts;
    size_t part_cap;
    char *memory; /* values of the last batch */
    size_t memory_cap;
    char line[SLOT_LINE_SIZE]; /* the last answer's */
};

struct external {
    struct driver_config config; /* `servers` is our copy; names and command end with the start */
    char **servers;
    struct findings findings;
    unsigned worker_count, open_count, peer_count;
    struct peer *peers;
    struct worker *workers;
    _Atomic ns_t stats_asked_ns;
    pthread_mutex_t talk_lock; /* until `finished`, the programs are there to be talked to */
    bool finished;
    pthread_mutex_t cost_lock;
    struct hist cost;
};

/* Starts what the program wants: one process, or one per worker. */
struct external *peers_start(const struct driver_config *config, struct err *err);

/* Ends all processes in order; then all findings are known. Again does nothing. */
void peers_finish(struct external *all);

/* Closes their standard inputs without a word; whether they ended by themselves. */
bool peers_hang_up(struct external *all);

/* Finishes, and frees all. */
void peers_free(struct external *all);

/* To every process, from any thread; nothing once they have been ended. */
void peers_send(struct external *all, const char *line);

/* A finding against the protocol that quotes the line. */
void peers_complain(struct external *all, const char *what, const char *line);

#endif
