/* SPDX-License-Identifier: MIT */
/*
 * The bandwidth that all connections of a proxy share, one gate per direction. It stands before the
 * toxics: a link asks how much it may read, so what is too much waits in the kernel and with the
 * sender, and the bound costs no memory.
 *
 * Credit comes in continuously and is never more than RATE_GATE_BURST_NS of the rate, so an idle
 * proxy saves up next to nothing. Links that found none wait in order and are woken together; each
 * may then take its share.
 */
#ifndef PROXY_RATE_GATE_H
#define PROXY_RATE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "proxy/timers.h"

#define RATE_GATE_BURST_NS (5 * NS_PER_MS)
/* 1 TB/s: beyond it a rate is no bound, and the arithmetic stays exact up to it. */
#define RATE_GATE_KB_PER_S_MAX INT64_C(1000000000)

struct rate_waiter;
typedef void (*rate_waiter_fn)(struct rate_waiter *waiter, ns_t now);

/* Lives inside the link. */
struct rate_waiter {
    struct list link;
    bool waiting;
    rate_waiter_fn wake; /* may end the link, and others */
};

struct rate_gate {
    struct timers *timers;
    int64_t kb_per_s; /* 1 KB = 1000 bytes; 0 = no bound */
    int64_t credit;   /* in bytes * NS_PER_MS; below 0 after a change of the rate */
    ns_t at;          /* when the credit was true */
    struct timer timer;
    struct list waiters;
    size_t waiting;
    size_t crowd; /* how many were woken with the last one: they share the credit */
};

void rate_gate_init(struct rate_gate *gate, struct timers *timers);
void rate_gate_deinit(struct rate_gate *gate);

/* Takes effect at once, for those who wait, too. */
void rate_gate_set(struct rate_gate *gate, int64_t kb_per_s, ns_t now);

static inline bool rate_gate_is_open(const struct rate_gate *gate)
{
    return gate->kb_per_s == 0;
}

/* How many of `want` bytes may be taken now. */
size_t rate_gate_share(struct rate_gate *gate, size_t want, ns_t now);
/* That they were. */
void rate_gate_take(struct rate_gate *gate, size_t bytes);
/* Calls waiter->wake later. -1 without memory: the link is to go on instead. */
int rate_gate_wait(struct rate_gate *gate, struct rate_waiter *waiter);
/* Idempotent. */
void rate_gate_leave(struct rate_gate *gate, struct rate_waiter *waiter);

#endif
