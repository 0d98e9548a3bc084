/* SPDX-License-Identifier: MIT */
/* Memory for the values of batches: blocks that are filled from the front. */
#include <mcmeta/batch.h>

#include <stdlib.h>

#include "mcmeta/scratch.h"

#define BLOCK_SIZE ((size_t)256 * 1024)
#define ALIGNMENT _Alignof(max_align_t)

struct block {
    struct block *next;
    size_t size, used;
    max_align_t bytes[];
};

struct mcm_arena {
    struct block *blocks; /* the first is being filled */
    struct block *spare;  /* of BLOCK_SIZE, kept over a reset */
};

struct mcm_arena *mcm_arena_new(void)
{
    return calloc(1, sizeof(struct mcm_arena));
}

static struct block *block_new(struct mcm_arena *arena, size_t size)
{
    struct block *block = arena->spare;
    if (size <= BLOCK_SIZE && block != NULL) {
        arena->spare = block->next;
        block->used = 0;
        return block;
    }
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    if (room > SIZE_MAX - sizeof(*block))
        return NULL;
    block = malloc(sizeof(*block) + room);
    if (block == NULL)
        return NULL;
    block->size = room;
    block->used = 0;
    return block;
}

void *mcm_arena_take(struct mcm_arena *arena, size_t size)
{
    struct block *block = arena->blocks;
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (block == NULL || size > block->size - block->used) {
        block = block_new(arena, size);
        if (block == NULL)
            return NULL;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    char *taken = (char *)block->bytes + block->used;
    block->used += size;
    return taken;
}

void mcm_arena_reset(struct mcm_arena *arena)
{
    while (arena->blocks != NULL) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        if (block->size == BLOCK_SIZE) {
            block->next = arena->spare;
            arena->spare = block;
        } else {
            free(block);
        }
    }
}

unsigned mcm_arena_shrink(struct mcm_arena *arena, unsigned blocks_max)
{
    unsigned kept = 0;
    mcm_arena_reset(arena);
    struct block **place = &arena->spare;
    for (; kept < blocks_max && *place != NULL; kept++)
        place = &(*place)->next;
    struct block *surplus = *place;
    *place = NULL;
    while (surplus != NULL) {
        struct block *block = surplus;
        surplus = block->next;
        free(block);
    }
    return kept;
}

void mcm_arena_free(struct mcm_arena *arena)
{
    if (arena == NULL)
        return;
    mcm_arena_shrink(arena, 0);
    free(arena);
}
