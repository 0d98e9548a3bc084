/* SPDX-License-Identifier: MIT */
/*
 * The sampler reads the recorder every 100 ms: it cuts windows for the judgements of steadiness and
 * recovery, and intervals for the series and the live line.
 *
 * `struct sampler` is the part without clock or thread: sampler_tick(now) does the work, so tests
 * run in virtual time. sampler_start() adds the thread. All functions are safe from any thread
 * while it runs (one mutex, never held while a callback of the config is called); the workers' hot
 * path never meets it.
 */
#ifndef METRICS_SAMPLER_H
#define METRICS_SAMPLER_H

#include "metrics/recovery.h"
#include "metrics/series.h"
#include "metrics/transitions.h"

#define SAMPLER_INTERVAL_DEFAULT_NS (2 * NS_PER_SEC)

struct sampler_config {
    struct recorder *recorder;       /* borrowed */
    struct transitions *transitions; /* borrowed, may be NULL */
    int baseline_phase;              /* its index, or -1: no baseline */
    ns_t window_ns;                  /* 0: WINDOW_DEFAULT_NS */
    ns_t interval_ns;                /* 0: SAMPLER_INTERVAL_DEFAULT_NS */
    size_t series_cap;               /* 0: SERIES_CAP_DEFAULT */
    unsigned steady_windows;         /* 0: STEADY_WINDOWS_DEFAULT */
    struct band_config band;         /* all 0: BAND_CONFIG_DEFAULT */
    struct gate_config gate;         /* all 0: GATE_CONFIG_DEFAULT */

    /* Fills out[0..nodes). May be NULL. Called by whoever ticks: the sampler's thread,
     * and sampler_stop() on its caller's. */
    void (*node_stats)(void *arg, struct node_stats *out, unsigned nodes);
    /* Fills `out` with the state of the machine. May be NULL: it is then unknown. Called by
     * whoever ticks, and by sampler_new(). */
    void (*host)(void *arg, ns_t now, struct host_sample *out);
    /* Called at the end of each interval; the interval is valid during the call. May be NULL. */
    void (*interval)(void *arg, const struct interval *interval, unsigned nodes);
    void *arg;
};

struct sampler;

struct sampler *sampler_new(const struct sampler_config *config, ns_t now, struct err *err);
void sampler_free(struct sampler *s); /* stops it first */

/* When sampler_tick() is next worth calling. */
ns_t sampler_deadline(struct sampler *s);
void sampler_tick(struct sampler *s, ns_t now);

int sampler_start(struct sampler *s, struct err *err);
/* Ends the thread, if any. The workers should have ended: takes the last window and interval. */
void sampler_stop(struct sampler *s, ns_t now);

/* Faults, from the controller. The handle is -1 when there are too many. Call fault_start just
 * BEFORE the fault is applied, and fault_end just AFTER it was taken away, with the time of that
 * moment. */
int sampler_fault_start(struct sampler *s, unsigned node, ns_t at_ns);
void sampler_fault_end(struct sampler *s, int fault, ns_t at_ns);
struct recovery_times sampler_fault_times(struct sampler *s, int fault);
/* Every ended fault has been recovered from: the recovery phase may end early. */
bool sampler_is_recovered(struct sampler *s);

/* The gate, judged on the baseline windows so far. */
struct gate sampler_gate(struct sampler *s);
struct band sampler_band(struct sampler *s, unsigned node);

/* Longest time between two ticks: how much the machine itself stalled this thread. */
ns_t sampler_lag_max(struct sampler *s);
/* Highest pool totals seen by sampling, for drivers that keep no exact mark. */
uint32_t sampler_pool_total_max(struct sampler *s, unsigned node);

/* Calls `see` with the series so far, which does not change meanwhile; returns what it returns. At
 * any time. */
int sampler_series_see(struct sampler *s, int (*see)(void *arg, const struct series *series),
                       void *arg);
/* After sampler_stop() only. */
const struct series *sampler_series(const struct sampler *s);

#endif
