/* SPDX-License-Identifier: MIT */
/*
 * Blocking calls over a lane. Of the callers of a lane one leads: it sends what all of them have
 * queued, receives, and completes every call that was answered, until its own is done; then it
 * hands the lead to the oldest caller left. The others sleep on one futex, each under a bit of its
 * own, so that all who were answered are woken by one system call. With one caller this is a send
 * and a receive.
 *
 * A caller that arrives while the leader is waiting for the network leaves its request to it when
 * answers come fast, since the next round takes all that gathered. When they do not, it sends by
 * itself, so that nobody waits for somebody else's round trip.
 *
 * The lane holds a connection of the server's pool while it is in use and gives it back when it has
 * been unused for a while, so dialling, lifetimes, health checks and statistics are the pool's.
 */
#ifndef MCMETA_SHARED_H
#define MCMETA_SHARED_H

#include "mcmeta/backend.h"
#include "mcmeta/lane.h"

struct mcm_shared {
    pthread_mutex_t lock; /* everything here; never held during a system call but futex wakes */
    struct mcm_lane lane;
    struct mcm_lease lease;     /* held while the lane has a connection */
    struct mcm_traffic traffic; /* of its calls */
    bool leading;               /* somebody leads, or was told to */
    bool sending;               /* somebody is sending the out buffer, outside the lock */
    bool receiving;             /* the leader is waiting for the network, outside the lock */
    bool stopping;              /* all calls are to end: the client was told to stop */
    bool suspect;               /* the connection was shut down while nobody used it */
    unsigned batch;             /* requests that went out together, smoothed */
    unsigned tickets;           /* of callers, for their bits */
    atomic_uint news;           /* changes when sleepers were told something; they sleep on it */
    mcm_ns sent_at;             /* last time something was sent */
    mcm_ns used_at;             /* last time something was received */
    mcm_ns rtt;                 /* smoothed time between sending and receiving */
};

/* 0, or -1 when memory is short. `count` lanes for `backend`. */
int mcm_shared_init(struct mcm_backend *backend, unsigned count, unsigned in_flight_max);

/* No call may be in progress. Before the pool is closed. */
void mcm_shared_deinit(struct mcm_backend *backend);

/* How a call over a lane ended, beyond what its op says. */
struct mcm_shared_end {
    enum mcm_outcome outcome;
    bool lost;     /* with the connection, not for a reason of its own */
    bool was_used; /* the connection had answered before the request went out */
    bool was_idle; /* and had nothing in flight */
    mcm_ns waited_ns;
};

/* Runs `op`, which is initialised for `request`, until it is done or `deadline` has passed. A
 * connection that was unused for `idle_ns` is looked at before it is used. */
struct mcm_shared_end mcm_shared_run(struct mcm_backend *backend, const struct mcm_request *request,
                                     struct mcm_op *op, mcm_ns idle_ns, mcm_ns deadline);

/* Gives back what has not been used for a while and closes what is overdue. */
void mcm_shared_maintain(struct mcm_backend *backend);

/* Adds what went over all lanes. */
void mcm_shared_traffic(struct mcm_backend *backend, struct mcm_traffic *sum);

/* Ends all calls in progress, after *backend->stop was set. */
void mcm_shared_stop(struct mcm_backend *backend);

#endif
