/* SPDX-License-Identifier: MIT */
/*
 * The time series of a run: one entry per interval, each within one phase. Bounded: when the cap is
 * reached, neighbours of the same phase are merged, which halves the resolution. Every entry keeps
 * its histogram (22.5 KB), so percentiles after a merge come from merged histograms.
 *
 * No clock, no threads of its own.
 */
#ifndef METRICS_SERIES_H
#define METRICS_SERIES_H

#include "metrics/latency.h"
#include "metrics/node_stats.h"
#include "metrics/recorder.h"

/* 20 minutes of 2 s intervals, 13 MB, before the first halving. */
#define SERIES_CAP_DEFAULT 600

struct interval_node {
    uint64_t succeeded;
    uint64_t failed;
    struct node_stats stats; /* at the end of the interval */
};

struct interval {
    ns_t start_ns;
    ns_t end_ns;
    unsigned phase;
    uint64_t offered;
    uint64_t dropped;
    uint64_t succeeded;
    uint64_t failed;
    uint64_t by_outcome[OUTCOME_COUNT];
    struct latency service;      /* successes that ended in the interval */
    struct interval_node *nodes; /* as many as the series has */
};

struct series;

struct series *series_new(unsigned nodes, size_t cap, struct err *err);
void series_free(struct series *s);

/* Copies the interval, its nodes, and `service`, from which it sets interval.service. */
int series_add(struct series *s, const struct interval *interval, const struct hist *service,
               struct err *err);

size_t series_len(const struct series *s);
const struct interval *series_at(const struct series *s, size_t index);
/* How many times the resolution was halved. */
unsigned series_halvings(const struct series *s);

#endif
