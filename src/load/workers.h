/* SPDX-License-Identifier: MIT */
/* The threads that make the load: each runs steps of a workload at the times of the schedule until
 * it is stopped. */
#ifndef LOAD_WORKERS_H
#define LOAD_WORKERS_H

#include "driver/driver.h"
#include "load/evidence.h"
#include "load/op_sink.h"
#include "load/workload.h"
#include "metrics/recorder.h"

#define WORKERS_MAX 10000

#define WORKERS_PREFILL_MAX_NS (60 * NS_PER_SEC)

struct workers_config {
    unsigned count;
    struct load *load; /* shared by all */
    const struct driver *driver;
    void *client; /* of the driver, open */
    struct recorder *recorder;
    struct evidence *evidence;
    const struct op_sink *sink; /* may be NULL */
    ns_t timeout_ns; /* of each operation; one that could not start for that long is dropped */
    uint64_t seed;
    int cancel_fd; /* readable: give up while the keys are stored; -1: none */
};

struct workers;

/*
 * Stores the keys if the load wants that, which takes at most WORKERS_PREFILL_MAX_NS, and starts
 * all threads; they begin together. Returns 0, or -1 when a thread or its handle cannot be had, or
 * a key not be stored.
 */
int workers_start(const struct workers_config *config, struct workers **out, struct err *err);

/* How far the workers are behind their schedule: 0 when they are not, or in a closed loop. */
ns_t workers_behind(struct workers *workers, ns_t now);

/* Interrupts the driver, counts what was due and never started as dropped, ends all threads and
 * frees everything. NULL is allowed. */
void workers_stop(struct workers *workers);

#endif
