/* SPDX-License-Identifier: MIT */
/*
 * The keys of a run: a fixed universe, so that what is known about every key has a fixed size. A
 * key is a number (its id) and has a name made from it.
 *
 *     0 … hot - 1            hot-key-<i>, when there is a hot set
 *     hot … stored - 1       key-<i>, or key-worker<W>-<i> when each worker has keys of its own
 *     stored … 2 stored - 1  absent-<i>: keys that nobody ever writes, for reads that must miss
 *
 * Counters are apart from these, numbered from 0.
 */
#ifndef LOAD_KEYSPACE_H
#define LOAD_KEYSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "load/zipf.h"

#define KEY_SIZE_MAX 250
#define KEYSPACE_KEYS_MAX 5000000
#define KEYSPACE_HELP "100k, '100k zipf 0.99', '100k hot 10 30%', '1k per worker', '1k size 250'"

struct keyspace_spec {
    uint32_t count;  /* of keys; of each worker's keys when per_worker */
    bool per_worker; /* no two workers share one, but for the hot ones */
    double zipf;     /* exponent; 0 = uniform */
    uint32_t hot_count;
    double hot_share;  /* of the operations on the hot keys */
    unsigned key_size; /* names are filled up to this; 0 = as they are */
};

/* Returns 0 or -1. */
int keyspace_parse(const char *text, struct keyspace_spec *out, struct err *err);

struct key {
    uint32_t id;
    uint32_t size;
    char text[KEY_SIZE_MAX + 1];
};

struct keyspace {
    struct keyspace_spec spec;
    const char *prefix; /* of all names; borrowed */
    unsigned workers;
    uint32_t stored; /* keys that may be written */
    uint32_t counters;
    uint32_t run; /* part of the counters' names: a counter's value does not tell its run */
    struct zipf zipf;
};

/* With keys per worker, the number of each is cut so that all are at most KEYSPACE_KEYS_MAX. */
void keyspace_init(struct keyspace *keys, const struct keyspace_spec *spec, const char *prefix,
                   unsigned workers);

/* An id below `stored`. */
uint32_t keyspace_choose(const struct keyspace *keys, struct rng *rng, unsigned worker);

void keyspace_key(const struct keyspace *keys, uint32_t id, struct key *out);
void keyspace_counter(const struct keyspace *keys, uint32_t counter, struct key *out);

#endif
