/* SPDX-License-Identifier: MIT */
#include "proxy/timers.h"

#include <assert.h>
#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void place(struct timers *t, size_t i, struct timer *timer)
{
    t->heap[i] = timer;
    timer->slot = i + 1;
}

static void sift_up(struct timers *t, size_t i)
{
    struct timer *moving = t->heap[i];
    while (i > 0 && t->heap[(i - 1) / 2]->at > moving->at) {
        place(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(t, i, moving);
}

static void sift_down(struct timers *t, size_t i)
{
    struct timer *moving = t->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= t->count)
            break;
        if (child + 1 < t->count && t->heap[child + 1]->at < t->heap[child]->at)
            child++;
        if (t->heap[child]->at >= moving->at)
            break;
        place(t, i, t->heap[child]);
        i = child;
    }
    place(t, i, moving);
}

static void arm(struct timers *t)
{
    ns_t at = t->count > 0 ? t->heap[0]->at : NS_NEVER;
    /* An earlier wake-up than needed does no harm: it sets the right time when it comes. */
    if (t->firing || at >= t->armed_at)
        return;
    struct itimerspec when = {.it_value = ns_to_timespec(ns_max(at, 1))};
    timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &when, NULL);
    t->armed_at = at;
}

static bool must_yield(const struct timers *t)
{
    return t->must_yield && atomic_load_explicit(t->must_yield, memory_order_relaxed);
}

static void fire_due(evutil_socket_t fd, short what, void *arg)
{
    struct timers *t = arg;
    uint64_t expirations;
    (void)what;
    if (read(fd, &expirations, sizeof expirations) < 0)
        return;
    t->armed_at = NS_NEVER;
    t->firing = true;
    ns_t now = ns_now();
    /* Only what was due at the start: a timer that sets itself again waits for the next turn. */
    while (t->count > 0 && t->heap[0]->at <= now && !must_yield(t)) {
        struct timer *due = t->heap[0];
        timers_clear(t, due);
        due->fire(due, now);
    }
    t->firing = false;
    arm(t);
}

int timers_init(struct timers *t, struct event_base *base)
{
    memset(t, 0, sizeof *t);
    t->armed_at = NS_NEVER;
    t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (t->fd < 0)
        return -1;
    t->event = event_new(base, t->fd, EV_READ | EV_PERSIST, fire_due, t);
    if (!t->event || event_add(t->event, NULL) < 0) {
        timers_deinit(t);
        return -1;
    }
    return 0;
}

void timers_deinit(struct timers *t)
{
    if (t->event)
        event_free(t->event);
    if (t->fd >= 0)
        close(t->fd);
    free(t->heap);
    memset(t, 0, sizeof *t);
    t->fd = -1;
}

static int grow(struct timers *t)
{
    size_t capacity = t->capacity > 0 ? 2 * t->capacity : 64;
    struct timer **heap = reallocarray(t->heap, capacity, sizeof *heap);
    if (!heap)
        return -1;
    t->heap = heap;
    t->capacity = capacity;
    return 0;
}

int timers_set(struct timers *t, struct timer *timer, ns_t at, timer_fn fire)
{
    if (at == NS_NEVER) {
        timers_clear(t, timer);
        return 0;
    }
    timer->fire = fire;
    if (timer->slot > 0) {
        if (timer->at == at)
            return 0;
        timer->at = at;
        sift_up(t, timer->slot - 1);
        sift_down(t, timer->slot - 1);
    } else {
        if (t->count == t->capacity && grow(t) < 0)
            return -1;
        timer->at = at;
        place(t, t->count++, timer);
        sift_up(t, t->count - 1);
    }
    arm(t);
    return 0;
}

void timers_clear(struct timers *t, struct timer *timer)
{
    if (timer->slot == 0)
        return;
    size_t i = timer->slot - 1;
    assert(t->heap[i] == timer);
    timer->slot = 0;
    struct timer *last = t->heap[--t->count];
    if (last == timer)
        return;
    place(t, i, last);
    sift_up(t, i);
    sift_down(t, last->slot - 1);
}
