/* SPDX-License-Identifier: MIT */
/*
 * One schedule for all workers: each takes the next intended start. The lock is held for some tens
 * of nanoseconds.
 */
#ifndef LOAD_SCHEDULE_H
#define LOAD_SCHEDULE_H

#include <pthread.h>
#include <stdint.h>

#include "load/arrival.h"

struct schedule {
    pthread_mutex_t lock;
    bool closed;
    ns_t start_ns;
    struct arrival arrival;
};

/* `spec` is borrowed. */
void schedule_init(struct schedule *schedule, const struct arrival_spec *spec, uint64_t seed,
                   ns_t start_ns);
void schedule_deinit(struct schedule *schedule);

/* The intended start of the next operation, NS_NEVER when there is none any more; `now` in a closed
 * loop. */
ns_t schedule_take(struct schedule *schedule, ns_t now);

/* The same without taking it. */
ns_t schedule_peek(struct schedule *schedule, ns_t now);

/* Takes all starts that are due before `now`; returns how many, at most SCHEDULE_SKIP_MAX. */
#define SCHEDULE_SKIP_MAX 20000000
uint64_t schedule_skip(struct schedule *schedule, ns_t now);

#endif
