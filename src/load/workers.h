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
    /* May be NULL: frees calls that do not end although the client was interrupted, by cutting
     * their connections. */
    void (*unblock)(void *arg);
    void *arg;
};

/* Workers whose call did not end in time when the client was interrupted. */
struct workers_end {
    unsigned late; /* all of them */
    unsigned lost; /* of those, the ones that did not come back after `unblock` either */
};

struct workers;

/*
 * Stores the keys if the load wants that, which takes at most WORKERS_PREFILL_MAX_NS, and starts
 * all threads; they begin together. Returns 0, or -1 when a thread or its handle cannot be had, or
 * a key not be stored; workers_stop() is then for the caller only if *out was set, which means that
 * some are lost.
 */
int workers_start(const struct workers_config *config, struct workers **out, struct err *err);

/* How far the workers are behind their schedule: 0 when they are not, or in a closed loop. */
ns_t workers_behind(struct workers *workers, ns_t now);

/*
 * Interrupts the driver, counts what was due and never started as dropped, ends all threads and
 * frees everything. Calls in progress have twice the timeout and a second to end, and the same
 * again once they have been unblocked. When some are lost after all, nothing is freed, and what the
 * config points to must stay for ever. NULL is allowed.
 */
struct workers_end workers_stop(struct workers *workers);

#endif
