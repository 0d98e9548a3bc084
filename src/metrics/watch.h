/* SPDX-License-Identifier: MIT */
/*
 * Watches on the samples of one node: the first error, the first success, since some instant. The
 * workers' side is lock-free, and a single load while nothing is armed. recorder.h says what they
 * are for; only the recorder uses them.
 */
#ifndef METRICS_WATCH_H
#define METRICS_WATCH_H

#include "base/time.h"
#include "metrics/recorder.h"

#include <stdatomic.h>

enum watch_kind { WATCH_ERROR, WATCH_SUCCESS, WATCH_KIND_COUNT };

#define WATCHES_PER_NODE (WATCH_KIND_COUNT * RECORDER_WATCHES_MAX)

struct watch {
    _Atomic ns_t since;
    _Atomic ns_t found;
};

/* Zeroed is ready. */
struct watches {
    _Atomic uint32_t armed[WATCH_KIND_COUNT]; /* bit: watch */
    struct watch watch[WATCH_KIND_COUNT][RECORDER_WATCHES_MAX];
    char padding[64]; /* keeps the flags of two nodes in different cache lines */
};

/* A watch from 0 to WATCHES_PER_NODE - 1, or -1 when all of the kind are armed. One thread arms and
 * releases at a time. */
int watches_arm(struct watches *ws, enum watch_kind kind, ns_t since);
void watches_release(struct watches *ws, int watch);
ns_t watches_found(const struct watches *ws, int watch);

/* Any thread: a sample that ended at `end`. `at` is what must not lie before a watch's `since`. */
void watches_see(struct watches *ws, enum watch_kind kind, ns_t at, ns_t end);

#endif
