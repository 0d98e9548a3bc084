/* SPDX-License-Identifier: MIT */
/* The configuration of one toxic and the checks of its attributes. */
#include "toxic/toxic.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "toxic/stage.h"

/* On cache lines of its own, which its thread need not share. */
struct toxic_shard {
    _Alignas(64) struct toxic_stats stats;
};

static const char *const stream_names[] = {
    [TOXIC_UPSTREAM] = "upstream",
    [TOXIC_DOWNSTREAM] = "downstream",
};

int toxic_stream_parse(const char *text, enum toxic_stream *out)
{
    for (int i = TOXIC_UPSTREAM; i <= TOXIC_DOWNSTREAM; i++) {
        if (strcasecmp(text, stream_names[i]) == 0) {
            *out = (enum toxic_stream)i;
            return 0;
        }
    }
    return -1;
}

const char *toxic_stream_name(enum toxic_stream stream)
{
    return stream_names[stream];
}

static char *default_name(const char *type, const char *stream_text)
{
    char *name = NULL;
    return asprintf(&name, "%s_%s", type, stream_text) < 0 ? NULL : name;
}

struct toxic *toxic_new(const struct toxic_ops *ops, const char *name, const char *stream_text,
                        float toxicity, struct err *err)
{
    if (!stream_text)
        stream_text = stream_names[TOXIC_DOWNSTREAM];
    enum toxic_stream stream;
    if (toxic_stream_parse(stream_text, &stream)) {
        err_set(err, "stream was invalid, can be either upstream or downstream");
        return NULL;
    }
    struct toxic *toxic = calloc(1, sizeof(*toxic));
    if (!toxic) {
        err_set(err, "out of memory");
        return NULL;
    }
    toxic->ops = ops;
    toxic->stream = stream;
    toxic->stream_text = strdup(stream_text);
    toxic->name = name && *name ? strdup(name) : default_name(ops->type, stream_text);
    toxic->toxicity = toxicity;
    toxic->chunk_toxicity = 1;
    toxic->values = toxic_values_default(ops);
    if (!toxic->name || !toxic->stream_text) {
        err_set(err, "out of memory");
        toxic_free(toxic);
        return NULL;
    }
    return toxic;
}

void toxic_free(struct toxic *toxic)
{
    if (!toxic)
        return;
    free(toxic->name);
    free(toxic->stream_text);
    free(toxic->shards);
    free(toxic);
}

struct toxic_values toxic_values_default(const struct toxic_ops *ops)
{
    struct toxic_values values = {0};
    for (size_t i = 0; i < ops->attr_count; i++)
        values.v[i] = ops->attrs[i].initial;
    return values;
}

const struct toxic_attr *toxic_attr_find(const struct toxic_ops *ops, const char *name)
{
    for (size_t i = 0; i < ops->attr_count; i++) {
        if (strcasecmp(ops->attrs[i].name, name) == 0)
            return &ops->attrs[i];
    }
    return NULL;
}

static size_t attr_index(const struct toxic_ops *ops, const struct toxic_attr *attr)
{
    assert(attr >= ops->attrs && attr < ops->attrs + ops->attr_count);
    return (size_t)(attr - ops->attrs);
}

int toxic_attr_set_int(const struct toxic_ops *ops, struct toxic_values *values,
                       const struct toxic_attr *attr, int64_t value, struct err *err)
{
    if (attr->kind == TOXIC_ATTR_FLOAT)
        return toxic_attr_set_float(ops, values, attr, (double)value, err);
    if (value < attr->min.i)
        return err_set(err, "%s of %s must be at least %" PRId64 ", not %" PRId64, attr->name,
                       ops->type, attr->min.i, value);
    if (value > attr->max.i)
        return err_set(err, "%s of %s must be at most %" PRId64 ", not %" PRId64, attr->name,
                       ops->type, attr->max.i, value);
    values->v[attr_index(ops, attr)].i = value;
    return 0;
}

int toxic_attr_set_float(const struct toxic_ops *ops, struct toxic_values *values,
                         const struct toxic_attr *attr, double value, struct err *err)
{
    if (attr->kind == TOXIC_ATTR_INT)
        return err_set(err, "%s of %s must be an integer", attr->name, ops->type);
    if (!isfinite(value) || value < attr->min.f || value > attr->max.f)
        return err_set(err, "%s of %s must be between %g and %g, not %g", attr->name, ops->type,
                       attr->min.f, attr->max.f, value);
    values->v[attr_index(ops, attr)].f = value;
    return 0;
}

union toxic_value toxic_attr_get(const struct toxic *toxic, const struct toxic_attr *attr)
{
    return toxic->values.v[attr_index(toxic->ops, attr)];
}

int toxic_set_chunk_toxicity(struct toxic *toxic, double share, struct err *err)
{
    if (!(share >= 0 && share <= 1))
        return err_set(err, "chunk_toxicity must be between 0 and 1, not %g", share);
    toxic->chunk_toxicity = (float)share;
    return 0;
}

bool toxic_has_chunk_toxicity(const struct toxic *toxic)
{
    return toxic->chunk_toxicity < 1;
}

void toxic_apply(struct toxic *toxic, const struct toxic_values *values, float toxicity)
{
    toxic->values = *values;
    toxic->toxicity = toxicity;
}

void toxic_stats_add(struct toxic_stats *sum, const struct toxic_stats *more)
{
    sum->connections += more->connections;
    sum->chunks += more->chunks;
    sum->bytes += more->bytes;
    sum->bytes_dropped += more->bytes_dropped;
    sum->delay_ns += more->delay_ns;
    sum->closes += more->closes;
    sum->resets += more->resets;
}

int toxic_spread(struct toxic *toxic, unsigned threads)
{
    assert(!toxic->shards && threads > 0);
    if (threads == 1)
        return 0;
    size_t size = (threads - 1) * sizeof *toxic->shards;
    toxic->shards = aligned_alloc(_Alignof(struct toxic_shard), size);
    if (!toxic->shards)
        return -1;
    memset(toxic->shards, 0, size);
    toxic->shard_count = threads - 1;
    return 0;
}

struct toxic_stats *toxic_stats_of(struct toxic *toxic, unsigned thread)
{
    assert(thread <= toxic->shard_count);
    return thread == 0 ? &toxic->stats : &toxic->shards[thread - 1].stats;
}

void toxic_gather(struct toxic *toxic)
{
    for (unsigned i = 0; i < toxic->shard_count; i++) {
        toxic_stats_add(&toxic->stats, &toxic->shards[i].stats);
        toxic->shards[i].stats = (struct toxic_stats){0};
    }
}
