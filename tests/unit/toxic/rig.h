/* SPDX-License-Identifier: MIT */
/*
 * A link in virtual time for tests: a chain, a writer that takes everything at once unless it is
 * stalled, and a record of what came out when. Bytes pushed are a counting sequence, so that loss,
 * reordering and invention all show.
 */
#ifndef TEST_TOXIC_RIG_H
#define TEST_TOXIC_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "toxic/chain.h"

#define MS NS_PER_MS
#define RIG_WRITES_MAX 65536

struct rig {
    struct chain *chain;
    struct chunk_pool pool;
    ns_t now;
    bool stalled;
    uint64_t pushed; /* bytes */
    uint64_t received;
    bool in_sequence; /* every byte so far was the next one */
    size_t writes;
    struct {
        ns_t time;
        size_t length;
    } write[RIG_WRITES_MAX];
    enum chain_end end;
    ns_t end_time;
};

static inline unsigned char rig_byte(uint64_t position)
{
    return (unsigned char)((position * 2654435761u) >> 13);
}

static inline struct rig *rig_new(uint64_t seed, size_t bytes_max)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    chunk_pool_init(&rig->pool, 4);
    rig->in_sequence = true;
    rig->chain = chain_new(&(struct chain_config){
        .rng = rng_seeded(seed), .pool = &rig->pool, .bytes_max = bytes_max});
    assert_non_null(rig->chain);
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    chain_free(rig->chain);
    chunk_pool_deinit(&rig->pool);
    free(rig);
}

static inline void rig_write(struct rig *rig, size_t length)
{
    struct chunk *chunk = chain_output(rig->chain);
    if (length > chunk->length)
        length = chunk->length;
    for (size_t i = 0; i < length; i++) {
        if (chunk_bytes(chunk)[i] != rig_byte(rig->received + i))
            rig->in_sequence = false;
    }
    rig->received += length;
    if (rig->writes < RIG_WRITES_MAX) {
        rig->write[rig->writes].time = rig->now;
        rig->write[rig->writes].length = length;
    }
    rig->writes++;
    chain_consume(rig->chain, length, rig->now);
}

/* What an event loop does after any call; checks what must always hold. */
static inline void rig_settle(struct rig *rig)
{
    while (!rig->stalled && chain_output(rig->chain))
        rig_write(rig, SIZE_MAX);
    if (chain_end(rig->chain) != CHAIN_OPEN && rig->end == CHAIN_OPEN) {
        rig->end = chain_end(rig->chain);
        rig->end_time = rig->now;
    }
    assert_true(chain_deadline(rig->chain) > rig->now);
}

/* Runs every timer up to and including `time`. */
static inline void rig_run(struct rig *rig, ns_t time)
{
    while (chain_deadline(rig->chain) <= time) {
        rig->now = chain_deadline(rig->chain);
        chain_tick(rig->chain, rig->now);
        rig_settle(rig);
    }
    rig->now = time;
}

static inline void rig_push(struct rig *rig, size_t length)
{
    struct chunk *chunk = chunk_new(&rig->pool, CHUNK_BYTES_MAX);
    assert_non_null(chunk);
    for (size_t i = 0; i < length; i++)
        chunk->data[i] = rig_byte(rig->pushed + i);
    chunk->length = (uint32_t)length;
    rig->pushed += length;
    chain_push(rig->chain, chunk, rig->now);
    rig_settle(rig);
}

static inline void rig_eof(struct rig *rig)
{
    chain_push_eof(rig->chain, rig->now);
    rig_settle(rig);
}

static inline void rig_set(struct toxic *toxic, const char *name, double value)
{
    const struct toxic_attr *attr = toxic_attr_find(toxic->ops, name);
    assert_non_null(attr);
    struct toxic_values values = toxic->values;
    struct err err;
    if (attr->kind == TOXIC_ATTR_INT)
        assert_int_equal(toxic_attr_set_int(toxic->ops, &values, attr, (int64_t)value, &err), 0);
    else
        assert_int_equal(toxic_attr_set_float(toxic->ops, &values, attr, value, &err), 0);
    toxic_apply(toxic, &values, toxic->toxicity);
}

static inline struct toxic *rig_toxic(const char *type, const char *name, double value)
{
    const struct toxic_ops *ops = toxic_type_find(type);
    assert_non_null(ops);
    struct toxic *toxic = toxic_new(ops, NULL, NULL, 1, NULL);
    assert_non_null(toxic);
    if (name)
        rig_set(toxic, name, value);
    return toxic;
}

static inline void rig_add(struct rig *rig, struct toxic *toxic)
{
    assert_int_equal(chain_add(rig->chain, toxic, &toxic->stats, rig->now), 0);
    rig_settle(rig);
}

static inline void rig_update(struct rig *rig, struct toxic *toxic)
{
    chain_update(rig->chain, toxic, rig->now);
    rig_settle(rig);
}

static inline void rig_remove(struct rig *rig, struct toxic *toxic)
{
    chain_remove(rig->chain, toxic, rig->now);
    rig_settle(rig);
}

#endif
