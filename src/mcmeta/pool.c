/* SPDX-License-Identifier: MIT */
/*
 * The pool: slots on lists by state, waiters in a queue, and one function, pool_grant(), through
 * which all freed capacity reaches the oldest live waiter.
 *
 * Invariant outside of calls: a waiter is queued only when no slot is idle and no dial may start.
 * The exceptions end by themselves: a back-off that ran out is noticed by mcm_pool_tick(), and the
 * waiters of a closed pool are returned by it.
 */
#include "mcmeta/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/time.h"

#define SIZE_DEFAULT 10
#define BACKOFF_MAX_FACTOR_DEFAULT 100

#define TO(s) (1u << MCM_SLOT_##s)
static const struct {
    const char *name;
    uint32_t next;
} slot_states[MCM_SLOT_STATE_COUNT] = {
    [MCM_SLOT_FREE] = {"free", TO(DIALING)},
    [MCM_SLOT_DIALING] = {"dialing", TO(FREE) | TO(ACTIVE)},
    [MCM_SLOT_IDLE] = {"idle", TO(ACTIVE) | TO(DIALING) | TO(CHECKING) | TO(CLOSING)},
    [MCM_SLOT_ACTIVE] = {"active", TO(IDLE) | TO(CLOSING)},
    [MCM_SLOT_CHECKING] = {"checking", TO(IDLE) | TO(CLOSING)},
    [MCM_SLOT_CLOSING] = {"closing", TO(FREE)},
};
#undef TO

static const char *const reason_names[MCM_POOL_REASON_COUNT] = {
    [MCM_POOL_BROKEN] = "broken", [MCM_POOL_STALE] = "stale",       [MCM_POOL_UNWELL] = "unwell",
    [MCM_POOL_OLD] = "old",       [MCM_POOL_UNUSED] = "unused",     [MCM_POOL_SURPLUS] = "surplus",
    [MCM_POOL_RESET] = "reset",   [MCM_POOL_SHUTDOWN] = "shutdown",
};

static const char *const verdict_names[MCM_POOL_VERDICT_COUNT] = {
    [MCM_POOL_GOT] = "got",
    [MCM_POOL_DIAL] = "dial",
    [MCM_POOL_WAIT] = "wait",
    [MCM_POOL_REFUSED_FULL] = "queue full",
    [MCM_POOL_REFUSED_DEADLINE] = "deadline passed",
    [MCM_POOL_REFUSED_BACKOFF] = "dial back-off",
    [MCM_POOL_REFUSED_CLOSED] = "closed",
};

struct mcm_pool {
    struct mcm_pool_config config; /* defaults filled in */
    struct rng rng;
    bool closed;
    uint64_t epoch;             /* counts resets */
    uint32_t failed_dials;      /* in a row */
    int64_t dial_not_before_ns; /* end of the back-off */
    struct mcm_pool_list slots[MCM_SLOT_STATE_COUNT];
    struct mcm_pool_waiter *first, *last; /* the queue, oldest first */
    uint32_t waiting;
    struct mcm_pool_stats
        stats; /* counters and high-water marks; gauges are taken from the lists */
    struct mcm_pool_slot all[];
};

/* --- Slots --- */

static void list_append(struct mcm_pool_list *l, struct mcm_pool_slot *slot)
{
    slot->next = NULL;
    slot->prev = l->tail;
    if (l->tail != NULL)
        l->tail->next = slot;
    else
        l->head = slot;
    l->tail = slot;
    l->count++;
}

static void list_prepend(struct mcm_pool_list *l, struct mcm_pool_slot *slot)
{
    slot->prev = NULL;
    slot->next = l->head;
    if (l->head != NULL)
        l->head->prev = slot;
    else
        l->tail = slot;
    l->head = slot;
    l->count++;
}

static void list_remove(struct mcm_pool_list *l, struct mcm_pool_slot *slot)
{
    if (slot->prev != NULL)
        slot->prev->next = slot->next;
    else
        l->head = slot->next;
    if (slot->next != NULL)
        slot->next->prev = slot->prev;
    else
        l->tail = slot->prev;
    l->count--;
}

static uint32_t pool_count(const struct mcm_pool *p, enum mcm_slot_state state)
{
    return p->slots[state].count;
}

static uint32_t pool_total(const struct mcm_pool *p)
{
    return p->config.max_size - pool_count(p, MCM_SLOT_FREE);
}

/* The only place that assigns a state. A slot is appended to the list of its new state. */
static void slot_move(struct mcm_pool *p, struct mcm_pool_slot *slot, enum mcm_slot_state to)
{
    assert(slot_states[slot->state].next & (1u << to));
    list_remove(&p->slots[slot->state], slot);
    slot->state = to;
    list_append(&p->slots[to], slot);
    struct mcm_pool_stats *s = &p->stats;
    if (s->active_max < pool_count(p, MCM_SLOT_ACTIVE))
        s->active_max = pool_count(p, MCM_SLOT_ACTIVE);
    if (s->total_max < pool_total(p))
        s->total_max = pool_total(p);
}

static void slot_free(struct mcm_pool *p, struct mcm_pool_slot *slot)
{
    slot->conn = NULL;
    slot_move(p, slot, MCM_SLOT_FREE);
}

static void slot_close(struct mcm_pool *p, struct mcm_pool_slot *slot, enum mcm_pool_reason reason)
{
    p->stats.destroyed[reason]++;
    slot_move(p, slot, MCM_SLOT_CLOSING);
}

static int64_t idle_expiry(const struct mcm_pool *p, const struct mcm_pool_slot *slot)
{
    if (p->config.max_idle_time_ns <= 0)
        return NS_NEVER;
    return ns_add(slot->used_ns, p->config.max_idle_time_ns);
}

/* Whether a connection nobody works with should be closed now, and why. Expiries are strict. */
static bool slot_expired(const struct mcm_pool *p, const struct mcm_pool_slot *slot, int64_t now_ns,
                         enum mcm_pool_reason *reason)
{
    if (p->closed)
        *reason = MCM_POOL_SHUTDOWN;
    else if (slot->epoch != p->epoch)
        *reason = MCM_POOL_RESET;
    else if (slot->expires_ns < now_ns)
        *reason = MCM_POOL_OLD;
    else if (idle_expiry(p, slot) < now_ns)
        *reason = MCM_POOL_UNUSED;
    else
        return false;
    return true;
}

/* A connection comes back: at the warm end when it was used, else at the cold end, so that health
 * checks do not make cold connections look busy. */
static void slot_rest(struct mcm_pool *p, struct mcm_pool_slot *slot, bool used)
{
    slot_move(p, slot, MCM_SLOT_IDLE);
    if (used)
        return;
    list_remove(&p->slots[MCM_SLOT_IDLE], slot);
    list_prepend(&p->slots[MCM_SLOT_IDLE], slot);
}

/* The warm end is the tail. */
static struct mcm_pool_slot *idle_first(const struct mcm_pool *p)
{
    const struct mcm_pool_list *idle = &p->slots[MCM_SLOT_IDLE];
    return p->config.reuse == MCM_POOL_LIFO ? idle->tail : idle->head;
}

static struct mcm_pool_slot *idle_next(const struct mcm_pool *p, const struct mcm_pool_slot *slot)
{
    return p->config.reuse == MCM_POOL_LIFO ? slot->prev : slot->next;
}

/* The idle slot to use next: the first that has not expired. */
static struct mcm_pool_slot *idle_find(const struct mcm_pool *p, int64_t now_ns)
{
    enum mcm_pool_reason reason;
    struct mcm_pool_slot *slot = idle_first(p);
    while (slot != NULL && slot_expired(p, slot, now_ns, &reason))
        slot = idle_next(p, slot);
    return slot;
}

/* An idle slot that is past its time but still works as far as we know: better than waiting. */
static struct mcm_pool_slot *idle_find_overdue(const struct mcm_pool *p)
{
    struct mcm_pool_slot *slot = idle_first(p);
    while (slot != NULL && slot->epoch != p->epoch)
        slot = idle_next(p, slot);
    return slot;
}

/* --- Dials --- */

static bool dial_permit_left(const struct mcm_pool *p)
{
    uint32_t limit = p->config.dial_concurrency_max;
    return limit == 0 || pool_count(p, MCM_SLOT_DIALING) < limit;
}

static bool may_dial(const struct mcm_pool *p, int64_t now_ns)
{
    return now_ns >= p->dial_not_before_ns && dial_permit_left(p);
}

static void dial_start(struct mcm_pool *p, struct mcm_pool_slot *slot, bool warming)
{
    p->stats.dials++;
    slot->epoch = p->epoch;
    slot->warming = warming;
    slot_move(p, slot, MCM_SLOT_DIALING);
}

/* Full jitter: uniform in [0, min(max, base * 2^(n-1))) after the n-th failure in a row. */
static void backoff_start(struct mcm_pool *p, int64_t now_ns)
{
    p->failed_dials++;
    if (p->config.backoff_base_ns <= 0)
        return;
    int64_t span = p->config.backoff_base_ns;
    for (uint32_t i = 1; i < p->failed_dials && span < p->config.backoff_max_ns; i++)
        span = ns_add(span, span);
    span = ns_min(span, p->config.backoff_max_ns);
    int64_t end = ns_add(now_ns, (int64_t)rng_below(&p->rng, (uint64_t)span));
    /* It never moves back, so nobody who sleeps until its end oversleeps. */
    p->dial_not_before_ns = ns_max(p->dial_not_before_ns, end);
}

static int64_t lifetime_end(struct mcm_pool *p, int64_t now_ns)
{
    if (p->config.max_lifetime_ns <= 0)
        return NS_NEVER;
    double factor = 1 + p->config.lifetime_jitter * (2 * rng_double(&p->rng) - 1);
    return ns_add(now_ns, (int64_t)((double)p->config.max_lifetime_ns * factor));
}

/* --- Waiters --- */

static void queue_push(struct mcm_pool *p, struct mcm_pool_waiter *w)
{
    w->next = NULL;
    w->prev = p->last;
    if (p->last != NULL)
        p->last->next = w;
    else
        p->first = w;
    p->last = w;
    p->waiting++;
    p->stats.waits++;
    if (p->stats.waiting_max < p->waiting)
        p->stats.waiting_max = p->waiting;
}

static void queue_remove(struct mcm_pool *p, struct mcm_pool_waiter *w, int64_t now_ns)
{
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        p->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        p->last = w->prev;
    w->prev = w->next = NULL;
    p->waiting--;
    p->stats.wait_ns += ns_max(0, now_ns - w->since_ns);
}

static void waiter_give(struct mcm_pool *p, struct mcm_pool_waiter *w, struct mcm_pool_slot *slot)
{
    p->stats.acquires++;
    slot_move(p, slot, MCM_SLOT_ACTIVE);
    w->slot = slot;
    w->verdict = MCM_POOL_GOT;
}

/* Orders `w` to dial in the place of an expired connection or in a free slot. */
static bool waiter_order_dial(struct mcm_pool *p, struct mcm_pool_waiter *w, int64_t now_ns)
{
    enum mcm_pool_reason reason;
    if (!may_dial(p, now_ns))
        return false;
    struct mcm_pool_slot *slot = idle_first(p);
    if (slot != NULL && slot_expired(p, slot, now_ns, &reason))
        p->stats.destroyed[reason]++;
    else
        slot = p->slots[MCM_SLOT_FREE].head;
    if (slot == NULL)
        return false;
    dial_start(p, slot, false);
    w->slot = slot;
    w->verdict = MCM_POOL_DIAL;
    return true;
}

/* Gives `w` a connection, or the order to make one; false when neither is possible now. */
static bool waiter_serve(struct mcm_pool *p, struct mcm_pool_waiter *w, int64_t now_ns)
{
    struct mcm_pool_slot *slot = idle_find(p, now_ns);
    if (slot == NULL) {
        if (waiter_order_dial(p, w, now_ns))
            return true;
        slot = idle_find_overdue(p);
    }
    if (slot != NULL)
        waiter_give(p, w, slot);
    return slot != NULL;
}

static void waiter_refuse(struct mcm_pool *p, struct mcm_pool_waiter *w,
                          enum mcm_pool_verdict verdict, int64_t now_ns)
{
    queue_remove(p, w, now_ns);
    w->verdict = verdict;
    p->stats.cancelled++;
}

/* Whether nothing but the end of the back-off can help, and is not worth waiting for. */
static bool is_hopeless(const struct mcm_pool *p, int64_t deadline_ns, int64_t now_ns)
{
    if (pool_total(p) > 0)
        return false;
    return p->dial_not_before_ns >= deadline_ns ||
           (p->config.backoff_refuses && p->dial_not_before_ns > now_ns);
}

/*
 * Capacity may have become free: serves the oldest live waiter. Waiters whose deadline has passed
 * are dropped on the way; they wake up by themselves. Returns the waiter to wake or NULL.
 */
static struct mcm_pool_waiter *pool_grant(struct mcm_pool *p, int64_t now_ns)
{
    struct mcm_pool_waiter *w;
    while ((w = p->first) != NULL) {
        if (p->closed) {
            waiter_refuse(p, w, MCM_POOL_REFUSED_CLOSED, now_ns);
            return w;
        }
        if (w->deadline_ns > now_ns) {
            if (waiter_serve(p, w, now_ns))
                queue_remove(p, w, now_ns);
            else if (p->config.backoff_refuses && is_hopeless(p, w->deadline_ns, now_ns))
                waiter_refuse(p, w, MCM_POOL_REFUSED_BACKOFF, now_ns);
            else
                return NULL;
            return w;
        }
        waiter_refuse(p, w, MCM_POOL_REFUSED_DEADLINE, now_ns);
    }
    return NULL;
}

/* --- Life of the pool --- */

const char *mcm_pool_config_error(const struct mcm_pool_config *c)
{
    uint32_t size = c->max_size > 0 ? c->max_size : SIZE_DEFAULT;
    if (size > MCM_POOL_SIZE_MAX)
        return "max_size exceeds MCM_POOL_SIZE_MAX";
    if (c->min_idle > size)
        return "min_idle exceeds max_size";
    if (c->max_idle > 0 && c->min_idle > c->max_idle)
        return "min_idle exceeds max_idle";
    if (!(c->lifetime_jitter >= 0 && c->lifetime_jitter < 1))
        return "lifetime_jitter must be at least 0 and below 1";
    return NULL;
}

static struct mcm_pool_config config_normalise(const struct mcm_pool_config *config)
{
    struct mcm_pool_config c = *config;
    if (c.max_size == 0)
        c.max_size = SIZE_DEFAULT;
    if (c.max_idle == 0)
        c.max_idle = c.max_size;
    if (c.backoff_base_ns > 0 && c.backoff_max_ns <= 0) {
        bool fits = c.backoff_base_ns <= NS_NEVER / BACKOFF_MAX_FACTOR_DEFAULT;
        c.backoff_max_ns = fits ? c.backoff_base_ns * BACKOFF_MAX_FACTOR_DEFAULT : NS_NEVER;
    }
    return c;
}

struct mcm_pool *mcm_pool_new(const struct mcm_pool_config *config, uint64_t seed)
{
    if (mcm_pool_config_error(config) != NULL)
        return NULL;
    struct mcm_pool_config c = config_normalise(config);
    struct mcm_pool *p = calloc(1, sizeof(*p) + c.max_size * sizeof(p->all[0]));
    if (p == NULL)
        return NULL;
    p->config = c;
    p->rng = rng_seeded(seed);
    p->dial_not_before_ns = INT64_MIN;
    for (uint32_t i = 0; i < c.max_size; i++) {
        p->all[i].index = (uint16_t)i; /* MCM_POOL_SIZE_MAX fits */
        list_append(&p->slots[MCM_SLOT_FREE], &p->all[i]);
    }
    return p;
}

void mcm_pool_free(struct mcm_pool *p)
{
    assert(p == NULL || mcm_pool_is_empty(p));
    free(p);
}

void mcm_pool_reset(struct mcm_pool *p)
{
    p->epoch++;
}

void mcm_pool_close(struct mcm_pool *p)
{
    p->closed = true;
}

bool mcm_pool_is_empty(const struct mcm_pool *p)
{
    return pool_total(p) == 0 && p->first == NULL;
}

/* --- Use --- */

static enum mcm_pool_verdict acquire_refused(struct mcm_pool *p, struct mcm_pool_waiter *w,
                                             enum mcm_pool_verdict verdict)
{
    p->stats.refused[verdict]++;
    w->verdict = verdict;
    return verdict;
}

enum mcm_pool_verdict mcm_pool_acquire(struct mcm_pool *p, struct mcm_pool_waiter *w,
                                       int64_t deadline_ns, int64_t now_ns)
{
    w->slot = NULL;
    w->since_ns = now_ns;
    w->deadline_ns = deadline_ns;
    if (p->closed)
        return acquire_refused(p, w, MCM_POOL_REFUSED_CLOSED);
    if (deadline_ns <= now_ns)
        return acquire_refused(p, w, MCM_POOL_REFUSED_DEADLINE);
    if (p->first == NULL && waiter_serve(p, w, now_ns))
        return w->verdict;
    if (is_hopeless(p, deadline_ns, now_ns))
        return acquire_refused(p, w, MCM_POOL_REFUSED_BACKOFF);
    if (p->config.max_waiters > 0 && p->waiting >= p->config.max_waiters)
        return acquire_refused(p, w, MCM_POOL_REFUSED_FULL);
    queue_push(p, w);
    w->verdict = MCM_POOL_WAIT;
    return MCM_POOL_WAIT;
}

bool mcm_pool_cancel(struct mcm_pool *p, struct mcm_pool_waiter *w, int64_t now_ns)
{
    if (w->verdict == MCM_POOL_WAIT)
        waiter_refuse(p, w, MCM_POOL_REFUSED_DEADLINE, now_ns);
    return w->verdict != MCM_POOL_GOT && w->verdict != MCM_POOL_DIAL;
}

static void dial_succeeded(struct mcm_pool *p, struct mcm_pool_slot *slot, int64_t now_ns)
{
    assert(slot->conn != NULL);
    p->failed_dials = 0;
    p->stats.created++;
    if (!slot->warming)
        p->stats.acquires++;
    slot->created_ns = slot->used_ns = slot->checked_ns = now_ns;
    slot->expires_ns = lifetime_end(p, now_ns);
    slot_move(p, slot, MCM_SLOT_ACTIVE);
}

struct mcm_pool_waiter *mcm_pool_dial_done(struct mcm_pool *p, struct mcm_pool_slot *slot,
                                           enum mcm_pool_dial_result result, int64_t now_ns)
{
    assert(slot->state == MCM_SLOT_DIALING);
    switch (result) {
    case MCM_POOL_DIAL_OK: dial_succeeded(p, slot, now_ns); break;
    case MCM_POOL_DIAL_FAILED:
        p->stats.dial_failures++;
        backoff_start(p, now_ns);
        slot_free(p, slot);
        break;
    case MCM_POOL_DIAL_ABANDONED:
        p->stats.dials_abandoned++;
        slot_free(p, slot);
        break;
    }
    return pool_grant(p, now_ns);
}

/* Whether the connection has to be closed instead of kept, and why. */
static bool release_closes(const struct mcm_pool *p, const struct mcm_pool_slot *slot,
                           enum mcm_pool_fate fate, int64_t now_ns, enum mcm_pool_reason *reason)
{
    switch (fate) {
    case MCM_POOL_DESTROY_BROKEN: *reason = MCM_POOL_BROKEN; return true;
    case MCM_POOL_DESTROY_STALE: *reason = MCM_POOL_STALE; return true;
    case MCM_POOL_DESTROY_UNWELL: *reason = MCM_POOL_UNWELL; return true;
    case MCM_POOL_KEEP:
    case MCM_POOL_KEEP_UNUSED: break;
    }
    if (slot_expired(p, slot, now_ns, reason))
        return true;
    *reason = MCM_POOL_SURPLUS;
    return p->first == NULL && pool_count(p, MCM_SLOT_IDLE) >= p->config.max_idle;
}

struct mcm_pool_released mcm_pool_release(struct mcm_pool *p, struct mcm_pool_slot *slot,
                                          enum mcm_pool_fate fate, int64_t now_ns)
{
    assert(slot->state == MCM_SLOT_ACTIVE || slot->state == MCM_SLOT_CHECKING);
    enum mcm_pool_reason reason;
    if (fate == MCM_POOL_KEEP)
        slot->used_ns = now_ns;
    if (fate == MCM_POOL_KEEP || slot->state == MCM_SLOT_CHECKING)
        slot->checked_ns = now_ns;
    if (release_closes(p, slot, fate, now_ns, &reason)) {
        slot_close(p, slot, reason);
        return (struct mcm_pool_released){.close = true};
    }
    slot_rest(p, slot, fate == MCM_POOL_KEEP);
    return (struct mcm_pool_released){.wake = pool_grant(p, now_ns)};
}

struct mcm_pool_waiter *mcm_pool_closed(struct mcm_pool *p, struct mcm_pool_slot *slot,
                                        int64_t now_ns)
{
    assert(slot->state == MCM_SLOT_CLOSING);
    slot_free(p, slot);
    return pool_grant(p, now_ns);
}

/* --- Time --- */

int64_t mcm_pool_deadline(const struct mcm_pool *p)
{
    if (p->first == NULL)
        return NS_NEVER;
    if (p->closed)
        return INT64_MIN;
    bool room = pool_count(p, MCM_SLOT_FREE) > 0 || pool_count(p, MCM_SLOT_IDLE) > 0;
    return room && dial_permit_left(p) ? p->dial_not_before_ns : NS_NEVER;
}

int64_t mcm_pool_dial_deadline(const struct mcm_pool *p)
{
    return dial_permit_left(p) ? p->dial_not_before_ns : NS_NEVER;
}

struct mcm_pool_waiter *mcm_pool_tick(struct mcm_pool *p, int64_t now_ns)
{
    return pool_grant(p, now_ns);
}

static int64_t ping_time(const struct mcm_pool *p, const struct mcm_pool_slot *slot)
{
    if (p->config.health_interval_ns <= 0 || pool_count(p, MCM_SLOT_CHECKING) > 0)
        return NS_NEVER;
    return ns_add(slot->checked_ns, p->config.health_interval_ns);
}

static bool wants_more_idle(const struct mcm_pool *p)
{
    uint32_t coming = pool_count(p, MCM_SLOT_IDLE) + pool_count(p, MCM_SLOT_CHECKING) +
                      pool_count(p, MCM_SLOT_DIALING);
    return !p->closed && coming < p->config.min_idle && pool_count(p, MCM_SLOT_FREE) > 0;
}

static struct mcm_pool_check check_idle(struct mcm_pool *p, struct mcm_pool_slot *slot,
                                        int64_t now_ns)
{
    enum mcm_pool_reason reason;
    if (slot_expired(p, slot, now_ns, &reason)) {
        slot_close(p, slot, reason);
        return (struct mcm_pool_check){MCM_POOL_CHECK_CLOSE, slot};
    }
    if (ping_time(p, slot) < now_ns) {
        p->stats.checks++;
        slot_move(p, slot, MCM_SLOT_CHECKING);
        return (struct mcm_pool_check){MCM_POOL_CHECK_PING, slot};
    }
    return (struct mcm_pool_check){MCM_POOL_CHECK_NONE, NULL};
}

struct mcm_pool_check mcm_pool_next_check(struct mcm_pool *p, int64_t now_ns)
{
    struct mcm_pool_check check = {MCM_POOL_CHECK_NONE, NULL};
    struct mcm_pool_slot *next, *slot = p->slots[MCM_SLOT_IDLE].head;
    for (; slot != NULL && check.action == MCM_POOL_CHECK_NONE; slot = next) {
        next = slot->next;
        check = check_idle(p, slot, now_ns);
    }
    if (check.action == MCM_POOL_CHECK_NONE && wants_more_idle(p) && may_dial(p, now_ns)) {
        check = (struct mcm_pool_check){MCM_POOL_CHECK_DIAL, p->slots[MCM_SLOT_FREE].head};
        dial_start(p, check.slot, true);
    }
    return check;
}

int64_t mcm_pool_next_check_deadline(const struct mcm_pool *p, int64_t now_ns)
{
    int64_t first = NS_NEVER;
    enum mcm_pool_reason reason;
    for (struct mcm_pool_slot *s = p->slots[MCM_SLOT_IDLE].head; s != NULL; s = s->next) {
        if (slot_expired(p, s, now_ns, &reason))
            return now_ns;
        int64_t end = ns_min(s->expires_ns, ns_min(idle_expiry(p, s), ping_time(p, s)));
        first = ns_min(first, ns_add(end, 1)); /* expiries are strict */
    }
    if (wants_more_idle(p) && dial_permit_left(p))
        first = ns_min(first, p->dial_not_before_ns);
    return ns_max(first, now_ns);
}

/* --- Reports --- */

void mcm_pool_stats_get(const struct mcm_pool *p, struct mcm_pool_stats *out)
{
    *out = p->stats;
    out->total = pool_total(p);
    out->dialing = pool_count(p, MCM_SLOT_DIALING);
    out->idle = pool_count(p, MCM_SLOT_IDLE);
    out->active = pool_count(p, MCM_SLOT_ACTIVE);
    out->checking = pool_count(p, MCM_SLOT_CHECKING);
    out->closing = pool_count(p, MCM_SLOT_CLOSING);
    out->waiting = p->waiting;
}

const char *mcm_pool_reason_name(enum mcm_pool_reason reason)
{
    assert((unsigned)reason < MCM_POOL_REASON_COUNT);
    return reason_names[reason];
}

const char *mcm_pool_verdict_name(enum mcm_pool_verdict verdict)
{
    assert((unsigned)verdict < MCM_POOL_VERDICT_COUNT);
    return verdict_names[verdict];
}

const char *mcm_slot_state_name(enum mcm_slot_state state)
{
    assert((unsigned)state < MCM_SLOT_STATE_COUNT);
    return slot_states[state].name;
}
