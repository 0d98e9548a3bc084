/* SPDX-License-Identifier: MIT */
/* What one node did in one short stretch of time (100 ms): the grain of every judgement about
 * steadiness. */
#ifndef METRICS_WINDOW_H
#define METRICS_WINDOW_H

#include "base/time.h"

#include <stdint.h>

#define WINDOW_DEFAULT_NS (100 * NS_PER_MS)

struct window {
    ns_t start_ns;
    ns_t length_ns;
    uint64_t ok;
    uint64_t failed;
    ns_t p99_ns; /* service time of the successes; 0 when there are none */
};

#endif
