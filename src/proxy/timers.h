/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of the data path: a binary heap over one timerfd, so that a toxic's delay is exact to
 * some tens of microseconds while a loop without deadlines pays nothing. (libevent's own precise
 * timers set a timerfd in every turn of the loop, also when there is nothing to wait for.)
 */
#ifndef PROXY_TIMERS_H
#define PROXY_TIMERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"

struct event;
struct event_base;
struct timer;

typedef void (*timer_fn)(struct timer *timer, ns_t now);

/* Lives inside the object that waits; zero is a timer that is not set. */
struct timer {
    ns_t at;
    size_t slot; /* place in the heap + 1; 0 = not set */
    timer_fn fire;
};

struct timers {
    struct timer **heap;
    size_t count;
    size_t capacity;
    int fd;
    ns_t armed_at; /* what the timerfd is set to; NS_NEVER = not set */
    bool firing;
    struct event *event;
    const atomic_bool *must_yield; /* leave what is due to the next turn; may be NULL */
};

/* Returns 0, or -1 when the kernel or memory refuses. */
int timers_init(struct timers *timers, struct event_base *base);
void timers_deinit(struct timers *timers);

/*
 * Sets, moves or (NS_NEVER) clears a timer; `fire` is called once, on the loop. Returns -1 when
 * memory is short, and then the timer is not set.
 */
int timers_set(struct timers *timers, struct timer *timer, ns_t at, timer_fn fire);
void timers_clear(struct timers *timers, struct timer *timer);

#endif
