/* SPDX-License-Identifier: MIT */
/*
 * 1 KB/s is 1 byte per ms, so `kb_per_s * ns` counts in bytes * NS_PER_MS: integers all the way, no
 * byte is lost to rounding however often the clock is asked.
 */
#include "proxy/rate_gate.h"

/* At least one byte, however low the rate. */
static int64_t credit_max(const struct rate_gate *g)
{
    int64_t burst = g->kb_per_s * RATE_GATE_BURST_NS;
    return burst > NS_PER_MS ? burst : NS_PER_MS;
}

static void refill(struct rate_gate *g, ns_t now)
{
    if (now <= g->at)
        return;
    int64_t max = credit_max(g);
    /* Longer than it takes to fill it: no product to overflow. */
    int64_t room = (max - g->credit) / g->kb_per_s + 1;
    if (now - g->at >= room)
        g->credit = max;
    else
        g->credit += g->kb_per_s * (now - g->at);
    g->at = now;
}

void rate_gate_init(struct rate_gate *g, struct timers *timers)
{
    *g = (struct rate_gate){.timers = timers};
    list_init(&g->waiters);
}

void rate_gate_deinit(struct rate_gate *g)
{
    timers_clear(g->timers, &g->timer);
}

void rate_gate_leave(struct rate_gate *g, struct rate_waiter *w)
{
    if (!w->waiting)
        return;
    w->waiting = false;
    list_remove(&w->link);
    g->waiting--;
}

/* Those who come to wait meanwhile stand behind and are not woken again. */
static void wake_all(struct rate_gate *g, ns_t now)
{
    size_t count = g->waiting;
    g->crowd = count > 0 ? count - 1 : 0;
    while (count-- > 0 && g->waiting > 0) {
        struct rate_waiter *w = list_entry(g->waiters.next, struct rate_waiter, link);
        rate_gate_leave(g, w);
        w->wake(w, now);
    }
}

static void on_timer(struct timer *timer, ns_t now)
{
    struct rate_gate *g = list_entry(timer, struct rate_gate, timer);
    wake_all(g, now);
}

void rate_gate_set(struct rate_gate *g, int64_t kb_per_s, ns_t now)
{
    if (g->kb_per_s == kb_per_s)
        return;
    g->kb_per_s = kb_per_s;
    g->credit = 0;
    g->at = now;
    timers_clear(g->timers, &g->timer);
    wake_all(g, now);
}

size_t rate_gate_share(struct rate_gate *g, size_t want, ns_t now)
{
    if (rate_gate_is_open(g))
        return want;
    refill(g, now);
    if (g->credit < NS_PER_MS)
        return 0;
    size_t whole = (size_t)(g->credit / NS_PER_MS);
    size_t share = (size_t)(credit_max(g) / NS_PER_MS) / (g->crowd + 1);
    if (share == 0)
        share = 1;
    if (share > whole)
        share = whole;
    return share < want ? share : want;
}

void rate_gate_take(struct rate_gate *g, size_t bytes)
{
    if (!rate_gate_is_open(g))
        g->credit -= (int64_t)bytes * NS_PER_MS;
}

int rate_gate_wait(struct rate_gate *g, struct rate_waiter *w)
{
    if (w->waiting)
        return 0;
    if (g->timer.slot == 0) {
        ns_t full = (credit_max(g) - g->credit) / g->kb_per_s + 1;
        if (timers_set(g->timers, &g->timer, ns_add(g->at, full), on_timer) < 0)
            return -1;
    }
    w->waiting = true;
    list_push_back(&g->waiters, &w->link);
    g->waiting++;
    return 0;
}
