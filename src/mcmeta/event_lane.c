/* SPDX-License-Identifier: MIT */
/*
 * The event-driven edge of lanes. Connections are slots of the server's pool, as everywhere, so the
 * statistics and lifetimes are the pool's; the pool is as large as there are lanes, so nobody ever
 * waits for one. The server's lock is taken for the pool, and has no other taker.
 */
#include "mcmeta/event_lane.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/time.h"

/* How often one lane may receive before the others have their turn. */
#define RECEIVES_MAX 8

#define TO(s) (1u << MCM_EVENT_LANE_##s)

static const unsigned next_states[MCM_EVENT_LANE_STATE_COUNT] = {
    [MCM_EVENT_LANE_CLOSED] = TO(CONNECTING) | TO(OPEN),
    [MCM_EVENT_LANE_CONNECTING] = TO(CONNECTING) | TO(OPEN) | TO(CLOSED),
    [MCM_EVENT_LANE_OPEN] = TO(CLOSED),
};

static void move(struct mcm_event_lane *lane, enum mcm_event_lane_state to)
{
    assert(next_states[lane->state] & (1u << to));
    lane->state = to;
}

static void watch(const struct mcm_event_lane *lane, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = (void *)(uintptr_t)lane};
    epoll_ctl(lane->epoll_fd, operation, lane->lease.link->fd, &event);
}

static void end_done(struct mcm_event_lane *lane)
{
    struct mcm_lane_call *call;
    while ((call = mcm_lane_next_done(&lane->lane)) != NULL)
        lane->end(lane->owner, call);
}

/* Ends what was queued up to now, not what is added meanwhile. */
static void refuse_queued(struct mcm_event_lane *lane, enum mcm_outcome outcome, int sys_errno)
{
    for (unsigned left = lane->lane.queued_count; left > 0 && lane->lane.queued != NULL; left--) {
        struct mcm_lane_call *call = lane->lane.queued;
        mcm_lane_refuse(&lane->lane, call, outcome, sys_errno);
        lane->end(lane->owner, call);
    }
}

/* Gives the connection back; nothing may be in flight. */
static void close_open(struct mcm_event_lane *lane)
{
    mcm_lane_close(&lane->lane);
    watch(lane, EPOLL_CTL_DEL, 0);
    mcm_backend_release(lane->backend, &lane->lease);
    lane->polls_out = false;
    move(lane, MCM_EVENT_LANE_CLOSED);
}

static void fail(struct mcm_event_lane *lane, enum mcm_outcome outcome, int sys_errno)
{
    mcm_lane_fail(&lane->lane, outcome, sys_errno);
    end_done(lane);
    close_open(lane);
}

/* Reports the end of a dial to the pool. */
static void end_dial(struct mcm_event_lane *lane, enum mcm_pool_dial_result result)
{
    struct mcm_backend *backend = lane->backend;
    struct mcm_link *link = lane->lease.link;
    pthread_mutex_lock(&backend->lock);
    if (result == MCM_POOL_DIAL_OK) {
        lane->lease.slot->conn = link;
        link->used = false;
        mcm_conn_init(&link->conn, true, (uint32_t)rng_u64(&backend->rng));
    } else {
        link->busy = false;
        if (link->fd >= 0)
            close(link->fd);
        link->fd = -1;
    }
    mcm_pool_dial_done(backend->pool, lane->lease.slot, result, ns_now());
    pthread_mutex_unlock(&backend->lock);
}

static void fail_dial(struct mcm_event_lane *lane, enum mcm_outcome outcome, int sys_errno)
{
    bool is_server = mcm_outcome_class(outcome) == MCM_CLASS_CONNECT;
    end_dial(lane, is_server ? MCM_POOL_DIAL_FAILED : MCM_POOL_DIAL_ABANDONED);
    move(lane, MCM_EVENT_LANE_CLOSED);
    refuse_queued(lane, outcome, sys_errno);
}

static void open_lane(struct mcm_event_lane *lane)
{
    mcm_lane_open(&lane->lane, &lane->lease.link->conn, lane->lease.link->used);
    lane->polls_out = false;
    move(lane, MCM_EVENT_LANE_OPEN);
}

/* A socket for the next address and the start of its connect(); an errno, EINPROGRESS or 0. */
static int start_connect(struct mcm_event_lane *lane)
{
    const struct mcm_address *address = &lane->backend->address;
    struct mcm_link *link = lane->lease.link;
    if (link->fd >= 0)
        close(link->fd);
    link->fd = mcm_socket_new(address, lane->address);
    if (link->fd < 0)
        return errno;
    watch(lane, EPOLL_CTL_ADD, EPOLLOUT);
    if (connect(link->fd, (const struct sockaddr *)&address->sockets[lane->address],
                address->sizes[lane->address]) == 0)
        return 0;
    return errno == EINTR ? EINPROGRESS : errno;
}

/* Tries addresses from the present one on, until one is connected or on its way. */
static void try_addresses(struct mcm_event_lane *lane, int error)
{
    if (error == 0)
        error = start_connect(lane);
    else if (++lane->address < lane->backend->address.count)
        error = start_connect(lane);
    while (error != 0 && error != EINPROGRESS && ++lane->address < lane->backend->address.count)
        error = start_connect(lane);
    if (error != 0 && error != EINPROGRESS)
        fail_dial(lane, mcm_socket_connect_outcome(error), error);
}

/* A slot of the pool: with a kept connection, to be dialled, or none during a dial back-off. */
static enum mcm_pool_verdict take_slot(struct mcm_event_lane *lane, mcm_ns now)
{
    struct mcm_backend *backend = lane->backend;
    struct mcm_pool_waiter waiter = {.owner = NULL};
    pthread_mutex_lock(&backend->lock);
    /* The next instant as the deadline: there is a slot for each lane, so nothing is worth waiting
     * for. */
    enum mcm_pool_verdict verdict = mcm_pool_acquire(backend->pool, &waiter, now + 1, now);
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
    struct mcm_backend *backend = lane->backend;
    enum mcm_pool_verdict verdict = take_slot(lane, now);
    if (verdict != MCM_POOL_GOT && verdict != MCM_POOL_DIAL) {
        refuse_queued(lane, MCM_E_BACKOFF, 0);
        return;
    }
    if (verdict == MCM_POOL_GOT) {
        open_lane(lane);
        watch(lane, EPOLL_CTL_ADD, EPOLLIN);
        return;
    }
    move(lane, MCM_EVENT_LANE_CONNECTING);
    lane->address = 0;
    lane->connect_until = ns_add(now, backend->connect_timeout);
    if (backend->address.count == 0)
        fail_dial(lane, MCM_E_RESOLVE, 0);
    else
        try_addresses(lane, 0);
}

static void finish_connect(struct mcm_event_lane *lane, mcm_ns now)
{
    int error = mcm_socket_connect_error(lane->lease.link->fd);
    if (error != 0) {
        try_addresses(lane, error);
        return;
    }
    end_dial(lane, MCM_POOL_DIAL_OK);
    open_lane(lane);
    watch(lane, EPOLL_CTL_MOD, EPOLLIN);
    mcm_event_lane_flush(lane, now);
}

static void send_out(struct mcm_event_lane *lane)
{
    size_t size;
    const char *data;
    while (mcm_lane_commit(&lane->lane), data = mcm_lane_out(&lane->lane, &size), size > 0) {
        atomic_fetch_add_explicit(&lane->backend->measures->sends, 1, memory_order_relaxed);
        ssize_t sent = send(lane->lease.link->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            mcm_lane_sent(&lane->lane, (size_t)sent);
        else if (errno != EINTR)
            break; /* An error shows when receiving, after what the server may have said before. */
    }
    bool polls_out = size > 0;
    if (polls_out != lane->polls_out)
        watch(lane, EPOLL_CTL_MOD, polls_out ? EPOLLIN | EPOLLOUT : EPOLLIN);
    lane->polls_out = polls_out;
}

void mcm_event_lane_flush(struct mcm_event_lane *lane, mcm_ns now)
{
    if (lane->state == MCM_EVENT_LANE_OPEN && lane->lane.conn->broken) {
        end_done(lane);
        close_open(lane);
    }
    if (lane->state == MCM_EVENT_LANE_OPEN && lane->lane.in_flight == 0 &&
        lane->lease.slot->expires_ns < now)
        close_open(lane);
    if (lane->state == MCM_EVENT_LANE_CLOSED && lane->lane.queued != NULL)
        start_dial(lane, now);
    if (lane->state == MCM_EVENT_LANE_OPEN)
        send_out(lane);
}

/* Receives once. False when there is nothing more, or no connection any more. */
static bool receive(struct mcm_event_lane *lane, char *buffer, size_t size)
{
    atomic_fetch_add_explicit(&lane->backend->measures->receives, 1, memory_order_relaxed);
    ssize_t got = recv(lane->lease.link->fd, buffer, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (got <= 0) {
        fail(lane, got == 0 ? MCM_E_CLOSED : MCM_E_RESET, got == 0 ? 0 : errno);
        return false;
    }
    lane->lease.link->used = true;
    mcm_lane_feed(&lane->lane, buffer, (size_t)got);
    end_done(lane);
    if (lane->lane.conn->broken) {
        close_open(lane);
        return false;
    }
    return (size_t)got == size;
}

void mcm_event_lane_ready(struct mcm_event_lane *lane, uint32_t events, char *buffer, size_t size,
                          mcm_ns now)
{
    if (lane->state == MCM_EVENT_LANE_CONNECTING) {
        finish_connect(lane, now);
        return;
    }
    for (int i = 0; lane->state == MCM_EVENT_LANE_OPEN && i < RECEIVES_MAX; i++) {
        if ((events & ~(uint32_t)EPOLLOUT) == 0 || !receive(lane, buffer, size))
            break;
    }
    /* Answers made room in flight, or the kernel has room, or a lost connection left a queue. */
    mcm_event_lane_flush(lane, now);
}

mcm_ns mcm_event_lane_deadline(const struct mcm_event_lane *lane)
{
    if (lane->state == MCM_EVENT_LANE_CONNECTING)
        return lane->connect_until;
    return mcm_lane_deadline(&lane->lane);
}

void mcm_event_lane_tick(struct mcm_event_lane *lane, mcm_ns now)
{
    if (now < mcm_event_lane_deadline(lane))
        return;
    if (lane->state == MCM_EVENT_LANE_CONNECTING)
        fail_dial(lane, MCM_E_CONNECT_TIMEOUT, ETIMEDOUT);
    else
        fail(lane, MCM_E_RESET, ETIMEDOUT);
    mcm_event_lane_flush(lane, now);
}

void mcm_event_lane_shut(struct mcm_event_lane *lane, enum mcm_outcome outcome)
{
    if (lane->state == MCM_EVENT_LANE_CONNECTING)
        fail_dial(lane, outcome, 0);
    refuse_queued(lane, outcome, 0);
    if (lane->state == MCM_EVENT_LANE_OPEN)
        fail(lane, outcome, 0);
}
