/* SPDX-License-Identifier: MIT */
/* The event-driven client, shared by its source files. */
#ifndef MCMETA_LOOP_STATE_H
#define MCMETA_LOOP_STATE_H

#include <mcmeta/loop.h>

#include "mcmeta/deadlines.h"
#include "mcmeta/event_lane.h"
#include "mcmeta/trace.h"

struct loop_call {
    struct mcm_lane_call lane_call; /* first */
    struct mcm_op op;
    struct mcm_request request;
    char key[MCM_KEY_SIZE_MAX];    /* as it is sent */
    char name[MCM_KEY_BASE64_MAX]; /* as the caller knows it, where that differs */
    size_t name_size;              /* 0: where it does not */
    struct mcm_deadline deadline;  /* the next one */
    mcm_ns until;                  /* the last one */
    struct mcm_event_lane *lane;   /* NULL: free */
    struct mcm_breaker_token token;
    struct mcm_trace trace;
    void *buffer;
    size_t buffer_size;
    unsigned server;
    unsigned round; /* of failover */
    enum mcm_outcome home_outcome;
    bool retried;
    mcm_loop_done_fn done;
    void *arg;
    uint32_t index; /* in the slab */
    uint32_t uses;
    struct loop_call *next_free;
};

struct mcm_loop {
    struct mcm_client *client;
    const struct mcm_topology *topology; /* never changes */
    struct mcm_event_lane_config lane_config;
    struct mcm_event_lane *lanes; /* lanes_per_server for each server, the last for large values */
    unsigned lane_count;
    unsigned lanes_per_server;
    bool take_turns;
    unsigned turn;
    unsigned queue_max;
    mcm_ns acquire_timeout;
    struct mcm_event_lane *dirty; /* to be flushed by the next mcm_loop_process() */
    mcm_ns resolve_at;            /* when to look after the host names; MCM_NS_NEVER: never */
    int epoll_fd;
    char *buffer;
    struct loop_call **chunks;
    uint32_t chunk_count;
    struct loop_call *free_calls;
    struct mcm_deadlines deadlines;
    size_t pending;
    bool stopping;
};

/* Has the lane flushed by the next mcm_loop_process(). */
void mcm_loop_mark_dirty(struct mcm_loop *loop, struct mcm_event_lane *lane);

/* The end of a call on its lane: it goes on elsewhere, or its function is called. */
void mcm_loop_end_call(void *loop, struct mcm_lane_call *lane_call);

/* Ends the calls whose time is up. */
void mcm_loop_expire_calls(struct mcm_loop *loop, mcm_ns now);

#endif
