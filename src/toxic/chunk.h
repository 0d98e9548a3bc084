/* SPDX-License-Identifier: MIT */
/*
 * A chunk is what one read of a socket brought: an owned buffer of at most CHUNK_BYTES_MAX bytes
 * with the time it was received. It has one owner at a time and moves between queues by pointer; it
 * is written with one write, so chunk boundaries survive the way through a proxy.
 *
 * Full-size chunks are recycled through a chunk_pool; smaller ones come from malloc, so that a
 * queue of tiny messages costs what it holds and not 32 KiB each. A pool belongs to one thread.
 */
#ifndef TOXIC_CHUNK_H
#define TOXIC_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define CHUNK_BYTES_MAX 32768u
/* Full-size chunks that an idle pool keeps by default: 2 MiB. */
#define CHUNK_POOL_SPARE_MAX 64u

struct chunk {
    struct chunk *next;
    /* When it reached the place it waits in: read time first, then what each stage sets. */
    ns_t time;
    ns_t due;        /* scratch of the stage that holds it */
    bool spared;     /* the stage that holds it leaves it alone: see chunk_toxicity */
    uint32_t begin;  /* offset of the first byte not consumed yet */
    uint32_t length; /* bytes from begin on */
    uint32_t capacity;
    unsigned char data[];
};

struct chunk_pool {
    struct chunk *spare;
    size_t spare_count;
    size_t spare_max;
};

void chunk_pool_init(struct chunk_pool *pool, size_t spare_max);
void chunk_pool_deinit(struct chunk_pool *pool);

/*
 * An empty chunk with room for `capacity` bytes (1..CHUNK_BYTES_MAX). `pool` may be NULL. NULL when
 * memory is short. Read into chunk->data, then set chunk->length.
 */
struct chunk *chunk_new(struct chunk_pool *pool, size_t capacity);
struct chunk *chunk_copy(struct chunk_pool *pool, const void *bytes, size_t length);
void chunk_free(struct chunk_pool *pool, struct chunk *chunk);

/*
 * The same bytes in a buffer of their size when the chunk wastes most of its own; else the chunk
 * itself. Takes ownership of `chunk` and never fails.
 */
struct chunk *chunk_fit(struct chunk_pool *pool, struct chunk *chunk);

static inline unsigned char *chunk_bytes(struct chunk *chunk)
{
    return chunk->data + chunk->begin;
}

/* What it costs in memory: the measure of every bound. */
static inline size_t chunk_cost(const struct chunk *chunk)
{
    return sizeof(*chunk) + chunk->capacity;
}

/* First in, first out; `cost` is the sum of chunk_cost, `bytes` the sum of length. */
struct chunk_queue {
    struct chunk *head;
    struct chunk *tail;
    size_t count;
    size_t bytes;
    size_t cost;
};

void chunk_queue_push(struct chunk_queue *queue, struct chunk *chunk);
struct chunk *chunk_queue_pop(struct chunk_queue *queue);
void chunk_queue_clear(struct chunk_queue *queue, struct chunk_pool *pool);
/* Drops the first `length` bytes of the head, which must be longer. */
void chunk_queue_skip(struct chunk_queue *queue, size_t length);

#endif
