/* SPDX-License-Identifier: MIT */
/* Readers of the answers to classic commands. */
#ifndef MCMETA_CLASSIC_H
#define MCMETA_CLASSIC_H

#include <limits.h>

#include <mcmeta/commands.h>

#include "mcmeta/conn.h"

/* One line: "VERSION x" (`copy` receives x), "OK", or "ME key name=value ..." (each pair), "EN". */
struct mcm_classic_line {
    struct mcm_text text;
    const char *word; /* the first word of the expected line */
    char *copy;       /* MCM_VERSION_SIZE bytes for the rest of the line, or NULL */
    mcm_pair_fn each; /* of "ME", or NULL */
    void *arg;
};

void mcm_classic_line_init(struct mcm_classic_line *reader, const char *word);

/* "STAT name value" lines up to "END". */
struct mcm_classic_stats {
    struct mcm_text text;
    mcm_pair_fn each;
    void *arg;
};

void mcm_classic_stats_init(struct mcm_classic_stats *reader, mcm_pair_fn each, void *arg);

/* Longest line of keys: below the 2 KiB at which servers change their way of reading. */
#define MCM_CLASSIC_KEYS_SIZE 2000
#define MCM_CLASSIC_KEYS_MAX 100
_Static_assert(MCM_KEY_SIZE_MAX <= UCHAR_MAX, "sizes of keys fit into a byte");

struct mcm_classic_get;

/* What a get line finds. `index` counts the keys of the line from 0. */
struct mcm_classic_get_ops {
    /* A buffer for a value of op->value_size: sets op->buffer and op->buffer_size. */
    void (*begin)(struct mcm_classic_get *get, struct mcm_op *op, unsigned index);
    void (*end)(struct mcm_classic_get *get, struct mcm_op *op, unsigned index);
    void (*miss)(struct mcm_classic_get *get, unsigned index);
};

/* "VALUE key flags size [cas]" and data for each hit, in the order of the keys, then "END". */
struct mcm_classic_get {
    struct mcm_text text;
    const struct mcm_classic_get_ops *ops;
    bool with_cas;     /* "gets" */
    unsigned count;    /* keys in the line */
    unsigned answered; /* of them; the value in progress belongs to the one before */
    size_t next;       /* where in `keys` the first of them stands that is not answered */
    size_t keys_size;
    unsigned char sizes[MCM_CLASSIC_KEYS_MAX]; /* of each key */
    char keys[MCM_CLASSIC_KEYS_SIZE];
};

void mcm_classic_get_init(struct mcm_classic_get *get, const struct mcm_classic_get_ops *ops,
                          bool with_cas);

/* Adds a key that is valid as it is; false when the line is full. */
bool mcm_classic_get_add(struct mcm_classic_get *get, struct mcm_slice key);

/* The request of the line. */
struct mcm_request mcm_classic_get_request(const struct mcm_classic_get *get);

#endif
