/* SPDX-License-Identifier: MIT */
/* A stack of arenas: the one that was used last is the warmest. */
#include "mcmeta/scratch.h"

void mcm_scratch_init(struct mcm_scratch *scratch)
{
    pthread_mutex_init(&scratch->lock, NULL);
    scratch->count = 0;
    scratch->blocks = 0;
}

void mcm_scratch_deinit(struct mcm_scratch *scratch)
{
    while (scratch->count > 0)
        mcm_arena_free(scratch->kept[--scratch->count].arena);
}

struct mcm_arena *mcm_scratch_take(struct mcm_scratch *scratch)
{
    struct mcm_arena *arena = NULL;
    pthread_mutex_lock(&scratch->lock);
    if (scratch->count > 0) {
        const struct mcm_scratch_kept *last = &scratch->kept[--scratch->count];
        arena = last->arena;
        scratch->blocks -= last->blocks;
    }
    pthread_mutex_unlock(&scratch->lock);
    return arena != NULL ? arena : mcm_arena_new();
}

void mcm_scratch_give(struct mcm_scratch *scratch, struct mcm_arena *arena)
{
    if (arena == NULL)
        return;
    pthread_mutex_lock(&scratch->lock);
    if (scratch->count < MCM_SCRATCH_KEPT_MAX) {
        unsigned blocks = mcm_arena_shrink(arena, MCM_SCRATCH_BLOCKS_MAX - scratch->blocks);
        scratch->kept[scratch->count++] = (struct mcm_scratch_kept){arena, blocks};
        scratch->blocks += blocks;
        arena = NULL;
    }
    pthread_mutex_unlock(&scratch->lock);
    mcm_arena_free(arena);
}
