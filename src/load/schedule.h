/* SPDX-License-Identifier: MIT */
/*
 * When operations are to start. One schedule serves all workers: each takes the next intended
 * start. It is shared without locks; no clock, no randomness.
 */
#ifndef LOAD_SCHEDULE_H
#define LOAD_SCHEDULE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/time.h"

struct schedule {
    ns_t start_ns;
    double rate_per_s; /* 0: closed loop, every worker starts its next operation at once */
    _Atomic uint64_t next;
};

void schedule_init(struct schedule *schedule, ns_t start_ns, double rate_per_s);

/* The intended start of the next operation; with a rate of 0 it is `now`. */
ns_t schedule_take(struct schedule *schedule, ns_t now);

#endif
