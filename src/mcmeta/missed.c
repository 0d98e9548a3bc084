/* SPDX-License-Identifier: MIT */
/* A hash table with chains of a fixed number of buckets; entries are allocated one by one, since it
 * is empty nearly always. */
#include "mcmeta/missed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mcmeta/selection.h"

#define BUCKETS 256

struct entry {
    struct entry *next;
    uint64_t version;
    size_t size;
    char key[];
};

struct mcm_missed {
    pthread_mutex_t lock; /* all but the counters */
    unsigned max;
    uint64_t version;
    unsigned turn; /* bucket to look for a key in first */
    atomic_uint count;
    atomic_uint_least64_t lost;
    struct entry *buckets[BUCKETS];
};

struct mcm_missed *mcm_missed_new(unsigned max)
{
    struct mcm_missed *missed = calloc(1, sizeof(*missed));
    if (missed == NULL)
        return NULL;
    missed->max = max;
    pthread_mutex_init(&missed->lock, NULL);
    return missed;
}

void mcm_missed_disown(struct mcm_missed *missed)
{
    for (unsigned i = 0; missed != NULL && i < BUCKETS; i++) {
        for (struct entry *next, *entry = missed->buckets[i]; entry != NULL; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    free(missed);
}

void mcm_missed_free(struct mcm_missed *missed)
{
    if (missed != NULL)
        pthread_mutex_destroy(&missed->lock);
    mcm_missed_disown(missed);
}

/* Where the pointer to the key's entry is, or would be. */
static struct entry **locked_find(struct mcm_missed *missed, struct mcm_slice key)
{
    struct entry **at = &missed->buckets[mcm_selector_hash(key.data, key.size) % BUCKETS];
    while (*at != NULL && ((*at)->size != key.size || memcmp((*at)->key, key.data, key.size) != 0))
        at = &(*at)->next;
    return at;
}

static struct entry *locked_new_entry(struct mcm_missed *missed, struct mcm_slice key)
{
    if (atomic_load(&missed->count) >= missed->max)
        return NULL;
    struct entry *entry = malloc(sizeof(*entry) + key.size);
    if (entry == NULL)
        return NULL;
    entry->next = NULL;
    entry->size = key.size;
    memcpy(entry->key, key.data, key.size);
    atomic_fetch_add(&missed->count, 1);
    return entry;
}

bool mcm_missed_add(struct mcm_missed *missed, struct mcm_slice key)
{
    pthread_mutex_lock(&missed->lock);
    struct entry **at = locked_find(missed, key);
    if (*at == NULL)
        *at = locked_new_entry(missed, key);
    bool is_kept = *at != NULL;
    if (is_kept)
        (*at)->version = ++missed->version;
    else
        atomic_fetch_add(&missed->lost, 1);
    pthread_mutex_unlock(&missed->lock);
    return is_kept;
}

bool mcm_missed_find(struct mcm_missed *missed, struct mcm_slice key, uint64_t *version)
{
    if (atomic_load(&missed->count) == 0)
        return false;
    pthread_mutex_lock(&missed->lock);
    const struct entry *entry = *locked_find(missed, key);
    if (entry != NULL)
        *version = entry->version;
    pthread_mutex_unlock(&missed->lock);
    return entry != NULL;
}

void mcm_missed_remove(struct mcm_missed *missed, struct mcm_slice key, uint64_t version)
{
    pthread_mutex_lock(&missed->lock);
    struct entry **at = locked_find(missed, key);
    struct entry *entry = *at;
    if (entry != NULL && entry->version == version) {
        *at = entry->next;
        free(entry);
        atomic_fetch_sub(&missed->count, 1);
    }
    pthread_mutex_unlock(&missed->lock);
}

size_t mcm_missed_any(struct mcm_missed *missed, char key[MCM_KEY_SIZE_MAX])
{
    size_t size = 0;
    if (atomic_load(&missed->count) == 0)
        return 0;
    pthread_mutex_lock(&missed->lock);
    for (unsigned i = 0; i < BUCKETS && size == 0; i++) {
        const struct entry *entry = missed->buckets[missed->turn++ % BUCKETS];
        if (entry == NULL)
            continue;
        size = entry->size;
        memcpy(key, entry->key, size);
    }
    pthread_mutex_unlock(&missed->lock);
    return size;
}

unsigned mcm_missed_count(const struct mcm_missed *missed)
{
    return atomic_load(&missed->count);
}

uint64_t mcm_missed_lost(const struct mcm_missed *missed)
{
    return atomic_load(&missed->lost);
}
