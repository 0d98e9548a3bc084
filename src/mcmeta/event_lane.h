/* SPDX-License-Identifier: MIT */
/*
 * A lane on an epoll descriptor. It connects when there is something to send, never blocks, and
 * hands every call that ended to a function of its owner.
 *
 *     closed -> dialing -> open -> closed
 *
 * While it is open and nobody needs it, it does what maintenance does for a blocking client: pings,
 * and closing what was unused for too long or lived long enough.
 *
 * The functions below may run that function, which may add calls to the lane and abandon others.
 */
#ifndef MCMETA_EVENT_LANE_H
#define MCMETA_EVENT_LANE_H

#include "mcmeta/event_dial.h"
#include "mcmeta/lane.h"

struct mcm_event_lane;

struct mcm_event_lane_owner {
    void *self;
    /* A call ended; its op says how. */
    void (*end)(void *self, struct mcm_lane_call *call);
    /* A dial of the lane is over: other lanes of the server may have waited for that. */
    void (*dialed)(void *self, struct mcm_event_lane *lane);
};

/* Spans of 0: never. */
struct mcm_event_lane_config {
    mcm_ns idle_max;
    mcm_ns health_period;
    mcm_ns health_timeout;
};

enum mcm_event_lane_state {
    MCM_EVENT_LANE_CLOSED,
    MCM_EVENT_LANE_DIALING,
    MCM_EVENT_LANE_OPEN,
    MCM_EVENT_LANE_STATE_COUNT
};

struct mcm_event_lane {
    struct mcm_lane lane;
    enum mcm_event_lane_state state;
    struct mcm_backend *backend;
    const struct mcm_event_lane_config *config;
    struct mcm_event_lane_owner owner;
    bool keep_ready; /* connect before there is anything to send */

    struct mcm_watch watch;
    struct mcm_lease lease;     /* unless closed */
    struct mcm_event_dial dial; /* while dialing */
    mcm_ns dial_at;             /* while closed and wanted: not before; MCM_NS_NEVER: when told */
    mcm_ns heard_at;            /* while open: when something was received, or it was opened */
    mcm_ns used_at;             /* the same, but for pings */
    bool send_waits;            /* for room to write; else for something to read */
    bool receive_writes;        /* the stream must write before it can read on */
    struct mcm_lane_call ping;
    struct mcm_op ping_op;
    mcm_ns ping_until; /* of a ping under way; 0: there is none */

    bool dirty; /* the owner's: in its list of lanes to be flushed */
    struct mcm_event_lane *next_dirty;
};

/* Zero it and fill backend, config, owner and keep_ready first. */
void mcm_event_lane_init(struct mcm_event_lane *lane, int epoll_fd, unsigned in_flight_max);

/* Connects if needed, commits what is queued, and sends. */
void mcm_event_lane_flush(struct mcm_event_lane *lane, mcm_ns now);

/* epoll saw something. Received bytes pass through `buffer`, which has room for a TLS record. */
void mcm_event_lane_ready(struct mcm_event_lane *lane, uint32_t events, char *buffer, size_t size,
                          mcm_ns now);

/* When mcm_event_lane_tick() has something to do. */
mcm_ns mcm_event_lane_deadline(const struct mcm_event_lane *lane);

void mcm_event_lane_tick(struct mcm_event_lane *lane, mcm_ns now);

/* Of a closed lane: when it may dial, as far as is known; MCM_NS_NEVER when other dials must end
 * first. */
mcm_ns mcm_event_lane_dial_time(const struct mcm_event_lane *lane);

/* Ends every call, and closes. */
void mcm_event_lane_shut(struct mcm_event_lane *lane, enum mcm_outcome outcome);

/* Counts what went over the present connection for its server. */
void mcm_event_lane_count(struct mcm_event_lane *lane);

#endif
