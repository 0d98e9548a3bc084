/* SPDX-License-Identifier: MIT */
/*
 * Deadlines in order: a binary heap of entries that live in their owners. Not locked. Memory grows
 * with the number of entries and is kept.
 */
#ifndef MCMETA_DEADLINES_H
#define MCMETA_DEADLINES_H

#include <mcmeta/types.h>

struct mcm_deadline {
    mcm_ns at;
    size_t place; /* in the heap, from 1; 0: in none */
};

struct mcm_deadlines {
    struct mcm_deadline **entries; /* entries[1] is the first */
    size_t count;
    size_t size;
};

void mcm_deadlines_deinit(struct mcm_deadlines *deadlines);

/* Adds an entry for its time; nothing for MCM_NS_NEVER. 0, or -1 when memory is short. */
int mcm_deadlines_add(struct mcm_deadlines *deadlines, struct mcm_deadline *deadline);

/* Takes it out, if it is in. */
void mcm_deadlines_remove(struct mcm_deadlines *deadlines, struct mcm_deadline *deadline);

/* The first one, or NULL. */
struct mcm_deadline *mcm_deadlines_first(const struct mcm_deadlines *deadlines);

#endif
