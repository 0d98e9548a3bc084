/* SPDX-License-Identifier: MIT */
/*
 * Judges what reads return against what was written: docs/oracle.md has the model. It reports only
 * what no cache may do, never forgetting, expiry, eviction or a cold restart.
 *
 * Every write to a key has a version, counted from 1 per key. A read is wrong when its version was
 * acknowledged before another write (or delete) to the key began that was itself acknowledged
 * before the read began. What became of a write that timed out is unknown: it may take effect at
 * any later time, and reading it is always fine.
 *
 * Memory is fixed: per key the last writes and a few older unknown ones; where something had to be
 * forgotten, the oracle says "fine". Time per call is constant. No clock. Any thread may call; a
 * lock is shared by a stripe of the keys and held for some tens of nanoseconds.
 */
#ifndef LOAD_ORACLE_H
#define LOAD_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "metrics/outcome.h"

#define ORACLE_WRITES_KEPT 8  /* per key: the last writes, with their ends */
#define ORACLE_UNKNOWN_KEPT 8 /* per key: older writes that may still take effect */

struct oracle;

/* NULL without memory. */
struct oracle *oracle_new(uint32_t keys);
void oracle_free(struct oracle *oracle);
size_t oracle_bytes(const struct oracle *oracle);

enum write_end {
    WRITE_ACKNOWLEDGED, /* it took effect, between its begin and its end */
    WRITE_UNKNOWN,      /* it may have, or may yet */
    WRITE_UNSENT,       /* nothing of it left the client: it never will */
};

/* The version of a write that is about to start. */
uint64_t oracle_write_begin(struct oracle *oracle, uint32_t key);
void oracle_write_end(struct oracle *oracle, uint32_t key, uint64_t version, ns_t begin, ns_t end,
                      enum write_end how);

/* A delete that was acknowledged ("deleted" or "not found"); others need not be told. */
void oracle_deleted(struct oracle *oracle, uint32_t key, ns_t begin, ns_t end);

/* What is known when a read begins: taken before the client is called. */
struct oracle_read {
    ns_t floor_ns;          /* begin of the last acknowledged change to begin; 0 = none */
    ns_t floor_end_ns;      /* its end */
    uint64_t floor_version; /* 0: a delete */
};

struct oracle_read oracle_read_begin(struct oracle *oracle, uint32_t key);

/*
 * The read has returned `version` (of this run). Returns OUTCOME_HIT, OUTCOME_STALE,
 * OUTCOME_RESURRECTED or OUTCOME_FUTURE.
 */
enum outcome oracle_read_end(struct oracle *oracle, uint32_t key, const struct oracle_read *read,
                             uint64_t version);

#endif
