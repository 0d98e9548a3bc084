/* SPDX-License-Identifier: MIT */
/*
 * What happened, at the finest grain: one cell for each operation, outcome and node that occurred,
 * with the histogram of its service times. The meter cuts time into pieces: each cut has what ended
 * since the one before, and nothing is in two of them.
 *
 * No clock, no threads of its own; workers may record meanwhile.
 */
#ifndef METRICS_CELLS_H
#define METRICS_CELLS_H

#include "base/hist_packed.h"
#include "metrics/recorder.h"

/* Cells of one cut; further ones wait for the next cut that has room, so nothing is lost. */
#define CELLS_MAX 1024

struct cell {
    uint32_t node; /* or RECORDER_NODE_UNKNOWN */
    enum op op;
    enum outcome outcome;
    uint64_t count;
    struct hist_packed *service; /* of LATENCY_HIST_CONFIG; NULL for neutral outcomes, which are in
                                    no histogram, and where there was no memory */
};

/* The order of all lists of cells: by node (the unknown one last), operation, outcome. */
int cell_compare(const struct cell *a, const struct cell *b);

struct cell_meter;

struct cell_meter *cell_meter_new(const struct recorder *recorder, struct err *err);
void cell_meter_free(struct cell_meter *m);

/* What ended since the last cut, in order. The list is the meter's and valid until the next cut. */
size_t cell_meter_cut(struct cell_meter *m, struct cell **out);

#endif
