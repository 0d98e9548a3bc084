/* SPDX-License-Identifier: MIT */
#include "load/batch.h"

#include <assert.h>
#include <stdlib.h>

#include "load/operation.h"

#define BUFFER_MAX ((size_t)1 << 20) /* bytes of the values of one batch, or one value */

struct session_batch {
    struct driver_item items[SESSION_BATCH_MAX];
    struct oracle_read reads[SESSION_BATCH_MAX];
    uint64_t versions[SESSION_BATCH_MAX];
    struct key keys[SESSION_BATCH_MAX];           /* of a prefill */
    enum outcome by_node[RECORDER_NODES_MAX + 1]; /* the worst; the last for the unknown node */
    size_t buffer_size;
    char *buffer;
};

struct session_batch *session_batch_new(size_t value_max)
{
    struct session_batch *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->buffer_size = value_max * SESSION_BATCH_MAX;
    if (b->buffer_size > BUFFER_MAX)
        b->buffer_size = value_max > BUFFER_MAX ? value_max : BUFFER_MAX;
    b->buffer = malloc(b->buffer_size > 0 ? b->buffer_size : 1);
    if (b->buffer == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

void session_batch_free(struct session_batch *b)
{
    if (b != NULL)
        free(b->buffer);
    free(b);
}

/* ---- recording ---- */

/* What one node's share of a batch comes to: wrong data, a failure, an end by ourselves, else a hit
 * if there was any. */
static unsigned weight(enum outcome outcome)
{
    switch (outcome_class(outcome)) {
    case OUTCOME_CLASS_WRONG: return 5;
    case OUTCOME_CLASS_FAILED: return 4;
    case OUTCOME_CLASS_NEUTRAL: return 3;
    case OUTCOME_CLASS_OK: break;
    }
    return outcome == OUTCOME_MISS ? 1 : 2;
}

/* Of the values that were stored or found. */
static size_t batch_bytes(const struct session_batch *b, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (b->items[i].outcome == OUTCOME_HIT || b->items[i].outcome == OUTCOME_STORED)
            bytes += b->items[i].value_size;
    return bytes;
}

static void record(struct session *s, struct operation *o, ns_t end_ns, size_t count)
{
    struct session_batch *b = s->batch;
    unsigned nodes = recorder_config(s->recorder)->nodes;
    for (unsigned n = 0; n <= nodes; n++)
        b->by_node[n] = OUTCOME_COUNT;
    for (size_t i = 0; i < count; i++) {
        uint32_t node = b->items[i].node == RECORDER_NODE_UNKNOWN ? nodes : b->items[i].node;
        enum outcome *worst = &b->by_node[node];
        if (*worst == OUTCOME_COUNT || weight(b->items[i].outcome) > weight(*worst))
            *worst = b->items[i].outcome;
    }
    operation_note(o, batch_bytes(b, count), count, 0);
    operation_answered(s);
    for (unsigned n = 0; n <= nodes; n++)
        if (b->by_node[n] != OUTCOME_COUNT)
            operation_record(s, o, end_ns, b->by_node[n], n == nodes ? RECORDER_NODE_UNKNOWN : n);
}

/* ---- reads ---- */

void session_multi_get(struct session *s, const struct key *keys, size_t count)
{
    struct session_batch *b = s->batch;
    assert(count <= SESSION_BATCH_MAX);
    if (s->driver->multi_get == NULL) {
        for (size_t i = 0; i < count; i++)
            session_get(s, &keys[i]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        b->items[i] = (struct driver_item){.key = keys[i].text, .key_size = keys[i].size};
        b->reads[i] = read_begin(s, &keys[i]);
    }
    struct operation o = operation_begin(s, OP_MULTI_GET, keys[0].text, keys[0].size);
    s->driver->multi_get(s->handle, b->items, count, o.deadline_ns);
    ns_t end = ns_now();
    for (size_t i = 0; i < count; i++) {
        struct driver_item *item = &b->items[i];
        if (item->outcome == OUTCOME_HIT)
            item->outcome = read_judge(s, &keys[i], &b->reads[i], &o, item->value, item->value_size,
                                       item->node);
    }
    record(s, &o, end, count);
}

/* ---- writes ---- */

/* Prepares values as long as they fit; returns how many. */
static size_t write_all_begin(struct session *s, const struct key *keys, size_t count,
                              uint32_t ttl_s)
{
    struct session_batch *b = s->batch;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = value_sizes_choose(&s->load->spec->values, &s->rng);
        if (size > b->buffer_size - used)
            return i;
        b->versions[i] = write_begin(s, &keys[i], b->buffer + used, size);
        b->items[i] = (struct driver_item){
            .key = keys[i].text,
            .key_size = keys[i].size,
            .value = b->buffer + used,
            .value_size = size,
            .ttl_s = ttl_s,
        };
        used += size;
    }
    return count;
}

static void write_all_end(struct session *s, const struct key *keys, size_t count,
                          const struct operation *o, ns_t end_ns)
{
    for (size_t i = 0; i < count; i++)
        write_end(s, &keys[i], s->batch->versions[i], o, end_ns, s->batch->items[i].outcome,
                  s->batch->items[i].unsent);
}

void session_multi_set(struct session *s, const struct key *keys, size_t count, uint32_t ttl_s)
{
    assert(count <= SESSION_BATCH_MAX);
    if (s->driver->multi_set == NULL) {
        for (size_t i = 0; i < count; i++)
            session_set(s, &keys[i], ttl_s);
        return;
    }
    count = write_all_begin(s, keys, count, ttl_s);
    struct operation o = operation_begin(s, OP_MULTI_SET, keys[0].text, keys[0].size);
    s->driver->multi_set(s->handle, s->batch->items, count, o.deadline_ns);
    ns_t end = ns_now();
    write_all_end(s, keys, count, &o, end);
    record(s, &o, end, count);
}

/* ---- before the run ---- */

/* One slow moment of the machine shall not cost the run, nor the breaker that it opens. */
#define PREFILL_TRIES 4
#define PREFILL_PAUSE (250 * NS_PER_MS)

/* Each has the whole timeout for itself. */
static void store_one_by_one(struct session *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct driver_item *item = &s->batch->items[i];
        struct driver_result result;
        s->driver->set(s->handle, item->key, item->key_size, item->value, item->value_size, 0,
                       ns_add(ns_now(), s->timeout_ns), &result);
        item->outcome = result.outcome;
        item->unsent = result.unsent;
    }
}

/* Stores the first of `count` keys; returns how many it took, `failed` how many of them failed. */
static size_t prefill_some(struct session *s, size_t count, uint32_t *failed)
{
    struct session_batch *b = s->batch;
    struct operation o = {.start_ns = ns_now()};
    ns_t deadline = ns_add(o.start_ns, s->timeout_ns);
    *failed = 0;
    count = write_all_begin(s, b->keys, count, 0);
    if (s->driver->multi_set != NULL)
        s->driver->multi_set(s->handle, b->items, count, deadline);
    else
        store_one_by_one(s, count);
    write_all_end(s, b->keys, count, &o, ns_now());
    for (size_t i = 0; i < count; i++)
        *failed += b->items[i].outcome != OUTCOME_STORED;
    return count;
}

uint32_t session_prefill(struct session *s, uint32_t first, uint32_t step,
                         const _Atomic bool *give_up)
{
    const struct keyspace *keys = &s->load->keys;
    uint32_t missing = 0;
    uint64_t id = first;
    while (id < keys->stored && !*give_up) {
        uint32_t failed;
        size_t count = 0;
        for (; count < SESSION_BATCH_MAX && id + count * step < keys->stored; count++)
            keyspace_key(keys, (uint32_t)(id + count * step), &s->batch->keys[count]);
        size_t stored = prefill_some(s, count, &failed);
        for (int i = 1; i < PREFILL_TRIES && failed > 0 && !*give_up; i++) {
            session_pause(s, PREFILL_PAUSE);
            prefill_some(s, stored, &failed);
        }
        id += stored * step;
        missing += failed;
    }
    if (id < keys->stored)
        missing += (uint32_t)((keys->stored - id + step - 1) / step);
    return missing;
}
