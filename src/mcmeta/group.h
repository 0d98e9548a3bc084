/* SPDX-License-Identifier: MIT */
/* The part of a batch that concerns one server. */
#ifndef MCMETA_GROUP_H
#define MCMETA_GROUP_H

#include <mcmeta/batch.h>

#include "mcmeta/handle.h"

enum mcm_batch_kind { MCM_BATCH_GET, MCM_BATCH_SET, MCM_BATCH_DELETE };

struct mcm_batch {
    struct mcm_client *client;
    const struct mcm_topology *topology;
    enum mcm_batch_kind kind;
    struct mcm_arena *scratch; /* what is only needed while it runs */
    struct mcm_batch_item *items;
    size_t count;
    struct mcm_batch_options options;
    mcm_ns deadline;
    bool classic;   /* get lines are possible */
    bool giving_up; /* a server failed, and the caller wants no more then */
    size_t *order;  /* indexes of items, by server */
    struct mcm_group *groups;
    unsigned group_count;
    struct mcm_batch_result result;
};

struct mcm_group {
    struct mcm_batch *batch;
    unsigned server;
    size_t first, next, end; /* in the batch's order; those from `next` on are not submitted */

    bool active; /* has a connection and is not finished */
    bool was_used;
    bool writes;   /* the socket must become writable to go on */
    bool answered; /* something came over it */
    bool retried;
    struct mcm_lease lease;
    mcm_ns progress_at; /* when something happened last */
    enum mcm_outcome outcome;
    int sys_errno;

    struct mcm_group_slot *free_slots;
    unsigned slot_count, in_flight;
};

/* Takes a connection and sends the first requests. `idle_ns`: see mcm_backend_acquire(). */
void mcm_group_start(struct mcm_group *group, mcm_ns idle_ns, mcm_ns deadline);

/* mcm_socket_pump(); ends the group when it is done or its connection broke. */
void mcm_group_pump(struct mcm_group *group, enum mcm_pump how);

/* Ends the group: nothing more is waited for. */
void mcm_group_fail(struct mcm_group *group, enum mcm_outcome outcome);

/* The outcome of an item is known. */
void mcm_batch_finish_item(struct mcm_batch *batch, size_t index, enum mcm_outcome outcome);

#endif
