/* SPDX-License-Identifier: MIT */
/*
 * The time series of a run: one entry per interval, each within one phase. Bounded in entries and
 * in bytes: when a limit is reached, neighbours of the same phase are merged two by two, which
 * halves the resolution. Every entry keeps its histograms, packed, so percentiles after a merge
 * come from merged histograms.
 *
 * No clock, no threads of its own.
 */
#ifndef METRICS_SERIES_H
#define METRICS_SERIES_H

#include "metrics/cells.h"
#include "metrics/host.h"
#include "metrics/latency.h"
#include "metrics/node_stats.h"
#include "metrics/recorder.h"

/* 20 minutes of 2 s intervals before the first halving. */
#define SERIES_CAP_DEFAULT 600
/* Memory of all entries together; a typical one (3 nodes, 4 operations) has 10 KB. */
#define SERIES_BYTES_MAX ((size_t)32 << 20)

struct interval_node {
    uint64_t succeeded;
    uint64_t failed;
    struct node_stats stats; /* at the end of the interval */
};

/* What ended in an interval; `phase` is the one at its end. */
struct interval {
    ns_t start_ns;
    ns_t end_ns;
    unsigned phase;
    uint64_t offered;
    uint64_t dropped;
    uint64_t succeeded; /* goodput: divide by the length */
    uint64_t failed;
    uint64_t by_outcome[OUTCOME_COUNT];
    struct latency service;      /* of the successes, from their real start */
    struct latency response;     /* likewise, from their intended start */
    struct interval_node *nodes; /* as many as the series has */
    struct host_use host;        /* what the machine did; unknown where nobody looked */
    /* The same with all their buckets: hist_packed_encode() gives the text for an HDR log,
     * hist_packed_add() merges. NULL when there was no memory. */
    struct hist_packed *service_hist;
    struct hist_packed *response_hist;
    /* Everything by node, operation and outcome: those that occurred, in order of cell_compare().
     */
    struct cell *cells;
    size_t cell_count;
};

struct series;

struct series *series_new(unsigned nodes, size_t cap, struct err *err);
void series_free(struct series *s);

/* Copies the interval and all it points to. */
int series_add(struct series *s, const struct interval *interval, struct err *err);

size_t series_len(const struct series *s);
const struct interval *series_at(const struct series *s, size_t index);
/* Bytes of memory that the entries take. */
size_t series_bytes(const struct series *s);
/* How many times the resolution was halved. */
unsigned series_halvings(const struct series *s);

#endif
