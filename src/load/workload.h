/* SPDX-License-Identifier: MIT */
/* What the workers do. A new workload is one file, one line in registry.c and one test. */
#ifndef LOAD_WORKLOAD_H
#define LOAD_WORKLOAD_H

#include "load/session.h"

struct workload {
    const char *name;
    const char *help;
    void (*step)(struct session *session); /* one operation, all randomness from session->rng */
};

extern const struct workload workload_mixed;

/* All workloads, ending with NULL; the first is the default. */
extern const struct workload *const workloads[];

#endif
