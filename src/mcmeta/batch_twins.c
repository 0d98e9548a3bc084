/* SPDX-License-Identifier: MIT */
/*
 * Equal keys of a batch: the first is sent, the others are its twins and get its answer. A hash
 * table of the batch's own size finds them in one pass.
 */
#include <string.h>

#include "mcmeta/group.h"
#include "mcmeta/selection.h"

/* In twins[]: an item that is sent has the index of its first twin or MCM_BATCH_NO_TWIN. One that
 * is a twin itself is marked by the highest bit on its own link. */
#define IS_TWIN ((size_t)1 << (sizeof(size_t) * 8 - 1))
#define END (MCM_BATCH_NO_TWIN & ~IS_TWIN)

/* Items that may share an answer: an item with a buffer of its own gets its own value. */
static bool may_share(const struct mcm_batch *batch, const struct mcm_batch_item *item)
{
    return item->outcome == MCM_OUTCOME_COUNT &&
           (batch->kind == MCM_BATCH_DELETE || item->buffer == NULL);
}

static bool are_equal(const struct mcm_batch *batch, const struct mcm_batch_item *a,
                      const struct mcm_batch_item *b)
{
    return a->key.size == b->key.size && memcmp(a->key.data, b->key.data, a->key.size) == 0 &&
           (batch->kind == MCM_BATCH_GET || a->cas == b->cas);
}

/* Enters item `index` or links it behind the one with the same key. */
static void enter(struct mcm_batch *batch, size_t *table, size_t mask, size_t index)
{
    const struct mcm_batch_item *item = &batch->items[index];
    size_t at = mcm_selector_hash(item->key.data, item->key.size) & mask;
    while (table[at] != 0 && !are_equal(batch, &batch->items[table[at] - 1], item))
        at = (at + 1) & mask;
    if (table[at] == 0) {
        table[at] = index + 1;
        return;
    }
    size_t first = table[at] - 1;
    batch->twins[index] = batch->twins[first] | IS_TWIN;
    batch->twins[first] = index;
}

int mcm_batch_find_twins(struct mcm_batch *batch)
{
    size_t size = 16;
    while (size < batch->count * 2)
        size *= 2;
    size_t *table = mcm_arena_take(batch->scratch, size * sizeof(*table));
    size_t *twins = mcm_arena_take(batch->scratch, batch->count * sizeof(*twins));
    if (table == NULL || twins == NULL)
        return -1;
    memset(table, 0, size * sizeof(*table));
    batch->twins = twins;
    for (size_t i = 0; i < batch->count; i++)
        batch->twins[i] = END;
    for (size_t i = 0; i < batch->count; i++) {
        if (may_share(batch, &batch->items[i]))
            enter(batch, table, size - 1, i);
    }
    return 0;
}

bool mcm_batch_is_twin(const struct mcm_batch *batch, size_t index)
{
    return batch->twins != NULL && (batch->twins[index] & IS_TWIN) != 0;
}

size_t mcm_batch_next_twin(const struct mcm_batch *batch, size_t index)
{
    size_t next = batch->twins != NULL ? batch->twins[index] & ~IS_TWIN : END;
    return next != END ? next : MCM_BATCH_NO_TWIN;
}
