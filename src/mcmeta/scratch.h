/* SPDX-License-Identifier: MIT */
/*
 * Memory that calls need while they run. It is kept from one call to the next, as much as calls
 * used at the same time but no more than MCM_SCRATCH_BLOCKS_MAX blocks of 256 KiB in
 * MCM_SCRATCH_KEPT_MAX arenas, so that in the long run no call allocates.
 */
#ifndef MCMETA_SCRATCH_H
#define MCMETA_SCRATCH_H

#include <pthread.h>

#include <mcmeta/batch.h>

#define MCM_SCRATCH_KEPT_MAX 16
#define MCM_SCRATCH_BLOCKS_MAX 16

struct mcm_scratch_kept {
    struct mcm_arena *arena;
    unsigned blocks;
};

struct mcm_scratch {
    pthread_mutex_t lock;
    struct mcm_scratch_kept kept[MCM_SCRATCH_KEPT_MAX];
    unsigned count;
    unsigned blocks; /* of all that are kept */
};

void mcm_scratch_init(struct mcm_scratch *scratch);

/* Everything must have been given back; or in a child process, where the lock is not touched. */
void mcm_scratch_deinit(struct mcm_scratch *scratch);

/* An empty arena, or NULL when memory is short. */
struct mcm_arena *mcm_scratch_take(struct mcm_scratch *scratch);

/* NULL is legal. */
void mcm_scratch_give(struct mcm_scratch *scratch, struct mcm_arena *arena);

/* mcm_arena_reset() that keeps no more than so many blocks. Returns how many it kept. */
unsigned mcm_arena_shrink(struct mcm_arena *arena, unsigned blocks_max);

#endif
