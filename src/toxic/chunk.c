/* SPDX-License-Identifier: MIT */
/* Chunks, their pool and their queue. */
#include "toxic/chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void chunk_pool_init(struct chunk_pool *pool, size_t spare_max)
{
    *pool = (struct chunk_pool){.spare_max = spare_max};
}

void chunk_pool_deinit(struct chunk_pool *pool)
{
    while (pool->spare) {
        struct chunk *chunk = pool->spare;
        pool->spare = chunk->next;
        free(chunk);
    }
    pool->spare_count = 0;
}

static struct chunk *pool_take(struct chunk_pool *pool)
{
    struct chunk *chunk = pool->spare;
    pool->spare = chunk->next;
    pool->spare_count--;
    return chunk;
}

struct chunk *chunk_new(struct chunk_pool *pool, size_t capacity)
{
    assert(capacity > 0 && capacity <= CHUNK_BYTES_MAX);
    bool full_size = capacity == CHUNK_BYTES_MAX;
    struct chunk *chunk;
    if (full_size && pool && pool->spare)
        chunk = pool_take(pool);
    else
        chunk = malloc(sizeof(*chunk) + capacity);
    if (chunk)
        *chunk = (struct chunk){.capacity = (uint32_t)capacity};
    return chunk;
}

struct chunk *chunk_copy(struct chunk_pool *pool, const void *bytes, size_t length)
{
    struct chunk *chunk = chunk_new(pool, length);
    if (chunk) {
        memcpy(chunk->data, bytes, length);
        chunk->length = (uint32_t)length;
    }
    return chunk;
}

void chunk_free(struct chunk_pool *pool, struct chunk *chunk)
{
    if (!chunk)
        return;
    if (pool && chunk->capacity == CHUNK_BYTES_MAX && pool->spare_count < pool->spare_max) {
        chunk->next = pool->spare;
        pool->spare = chunk;
        pool->spare_count++;
        return;
    }
    free(chunk);
}

struct chunk *chunk_fit(struct chunk_pool *pool, struct chunk *chunk)
{
    if (chunk->length == 0 || chunk->length > chunk->capacity / 4)
        return chunk;
    struct chunk *small = chunk_copy(pool, chunk_bytes(chunk), chunk->length);
    if (!small)
        return chunk;
    small->time = chunk->time;
    small->due = chunk->due;
    chunk_free(pool, chunk);
    return small;
}

void chunk_queue_push(struct chunk_queue *queue, struct chunk *chunk)
{
    chunk->next = NULL;
    if (queue->tail)
        queue->tail->next = chunk;
    else
        queue->head = chunk;
    queue->tail = chunk;
    queue->count++;
    queue->bytes += chunk->length;
    queue->cost += chunk_cost(chunk);
}

struct chunk *chunk_queue_pop(struct chunk_queue *queue)
{
    struct chunk *chunk = queue->head;
    if (!chunk)
        return NULL;
    queue->head = chunk->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->count--;
    queue->bytes -= chunk->length;
    queue->cost -= chunk_cost(chunk);
    chunk->next = NULL;
    return chunk;
}

void chunk_queue_clear(struct chunk_queue *queue, struct chunk_pool *pool)
{
    struct chunk *chunk;
    while ((chunk = chunk_queue_pop(queue)))
        chunk_free(pool, chunk);
}

void chunk_queue_skip(struct chunk_queue *queue, size_t length)
{
    assert(queue->head && length < queue->head->length);
    queue->head->begin += (uint32_t)length;
    queue->head->length -= (uint32_t)length;
    queue->bytes -= length;
}
