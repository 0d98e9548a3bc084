/* SPDX-License-Identifier: MIT */
/*
 * The four times of every fault and node, "never" (NS_NEVER) included. All are instants on the
 * monotonic clock:
 *
 *   first error     end of the first failed operation at or after the fault's start
 *   breaker open    the node's breaker is open, at or after the fault's start
 *   first success   end of the first success of an operation that STARTED after the fault's end
 *   steady again    see steady.h; windows that start at or after the fault's end
 *
 * Without clock or threads: instants and windows are told. The first error and the first success
 * are exact because the recorder's watches find them; this module arms, harvests and releases
 * those. The search for an error ends when the node is steady again. A node that is faulted again
 * before it was steady keeps "never" for what the earlier fault still lacks, and that one is marked
 * as superseded: its times could no longer be attributed.
 *
 * Bounded: RECOVERY_FAULTS_MAX entries; of those, RECORDER_WATCHES_MAX open ones per node.
 */
#ifndef METRICS_RECOVERY_H
#define METRICS_RECOVERY_H

#include "metrics/node_stats.h"
#include "metrics/recorder.h"
#include "metrics/steady.h"

/* (fault, node) pairs in one run. */
#define RECOVERY_FAULTS_MAX 1024

struct recovery_times {
    unsigned node;
    ns_t fault_start_ns;
    ns_t fault_end_ns; /* NS_NEVER while it lasts */
    ns_t first_error_ns;
    ns_t breaker_open_ns;
    ns_t first_success_ns;
    ns_t steady_ns;
    bool superseded; /* another fault hit the node before it was steady again */
};

struct recovery_config {
    unsigned nodes;
    struct band_config band;
    unsigned steady_windows;
};

struct recovery;

/* `recorder` is borrowed and may be NULL in tests of windows alone. NULL without memory. */
struct recovery *recovery_new(const struct recovery_config *config, struct recorder *recorder);
void recovery_free(struct recovery *r);

/* A window of `node`; `is_baseline` when it lies in the baseline phase. */
void recovery_window(struct recovery *r, unsigned node, const struct window *w, bool is_baseline);
/* A breaker's transition to `view`. */
void recovery_breaker(struct recovery *r, unsigned node, enum breaker_view view, ns_t at_ns);

/* Returns the fault's handle, or -1 when there are too many. */
int recovery_fault_start(struct recovery *r, unsigned node, ns_t at_ns);
void recovery_fault_end(struct recovery *r, int fault, ns_t at_ns);

/* Looks at the watches; at least once per window, and once after the workers have ended. */
void recovery_tick(struct recovery *r);

struct recovery_times recovery_times(const struct recovery *r, int fault);
/* True when every ended fault has its first success and, where there is a baseline to compare with,
 * its steady time: no need to wait longer. */
bool recovery_is_complete(const struct recovery *r);
struct band recovery_band(const struct recovery *r, unsigned node);

#endif
