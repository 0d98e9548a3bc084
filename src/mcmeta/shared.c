/* SPDX-License-Identifier: MIT */
/*
 * The blocking edge of lanes. Functions named locked_... expect the lane's lock to be held and hold
 * it when they return, but may leave it in between. Rules that keep the unlocked parts apart:
 *
 * - Only the leader receives, connects, and gives the connection back.
 * - Only one thread at a time sends, and only that thread moves bytes in the out buffer. Over TLS
 *   it is the leader, since one thread at a time may use a stream.
 * - The leader waits for the sender before it gives the connection back.
 * - A call's memory is its caller's again as soon as its word is DONE.
 */
#include "mcmeta/shared.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/time.h"
#include "mcmeta/token.h"

/* Round trips above this are worth a send of one's own. */
#define OWN_SEND_NS (200 * NS_PER_US)

/* A connection unused for so long is given back to the pool. */
#define KEEP_NS NS_PER_SEC

#define RECEIVE_SIZE 16384

/* What a caller's word says. */
enum { WAITING, SLEEPING, LEAD, DONE };

struct caller {
    struct mcm_lane_call call; /* first */
    atomic_int word;
    uint32_t bit; /* by which it is woken; shared with others when there are many */
    mcm_ns deadline;
    mcm_ns idle_ns;
    mcm_ns waited_ns;
    bool leaving; /* it gave up, and ends when the leader has closed the connection */
};

/* Bits of the sleepers to wake once the lock is left. */
struct wakes {
    uint32_t bits;
};

static void futex_wake(atomic_uint *word, uint32_t bits)
{
    syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, bits);
}

static void futex_wait(atomic_uint *word, unsigned value, mcm_ns until, uint32_t bits)
{
    struct timespec timespec = ns_to_timespec(until);
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, until != NS_NEVER ? &timespec : NULL,
            NULL, bits);
}

/* Leaves the lock and wakes all who were told something, with one system call. */
static void unlock(struct mcm_shared *shared, struct wakes *wakes)
{
    pthread_mutex_unlock(&shared->lock);
    if (wakes->bits == 0)
        return;
    atomic_fetch_add(&shared->news, 1);
    futex_wake(&shared->news, wakes->bits);
    wakes->bits = 0;
}

/* Tells a caller something. Its memory may be gone when this returns. */
static void locked_tell(struct mcm_lane_call *call, int word, struct wakes *wakes)
{
    struct caller *caller = (struct caller *)call;
    uint32_t bit = caller->bit;
    if (atomic_exchange(&caller->word, word) == SLEEPING)
        wakes->bits |= bit;
}

static void locked_complete(struct mcm_shared *shared, struct wakes *wakes)
{
    struct mcm_lane_call *call;
    while ((call = mcm_lane_next_done(&shared->lane)) != NULL) {
        mcm_traffic_count(&shared->traffic, call->op);
        locked_tell(call, DONE, wakes);
    }
}

static void locked_refuse(struct mcm_shared *shared, struct mcm_lane_call *call,
                          enum mcm_outcome outcome, int sys_errno, struct wakes *wakes)
{
    mcm_lane_refuse(&shared->lane, call, outcome, sys_errno);
    locked_tell(call, DONE, wakes);
}

static void locked_refuse_queued(struct mcm_shared *shared, enum mcm_outcome outcome, int sys_errno,
                                 struct wakes *wakes)
{
    while (shared->lane.queued != NULL)
        locked_refuse(shared, shared->lane.queued, outcome, sys_errno, wakes);
}

static bool is_done(struct caller *me)
{
    return atomic_load_explicit(&me->word, memory_order_relaxed) == DONE;
}

static void count_call(atomic_uint_least64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static ssize_t send_some(struct mcm_link *link, const char *data, size_t size)
{
    bool writes;
    if (link->stream != NULL)
        return link->stream->ops->send(link->stream, data, size, &writes);
    return send(link->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/*
 * Sends what is queued until the kernel takes no more. An error is not looked at here: receiving
 * shows it too, after what the server may have said before it hung up.
 */
static void locked_send(struct mcm_backend *backend, struct mcm_shared *shared, struct wakes *wakes)
{
    size_t size;
    struct mcm_link *link = shared->lease.link;
    shared->sending = true;
    if (mcm_lane_commit(&shared->lane))
        mcm_measure_add(backend->measures, MCM_MEASURE_DEPTH, shared->lane.in_flight);
    if (mcm_lane_is_stuck(&shared->lane))
        locked_refuse_queued(shared, MCM_E_NO_MEMORY, 0, wakes);
    while (mcm_lane_commit(&shared->lane), mcm_lane_out(&shared->lane, &size), size > 0) {
        const char *data = mcm_lane_out(&shared->lane, &size);
        unlock(shared, wakes);
        ssize_t sent = send_some(link, data, size);
        count_call(&backend->measures->sends);
        bool interrupted = sent < 0 && errno == EINTR;
        mcm_ns now = ns_now();
        pthread_mutex_lock(&shared->lock);
        if (sent > 0) {
            mcm_lane_sent(&shared->lane, (size_t)sent);
            shared->sent_at = now;
        } else if (!interrupted) {
            break;
        }
    }
    shared->sending = false;
}

/* The leader's. Gives the connection back; nothing may be in flight. */
static void locked_drop(struct mcm_backend *backend, struct mcm_shared *shared, bool is_stale,
                        struct wakes *wakes)
{
    while (shared->sending) {
        unlock(shared, wakes);
        sched_yield();
        pthread_mutex_lock(&shared->lock);
    }
    mcm_lane_close(&shared->lane);
    struct mcm_lease lease = shared->lease;
    shared->suspect = false;
    unlock(shared, wakes);
    if (is_stale)
        mcm_backend_discard(backend, &lease);
    else
        mcm_backend_release(backend, &lease);
    pthread_mutex_lock(&shared->lock);
}

/* The leader's. Ends what is in flight and gives the connection back, to be closed. */
static void locked_fail(struct mcm_backend *backend, struct mcm_shared *shared,
                        enum mcm_outcome outcome, int sys_errno, struct wakes *wakes)
{
    mcm_lane_fail(&shared->lane, outcome, sys_errno);
    locked_complete(shared, wakes);
    locked_drop(backend, shared, false, wakes);
}

/* The leader's. All that wait for the connection share the fate of its dial, unless it ended for a
 * reason of the leader's own. */
static void locked_connect(struct mcm_backend *backend, struct mcm_shared *shared,
                           struct caller *me, struct wakes *wakes)
{
    struct mcm_lease lease = {0};
    unlock(shared, wakes);
    enum mcm_outcome outcome = mcm_backend_acquire(backend, &lease, me->idle_ns, me->deadline);
    mcm_ns now = ns_now();
    pthread_mutex_lock(&shared->lock);
    me->waited_ns += lease.waited_ns;
    if (outcome == MCM_OK) {
        shared->lease = lease;
        shared->used_at = now;
        mcm_lane_open(&shared->lane, &lease.link->conn, lease.link->used);
        return;
    }
    enum mcm_class domain = mcm_outcome_class(outcome);
    bool is_shared = domain == MCM_CLASS_CONNECT && now < me->deadline;
    if (is_shared || (domain == MCM_CLASS_STOPPED && !mcm_cancel_is_due()))
        locked_refuse_queued(shared, outcome, lease.sys_errno, wakes);
    else
        locked_refuse(shared, &me->call, outcome, lease.sys_errno, wakes);
}

/* The leader's. Gives a connection back that should not be used: dead, or past its lifetime. False
 * while the answers to what is in flight must be awaited first. */
static bool locked_renew(struct mcm_backend *backend, struct mcm_shared *shared, struct caller *me,
                         mcm_ns now, struct wakes *wakes)
{
    bool is_old = mcm_backend_is_outdated(backend, &shared->lease, now);
    if (shared->lane.in_flight > 0 || shared->sending)
        return !is_old;
    bool looks = shared->suspect || now - shared->used_at >= me->idle_ns;
    bool is_stale = looks && !mcm_link_is_quiet(shared->lease.link);
    if (is_stale || is_old || shared->lane.conn->broken)
        locked_drop(backend, shared, is_stale, wakes);
    return true;
}

struct received {
    ssize_t size;
    int error;
    mcm_ns now;
};

static ssize_t receive_plain(int fd, char *data, bool writes, mcm_ns now, mcm_ns until)
{
    int flags = 0;
    if (writes || !mcm_socket_may_block(now, until)) {
        mcm_socket_wait(fd, writes, until);
        flags = MSG_DONTWAIT;
    }
    return recv(fd, data, RECEIVE_SIZE, flags);
}

/* The stream first: it may hold bytes that the socket has given away already. */
static ssize_t receive_stream(struct mcm_stream *stream, int fd, char *data, bool writes,
                              mcm_ns until)
{
    bool stream_writes = false;
    ssize_t got = stream->ops->receive(stream, data, RECEIVE_SIZE, &stream_writes);
    if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        return got;
    mcm_socket_wait(fd, writes || stream_writes, until);
    return stream->ops->receive(stream, data, RECEIVE_SIZE, &stream_writes);
}

/* Waits for the network until `until` and receives once. EAGAIN: nothing came. */
static struct received receive(const struct mcm_link *link, char *data, bool writes, mcm_ns now,
                               mcm_ns until)
{
    struct received received;
    received.size = link->stream != NULL
                        ? receive_stream(link->stream, link->fd, data, writes, until)
                        : receive_plain(link->fd, data, writes, now, until);
    received.error = received.size < 0 ? errno : 0;
    received.now = ns_now();
    return received;
}

static void locked_note_rtt(struct mcm_shared *shared, mcm_ns now)
{
    mcm_ns sample = now - shared->sent_at;
    shared->rtt += (sample - shared->rtt) / 8;
    shared->used_at = now;
}

/* The leader's. */
static void locked_receive(struct mcm_backend *backend, struct mcm_shared *shared,
                           struct caller *me, mcm_ns now, struct wakes *wakes)
{
    char data[RECEIVE_SIZE];
    size_t unsent;
    mcm_lane_out(&shared->lane, &unsent);
    mcm_ns overdue = mcm_lane_deadline(&shared->lane);
    const struct mcm_link *link = shared->lease.link;
    bool writes = unsent > 0 && !shared->sending;
    shared->receiving = true;
    unlock(shared, wakes);
    count_call(&backend->measures->receives);
    struct received got = receive(link, data, writes, now, ns_min(me->deadline, overdue));
    pthread_mutex_lock(&shared->lock);
    shared->receiving = false;
    if (got.size > 0) {
        locked_note_rtt(shared, got.now);
        shared->lease.link->used = true;
        mcm_lane_feed(&shared->lane, data, (size_t)got.size);
        locked_complete(shared, wakes);
        if (shared->lane.conn->broken)
            locked_drop(backend, shared, false, wakes);
    } else if (shared->stopping) {
        return;
    } else if (got.size == 0) {
        locked_fail(backend, shared, MCM_E_CLOSED, 0, wakes);
    } else if (got.error != EAGAIN && got.error != EWOULDBLOCK && got.error != EINTR) {
        locked_fail(backend, shared, MCM_E_RESET, got.error, wakes);
    } else if (got.now >= overdue) {
        locked_fail(backend, shared, MCM_E_RESET, ETIMEDOUT, wakes);
    }
}

/* Ends everything that was in progress when the client was told to stop. */
static void locked_end_all(struct mcm_backend *backend, struct mcm_shared *shared,
                           struct wakes *wakes)
{
    enum mcm_outcome outcome = mcm_backend_stop_outcome(backend);
    shared->stopping = false;
    locked_refuse_queued(shared, outcome, 0, wakes);
    if (shared->lane.conn != NULL)
        locked_fail(backend, shared, outcome, 0, wakes);
}

/* Takes out a call whose time is up or which was cancelled. */
static void locked_give_up(struct mcm_shared *shared, struct caller *me, mcm_ns now)
{
    if (mcm_lane_abandon(&shared->lane, &me->call, now)) {
        if (mcm_cancel_is_due())
            me->call.op->outcome = MCM_E_CANCELLED;
        atomic_store(&me->word, DONE);
        return;
    }
    /* There was no memory to leave quietly: the connection failed, and the leader cleans up. */
    me->leaving = true;
    me->deadline = NS_NEVER;
    shutdown(shared->lease.link->fd, SHUT_RDWR);
}

/* Whether the caller's time is up, or it was cancelled. */
static bool must_give_up(const struct caller *me, mcm_ns now)
{
    return now >= me->deadline || (!me->leaving && mcm_cancel_is_due());
}

/*
 * Those who were woken together mostly come back together: lets them add their requests before a
 * batch leaves that is smaller than the last one.
 */
static void locked_gather(struct mcm_shared *shared, struct wakes *wakes)
{
    unsigned expected = shared->batch;
    if (shared->lane.queued_count < expected && !shared->sending) {
        unlock(shared, wakes);
        sched_yield();
        pthread_mutex_lock(&shared->lock);
    }
    shared->batch = (shared->lane.queued_count + shared->batch) / 2;
}

/* One round of the leader. */
static void locked_round(struct mcm_backend *backend, struct mcm_shared *shared, struct caller *me,
                         struct wakes *wakes)
{
    mcm_ns now = ns_now();
    if (shared->stopping) {
        locked_end_all(backend, shared, wakes);
        return;
    }
    if (must_give_up(me, now)) {
        locked_give_up(shared, me, now);
        return;
    }
    bool may_send = shared->lane.conn == NULL || locked_renew(backend, shared, me, now, wakes);
    if (shared->lane.conn == NULL) {
        locked_connect(backend, shared, me, wakes);
        return;
    }
    /* Nothing more goes over a connection that is about to be given up for its silence. */
    may_send = may_send && now < mcm_lane_deadline(&shared->lane);
    if (may_send && !shared->sending) {
        locked_gather(shared, wakes);
        locked_send(backend, shared, wakes);
    }
    if (!is_done(me))
        locked_receive(backend, shared, me, now, wakes);
}

static void locked_lead(struct mcm_backend *backend, struct mcm_shared *shared, struct caller *me,
                        struct wakes *wakes)
{
    while (!is_done(me))
        locked_round(backend, shared, me, wakes);
    if (shared->lane.calls.first != NULL) {
        locked_tell(shared->lane.calls.first, LEAD, wakes);
        return;
    }
    if (shared->stopping)
        locked_end_all(backend, shared, wakes);
    shared->leading = shared->lane.calls.first != NULL;
    if (shared->leading)
        locked_tell(shared->lane.calls.first, LEAD, wakes);
}

/* Sleeps until the call is done, or it is this caller's turn to lead. */
static void follow(struct mcm_backend *backend, struct mcm_shared *shared, struct caller *me,
                   struct wakes *wakes)
{
    int word;
    unsigned news;
    /* Whoever tells us something changes the word before the news. */
    while (news = atomic_load(&shared->news), (word = atomic_load(&me->word)) < LEAD) {
        mcm_ns now = ns_now();
        if (must_give_up(me, now)) {
            pthread_mutex_lock(&shared->lock);
            if (atomic_load(&me->word) < LEAD)
                locked_give_up(shared, me, now);
            unlock(shared, wakes);
            continue;
        }
        if (word == WAITING)
            atomic_compare_exchange_strong(&me->word, &word, SLEEPING);
        else
            futex_wait(&shared->news, news, mcm_cancel_bound(me->deadline, now), me->bit);
    }
    if (word == DONE)
        return;
    pthread_mutex_lock(&shared->lock);
    /* Nobody else changes the word of a leader. */
    atomic_store(&me->word, WAITING);
    locked_lead(backend, shared, me, wakes);
    unlock(shared, wakes);
}

/* Whether a caller should not leave its request to the leader. */
static bool must_send_itself(const struct mcm_shared *shared)
{
    if (!shared->receiving || shared->sending || shared->lane.conn == NULL ||
        shared->lease.link->stream != NULL)
        return false;
    return shared->rtt > OWN_SEND_NS || ns_now() - shared->sent_at > OWN_SEND_NS;
}

/* A thread keeps to its lane, so that the same threads meet again and again. */
static struct mcm_shared *pick_lane(const struct mcm_backend *backend)
{
    uint64_t mixed = (uint64_t)pthread_self() * UINT64_C(0x9e3779b97f4a7c15);
    return &backend->lanes[(mixed >> 32) % backend->lane_count];
}

static void run(struct mcm_backend *backend, struct caller *me)
{
    struct wakes wakes = {.bits = 0};
    struct mcm_shared *shared = pick_lane(backend);
    if (ns_now() >= me->deadline) {
        me->call.op->outcome = MCM_E_TIMEOUT_POOL;
        return;
    }
    pthread_mutex_lock(&shared->lock);
    if (atomic_load(backend->stop) != MCM_STOP_NOT) {
        pthread_mutex_unlock(&shared->lock);
        me->call.op->outcome = mcm_backend_stop_outcome(backend);
        return;
    }
    mcm_lane_add(&shared->lane, &me->call);
    me->bit = 1u << (shared->tickets++ % 32);
    if (!shared->leading) {
        shared->leading = true;
        locked_lead(backend, shared, me, &wakes);
        unlock(shared, &wakes);
        return;
    }
    if (must_send_itself(shared))
        locked_send(backend, shared, &wakes);
    unlock(shared, &wakes);
    follow(backend, shared, me, &wakes);
}

struct mcm_shared_end mcm_shared_run(struct mcm_backend *backend, const struct mcm_request *request,
                                     struct mcm_op *op, mcm_ns idle_ns, mcm_ns deadline)
{
    struct caller me = {.deadline = deadline, .idle_ns = idle_ns};
    me.call.op = op;
    me.call.request = request;
    run(backend, &me);
    bool lost =
        op->outcome == MCM_E_RESET || op->outcome == MCM_E_CLOSED || op->outcome == MCM_E_PROTOCOL;
    return (struct mcm_shared_end){
        .outcome = op->outcome,
        .lost = lost,
        .was_used = me.call.was_used,
        .was_idle = me.call.was_idle,
        .waited_ns = me.waited_ns,
    };
}

int mcm_shared_init(struct mcm_backend *backend, unsigned count, unsigned in_flight_max)
{
    if (count == 0)
        return 0;
    backend->lanes = calloc(count, sizeof(*backend->lanes));
    if (backend->lanes == NULL)
        return -1;
    backend->lane_count = count;
    for (unsigned i = 0; i < count; i++) {
        pthread_mutex_init(&backend->lanes[i].lock, NULL);
        mcm_lane_init(&backend->lanes[i].lane, in_flight_max);
    }
    return 0;
}

/* Gives the connection of a lane without callers back, whatever tombstones it has. */
static void locked_retire(struct mcm_backend *backend, struct mcm_shared *shared,
                          struct wakes *wakes)
{
    if (shared->lane.in_flight > 0)
        locked_fail(backend, shared, MCM_E_RESET, 0, wakes);
    else
        locked_drop(backend, shared, false, wakes);
}

void mcm_shared_deinit(struct mcm_backend *backend)
{
    struct wakes wakes = {.bits = 0};
    for (unsigned i = 0; i < backend->lane_count; i++) {
        struct mcm_shared *shared = &backend->lanes[i];
        pthread_mutex_lock(&shared->lock);
        if (shared->lane.conn != NULL)
            locked_retire(backend, shared, &wakes);
        pthread_mutex_unlock(&shared->lock);
        mcm_lane_deinit(&shared->lane);
        pthread_mutex_destroy(&shared->lock);
    }
    free(backend->lanes);
    backend->lanes = NULL;
    backend->lane_count = 0;
}

/* Takes the lead of an unused lane for a moment; late answers were not read by anybody, and are not
 * worth reading now. */
static void locked_sweep(struct mcm_backend *backend, struct mcm_shared *shared,
                         struct wakes *wakes)
{
    shared->leading = true;
    locked_retire(backend, shared, wakes);
    shared->leading = shared->lane.calls.first != NULL;
    if (shared->leading)
        locked_tell(shared->lane.calls.first, LEAD, wakes);
    else
        shared->stopping = false;
}

void mcm_shared_maintain(struct mcm_backend *backend)
{
    struct wakes wakes = {.bits = 0};
    for (unsigned i = 0; i < backend->lane_count; i++) {
        struct mcm_shared *shared = &backend->lanes[i];
        mcm_ns now = ns_now();
        pthread_mutex_lock(&shared->lock);
        if (!shared->leading && shared->lane.conn != NULL && now - shared->used_at >= KEEP_NS)
            locked_sweep(backend, shared, &wakes);
        unlock(shared, &wakes);
    }
}

void mcm_shared_traffic(struct mcm_backend *backend, struct mcm_traffic *sum)
{
    for (unsigned i = 0; i < backend->lane_count; i++) {
        struct mcm_shared *shared = &backend->lanes[i];
        pthread_mutex_lock(&shared->lock);
        mcm_traffic_add(sum, &shared->traffic);
        pthread_mutex_unlock(&shared->lock);
    }
}

void mcm_shared_stop(struct mcm_backend *backend)
{
    for (unsigned i = 0; i < backend->lane_count; i++) {
        struct mcm_shared *shared = &backend->lanes[i];
        pthread_mutex_lock(&shared->lock);
        shared->stopping = shared->leading;
        shared->suspect = !shared->leading;
        pthread_mutex_unlock(&shared->lock);
    }
}
