/* SPDX-License-Identifier: MIT */
/*
 * 1 KB/s is 1 byte per ms, so `kb_per_s * ns` counts in bytes * NS_PER_MS: integers all the way, no
 * byte is lost to rounding however often the clock is asked.
 *
 * Several threads may be promised the same credit before any of them takes it. Then it falls below
 * zero and is paid back before anybody gets more, so the rate is kept.
 */
#include "proxy/rate_gate.h"

static void lock(struct rate_credit *c)
{
    if (c->shared)
        pthread_mutex_lock(&c->lock);
}

static void unlock(struct rate_credit *c)
{
    if (c->shared)
        pthread_mutex_unlock(&c->lock);
}

/* At least one byte, however low the rate. */
static int64_t credit_max(const struct rate_credit *c)
{
    int64_t burst = c->kb_per_s * RATE_GATE_BURST_NS;
    return burst > NS_PER_MS ? burst : NS_PER_MS;
}

static void refill(struct rate_credit *c, ns_t now)
{
    if (now <= c->at)
        return;
    int64_t max = credit_max(c);
    /* Longer than it takes to fill it: no product to overflow. */
    int64_t room = (max - c->amount) / c->kb_per_s + 1;
    if (now - c->at >= room)
        c->amount = max;
    else
        c->amount += c->kb_per_s * (now - c->at);
    c->at = now;
}

void rate_credit_init(struct rate_credit *c, bool shared)
{
    *c = (struct rate_credit){.shared = shared};
    pthread_mutex_init(&c->lock, NULL);
}

void rate_credit_deinit(struct rate_credit *c)
{
    pthread_mutex_destroy(&c->lock);
}

bool rate_credit_set(struct rate_credit *c, int64_t kb_per_s, ns_t now)
{
    if (c->kb_per_s == kb_per_s)
        return false;
    c->kb_per_s = kb_per_s;
    c->amount = 0;
    c->at = now;
    return true;
}

void rate_gate_init(struct rate_gate *g, struct rate_credit *credit, struct timers *timers)
{
    *g = (struct rate_gate){.credit = credit, .timers = timers};
    list_init(&g->waiters);
}

void rate_gate_deinit(struct rate_gate *g)
{
    timers_clear(g->timers, &g->timer);
}

/* With the lock held. */
static void set_claim(struct rate_credit *c, struct rate_waiter *w, bool claims)
{
    if (w->claims == claims)
        return;
    w->claims = claims;
    if (claims)
        c->claims++;
    else
        c->claims--;
}

static void stop_waiting(struct rate_gate *g, struct rate_waiter *w, bool claims)
{
    if (w->waiting) {
        list_remove(&w->link);
        g->waiting--;
    }
    lock(g->credit);
    g->credit->waiting -= w->waiting;
    set_claim(g->credit, w, claims);
    unlock(g->credit);
    w->waiting = false;
}

void rate_gate_leave(struct rate_gate *g, struct rate_waiter *w)
{
    if (w->waiting || w->claims)
        stop_waiting(g, w, false);
}

/* Those who wait at other gates are woken at the same time, more or less: they are of the crowd. */
static void count_crowd(struct rate_credit *c, ns_t now)
{
    lock(c);
    if (now - c->woken_at >= RATE_GATE_BURST_NS / 2) {
        c->woken_at = now;
        c->crowd = c->waiting;
    }
    unlock(c);
}

/* Those who come to wait meanwhile stand behind and are not woken again. */
static void wake_all(struct rate_gate *g, ns_t now)
{
    size_t count = g->waiting;
    while (count-- > 0 && g->waiting > 0) {
        struct rate_waiter *w = list_entry(g->waiters.next, struct rate_waiter, link);
        stop_waiting(g, w, g->credit->shared);
        w->wake(w, now);
    }
}

static void on_timer(struct timer *timer, ns_t now)
{
    struct rate_gate *g = list_entry(timer, struct rate_gate, timer);
    count_crowd(g->credit, now);
    wake_all(g, now);
}

void rate_gate_open(struct rate_gate *g, ns_t now)
{
    timers_clear(g->timers, &g->timer);
    count_crowd(g->credit, now);
    wake_all(g, now);
}

static size_t share_of(struct rate_credit *c, const struct rate_waiter *w, size_t want, ns_t now)
{
    refill(c, now);
    if (c->amount < NS_PER_MS)
        return 0;
    size_t whole = (size_t)(c->amount / NS_PER_MS);
    size_t share = (size_t)(credit_max(c) / NS_PER_MS) / (c->crowd > 0 ? c->crowd : 1);
    if (share == 0)
        share = 1;
    if (c->shared && !w->claims) {
        size_t others = c->waiting + c->claims;
        whole = others > whole / share ? 0 : whole - others * share;
    }
    if (share > whole)
        share = whole;
    return share < want ? share : want;
}

size_t rate_gate_share(struct rate_gate *g, const struct rate_waiter *w, size_t want, ns_t now)
{
    if (rate_gate_is_open(g))
        return want;
    lock(g->credit);
    size_t share = share_of(g->credit, w, want, now);
    unlock(g->credit);
    return share;
}

void rate_gate_take(struct rate_gate *g, struct rate_waiter *w, size_t bytes)
{
    if (rate_gate_is_open(g))
        return;
    lock(g->credit);
    g->credit->amount -= (int64_t)bytes * NS_PER_MS;
    set_claim(g->credit, w, false);
    unlock(g->credit);
}

/* When the credit will have come in again; counts one who waits for it. */
static ns_t join(struct rate_credit *c)
{
    lock(c);
    ns_t full = (credit_max(c) - c->amount) / c->kb_per_s + 1;
    ns_t at = ns_add(c->at, full);
    c->waiting++;
    unlock(c);
    return at;
}

int rate_gate_wait(struct rate_gate *g, struct rate_waiter *w)
{
    if (w->waiting)
        return 0;
    ns_t full_at = join(g->credit);
    w->waiting = true;
    list_push_back(&g->waiters, &w->link);
    g->waiting++;
    if (g->timer.slot > 0 || timers_set(g->timers, &g->timer, full_at, on_timer) == 0)
        return 0;
    rate_gate_leave(g, w);
    return -1;
}
