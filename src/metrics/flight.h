/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: the last operations of every worker and of every connection, and what each
 * worker is doing now, in rings of fixed size. Writing costs a copy of 80 bytes for each ring and
 * takes no lock; a snapshot may be taken at any time by another thread, and misses at most what is
 * being overwritten at that moment.
 */
#ifndef METRICS_FLIGHT_H
#define METRICS_FLIGHT_H

#include "metrics/op_record.h"

#define FLIGHT_RING_DEFAULT 128
#define FLIGHT_RING_MAX 65536
/* Memory of all workers' rings; with many workers they get shorter. */
#define FLIGHT_BYTES_MAX ((size_t)64 << 20)
/* Rings of connections; with more connections, some share one, and the latest has it. */
#define FLIGHT_CONNECTIONS 512
#define FLIGHT_CONNECTION_RING 32

struct flight;

/* `ring` operations for each of `workers`. NULL without memory. */
struct flight *flight_new(unsigned workers, unsigned ring, struct err *err);
void flight_free(struct flight *f);

/* Around an operation; record->worker says whose. One thread per worker. flight_end() may be called
 * several times, for an operation on several nodes. */
void flight_begin(struct flight *f, const struct op_record *record);
void flight_end(struct flight *f, const struct op_record *record);

/* All that is there, each operation once, by start; those in flight have OP_RECORD_IN_FLIGHT as
 * duration. The caller frees the list; NULL without memory. */
struct op_record *flight_snapshot(struct flight *f, size_t *count);

#endif
