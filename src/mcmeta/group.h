/* SPDX-License-Identifier: MIT */
/* The part of a batch that concerns one server. */
#ifndef MCMETA_GROUP_H
#define MCMETA_GROUP_H

#include <mcmeta/batch.h>

#include "mcmeta/trace.h"

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
    unsigned round; /* 0: items are with their own servers; later: with those that stand in */
    size_t held;    /* items that wait for the next round */
    size_t *twins;  /* links between items with the same key (batch_twins.c), or NULL */
    bool classic;   /* get lines are possible */
    bool giving_up; /* a server failed, and the caller wants no more then */
    size_t *order;  /* indexes of items, by server */
    struct mcm_group *groups;
    struct mcm_breaker_token *tokens; /* of the groups */
    unsigned group_count;
    struct mcm_batch_result result;
};

struct mcm_group {
    struct mcm_batch *batch;
    struct mcm_group *main; /* the group whose items this one shares; NULL: none */
    struct mcm_backend *backend;
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
    struct mcm_trace trace;
    uint32_t ends[MCM_OUTCOME_COUNT]; /* items that ended so, or were held back for it */

    struct mcm_group_slot *free_slots;
    unsigned slot_count, in_flight;
};

/* Takes a connection. `idle_ns`: see mcm_backend_acquire(). False: the group has ended. */
bool mcm_group_connect(struct mcm_group *group, mcm_ns idle_ns, mcm_ns deadline);

/* Takes one if that needs no waiting for others. False: there is none, and nothing changed. */
bool mcm_group_try_connect(struct mcm_group *group, mcm_ns idle_ns, mcm_ns deadline);

/* Sends the first requests. */
void mcm_group_begin(struct mcm_group *group);

/* Ends the items from `next` on, or holds them back for the servers that stand in. */
void mcm_group_refuse(struct mcm_group *group, enum mcm_outcome outcome);

/* mcm_socket_pump(); ends the group when it is done or its connection broke. */
void mcm_group_pump(struct mcm_group *group, enum mcm_pump how);

/* Ends the group: nothing more is waited for. */
void mcm_group_fail(struct mcm_group *group, enum mcm_outcome outcome);

/* The outcome of an item is known. */
void mcm_batch_finish_item(struct mcm_batch *batch, size_t index, enum mcm_outcome outcome);

#define MCM_BATCH_NO_TWIN SIZE_MAX

/* Finds items that need not be sent since another does it for them, and marks them so:
 * mcm_batch_is_twin(). 0, or -1 when memory is short. */
int mcm_batch_find_twins(struct mcm_batch *batch);

/* The item at `index` is answered by another one. */
bool mcm_batch_is_twin(const struct mcm_batch *batch, size_t index);

/* The next item with the same key that is answered with it, or MCM_BATCH_NO_TWIN. */
size_t mcm_batch_next_twin(const struct mcm_batch *batch, size_t index);

#endif
