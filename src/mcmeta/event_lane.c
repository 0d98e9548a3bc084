/* SPDX-License-Identifier: MIT */
/*
 * The event-driven edge of lanes. Connections are slots of the server's pool, as everywhere, so the
 * statistics, lifetimes and the back-off of dials are the pool's; the pool is as large as there are
 * lanes, so nobody ever waits for a slot. The server's lock is taken for the pool, and has no other
 * taker.
 */
#include "mcmeta/event_lane.h"

#include <assert.h>
#include <errno.h>

#include "base/time.h"

/* How often one lane may receive before the others have their turn. */
#define RECEIVES_MAX 8

/* A connection to be kept ready is not tried again sooner after a failure. */
#define READY_PAUSE NS_PER_SEC

#define TO(s) (1u << MCM_EVENT_LANE_##s)

static const unsigned next_states[MCM_EVENT_LANE_STATE_COUNT] = {
    [MCM_EVENT_LANE_CLOSED] = TO(DIALING) | TO(OPEN),
    [MCM_EVENT_LANE_DIALING] = TO(OPEN) | TO(CLOSED),
    [MCM_EVENT_LANE_OPEN] = TO(CLOSED),
};

static const struct mcm_request ping_request = {.command = MCM_COMMAND_NOOP};

static void lane_move(struct mcm_event_lane *lane, enum mcm_event_lane_state to)
{
    assert(next_states[lane->state] & (1u << to));
    lane->state = to;
}

void mcm_event_lane_init(struct mcm_event_lane *lane, int epoll_fd, unsigned in_flight_max)
{
    mcm_lane_init(&lane->lane, in_flight_max);
    lane->watch = (struct mcm_watch){.epoll_fd = epoll_fd, .data = lane, .fd = -1};
}

static void end_call(struct mcm_event_lane *lane, struct mcm_lane_call *call)
{
    if (call != &lane->ping) {
        mcm_traffic_count(&lane->lease.traffic, call->op);
        lane->owner.end(lane->owner.self, call);
        return;
    }
    lane->ping_until = 0;
    if (call->op->outcome != MCM_OK)
        atomic_fetch_add_explicit(&lane->backend->health_failures, 1, memory_order_relaxed);
}

static void end_done(struct mcm_event_lane *lane)
{
    struct mcm_lane_call *call;
    while ((call = mcm_lane_next_done(&lane->lane)) != NULL)
        end_call(lane, call);
}

/* Ends what was queued up to now, not what is added meanwhile. */
static void refuse_queued(struct mcm_event_lane *lane, enum mcm_outcome outcome, int sys_errno)
{
    for (unsigned left = lane->lane.queued_count; left > 0 && lane->lane.queued != NULL; left--) {
        struct mcm_lane_call *call = lane->lane.queued;
        mcm_lane_refuse(&lane->lane, call, outcome, sys_errno);
        end_call(lane, call);
    }
}

/* Gives the connection back; nothing may be in flight. */
static void close_open(struct mcm_event_lane *lane)
{
    mcm_lane_close(&lane->lane);
    mcm_watch_stop(&lane->watch);
    mcm_backend_release(lane->backend, &lane->lease);
    lane_move(lane, MCM_EVENT_LANE_CLOSED);
    lane->dial_at = 0;
}

static void fail(struct mcm_event_lane *lane, enum mcm_outcome outcome, int sys_errno)
{
    mcm_lane_fail(&lane->lane, outcome, sys_errno);
    end_done(lane);
    close_open(lane);
}

static void open_lane(struct mcm_event_lane *lane, mcm_ns now)
{
    mcm_lane_open(&lane->lane, &lane->lease.link->conn, lane->lease.link->used);
    lane->send_waits = lane->receive_writes = false;
    lane->used_at = lane->heard_at = now;
    lane_move(lane, MCM_EVENT_LANE_OPEN);
    mcm_watch_set(&lane->watch, EPOLLIN);
}

/* What came of a dial so far. */
static void take_dial(struct mcm_event_lane *lane, enum mcm_outcome outcome, mcm_ns now)
{
    if (outcome == MCM_OUTCOME_COUNT)
        return;
    if (outcome != MCM_OK)
        mcm_watch_stop(&lane->watch);
    outcome = mcm_backend_end_dial(lane->backend, &lane->lease, lane->dial.began, outcome);
    if (outcome == MCM_OK) {
        open_lane(lane, now);
    } else {
        mcm_watch_stop(&lane->watch);
        lane_move(lane, MCM_EVENT_LANE_CLOSED);
        lane->dial_at = lane->keep_ready ? ns_add(now, READY_PAUSE) : 0;
        refuse_queued(lane, outcome, lane->dial.sys_errno);
    }
    lane->owner.dialed(lane->owner.self, lane);
}

mcm_ns mcm_event_lane_dial_time(const struct mcm_event_lane *lane)
{
    pthread_mutex_lock(&lane->backend->lock);
    mcm_ns at = mcm_pool_dial_deadline(lane->backend->pool);
    pthread_mutex_unlock(&lane->backend->lock);
    return at;
}

/* A slot of the pool: with a kept connection or to be dialled. */
static enum mcm_pool_verdict take_slot(struct mcm_event_lane *lane, mcm_ns now)
{
    struct mcm_backend *backend = lane->backend;
    struct mcm_pool_waiter waiter = {.owner = NULL};
    pthread_mutex_lock(&backend->lock);
    enum mcm_pool_verdict verdict = mcm_pool_acquire(backend->pool, &waiter, NS_NEVER, now);
    if (verdict == MCM_POOL_WAIT && !mcm_pool_cancel(backend->pool, &waiter, now))
        verdict = waiter.verdict;
    if (verdict == MCM_POOL_GOT || verdict == MCM_POOL_DIAL) {
        lane->lease = (struct mcm_lease){.slot = waiter.slot};
        lane->lease.link = &backend->links[waiter.slot->index];
        lane->lease.link->busy = true;
    }
    pthread_mutex_unlock(&backend->lock);
    return verdict;
}

static void start_dial(struct mcm_event_lane *lane, mcm_ns now)
{
    lane->dial_at = mcm_event_lane_dial_time(lane);
    if (lane->dial_at > now)
        return;
    enum mcm_pool_verdict verdict = take_slot(lane, now);
    if (verdict == MCM_POOL_GOT) {
        mcm_watch_start(&lane->watch, lane->lease.link->fd, EPOLLIN);
        open_lane(lane, now);
    } else if (verdict == MCM_POOL_DIAL) {
        lane_move(lane, MCM_EVENT_LANE_DIALING);
        take_dial(
            lane,
            mcm_event_dial_start(&lane->dial, lane->backend, lane->lease.link, &lane->watch, now),
            now);
    } else {
        refuse_queued(lane, MCM_E_BACKOFF, 0);
    }
}

static ssize_t send_some(struct mcm_link *link, const char *data, size_t size, bool *writes)
{
    *writes = true;
    if (link->stream != NULL)
        return link->stream->ops->send(link->stream, data, size, writes);
    return send(link->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Whether a failed send leaves it to receiving to find out: after what the server may have said
 * before it hung up. A stream may have failed for a reason that the socket does not know. */
static bool shows_when_receiving(const struct mcm_link *link)
{
    return link->stream == NULL || errno == EAGAIN || errno == EWOULDBLOCK;
}

static void send_out(struct mcm_event_lane *lane, bool commits)
{
    size_t size;
    struct mcm_link *link = lane->lease.link;
    lane->send_waits = false;
    for (;;) {
        if (commits && mcm_lane_commit(&lane->lane))
            mcm_measure_add(lane->backend->measures, MCM_MEASURE_DEPTH, lane->lane.in_flight);
        const char *data = mcm_lane_out(&lane->lane, &size);
        if (commits && mcm_lane_is_stuck(&lane->lane))
            refuse_queued(lane, MCM_E_NO_MEMORY, 0);
        if (size == 0)
            break;
        ssize_t sent = send_some(link, data, size, &lane->send_waits);
        atomic_fetch_add_explicit(&lane->backend->measures->sends, 1, memory_order_relaxed);
        if (sent > 0) {
            mcm_lane_sent(&lane->lane, (size_t)sent);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (shows_when_receiving(link))
            break;
        fail(lane, MCM_E_RESET, errno);
        return;
    }
    lane->send_waits = lane->send_waits && size > 0;
    mcm_watch_set(&lane->watch,
                  EPOLLIN | (lane->send_waits || lane->receive_writes ? EPOLLOUT : 0));
}

static bool is_unneeded(const struct mcm_event_lane *lane)
{
    return lane->lane.in_flight == 0 && lane->lane.queued == NULL;
}

/* Sends on the open connection, or lets it go first. */
static void flush_open(struct mcm_event_lane *lane, mcm_ns now)
{
    bool is_old = mcm_backend_is_outdated(lane->backend, &lane->lease, now);
    if (lane->lane.conn->broken)
        end_done(lane);
    if (lane->lane.in_flight == 0 && (is_old || lane->lane.conn->broken))
        close_open(lane);
    else
        send_out(lane, !is_old); /* an old one is to be emptied */
}

void mcm_event_lane_flush(struct mcm_event_lane *lane, mcm_ns now)
{
    if (lane->state == MCM_EVENT_LANE_OPEN)
        flush_open(lane, now);
    if (lane->state != MCM_EVENT_LANE_CLOSED)
        return;
    if (lane->lane.queued != NULL || (lane->keep_ready && now >= lane->dial_at))
        start_dial(lane, now);
    if (lane->state == MCM_EVENT_LANE_OPEN)
        flush_open(lane, now);
}

static ssize_t receive_some(struct mcm_event_lane *lane, char *buffer, size_t size)
{
    struct mcm_link *link = lane->lease.link;
    if (link->stream != NULL)
        return link->stream->ops->receive(link->stream, buffer, size, &lane->receive_writes);
    return recv(link->fd, buffer, size, MSG_DONTWAIT);
}

/* Receives once. False when there is nothing more, or no connection any more. A stream is asked
 * until it has nothing: it gives a record at a time. */
static bool receive(struct mcm_event_lane *lane, char *buffer, size_t size, mcm_ns now)
{
    lane->receive_writes = false;
    ssize_t got = receive_some(lane, buffer, size);
    atomic_fetch_add_explicit(&lane->backend->measures->receives, 1, memory_order_relaxed);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (got <= 0) {
        fail(lane, got == 0 ? MCM_E_CLOSED : MCM_E_RESET, got == 0 ? 0 : errno);
        return false;
    }
    lane->lease.link->used = true;
    lane->heard_at = now;
    if (lane->ping_until == 0 || lane->lane.in_flight > 1)
        lane->used_at = now;
    mcm_lane_feed(&lane->lane, buffer, (size_t)got);
    end_done(lane);
    if (lane->lane.conn->broken) {
        close_open(lane);
        return false;
    }
    return lane->lease.link->stream != NULL || (size_t)got == size;
}

/* Whether `events` may mean that there is something to receive. */
static bool is_readable(const struct mcm_event_lane *lane, uint32_t events)
{
    return (events & ~(uint32_t)EPOLLOUT) != 0 || lane->receive_writes;
}

void mcm_event_lane_ready(struct mcm_event_lane *lane, uint32_t events, char *buffer, size_t size,
                          mcm_ns now)
{
    if (lane->state == MCM_EVENT_LANE_DIALING) {
        take_dial(lane, mcm_event_dial_ready(&lane->dial, now), now);
    } else if (lane->state == MCM_EVENT_LANE_OPEN && is_readable(lane, events)) {
        int turns = 0;
        while (turns++ < RECEIVES_MAX && receive(lane, buffer, size, now))
            continue;
    }
    /* Answers made room in flight, or the kernel has room, or a lost connection left a queue. */
    mcm_event_lane_flush(lane, now);
}

static mcm_ns after(mcm_ns from, mcm_ns span)
{
    return span > 0 ? ns_add(from, span) : NS_NEVER;
}

static mcm_ns idle_end(const struct mcm_event_lane *lane)
{
    return lane->keep_ready ? NS_NEVER : after(lane->used_at, lane->config->idle_max);
}

static mcm_ns open_deadline(const struct mcm_event_lane *lane)
{
    mcm_ns deadline = mcm_lane_deadline(&lane->lane);
    if (lane->ping_until != 0)
        return ns_min(deadline, lane->ping_until);
    if (!is_unneeded(lane))
        return deadline;
    deadline = ns_min(deadline, after(lane->heard_at, lane->config->health_period));
    deadline = ns_min(deadline, lane->lease.slot->expires_ns);
    return ns_min(deadline, idle_end(lane));
}

mcm_ns mcm_event_lane_deadline(const struct mcm_event_lane *lane)
{
    switch (lane->state) {
    case MCM_EVENT_LANE_CLOSED:
        return lane->lane.queued != NULL || lane->keep_ready ? lane->dial_at : NS_NEVER;
    case MCM_EVENT_LANE_DIALING: return lane->dial.share_until;
    case MCM_EVENT_LANE_OPEN:
    case MCM_EVENT_LANE_STATE_COUNT: break;
    }
    return open_deadline(lane);
}

static void start_ping(struct mcm_event_lane *lane, mcm_ns now)
{
    atomic_fetch_add_explicit(&lane->backend->lane_checks, 1, memory_order_relaxed);
    lane->ping_until = ns_add(now, lane->config->health_timeout);
    lane->ping = (struct mcm_lane_call){.op = &lane->ping_op, .request = &ping_request};
    mcm_op_init(&lane->ping_op, &ping_request, NULL, 0);
    mcm_lane_add(&lane->lane, &lane->ping);
}

static void tick_open(struct mcm_event_lane *lane, mcm_ns now)
{
    bool is_overdue = now >= mcm_lane_deadline(&lane->lane);
    if (is_overdue || (lane->ping_until != 0 && now >= lane->ping_until))
        fail(lane, MCM_E_RESET, ETIMEDOUT);
    else if (is_unneeded(lane) && now >= idle_end(lane))
        fail(lane, MCM_E_CLOSED_IDLE, 0); /* of nobody: it only closes */
    else if (is_unneeded(lane) && now >= after(lane->heard_at, lane->config->health_period))
        start_ping(lane, now);
}

void mcm_event_lane_tick(struct mcm_event_lane *lane, mcm_ns now)
{
    if (now < mcm_event_lane_deadline(lane))
        return;
    if (lane->state == MCM_EVENT_LANE_DIALING)
        take_dial(lane, mcm_event_dial_tick(&lane->dial, now), now);
    else if (lane->state == MCM_EVENT_LANE_OPEN)
        tick_open(lane, now);
    mcm_event_lane_flush(lane, now);
}

void mcm_event_lane_shut(struct mcm_event_lane *lane, enum mcm_outcome outcome)
{
    if (lane->state == MCM_EVENT_LANE_DIALING)
        take_dial(lane, outcome, 0);
    refuse_queued(lane, outcome, 0);
    if (lane->state == MCM_EVENT_LANE_OPEN)
        fail(lane, outcome, 0);
}

void mcm_event_lane_count(struct mcm_event_lane *lane)
{
    if (lane->state == MCM_EVENT_LANE_CLOSED)
        return;
    pthread_mutex_lock(&lane->backend->lock);
    mcm_traffic_add(&lane->backend->traffic, &lane->lease.traffic);
    pthread_mutex_unlock(&lane->backend->lock);
    lane->lease.traffic = (struct mcm_traffic){.hits = 0};
}
