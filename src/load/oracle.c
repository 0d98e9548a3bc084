/* SPDX-License-Identifier: MIT */
#include "load/oracle.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define STRIPES 1024 /* a power of two */

/* Ends of writes in the ring; anything else is the time of an acknowledgement. */
#define END_UNKNOWN NS_NEVER /* also while the write is in flight */
#define END_UNSENT (NS_NEVER - 1)

struct entry {
    uint64_t last;                 /* the highest version given out */
    ns_t ends[ORACLE_WRITES_KEPT]; /* of version v at v % ORACLE_WRITES_KEPT */
    /* Of the versions that are in the ring no more: */
    ns_t old_end;                          /* the latest acknowledgement among them */
    uint64_t unknown[ORACLE_UNKNOWN_KEPT]; /* which may still take effect; 0 = free */
    uint64_t blind; /* up to this version it is not known which were unknown */
    struct oracle_read floor;
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock;
};

struct oracle {
    uint32_t keys;
    struct entry *entries;
    struct stripe stripes[STRIPES];
};

struct oracle *oracle_new(uint32_t keys)
{
    struct oracle *o = aligned_alloc(64, sizeof *o);
    if (o == NULL)
        return NULL;
    o->keys = keys;
    o->entries = calloc(keys, sizeof *o->entries);
    if (o->entries == NULL) {
        free(o);
        return NULL;
    }
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&o->stripes[i].lock, NULL);
    return o;
}

void oracle_free(struct oracle *o)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&o->stripes[i].lock);
    free(o->entries);
    free(o);
}

size_t oracle_bytes(const struct oracle *o)
{
    return sizeof *o + o->keys * sizeof *o->entries;
}

static struct entry *entry_lock(struct oracle *o, uint32_t key)
{
    assert(key < o->keys);
    pthread_mutex_lock(&o->stripes[key % STRIPES].lock);
    return &o->entries[key];
}

static void entry_unlock(struct oracle *o, uint32_t key)
{
    pthread_mutex_unlock(&o->stripes[key % STRIPES].lock);
}

/* Keeps a version that may still take effect, in place of the oldest one when there is no room. */
static void keep_unknown(struct entry *e, uint64_t version)
{
    size_t oldest = 0;
    for (size_t i = 1; i < ORACLE_UNKNOWN_KEPT; i++)
        if (e->unknown[i] < e->unknown[oldest])
            oldest = i;
    if (e->unknown[oldest] > e->blind)
        e->blind = e->unknown[oldest];
    e->unknown[oldest] = version;
}

uint64_t oracle_write_begin(struct oracle *o, uint32_t key)
{
    struct entry *e = entry_lock(o, key);
    uint64_t version = ++e->last;
    ns_t *end = &e->ends[version % ORACLE_WRITES_KEPT];
    if (version > ORACLE_WRITES_KEPT) {
        if (*end == END_UNKNOWN)
            keep_unknown(e, version - ORACLE_WRITES_KEPT);
        else if (*end != END_UNSENT)
            e->old_end = ns_max(e->old_end, *end);
    }
    *end = END_UNKNOWN;
    entry_unlock(o, key);
    return version;
}

static void raise_floor(struct entry *e, ns_t begin, ns_t end, uint64_t version)
{
    if (begin > e->floor.floor_ns)
        e->floor = (struct oracle_read){begin, end, version};
}

void oracle_write_end(struct oracle *o, uint32_t key, uint64_t version, ns_t begin, ns_t end,
                      enum write_end how)
{
    if (how == WRITE_UNKNOWN)
        return; /* as it is noted already */
    struct entry *e = entry_lock(o, key);
    /* One that has left the ring meanwhile stays among the unknown ones. */
    if (e->last - version < ORACLE_WRITES_KEPT)
        e->ends[version % ORACLE_WRITES_KEPT] = how == WRITE_UNSENT ? END_UNSENT : end;
    if (how == WRITE_ACKNOWLEDGED)
        raise_floor(e, begin, end, version);
    entry_unlock(o, key);
}

void oracle_deleted(struct oracle *o, uint32_t key, ns_t begin, ns_t end)
{
    struct entry *e = entry_lock(o, key);
    raise_floor(e, begin, end, 0);
    entry_unlock(o, key);
}

struct oracle_read oracle_read_begin(struct oracle *o, uint32_t key)
{
    struct oracle_read read = entry_lock(o, key)->floor;
    entry_unlock(o, key);
    return read;
}

/* When the write of a version was certainly over: NS_NEVER when that cannot be said. */
static ns_t over_by(const struct entry *e, uint64_t version)
{
    if (e->last - version < ORACLE_WRITES_KEPT) {
        ns_t end = e->ends[version % ORACLE_WRITES_KEPT];
        return end == END_UNSENT ? NS_NEVER : end;
    }
    if (version <= e->blind)
        return NS_NEVER;
    for (size_t i = 0; i < ORACLE_UNKNOWN_KEPT; i++)
        if (e->unknown[i] == version)
            return NS_NEVER;
    return e->old_end;
}

enum outcome oracle_read_end(struct oracle *o, uint32_t key, const struct oracle_read *read,
                             uint64_t version)
{
    struct entry *e = entry_lock(o, key);
    bool future = version == 0 || version > e->last;
    ns_t over = future ? NS_NEVER : over_by(e, version);
    entry_unlock(o, key);
    if (future)
        return OUTCOME_FUTURE;
    if (over >= read->floor_ns)
        return OUTCOME_HIT;
    return read->floor_version == 0 ? OUTCOME_RESURRECTED : OUTCOME_STALE;
}
