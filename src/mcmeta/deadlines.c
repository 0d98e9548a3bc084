/* SPDX-License-Identifier: MIT */
/* A binary heap whose entries know their places, so that each can be removed at any time. */
#include "mcmeta/deadlines.h"

#include <stdlib.h>

void mcm_deadlines_deinit(struct mcm_deadlines *deadlines)
{
    free(deadlines->entries);
    *deadlines = (struct mcm_deadlines){0};
}

static void put(struct mcm_deadlines *deadlines, size_t place, struct mcm_deadline *deadline)
{
    deadlines->entries[place] = deadline;
    deadline->place = place;
}

/* Puts a deadline at a free place or nearer to the top. */
static void sift_up(struct mcm_deadlines *deadlines, size_t place, struct mcm_deadline *deadline)
{
    while (place > 1 && deadlines->entries[place / 2]->at > deadline->at) {
        put(deadlines, place, deadlines->entries[place / 2]);
        place /= 2;
    }
    put(deadlines, place, deadline);
}

/* Puts a deadline at a free place or farther from the top. */
static void sift_down(struct mcm_deadlines *deadlines, size_t place, struct mcm_deadline *deadline)
{
    for (;;) {
        size_t child = place * 2;
        if (child < deadlines->count &&
            deadlines->entries[child + 1]->at < deadlines->entries[child]->at)
            child++;
        if (child > deadlines->count || deadlines->entries[child]->at >= deadline->at)
            break;
        put(deadlines, place, deadlines->entries[child]);
        place = child;
    }
    put(deadlines, place, deadline);
}

int mcm_deadlines_add(struct mcm_deadlines *deadlines, struct mcm_deadline *deadline)
{
    deadline->place = 0;
    if (deadline->at == MCM_NS_NEVER)
        return 0;
    if (deadlines->count + 1 >= deadlines->size) {
        size_t size = deadlines->size > 0 ? deadlines->size * 2 : 64;
        void *entries = realloc(deadlines->entries, size * sizeof(*deadlines->entries));
        if (entries == NULL)
            return -1;
        deadlines->entries = entries;
        deadlines->size = size;
    }
    sift_up(deadlines, ++deadlines->count, deadline);
    return 0;
}

void mcm_deadlines_remove(struct mcm_deadlines *deadlines, struct mcm_deadline *deadline)
{
    size_t place = deadline->place;
    if (place == 0)
        return;
    deadline->place = 0;
    struct mcm_deadline *last = deadlines->entries[deadlines->count--];
    if (last == deadline)
        return;
    if (place > 1 && deadlines->entries[place / 2]->at > last->at)
        sift_up(deadlines, place, last);
    else
        sift_down(deadlines, place, last);
}

struct mcm_deadline *mcm_deadlines_first(const struct mcm_deadlines *deadlines)
{
    return deadlines->count > 0 ? deadlines->entries[1] : NULL;
}
