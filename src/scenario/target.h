/* SPDX-License-Identifier: MIT */
/* Which nodes a step aims at: as written in the file, and as drawn for one run. */
#ifndef SCENARIO_TARGET_H
#define SCENARIO_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

#define TARGET_NODES_MAX 64 /* a set of nodes is one 64-bit word */
#define TARGET_TEXT_SIZE 256

enum target_kind {
    TARGET_NODES,    /* "node 2", "nodes 1 3" */
    TARGET_ALL,      /* "all" */
    TARGET_ONE,      /* "one": any */
    TARGET_MINORITY, /* "minority": as many as can fail while a majority is left, any of them */
    TARGET_MAJORITY, /* "majority": as few as are more than half, any of them */
    TARGET_RANDOM,   /* "random 2": any two */
    TARGET_HOTTEST,  /* "hottest": the node with the largest share of the keys */
};

struct target {
    enum target_kind kind;
    uint64_t nodes; /* TARGET_NODES: bit n-1 for node n */
    unsigned count; /* TARGET_RANDOM */
};

/* The words that stand alone and those that a number follows; for schema and suggestions. */
extern const char *const target_words[];
extern const char *const target_words_with_numbers[];

/* Returns 0, or -1 with a reason that says what a target looks like. */
int target_parse(const char *text, struct target *out, struct err *err);

/* As target_parse() reads it. Returns `text`. */
const char *target_text(const struct target *target, char text[static TARGET_TEXT_SIZE]);

/*
 * The nodes (from 0) that `target` means among `node_count`, in `out`: those that are drawn in the
 * order of the draw, others ascending. `key_shares` is the share of the keys by node, NULL when
 * nobody knows it. Returns how many, or 0 with the reason.
 */
size_t target_resolve(const struct target *target, size_t node_count, const double *key_shares,
                      struct rng *rng, size_t out[static TARGET_NODES_MAX], struct err *err);

#endif
