/* SPDX-License-Identifier: MIT */
/*
 * Judges counters that are only ever incremented: docs/oracle.md has the model. With A an earlier
 * operation that returned n, acknowledged before this one began, the result must be
 *
 *   at most   n + all that may have been added since A: what was begun until now, less A itself and
 *             what had been acknowledged when A began (a timed-out increment may arrive at any
 * time) at least  n + its own delta; or, when the cache has forgotten the counter since A, at most
 * what may have been added since A.
 *
 * Before there is an A, only that: at least its own delta.
 *
 * Fixed memory, constant time, no clock. Any thread may call.
 */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally;

/* NULL without memory. */
struct tally *tally_new(uint32_t counters);
void tally_free(struct tally *tally);

/* What is known when an operation begins: taken before the client is called. */
struct tally_op {
    uint64_t delta; /* 0 for a read */
    uint64_t acknowledged;
    bool known;      /* A exists */
    uint64_t result; /* of A */
    uint64_t before; /* acknowledged when A began, and A */
};

struct tally_op tally_begin(struct tally *tally, uint32_t counter, uint64_t delta);

/* Nothing of it left the client. Without a call, the outcome is unknown. */
void tally_unsent(struct tally *tally, uint32_t counter, const struct tally_op *op);

/* The operation returned `result`. Returns whether that can be; else `low` and `high` get the
 * bounds that it is outside of. */
bool tally_end(struct tally *tally, uint32_t counter, const struct tally_op *op, uint64_t result,
               uint64_t *low, uint64_t *high);

#endif
