/* SPDX-License-Identifier: MIT */
/* The threads that make the load: each runs steps of a workload at the times of the schedule until
 * it is stopped. */
#ifndef LOAD_WORKERS_H
#define LOAD_WORKERS_H

#include "driver/driver.h"
#include "load/evidence.h"
#include "load/workload.h"
#include "metrics/recorder.h"

#define WORKERS_MAX 10000

struct workers_config {
    unsigned count;
    const struct workload *workload;
    const struct driver *driver;
    void *client; /* of the driver, open */
    struct recorder *recorder;
    struct evidence *evidence;
    double rate_per_s; /* of all workers together; 0 = as fast as answers come */
    ns_t timeout_ns;   /* of each operation; one that could not start for that long is dropped */
    uint64_t seed;
};

struct workers;

/* Starts all threads; they begin together. Returns 0, or -1 when a thread or its handle cannot be
 * had. */
int workers_start(const struct workers_config *config, struct workers **out, struct err *err);

/* Interrupts the driver, ends all threads and frees everything. NULL is allowed. */
void workers_stop(struct workers *workers);

#endif
