/* SPDX-License-Identifier: MIT */
/*
 * The toxics of one link: one direction of one connection. Chunks that were read go in, chunks to
 * write come out, in the same order and, unless a toxic discards on purpose, byte for byte the
 * same, whatever is added, changed or removed meanwhile. No call blocks, reads a clock or touches a
 * socket.
 *
 *   read ─▶ chain_push ─▶ stage ─▶ stage ─▶ … ─▶ output ─▶ chain_output, write, chain_consume
 *
 * How an event loop uses it: after any call on a chain, look again at
 *   chain_output()       something to write,
 *   chain_end()          the destination is to be closed,
 *   chain_deadline()     when to call chain_tick(),
 *   chain_wants_input()  whether to go on reading.
 * A `now` older than one seen before counts as that one. A chain belongs to one thread.
 */
#ifndef TOXIC_CHAIN_H
#define TOXIC_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rng.h"
#include "base/time.h"
#include "toxic/chunk.h"
#include "toxic/toxic.h"

/*
 * Memory that one link may hold before it stops reading (one chunk may exceed it). It also bounds
 * each stage, because cutting chunks into small ones takes memory without any reading.
 */
#define CHAIN_BYTES_MAX_DEFAULT (32u * 1024 * 1024)
/* Chunks that wait for the writer, in bytes of memory: beyond it the stages hold back. */
#define CHAIN_OUTPUT_BYTES_MAX (128u * 1024)

/*
 * How long a close that a toxic ordered waits for a receiver that takes nothing. Then what is
 * inside is discarded and the close is told.
 */
#define CHAIN_CLOSE_GRACE_NS (5 * NS_PER_SEC)

/* How a stream ends, in rising order of violence. */
enum chain_end {
    CHAIN_OPEN,  /* it goes on */
    CHAIN_EOF,   /* the source ended: close (or half-close) the destination */
    CHAIN_CLOSE, /* a toxic ends the connection: close both sockets */
    CHAIN_RESET, /* a toxic ends the connection: reset both sockets */
};

struct chain;

struct chain_config {
    struct rng rng; /* this link's own stream of random numbers */
    struct chunk_pool
        *pool;        /* where stages get and return chunks; may be NULL; outlives the chain */
    size_t bytes_max; /* 0: CHAIN_BYTES_MAX_DEFAULT */
};

/* A chain without toxics. NULL when memory is short. */
struct chain *chain_new(const struct chain_config *config);
/* What is still inside is discarded. */
void chain_free(struct chain *chain);

/*
 * Toxics. The order of the stages is the order of chain_add(). The dice for the toxicity are rolled
 * here for this link, at add and at update; other toxics are not disturbed. `toxic` is the identity
 * for update and remove and is read only during these calls; `stats` (may be NULL) must live until
 * the toxic has been removed or the chain freed.
 */
/* -1 when memory is short: the chain is as before. */
int chain_add(struct chain *chain, const struct toxic *toxic, struct toxic_stats *stats, ns_t now);
/* The chunk in hand is released at once, the rest meets the new values; counters are kept. */
void chain_update(struct chain *chain, const struct toxic *toxic, ns_t now);
/* What waits in the toxic goes on in order. A timeout toxic ends the chain with CHAIN_CLOSE
 * instead. */
void chain_remove(struct chain *chain, const struct toxic *toxic, ns_t now);

/* Input. Takes ownership of the chunk; an empty one is allowed and vanishes. */
void chain_push(struct chain *chain, struct chunk *chunk, ns_t now);
/* No more input: the source reached its end or failed. */
void chain_push_eof(struct chain *chain, ns_t now);
/* False: stop reading until it is true again. Pushing nevertheless is safe. */
bool chain_wants_input(const struct chain *chain);

/* Output: the next chunk to write, or NULL. Its bytes are chunk_bytes()/length; it stays ours. */
struct chunk *chain_output(struct chain *chain);
/* `length` bytes of the front chunk (at most its length) have been written. */
void chain_consume(struct chain *chain, size_t length, ns_t now);
/* All chunks that are ready, for reading only (writev). */
const struct chunk_queue *chain_output_queue(const struct chain *chain);

/*
 * What to do with the sockets now. CHAIN_EOF and CHAIN_CLOSE are told only when the output is
 * empty, CHAIN_RESET as soon as it has come through the toxics behind the one that ordered it. When
 * a toxic has ordered either and the receiver takes nothing for CHAIN_CLOSE_GRACE_NS, counted from
 * the order or the latest chain_consume(), the output is discarded and the end told nevertheless.
 * An EOF waits for the receiver as long as it takes.
 */
enum chain_end chain_end(const struct chain *chain);

/* When chain_tick() is wanted; NS_NEVER: not before something else happens. Later than the last
 * now. */
ns_t chain_deadline(const struct chain *chain);
void chain_tick(struct chain *chain, ns_t now);

/* No toxic acts on this link and nothing is inside: bytes may go around the chain (splice). */
bool chain_is_transparent(const struct chain *chain);
/* Tells the chain that bytes did: the connection is not new any more. */
void chain_bypass(struct chain *chain);
/* Memory held inside, output included. */
size_t chain_bytes_held(const struct chain *chain);

#endif
