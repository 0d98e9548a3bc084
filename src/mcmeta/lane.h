/* SPDX-License-Identifier: MIT */
/*
 * A shared connection as a state machine without I/O: the requests of many callers go out in
 * batches over one connection, and answers find their callers.
 *
 *             commit              answer
 *     queued --------> in flight --------> done -> mcm_lane_next_done()
 *        |                 |
 *        | abandon         | abandon
 *        v                 v
 *     forgotten        tombstone: the late answer is swallowed
 *
 * Committing copies a request to the lane's out buffer. From then on the lane does not depend on
 * the caller's memory but for the answer, and a caller that leaves puts a tombstone in its place.
 * A tombstone that is not answered within MCM_LANE_DRAIN_NS makes the lane overdue: its connection
 * should be closed. Queued calls survive the loss of a connection and go out over the next one.
 *
 * Over a stream the out buffer holds what may become one record: whole requests that fit, or a
 * large one, and nothing is added before it has left.
 *
 * In flight are at most `in_flight_max` requests, and at most MCM_LANE_OUT_MAX bytes (or one larger
 * request) are unsent; the rest is queued in its callers' own memory.
 *
 * Threads: not locked. Memory is allocated for the out buffer, when it has to grow, and for
 * tombstones; never in the normal course of things.
 */
#ifndef MCMETA_LANE_H
#define MCMETA_LANE_H

#include "mcmeta/conn.h"

/* How long after a caller gave up its answer may come before the connection is given up too. */
#define MCM_LANE_DRAIN_NS INT64_C(500000000)

#define MCM_LANE_OUT_MAX (256 * 1024) /* bytes that may wait for the kernel */
#define MCM_LANE_OUT_KEPT (64 * 1024) /* a larger out buffer is freed when it is empty */

/* One caller's request. Zero it, set op and request; the op must be initialised for the request,
 * and both must live until the call is done or abandoned. */
struct mcm_lane_call {
    struct mcm_op *op;
    const struct mcm_request *request;

    /* The lane's. */
    struct mcm_lane_call *prev, *next;
    mcm_ns expires; /* of a tombstone */
    bool committed;
    bool is_tombstone;
    /* Read when done: of the connection when the call was committed. */
    bool was_used; /* it had answered before */
    bool was_idle; /* and nothing was in flight */
};

struct mcm_lane_list {
    struct mcm_lane_call *first, *last;
};

struct mcm_lane {
    struct mcm_conn *conn;        /* the caller's; NULL: not connected */
    bool used;                    /* it was answered */
    struct mcm_lane_list calls;   /* neither done nor abandoned, oldest first */
    struct mcm_lane_call *queued; /* the first of them that is not committed */
    struct mcm_lane_list tombs;   /* in the order in which they expire */
    unsigned queued_count;
    unsigned in_flight; /* calls and tombstones */
    unsigned in_flight_max;
    char *out;
    size_t out_size;  /* allocated */
    size_t out_begin; /* the unsent bytes */
    size_t out_end;
};

void mcm_lane_init(struct mcm_lane *lane, unsigned in_flight_max);

/* Nothing may be in flight or queued. */
void mcm_lane_deinit(struct mcm_lane *lane);

/* Appends a call. */
void mcm_lane_add(struct mcm_lane *lane, struct mcm_lane_call *call);

/* `conn` is connected, verifies, and has nothing in flight; `used` when it was answered before. The
 * lane must have no connection. */
void mcm_lane_open(struct mcm_lane *lane, struct mcm_conn *conn, bool used);

/*
 * Fails what is in flight, as mcm_conn_fail(). The calls come out of mcm_lane_next_done(); after
 * that, mcm_lane_close().
 */
void mcm_lane_fail(struct mcm_lane *lane, enum mcm_outcome outcome, int sys_errno);

/* Forgets the connection. Nothing may be in flight. */
void mcm_lane_close(struct mcm_lane *lane);

/* Takes queued calls into the out buffer, as many as may go. Returns whether any went. */
bool mcm_lane_commit(struct mcm_lane *lane);

/* Whether queued calls could not go, after mcm_lane_commit(), though nothing is in their way:
 * memory for the out buffer is short, and no answer will give them another chance. */
bool mcm_lane_is_stuck(const struct mcm_lane *lane);

/* What is to be sent; *size is 0 when there is nothing. */
const char *mcm_lane_out(const struct mcm_lane *lane, size_t *size);

/* The kernel took the first `size` bytes of it. */
void mcm_lane_sent(struct mcm_lane *lane, size_t size);

/* Bytes were received. */
void mcm_lane_feed(struct mcm_lane *lane, const void *data, size_t size);

/* The next call that was answered or failed; it is the caller's again. NULL: none. */
struct mcm_lane_call *mcm_lane_next_done(struct mcm_lane *lane);

/*
 * Takes out a call because its time is up, with the outcome that says what it waited for. False
 * when the call will come out of next_done() instead: it was answered in the meantime, or memory
 * for a tombstone is short and the connection was failed.
 */
bool mcm_lane_abandon(struct mcm_lane *lane, struct mcm_lane_call *call, mcm_ns now);

/* Takes out a queued call with an outcome. */
void mcm_lane_refuse(struct mcm_lane *lane, struct mcm_lane_call *call, enum mcm_outcome outcome,
                     int sys_errno);

/* When the lane becomes overdue; MCM_NS_NEVER without a tombstone. */
mcm_ns mcm_lane_deadline(const struct mcm_lane *lane);

#endif
