/* SPDX-License-Identifier: MIT */
/*
 * A lane on an epoll descriptor. It connects when there is something to send, never blocks, and
 * hands every call that ended to a function of its owner.
 *
 *     closed -> connecting -> open -> closed
 *
 * The functions below may run that function, which may add calls to the lane and abandon others.
 */
#ifndef MCMETA_EVENT_LANE_H
#define MCMETA_EVENT_LANE_H

#include "mcmeta/backend.h"
#include "mcmeta/lane.h"

/* A call ended; its op says how. */
typedef void (*mcm_event_lane_end_fn)(void *owner, struct mcm_lane_call *call);

enum mcm_event_lane_state {
    MCM_EVENT_LANE_CLOSED,
    MCM_EVENT_LANE_CONNECTING,
    MCM_EVENT_LANE_OPEN,
    MCM_EVENT_LANE_STATE_COUNT
};

struct mcm_event_lane {
    struct mcm_lane lane;
    enum mcm_event_lane_state state;
    struct mcm_backend *backend;
    int epoll_fd;
    mcm_event_lane_end_fn end;
    void *owner;
    struct mcm_lease lease; /* unless closed */
    unsigned address;       /* being connected to */
    mcm_ns connect_until;   /* while connecting */
    bool polls_out;         /* epoll watches for room to write */
    bool dirty;             /* the owner's: in its list of lanes to be flushed */
    struct mcm_event_lane *next_dirty;
};

/* Connects if needed, commits what is queued, and sends. */
void mcm_event_lane_flush(struct mcm_event_lane *lane, mcm_ns now);

/* epoll saw something. Received bytes pass through `buffer`. */
void mcm_event_lane_ready(struct mcm_event_lane *lane, uint32_t events, char *buffer, size_t size,
                          mcm_ns now);

/* When mcm_event_lane_tick() has something to do. */
mcm_ns mcm_event_lane_deadline(const struct mcm_event_lane *lane);

void mcm_event_lane_tick(struct mcm_event_lane *lane, mcm_ns now);

/* Ends every call, and closes. */
void mcm_event_lane_shut(struct mcm_event_lane *lane, enum mcm_outcome outcome);

#endif
