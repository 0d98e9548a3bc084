/* SPDX-License-Identifier: MIT */
/*
 * One server: locking, waiting and sockets around the sans-I/O pool and breaker. Functions named
 * locked_... expect the lock to be held.
 */
#include "mcmeta/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "mcmeta/shared.h"
#include "mcmeta/token.h"

/* A name is not looked up again sooner than this after the last time. */
#define RESOLVE_PAUSE NS_PER_SEC

/* Maintenance looks so often whether a lookup has ended. */
#define LOOKUP_LOOK (100 * NS_PER_MS)

static int init_parts(struct mcm_backend *backend, const struct mcm_backend_config *config)
{
    char host[MCM_HOST_SIZE];
    mcm_address_host(config->address, host);
    backend->name = strdup(config->name);
    backend->address_text = strdup(config->address);
    backend->measures = calloc(1, sizeof(*backend->measures));
    if (config->missed_max > 0)
        backend->missed = mcm_missed_new(config->missed_max);
    backend->links = calloc(backend->link_count, sizeof(*backend->links));
    backend->pool = mcm_pool_new(config->pool, rng_u64(&backend->rng));
    if (config->breaker != NULL)
        backend->breaker = mcm_breaker_new(config->breaker, rng_u64(&backend->rng), ns_now());
    if (config->tls != NULL)
        backend->tls = mcm_tls_peer_new(config->tls, host);
    if (backend->name == NULL || backend->address_text == NULL || backend->links == NULL ||
        backend->measures == NULL || (config->missed_max > 0 && backend->missed == NULL) ||
        backend->pool == NULL || (config->breaker != NULL && backend->breaker == NULL) ||
        (config->tls != NULL && backend->tls == NULL))
        return -1;
    for (unsigned i = 0; i < backend->link_count; i++)
        backend->links[i].fd = -1;
    return mcm_auth_init(&backend->auth, config->user, config->password);
}

int mcm_backend_init(struct mcm_backend *backend, const struct mcm_backend_config *config)
{
    memset(backend, 0, sizeof(*backend));
    mcm_address_resolve(&backend->address, config->address);
    backend->resolved_at = ns_now();
    backend->resolve_period = mcm_address_is_name(config->address) ? config->resolve_period : 0;
    backend->connect_timeout = config->connect_timeout > 0 ? config->connect_timeout : NS_NEVER;
    backend->acquire_timeout = config->acquire_timeout > 0 ? config->acquire_timeout : NS_NEVER;
    backend->unacked_max = config->unacked_max;
    backend->verify = config->verify;
    backend->stop = config->stop;
    backend->hooks = config->hooks;
    backend->link_count = config->pool->max_size;
    backend->rng = rng_seeded(config->seed);
    pthread_mutex_init(&backend->lock, NULL);
    if (init_parts(backend, config) != 0 ||
        mcm_shared_init(backend, config->lane_count, config->lane_in_flight_max) != 0) {
        mcm_backend_deinit(backend);
        return -1;
    }
    return 0;
}

static void locked_wake(struct mcm_pool_waiter *waiter)
{
    if (waiter != NULL)
        pthread_cond_signal(&((struct mcm_sleeper *)waiter->owner)->wake);
}

void mcm_backend_tell_closed(struct mcm_backend *backend)
{
    struct mcm_close_event event = {.server_name = backend->name};
    if (backend->hooks->on_close == NULL)
        return;
    pthread_mutex_lock(&backend->lock);
    event.connections = backend->closed;
    backend->closed = 0;
    pthread_mutex_unlock(&backend->lock);
    if (event.connections > 0)
        backend->hooks->on_close(backend->hooks->arg, &event);
}

/* Closes the socket of a slot, if any. The slot's state is not touched. */
static void locked_close(struct mcm_link *link)
{
    mcm_stream_free(link->stream);
    link->stream = NULL;
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

static struct mcm_link *link_of(struct mcm_backend *backend, const struct mcm_pool_slot *slot)
{
    return &backend->links[slot->index];
}

static void locked_release(struct mcm_backend *backend, struct mcm_pool_slot *slot,
                           enum mcm_pool_fate fate)
{
    struct mcm_link *link = link_of(backend, slot);
    struct mcm_pool_released released = mcm_pool_release(backend->pool, slot, fate, ns_now());
    link->busy = false;
    link->stopped = false;
    locked_wake(released.wake);
    if (released.close) {
        locked_close(link);
        backend->closed++;
        locked_wake(mcm_pool_closed(backend->pool, slot, ns_now()));
    }
}

void mcm_backend_deinit(struct mcm_backend *backend)
{
    mcm_shared_deinit(backend);
    if (backend->pool != NULL) {
        mcm_pool_close(backend->pool);
        struct mcm_pool_check check;
        while (check = mcm_pool_next_check(backend->pool, ns_now()),
               check.action == MCM_POOL_CHECK_CLOSE) {
            locked_close(link_of(backend, check.slot));
            backend->closed++;
            mcm_pool_closed(backend->pool, check.slot, ns_now());
        }
        mcm_backend_tell_closed(backend);
        mcm_pool_free(backend->pool);
    }
    mcm_lookup_free(backend->lookup);
    mcm_breaker_free(backend->breaker);
    mcm_tls_peer_free(backend->tls);
    mcm_auth_deinit(&backend->auth);
    free(backend->links);
    free(backend->measures);
    mcm_missed_free(backend->missed);
    free(backend->address_text);
    free(backend->name);
    pthread_mutex_destroy(&backend->lock);
}

void mcm_backend_disown(struct mcm_backend *backend)
{
    for (unsigned i = 0; i < backend->link_count; i++)
        locked_close(&backend->links[i]);
    /* Not mcm_pool_free(), which insists on order. */
    free(backend->pool);
    free(backend->lanes);
    mcm_breaker_free(backend->breaker);
    mcm_tls_peer_free(backend->tls);
    mcm_auth_deinit(&backend->auth);
    free(backend->links);
    free(backend->measures);
    mcm_missed_disown(backend->missed);
    free(backend->address_text);
    free(backend->name);
}

enum mcm_outcome mcm_backend_admit(struct mcm_backend *backend, struct mcm_breaker_token *token,
                                   struct mcm_breaker_transition *moved)
{
    moved->cause = MCM_BREAKER_CAUSE_NONE;
    if (backend->breaker == NULL)
        return MCM_OK;
    if (mcm_breaker_reject_fast(backend->breaker, ns_now()))
        return MCM_E_BREAKER_OPEN;
    pthread_mutex_lock(&backend->lock);
    enum mcm_breaker_verdict verdict = mcm_breaker_allow(backend->breaker, ns_now(), token, moved);
    pthread_mutex_unlock(&backend->lock);
    switch (verdict) {
    case MCM_BREAKER_ALLOWED: return MCM_OK;
    case MCM_BREAKER_REFUSED_OPEN: return MCM_E_BREAKER_OPEN;
    case MCM_BREAKER_REFUSED_BUSY: break;
    }
    return MCM_E_BREAKER_BUSY;
}

enum mcm_outcome mcm_backend_admit_probe(struct mcm_backend *backend,
                                         struct mcm_breaker_token *token,
                                         struct mcm_breaker_transition *moved, mcm_ns *next)
{
    enum mcm_outcome outcome = MCM_E_BREAKER_OPEN;
    moved->cause = MCM_BREAKER_CAUSE_NONE;
    pthread_mutex_lock(&backend->lock);
    ns_t now = ns_now();
    if (mcm_breaker_state(backend->breaker, now, moved) == MCM_BREAKER_HALF_OPEN) {
        struct mcm_breaker_transition none;
        enum mcm_breaker_verdict verdict =
            mcm_breaker_allow_probe(backend->breaker, now, token, &none);
        outcome = verdict == MCM_BREAKER_ALLOWED ? MCM_OK : MCM_E_BREAKER_BUSY;
    }
    *next = ns_min(*next, mcm_breaker_deadline(backend->breaker));
    pthread_mutex_unlock(&backend->lock);
    return outcome;
}

static enum mcm_breaker_result breaker_result(enum mcm_outcome outcome, enum mcm_count count)
{
    switch (count) {
    case MCM_COUNT_SUCCESS: return MCM_BREAKER_SUCCESS;
    case MCM_COUNT_FAILURE: break;
    case MCM_COUNT_EXCLUDED:
    case MCM_COUNT_NONE: return MCM_BREAKER_EXCLUDED;
    }
    return mcm_outcome_class(outcome) == MCM_CLASS_CONNECT ? MCM_BREAKER_CONNECT_FAILURE
                                                           : MCM_BREAKER_FAILURE;
}

void mcm_backend_report(struct mcm_backend *backend, struct mcm_breaker_token token,
                        enum mcm_outcome outcome, enum mcm_count count,
                        struct mcm_breaker_transition *moved)
{
    moved->cause = MCM_BREAKER_CAUSE_NONE;
    atomic_fetch_add_explicit(&backend->outcomes[outcome], 1, memory_order_relaxed);
    if (outcome == MCM_E_REJECTED)
        atomic_store(&backend->item_size_max, MCM_ITEM_SIZE_DOUBTED);
    if (backend->breaker == NULL || count == MCM_COUNT_NONE)
        return;
    pthread_mutex_lock(&backend->lock);
    mcm_breaker_done(backend->breaker, token, breaker_result(outcome, count), ns_now(), moved);
    pthread_mutex_unlock(&backend->lock);
}

static bool must_stop(const struct mcm_backend *backend)
{
    return atomic_load(backend->stop) != MCM_STOP_NOT;
}

/* Also when calls may run again by now: an interruption ends all that were in progress. */
static bool is_stopped(const struct mcm_backend *backend, const struct mcm_lease *lease)
{
    return lease->stopped || must_stop(backend) || mcm_cancel_is_due();
}

enum mcm_outcome mcm_backend_stop_outcome(const struct mcm_backend *backend)
{
    return atomic_load(backend->stop) == MCM_STOP_SHUTDOWN ? MCM_E_SHUTDOWN : MCM_E_CANCELLED;
}

static void locked_add_sleeper(struct mcm_backend *backend, struct mcm_sleeper *sleeper)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sleeper->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    sleeper->stopped = must_stop(backend);
    sleeper->prev = NULL;
    sleeper->next = backend->sleepers;
    if (sleeper->next != NULL)
        sleeper->next->prev = sleeper;
    backend->sleepers = sleeper;
}

static void locked_remove_sleeper(struct mcm_backend *backend, struct mcm_sleeper *sleeper)
{
    if (sleeper->prev != NULL)
        sleeper->prev->next = sleeper->next;
    else
        backend->sleepers = sleeper->next;
    if (sleeper->next != NULL)
        sleeper->next->prev = sleeper->prev;
    pthread_cond_destroy(&sleeper->wake);
}

static void locked_tick(struct mcm_backend *backend)
{
    struct mcm_pool_waiter *granted;
    while ((granted = mcm_pool_tick(backend->pool, ns_now())) != NULL)
        locked_wake(granted);
}

/*
 * Who went to sleep before a dial back-off began does not know when it ends: let the first one look
 * again. It will sleep until then, tick the pool and serve whoever is first in the queue.
 */
static void locked_rouse(struct mcm_backend *backend)
{
    if (backend->sleepers != NULL && mcm_pool_deadline(backend->pool) != NS_NEVER)
        pthread_cond_signal(&backend->sleepers->wake);
}

/* Sleeps until the pool granted or refused the wish, the deadline passed or the client stops. */
static void locked_wait(struct mcm_backend *backend, struct mcm_pool_waiter *waiter,
                        mcm_ns deadline)
{
    struct mcm_sleeper *sleeper = waiter->owner;
    locked_add_sleeper(backend, sleeper);
    while (waiter->verdict == MCM_POOL_WAIT) {
        if (sleeper->stopped || mcm_cancel_is_due() || ns_now() >= deadline) {
            mcm_pool_cancel(backend->pool, waiter, ns_now());
            break;
        }
        ns_t until = mcm_cancel_bound(ns_min(deadline, mcm_pool_deadline(backend->pool)), ns_now());
        if (until == NS_NEVER) {
            pthread_cond_wait(&sleeper->wake, &backend->lock);
        } else {
            struct timespec timespec = ns_to_timespec(until);
            pthread_cond_timedwait(&sleeper->wake, &backend->lock, &timespec);
        }
        locked_tick(backend);
    }
    locked_remove_sleeper(backend, sleeper);
    locked_rouse(backend);
}

/*
 * The pool's final word on a wish for a connection; the lock is left. GOT and DIAL come with a
 * slot, whose link is then busy.
 */
static enum mcm_pool_verdict ask_pool(struct mcm_backend *backend, struct mcm_lease *lease,
                                      bool may_wait, mcm_ns deadline)
{
    struct mcm_sleeper sleeper = {0};
    struct mcm_pool_waiter waiter = {.owner = &sleeper};
    pthread_mutex_lock(&backend->lock);
    ns_t now = ns_now();
    deadline = ns_min(deadline, ns_add(now, backend->acquire_timeout));
    bool waits = mcm_pool_acquire(backend->pool, &waiter, deadline, now) == MCM_POOL_WAIT;
    if (waits && !may_wait) {
        mcm_pool_cancel(backend->pool, &waiter, now);
    } else if (waits) {
        locked_wait(backend, &waiter, deadline);
        ns_t waited = ns_now() - now;
        lease->waited_ns += waited;
        mcm_measure_add(backend->measures, MCM_MEASURE_WAIT, (uint64_t)waited);
        lease->stopped = sleeper.stopped;
    }
    if (waiter.verdict == MCM_POOL_GOT || waiter.verdict == MCM_POOL_DIAL) {
        lease->slot = waiter.slot;
        lease->link = link_of(backend, waiter.slot);
        lease->link->busy = true;
    }
    if (waiter.verdict == MCM_POOL_DIAL)
        locked_close(lease->link);
    pthread_mutex_unlock(&backend->lock);
    return waiter.verdict;
}

static ns_t locked_resolve_due(const struct mcm_backend *backend)
{
    if (backend->resolve_period <= 0)
        return NS_NEVER;
    ns_t wait = backend->connect_failed ? ns_min(RESOLVE_PAUSE, backend->resolve_period)
                                        : backend->resolve_period;
    return ns_add(backend->resolved_at, wait);
}

static bool have_common_address(const struct mcm_address *a, const struct mcm_address *b)
{
    for (unsigned i = 0; i < a->count; i++) {
        for (unsigned k = 0; k < b->count; k++) {
            if (a->sizes[i] == b->sizes[k] &&
                memcmp(&a->sockets[i], &b->sockets[k], a->sizes[i]) == 0)
                return true;
        }
    }
    return false;
}

/* A resolver that fails now is no reason to forget what it said before. */
static void locked_take_address(struct mcm_backend *backend, const struct mcm_address *fresh)
{
    if (fresh->count == 0)
        return;
    if (backend->address.count > 0 && !have_common_address(fresh, &backend->address)) {
        mcm_pool_reset(backend->pool);
        atomic_store(&backend->moved_at, ns_now());
    }
    backend->address = *fresh;
}

/* Takes what a lookup has found, and starts the next one when it is due. */
static void locked_resolve(struct mcm_backend *backend)
{
    if (backend->resolve_period <= 0)
        return;
    const struct mcm_address *fresh =
        backend->lookup != NULL ? mcm_lookup_result(backend->lookup) : NULL;
    if (fresh != NULL) {
        locked_take_address(backend, fresh);
        mcm_lookup_free(backend->lookup);
        backend->lookup = NULL;
        backend->resolved_at = ns_now();
    }
    if (backend->lookup != NULL || ns_now() < locked_resolve_due(backend))
        return;
    backend->connect_failed = false;
    backend->lookup = mcm_lookup_start(backend->address_text);
    backend->resolved_at = ns_now(); /* without a lookup: the next attempt comes a period later */
}

void mcm_backend_resolve(struct mcm_backend *backend, mcm_ns *next)
{
    if (backend->resolve_period <= 0)
        return;
    pthread_mutex_lock(&backend->lock);
    locked_resolve(backend);
    *next = ns_min(*next, backend->lookup != NULL ? ns_add(ns_now(), LOOKUP_LOOK)
                                                  : locked_resolve_due(backend));
    pthread_mutex_unlock(&backend->lock);
}

void mcm_backend_address(struct mcm_backend *backend, struct mcm_link *link,
                         struct mcm_address *address)
{
    pthread_mutex_lock(&backend->lock);
    locked_resolve(backend);
    *address = backend->address;
    link->moved_at = atomic_load(&backend->moved_at);
    pthread_mutex_unlock(&backend->lock);
}

static enum mcm_outcome refusal_outcome(enum mcm_pool_verdict verdict)
{
    switch (verdict) {
    case MCM_POOL_REFUSED_FULL: return MCM_E_WAITERS;
    case MCM_POOL_REFUSED_CLOSED: return MCM_E_SHUTDOWN;
    case MCM_POOL_REFUSED_BACKOFF: return MCM_E_BACKOFF;
    default: return MCM_E_TIMEOUT_POOL;
    }
}

int mcm_backend_open_link(struct mcm_backend *backend, struct mcm_link *link,
                          const struct mcm_address *address, unsigned index)
{
    pthread_mutex_lock(&backend->lock);
    locked_close(link);
    link->fd = mcm_socket_new(address, index);
    int fd = link->fd;
    pthread_mutex_unlock(&backend->lock);
    if (fd >= 0 && address->sockets[index].ss_family != AF_UNIX && backend->unacked_max > 0)
        mcm_socket_limit_unacked(fd, backend->unacked_max);
    return fd;
}

/* What a connected socket needs before the first request. */
static enum mcm_outcome prepare_link(struct mcm_backend *backend, struct mcm_lease *lease,
                                     mcm_ns deadline)
{
    struct mcm_link *link = lease->link;
    enum mcm_outcome outcome = MCM_OK;
    if (backend->tls != NULL) {
        link->stream = mcm_tls_stream_new(backend->tls, link->fd);
        if (link->stream == NULL)
            return MCM_E_NO_MEMORY;
        outcome = mcm_stream_handshake(link->stream, link->fd, deadline, &lease->sys_errno);
    }
    if (outcome == MCM_OK && backend->auth.command != NULL)
        outcome = mcm_auth_run(&backend->auth, link->stream, link->fd, deadline, &lease->sys_errno);
    return outcome;
}

/* Tries the addresses of the server in turn. */
static enum mcm_outcome connect_link(struct mcm_backend *backend, struct mcm_lease *lease,
                                     mcm_ns deadline)
{
    enum mcm_outcome outcome = MCM_E_RESOLVE;
    struct mcm_address address;
    mcm_backend_address(backend, lease->link, &address);
    for (unsigned i = 0; i < address.count && !is_stopped(backend, lease); i++) {
        int fd = mcm_backend_open_link(backend, lease->link, &address, i);
        if (fd < 0) {
            lease->sys_errno = errno;
            return MCM_E_SYSTEM;
        }
        /* One silent address must not take the time of the others. */
        mcm_ns now = ns_now(), share = deadline;
        if (deadline != NS_NEVER)
            share = now + (deadline - now) / (address.count - i);
        outcome = mcm_socket_connect(fd, &address, i, share, backend->stop, &lease->sys_errno);
        if (outcome == MCM_OK)
            outcome = prepare_link(backend, lease, deadline);
        if (outcome == MCM_OK || ns_now() >= deadline)
            break;
    }
    return is_stopped(backend, lease) ? mcm_backend_stop_outcome(backend) : outcome;
}

/* What the end of a dial means for the pool: only the server's own failures count. */
static enum mcm_pool_dial_result dial_result(enum mcm_outcome outcome)
{
    if (outcome == MCM_OK)
        return MCM_POOL_DIAL_OK;
    return mcm_outcome_class(outcome) == MCM_CLASS_CONNECT ? MCM_POOL_DIAL_FAILED
                                                           : MCM_POOL_DIAL_ABANDONED;
}

static void tell_connect(struct mcm_backend *backend, const struct mcm_lease *lease, mcm_ns began,
                         enum mcm_outcome outcome)
{
    struct mcm_connect_event event = {.server_name = backend->name,
                                      .outcome = outcome,
                                      .sys_errno = lease->sys_errno,
                                      .began = began,
                                      .ended = ns_now()};
    if (outcome == MCM_OK)
        mcm_measure_add(backend->measures, MCM_MEASURE_DIAL, (uint64_t)(event.ended - began));
    if (backend->hooks->on_connect != NULL)
        backend->hooks->on_connect(backend->hooks->arg, &event);
}

enum mcm_outcome mcm_backend_end_dial(struct mcm_backend *backend, struct mcm_lease *lease,
                                      mcm_ns began, enum mcm_outcome outcome)
{
    pthread_mutex_lock(&backend->lock);
    struct mcm_link *link = lease->link;
    if (link->stopped)
        outcome = mcm_backend_stop_outcome(backend);
    if (outcome == MCM_OK) {
        lease->slot->conn = link;
        link->used = false;
        mcm_conn_init(&link->conn, backend->verify, (uint32_t)rng_u64(&backend->rng));
        link->conn.stream = link->stream;
    } else {
        locked_close(link);
        link->busy = false;
        link->stopped = false;
    }
    enum mcm_pool_dial_result result = dial_result(outcome);
    backend->connect_failed = backend->connect_failed || result == MCM_POOL_DIAL_FAILED;
    locked_wake(mcm_pool_dial_done(backend->pool, lease->slot, result, ns_now()));
    locked_rouse(backend);
    pthread_mutex_unlock(&backend->lock);
    tell_connect(backend, lease, began, outcome);
    return outcome;
}

/* Counts the system calls on a connection that is given back. */
static void harvest_calls(struct mcm_backend *backend, struct mcm_link *link)
{
    struct mcm_measures *measures = backend->measures;
    atomic_fetch_add_explicit(&measures->sends, link->conn.sends, memory_order_relaxed);
    atomic_fetch_add_explicit(&measures->receives, link->conn.receives, memory_order_relaxed);
    link->conn.sends = link->conn.receives = 0;
}

static enum mcm_outcome dial(struct mcm_backend *backend, struct mcm_lease *lease, mcm_ns deadline)
{
    ns_t began = ns_now();
    ns_t attempt_deadline = ns_min(deadline, ns_add(began, backend->connect_timeout));
    return mcm_backend_end_dial(backend, lease, began,
                                connect_link(backend, lease, attempt_deadline));
}

static void give_back(struct mcm_backend *backend, struct mcm_lease *lease, enum mcm_pool_fate fate)
{
    pthread_mutex_lock(&backend->lock);
    harvest_calls(backend, lease->link);
    locked_release(backend, lease->slot, fate);
    pthread_mutex_unlock(&backend->lock);
    mcm_backend_tell_closed(backend);
}

bool mcm_link_is_quiet(struct mcm_link *link)
{
    return link->stream != NULL ? link->stream->ops->is_quiet(link->stream)
                                : mcm_socket_is_quiet(link->fd);
}

static enum mcm_outcome acquire(struct mcm_backend *backend, struct mcm_lease *lease,
                                mcm_ns idle_ns, bool may_wait, mcm_ns deadline)
{
    /* Each turn takes a dead connection out of the pool, so there are at most pool size + 1. */
    for (;;) {
        enum mcm_pool_verdict verdict = ask_pool(backend, lease, may_wait, deadline);
        if (verdict == MCM_POOL_DIAL)
            return dial(backend, lease, deadline);
        if (verdict != MCM_POOL_GOT)
            return is_stopped(backend, lease) ? mcm_backend_stop_outcome(backend)
                                              : refusal_outcome(verdict);
        if (is_stopped(backend, lease)) {
            give_back(backend, lease, MCM_POOL_KEEP_UNUSED);
            return mcm_backend_stop_outcome(backend);
        }
        if (ns_now() - lease->slot->used_ns < idle_ns || mcm_link_is_quiet(lease->link))
            return MCM_OK;
        give_back(backend, lease, MCM_POOL_DESTROY_STALE);
    }
}

enum mcm_outcome mcm_backend_acquire(struct mcm_backend *backend, struct mcm_lease *lease,
                                     mcm_ns idle_ns, mcm_ns deadline)
{
    return acquire(backend, lease, idle_ns, true, deadline);
}

enum mcm_outcome mcm_backend_try_acquire(struct mcm_backend *backend, struct mcm_lease *lease,
                                         mcm_ns idle_ns, mcm_ns deadline)
{
    return acquire(backend, lease, idle_ns, false, deadline);
}

void mcm_backend_release(struct mcm_backend *backend, struct mcm_lease *lease)
{
    pthread_mutex_lock(&backend->lock);
    struct mcm_link *link = lease->link;
    link->used = true;
    lease->stopped = link->stopped;
    mcm_traffic_add(&backend->traffic, &lease->traffic);
    harvest_calls(backend, link);
    bool keep = mcm_conn_is_reusable(&link->conn) && !link->stopped;
    locked_release(backend, lease->slot, keep ? MCM_POOL_KEEP : MCM_POOL_DESTROY_BROKEN);
    pthread_mutex_unlock(&backend->lock);
    mcm_backend_tell_closed(backend);
}

void mcm_backend_discard(struct mcm_backend *backend, struct mcm_lease *lease)
{
    give_back(backend, lease, MCM_POOL_DESTROY_STALE);
}

/* Pings a connection that maintenance has taken out of the pool. */
static bool ping(struct mcm_link *link, mcm_ns timeout)
{
    struct mcm_request request = {.command = MCM_COMMAND_NOOP};
    struct mcm_op op;
    mcm_op_init(&op, &request, NULL, 0);
    mcm_conn_submit(&link->conn, &op, &request);
    mcm_socket_exchange(link->fd, &link->conn, ns_add(ns_now(), timeout));
    mcm_conn_next_done(&link->conn);
    return op.outcome == MCM_OK && mcm_conn_is_reusable(&link->conn);
}

static void check_health(struct mcm_backend *backend, struct mcm_pool_slot *slot, mcm_ns timeout)
{
    struct mcm_lease lease = {.slot = slot, .link = link_of(backend, slot)};
    bool well = ping(lease.link, timeout);
    if (!well)
        atomic_fetch_add_explicit(&backend->health_failures, 1, memory_order_relaxed);
    give_back(backend, &lease, well ? MCM_POOL_KEEP_UNUSED : MCM_POOL_DESTROY_UNWELL);
}

/* Connects ahead of demand; false when that failed, so that nobody tries again at once. */
static bool warm_up(struct mcm_backend *backend, struct mcm_pool_slot *slot, mcm_ns timeout)
{
    struct mcm_lease lease = {.slot = slot, .link = link_of(backend, slot)};
    if (dial(backend, &lease, ns_add(ns_now(), timeout)) != MCM_OK)
        return false;
    give_back(backend, &lease, MCM_POOL_KEEP_UNUSED);
    return true;
}

/* Closes what has expired; the next check that needs more than that, its link marked busy. */
static struct mcm_pool_check locked_next_check(struct mcm_backend *backend)
{
    struct mcm_pool_check check;
    while (check = mcm_pool_next_check(backend->pool, ns_now()),
           check.action == MCM_POOL_CHECK_CLOSE) {
        locked_close(link_of(backend, check.slot));
        backend->closed++;
        locked_wake(mcm_pool_closed(backend->pool, check.slot, ns_now()));
    }
    if (check.action != MCM_POOL_CHECK_NONE)
        link_of(backend, check.slot)->busy = true;
    return check;
}

bool mcm_backend_maintain(struct mcm_backend *backend, mcm_ns timeout, mcm_ns *next)
{
    struct mcm_pool_check check = {.action = MCM_POOL_CHECK_NONE};
    pthread_mutex_lock(&backend->lock);
    if (!must_stop(backend))
        check = locked_next_check(backend);
    if (check.action == MCM_POOL_CHECK_NONE)
        *next = ns_min(*next, mcm_pool_next_check_deadline(backend->pool, ns_now()));
    pthread_mutex_unlock(&backend->lock);
    mcm_backend_tell_closed(backend);
    switch (check.action) {
    case MCM_POOL_CHECK_PING: check_health(backend, check.slot, timeout); return true;
    case MCM_POOL_CHECK_DIAL: return warm_up(backend, check.slot, timeout);
    case MCM_POOL_CHECK_NONE:
    case MCM_POOL_CHECK_CLOSE: break;
    }
    return false;
}

void mcm_backend_stop(struct mcm_backend *backend)
{
    mcm_shared_stop(backend);
    pthread_mutex_lock(&backend->lock);
    for (unsigned i = 0; i < backend->link_count; i++) {
        struct mcm_link *link = &backend->links[i];
        link->stopped = link->busy;
        if (link->busy && link->fd >= 0)
            shutdown(link->fd, SHUT_RDWR);
    }
    for (struct mcm_sleeper *s = backend->sleepers; s != NULL; s = s->next) {
        s->stopped = true;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&backend->lock);
}

static uint64_t counter(const atomic_uint_least64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void copy_pool_stats(struct mcm_server_stats *stats, const struct mcm_pool_stats *pool)
{
    stats->total = pool->total;
    stats->idle = pool->idle;
    stats->active = pool->active;
    stats->connecting = pool->dialing;
    stats->waiting = pool->waiting;
    stats->total_max = pool->total_max;
    stats->active_max = pool->active_max;
    stats->waiting_max = pool->waiting_max;
    stats->created = pool->created;
    stats->connect_failures = pool->dial_failures;
    stats->acquired = pool->acquires;
    stats->waits = pool->waits;
    stats->wait_ns = (uint64_t)pool->wait_ns;
    stats->stale = pool->destroyed[MCM_POOL_STALE];
    stats->health_checks = pool->checks; /* of connections in the pool */
    stats->destroyed = 0;
    for (int i = 0; i < MCM_POOL_REASON_COUNT; i++)
        stats->destroyed += pool->destroyed[i];
}

static void copy_traffic(struct mcm_server_stats *stats, const struct mcm_traffic *traffic)
{
    for (int i = 0; i < MCM_OPERATION_COUNT; i++)
        stats->operations[i] = traffic->operations[i];
    stats->hits = traffic->hits;
    stats->misses = traffic->misses;
    stats->bytes_sent = traffic->bytes_sent;
    stats->bytes_received = traffic->bytes_received;
}

static void copy_measures(struct mcm_server_stats *stats, const struct mcm_measures *measures)
{
    stats->sends = counter(&measures->sends);
    stats->receives = counter(&measures->receives);
    for (int i = 0; i < MCM_OPERATION_COUNT; i++) {
        for (int j = 0; j < MCM_OUTCOME_COUNT; j++)
            stats->results[i][j] = counter(&measures->results[i][j]);
    }
}

void mcm_backend_stats(struct mcm_backend *backend, struct mcm_server_stats *stats)
{
    struct mcm_pool_stats pool;
    struct mcm_breaker_stats breaker = {.state = MCM_BREAKER_CLOSED};
    struct mcm_traffic traffic = {0};
    if (backend->lane_count > 0)
        mcm_shared_traffic(backend, &traffic);
    pthread_mutex_lock(&backend->lock);
    mcm_pool_stats_get(backend->pool, &pool);
    mcm_traffic_add(&traffic, &backend->traffic);
    if (backend->breaker != NULL)
        mcm_breaker_stats_get(backend->breaker, ns_now(), &breaker);
    pthread_mutex_unlock(&backend->lock);
    copy_pool_stats(stats, &pool);
    copy_traffic(stats, &traffic);
    stats->health_checks += counter(&backend->lane_checks);
    stats->tls_handshakes = stats->tls_resumed = 0;
    if (backend->tls != NULL)
        mcm_tls_peer_counts(backend->tls, &stats->tls_handshakes, &stats->tls_resumed);
    stats->health_failures = counter(&backend->health_failures);
    stats->retries = counter(&backend->retries);
    stats->deletes_pending = backend->missed != NULL ? mcm_missed_count(backend->missed) : 0;
    stats->deletes_lost = backend->missed != NULL ? mcm_missed_lost(backend->missed) : 0;
    stats->failovers = counter(&backend->failovers);
    stats->failovers_refused = counter(&backend->failovers_refused);
    stats->has_breaker = backend->breaker != NULL;
    stats->breaker_state = breaker.state;
    stats->breaker_opened = breaker.opens;
    stats->breaker_rejected = breaker.rejected_open + breaker.rejected_busy;
    stats->breaker_trips_refused = breaker.trips_refused;
    stats->breaker_requests = breaker.counts.requests;
    stats->breaker_failures = breaker.counts.failures;
    stats->breaker_consecutive_failures = breaker.counts.consecutive_failures;
    for (int i = 0; i < MCM_OUTCOME_COUNT; i++)
        stats->outcomes[i] = counter(&backend->outcomes[i]);
    copy_measures(stats, backend->measures);
}
