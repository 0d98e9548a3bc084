/* SPDX-License-Identifier: MIT */
/*
 * A toxic is a fault for one direction of the connections of a proxy. struct toxic is its
 * configuration, owned by the proxy and shared by all links; what happens on a link is a stage of
 * that link's chain (chain.h), which holds a copy of the values. So a change here reaches a link
 * when chain_update() is called for it, and never half.
 *
 * Types are described by tables: toxic_type_find() gives the one named in a request, its attributes
 * in the order in which they are printed, and their limits.
 */
#ifndef TOXIC_TOXIC_H
#define TOXIC_TOXIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TOXIC_ATTRS_MAX 4u

/* Data flows upstream from the client to the server and downstream from the server to the client.
 */
enum toxic_stream { TOXIC_UPSTREAM, TOXIC_DOWNSTREAM };

enum toxic_attr_kind { TOXIC_ATTR_INT, TOXIC_ATTR_FLOAT };

union toxic_value {
    int64_t i;
    double f;
};

struct toxic_attr {
    const char *name;
    enum toxic_attr_kind kind;
    const char *unit;
    union toxic_value initial;
    union toxic_value min;
    union toxic_value max;
    const char *help;
};

struct toxic_values {
    union toxic_value v[TOXIC_ATTRS_MAX]; /* in the order of the type's attributes */
};

/* What the chain needs to know of a type is private: see stage.h. */
struct toxic_ops;

/*
 * Whom the toxic has hit so far: the proof that a fault took place. Counted by the stages, which
 * are given a pointer: toxic_stats_of() their thread.
 */
struct toxic_stats {
    uint64_t connections;   /* links on which something below happened at least once */
    uint64_t chunks;        /* chunks delayed, cut, split, changed or discarded */
    uint64_t bytes;         /* bytes in them */
    uint64_t bytes_dropped; /* bytes taken from the stream for good */
    uint64_t delay_ns;      /* sum of what was added to each chunk, or to the end of stream */
    uint64_t closes;        /* links closed, not by reset */
    uint64_t resets;        /* links reset */
};

struct toxic {
    const struct toxic_ops *ops;
    char *name;
    char *stream_text; /* as the client spelled it; printed back */
    enum toxic_stream stream;
    float toxicity; /* probability that a link is affected; not limited to 0..1 */
    /*
     * Probability, 0 to 1, that a chunk on such a link is affected. A chunk that is not passes as
     * if the toxic were not there, except that it never overtakes one that is. Set it with
     * toxic_set_chunk_toxicity(); 1 unless asked for.
     */
    float chunk_toxicity;
    struct toxic_values values;
    struct toxic_stats stats;   /* of the first thread, and what was gathered of the others */
    struct toxic_shard *shards; /* of the threads after the first; NULL: there is one thread */
    unsigned shard_count;
};

/* All types, in the order of the documentation. */
const struct toxic_ops *const *toxic_types(size_t *count_out);
/* Case-sensitive. NULL: no such type (answer "invalid toxic type"). */
const struct toxic_ops *toxic_type_find(const char *type);
const char *toxic_type_name(const struct toxic_ops *ops);
const char *toxic_type_help(const struct toxic_ops *ops);
const struct toxic_attr *toxic_type_attrs(const struct toxic_ops *ops, size_t *count_out);

/* Any case. -1: neither "upstream" nor "downstream"; *out is then left alone. */
int toxic_stream_parse(const char *text, enum toxic_stream *out);
const char *toxic_stream_name(enum toxic_stream stream);

/*
 * A new toxic with default values. `name` NULL or "" gives "<type>_<stream_text>"; `stream_text`
 * NULL means "downstream". -1 with `err` filled: bad stream.
 */
struct toxic *toxic_new(const struct toxic_ops *ops, const char *name, const char *stream_text,
                        float toxicity, struct err *err);
void toxic_free(struct toxic *toxic);

/*
 * Attributes. To apply a request atomically: copy toxic->values (or take the defaults), set each
 * attribute of the request in the copy, and when all went well give the copy to toxic_apply().
 */
struct toxic_values toxic_values_default(const struct toxic_ops *ops);
/* The attribute of that name in any case, or NULL: unknown attributes are ignored by the API. */
const struct toxic_attr *toxic_attr_find(const struct toxic_ops *ops, const char *name);
/* Set attr, which must be one of ops. -1 with `err` filled: wrong kind of number or out of range.
 */
int toxic_attr_set_int(const struct toxic_ops *ops, struct toxic_values *values,
                       const struct toxic_attr *attr, int64_t value, struct err *err);
int toxic_attr_set_float(const struct toxic_ops *ops, struct toxic_values *values,
                         const struct toxic_attr *attr, double value, struct err *err);
union toxic_value toxic_attr_get(const struct toxic *toxic, const struct toxic_attr *attr);
/*
 * Takes effect on a link with chain_update(), for chunks that come later. -1 with `err` filled and
 * nothing changed: not a number from 0 to 1.
 */
int toxic_set_chunk_toxicity(struct toxic *toxic, double share, struct err *err);
/* Whether it is other than the 1 that clients who do not know it expect: to be printed then. */
bool toxic_has_chunk_toxicity(const struct toxic *toxic);
/* Takes effect on a link with chain_update(). */
void toxic_apply(struct toxic *toxic, const struct toxic_values *values, float toxicity);

/* Adds `more` to `sum`. */
void toxic_stats_add(struct toxic_stats *sum, const struct toxic_stats *more);

/*
 * With several threads each counts for itself. spread comes before any of them counts and is -1
 * when memory is short; gather moves all counts into toxic->stats, while no other thread counts.
 */
int toxic_spread(struct toxic *toxic, unsigned threads);
struct toxic_stats *toxic_stats_of(struct toxic *toxic, unsigned thread);
void toxic_gather(struct toxic *toxic);

#endif
