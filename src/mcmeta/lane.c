/* SPDX-License-Identifier: MIT */
/*
 * The lane. Calls stand in one list in the order of their arrival, which is also the order in which
 * they are committed and answered; `queued` divides it. Tombstones stand in a list of their own,
 * and like all that is in flight in the connection's.
 */
#include "mcmeta/lane.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "mcmeta/stream.h"

#define OUT_SIZE_FIRST 4096
#define CALL_PIECES_MAX 8

/* Allocated for a caller who left. */
struct tombstone {
    struct mcm_lane_call call;
    struct mcm_op op;
};

void mcm_lane_init(struct mcm_lane *lane, unsigned in_flight_max)
{
    memset(lane, 0, sizeof(*lane));
    lane->in_flight_max = in_flight_max;
}

void mcm_lane_deinit(struct mcm_lane *lane)
{
    assert(lane->in_flight == 0 && lane->calls.first == NULL);
    free(lane->out);
    lane->out = NULL;
}

static void list_append(struct mcm_lane_list *list, struct mcm_lane_call *call)
{
    call->next = NULL;
    call->prev = list->last;
    if (list->last != NULL)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
}

static void list_remove(struct mcm_lane_list *list, struct mcm_lane_call *call)
{
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        list->first = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    else
        list->last = call->prev;
    call->prev = call->next = NULL;
}

void mcm_lane_add(struct mcm_lane *lane, struct mcm_lane_call *call)
{
    call->op->owner = call;
    list_append(&lane->calls, call);
    if (lane->queued == NULL)
        lane->queued = call;
    lane->queued_count++;
}

static void leave_queue(struct mcm_lane *lane, const struct mcm_lane_call *call)
{
    if (lane->queued == call)
        lane->queued = call->next;
    lane->queued_count--;
}

void mcm_lane_open(struct mcm_lane *lane, struct mcm_conn *conn, bool used)
{
    assert(lane->conn == NULL && conn->verify && mcm_conn_is_reusable(conn));
    lane->conn = conn;
    lane->used = used;
}

void mcm_lane_fail(struct mcm_lane *lane, enum mcm_outcome outcome, int sys_errno)
{
    mcm_conn_fail(lane->conn, outcome, sys_errno);
}

void mcm_lane_close(struct mcm_lane *lane)
{
    assert(lane->in_flight == 0);
    lane->conn = NULL;
    free(lane->out);
    lane->out = NULL;
    lane->out_size = lane->out_begin = lane->out_end = 0;
}

/* Makes room for `size` more bytes; false when there may not be so much, or memory is short. */
static bool reserve(struct mcm_lane *lane, size_t size)
{
    if (lane->out_size - lane->out_end >= size)
        return true;
    size_t unsent = lane->out_end - lane->out_begin;
    if (unsent > 0 && unsent + size > MCM_LANE_OUT_MAX)
        return false;
    if (lane->out_begin > 0) {
        memmove(lane->out, lane->out + lane->out_begin, unsent);
        lane->out_begin = 0;
        lane->out_end = unsent;
    }
    size_t wish = lane->out_size > 0 ? lane->out_size : OUT_SIZE_FIRST;
    while (wish < unsent + size)
        wish *= 2;
    if (wish == lane->out_size)
        return true;
    char *out = realloc(lane->out, wish);
    if (out == NULL)
        return false;
    lane->out = out;
    lane->out_size = wish;
    return true;
}

/* Copies what the connection has to send: exactly one request. */
static void copy_request(struct mcm_lane *lane)
{
    struct iovec pieces[CALL_PIECES_MAX];
    unsigned count;
    while ((count = mcm_conn_want_write(lane->conn, pieces, CALL_PIECES_MAX)) > 0) {
        size_t size = 0;
        for (unsigned i = 0; i < count; i++) {
            memcpy(lane->out + lane->out_end + size, pieces[i].iov_base, pieces[i].iov_len);
            size += pieces[i].iov_len;
        }
        lane->out_end += size;
        assert(lane->out_end <= lane->out_size);
        mcm_conn_wrote(lane->conn, size);
    }
}

/* Whether a request of at most `size` bytes may be added to what is unsent. */
static bool may_join(const struct mcm_lane *lane, size_t size)
{
    size_t unsent = lane->out_end - lane->out_begin;
    return lane->conn->stream == NULL || unsent == 0 || unsent + size <= MCM_RECORD_SIZE;
}

bool mcm_lane_commit(struct mcm_lane *lane)
{
    if (lane->conn != NULL && lane->conn->stream != NULL && lane->out_end > lane->out_begin)
        return false;
    struct mcm_lane_call *first = lane->queued;
    bool was_idle = lane->used && lane->in_flight == 0;
    while (lane->queued != NULL && lane->conn != NULL && !lane->conn->broken &&
           lane->in_flight < lane->in_flight_max) {
        struct mcm_lane_call *call = lane->queued;
        size_t size = MCM_REQUEST_LINE_MAX + call->op->value.size + 2;
        if (!may_join(lane, size) || !reserve(lane, size))
            break;
        leave_queue(lane, call);
        call->committed = true;
        call->was_used = lane->used;
        call->was_idle = was_idle;
        lane->in_flight++;
        mcm_conn_submit(lane->conn, call->op, call->request);
        copy_request(lane);
    }
    return lane->queued != first;
}

bool mcm_lane_is_stuck(const struct mcm_lane *lane)
{
    return lane->queued != NULL && lane->conn != NULL && !lane->conn->broken &&
           lane->in_flight == 0 && lane->out_end == lane->out_begin;
}

const char *mcm_lane_out(const struct mcm_lane *lane, size_t *size)
{
    *size = lane->out_end - lane->out_begin;
    return *size > 0 ? lane->out + lane->out_begin : NULL;
}

void mcm_lane_sent(struct mcm_lane *lane, size_t size)
{
    lane->out_begin += size;
    assert(lane->out_begin <= lane->out_end);
    if (lane->out_begin < lane->out_end)
        return;
    lane->out_begin = lane->out_end = 0;
    if (lane->out_size > MCM_LANE_OUT_KEPT) {
        free(lane->out);
        lane->out = NULL;
        lane->out_size = 0;
    }
}

void mcm_lane_feed(struct mcm_lane *lane, const void *data, size_t size)
{
    lane->used = true;
    mcm_conn_feed(lane->conn, data, size);
}

struct mcm_lane_call *mcm_lane_next_done(struct mcm_lane *lane)
{
    struct mcm_op *op;
    while (lane->conn != NULL && (op = mcm_conn_next_done(lane->conn)) != NULL) {
        struct mcm_lane_call *call = op->owner;
        lane->in_flight--;
        if (!call->is_tombstone) {
            list_remove(&lane->calls, call);
            return call;
        }
        list_remove(&lane->tombs, call);
        free(call);
    }
    return NULL;
}

void mcm_lane_refuse(struct mcm_lane *lane, struct mcm_lane_call *call, enum mcm_outcome outcome,
                     int sys_errno)
{
    assert(!call->committed);
    leave_queue(lane, call);
    list_remove(&lane->calls, call);
    call->op->outcome = outcome;
    call->op->sys_errno = sys_errno;
}

/* What a queued call is waiting for. */
static enum mcm_outcome queued_outcome(const struct mcm_lane *lane)
{
    if (lane->conn == NULL)
        return MCM_E_CONNECT_TIMEOUT;
    /* With nothing in flight nobody tried to send it: that is not the server's fault. */
    bool is_ours = lane->in_flight == 0 || lane->in_flight >= lane->in_flight_max;
    return is_ours ? MCM_E_TIMEOUT_POOL : MCM_E_TIMEOUT_WRITE;
}

bool mcm_lane_abandon(struct mcm_lane *lane, struct mcm_lane_call *call, mcm_ns now)
{
    if (!call->committed) {
        mcm_lane_refuse(lane, call, queued_outcome(lane), 0);
        return true;
    }
    if (call->op->outcome != MCM_OUTCOME_COUNT)
        return false;
    struct tombstone *tombstone = calloc(1, sizeof(*tombstone));
    if (tombstone == NULL) {
        mcm_lane_fail(lane, MCM_E_NO_MEMORY, 0);
        return false;
    }
    mcm_conn_replace(lane->conn, call->op, &tombstone->op);
    tombstone->op.owner = &tombstone->call;
    tombstone->call.op = &tombstone->op;
    tombstone->call.committed = true;
    tombstone->call.is_tombstone = true;
    tombstone->call.expires = ns_add(now, MCM_LANE_DRAIN_NS);
    list_remove(&lane->calls, call);
    list_append(&lane->tombs, &tombstone->call);
    call->op->outcome = MCM_E_TIMEOUT_READ;
    return true;
}

mcm_ns mcm_lane_deadline(const struct mcm_lane *lane)
{
    return lane->tombs.first != NULL ? lane->tombs.first->expires : MCM_NS_NEVER;
}
