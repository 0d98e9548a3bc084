/* SPDX-License-Identifier: MIT */
/*
 * The bandwidth that all connections of a proxy share, in one direction. It stands before the
 * toxics: a link asks how much it may read, so what is too much waits in the kernel and with the
 * sender, and the bound costs no memory.
 *
 * Credit comes in continuously and is never more than RATE_GATE_BURST_NS of the rate, so an idle
 * proxy saves up next to nothing. Links that found none wait in order and are woken together; each
 * may then take its share.
 *
 * Each thread has a gate of its own, where its links wait; the gates of a direction draw on one
 * struct rate_credit, the only thing that the threads of the data path write in common. So that no
 * thread takes what belongs to links of another that is late, a link that was woken has a claim to
 * one share, and who has none leaves to the others what they wait for or have a claim to. A rate
 * is set while the other threads stand still (crew.h).
 */
#ifndef PROXY_RATE_GATE_H
#define PROXY_RATE_GATE_H

#include <pthread.h>
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
    bool claims;         /* a share; only with several threads */
    rate_waiter_fn wake; /* may end the link, and others */
};

struct rate_credit {
    int64_t kb_per_s; /* 1 KB = 1000 bytes; 0 = no bound */
    bool shared;      /* by several threads: `lock` guards all below */
    pthread_mutex_t lock;
    int64_t amount; /* in bytes * NS_PER_MS; below 0 after a change of the rate */
    ns_t at;        /* when the amount was true */
    size_t waiting; /* at all gates */
    size_t claims;
    size_t crowd;  /* how many were woken for the last credit: they share it */
    ns_t woken_at; /* when the first of them was */
};

struct rate_gate {
    struct rate_credit *credit;
    struct timers *timers;
    struct timer timer;
    struct list waiters;
    size_t waiting;
};

void rate_credit_init(struct rate_credit *credit, bool shared);
void rate_credit_deinit(struct rate_credit *credit);
/* Returns whether it is a change; then the gates are to be opened. */
bool rate_credit_set(struct rate_credit *credit, int64_t kb_per_s, ns_t now);

void rate_gate_init(struct rate_gate *gate, struct rate_credit *credit, struct timers *timers);
void rate_gate_deinit(struct rate_gate *gate);
/* Wakes all who wait: the rate has changed. */
void rate_gate_open(struct rate_gate *gate, ns_t now);

static inline bool rate_gate_is_open(const struct rate_gate *gate)
{
    return gate->credit->kb_per_s == 0;
}

/* How many of `want` bytes may be taken now. */
size_t rate_gate_share(struct rate_gate *gate, const struct rate_waiter *waiter, size_t want,
                       ns_t now);
/* That they were. */
void rate_gate_take(struct rate_gate *gate, struct rate_waiter *waiter, size_t bytes);
/* Calls waiter->wake later. -1 without memory: the link is to go on instead. */
int rate_gate_wait(struct rate_gate *gate, struct rate_waiter *waiter);
/* Idempotent. */
void rate_gate_leave(struct rate_gate *gate, struct rate_waiter *waiter);

#endif
