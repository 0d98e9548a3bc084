/* SPDX-License-Identifier: MIT */
/*
 * Any order of reads, writes, pauses and changes of toxics, taken from the input two bytes at a
 * time. What must hold: what comes out is a beginning of what went in unless a toxic discards,
 * memory is bounded, and after each call the next deadline lies ahead.
 */
#include <stdlib.h>
#include <string.h>

#include "toxic/chain.h"

#define TOXICS 6
#define BYTES_MAX (128u * 1024)
#define TICKS_MAX 2000

struct world {
    struct chain *chain;
    struct chunk_pool pool;
    struct toxic *toxics[TOXICS];
    bool on[TOXICS];
    bool lossy; /* a toxic that discards has been used */
    ns_t now;
    uint64_t pushed;
    uint64_t received;
};

static void require(bool truth)
{
    if (!truth)
        abort();
}

static unsigned char expected(uint64_t position)
{
    return (unsigned char)((position * 2654435761u) >> 13);
}

static void push(struct world *w, size_t length)
{
    struct chunk *chunk = chunk_new(&w->pool, CHUNK_BYTES_MAX);
    for (size_t i = 0; i < length; i++)
        chunk->data[i] = expected(w->pushed + i);
    chunk->length = (uint32_t)length;
    w->pushed += length;
    chain_push(w->chain, chunk, w->now);
}

static void write_some(struct world *w, size_t length)
{
    struct chunk *chunk = chain_output(w->chain);
    if (!chunk)
        return;
    if (length > chunk->length)
        length = chunk->length;
    for (size_t i = 0; i < length && !w->lossy; i++)
        require(chunk_bytes(chunk)[i] == expected(w->received + i));
    w->received += length;
    chain_consume(w->chain, length, w->now);
}

static void set_values(struct world *w, struct toxic *toxic, unsigned char value)
{
    static const int64_t numbers[] = {0,  1,  2,    3,     10,        100,       1000,     5000,
                                      -1, 50, 1448, 32768, INT64_MAX, INT64_MIN, 20000000, 7};
    size_t count;
    const struct toxic_attr *attrs = toxic_type_attrs(toxic->ops, &count);
    struct toxic_values values = toxic->values;
    for (size_t i = 0; i < count; i++) {
        unsigned char v = (unsigned char)(value >> (i * 2));
        if (attrs[i].kind == TOXIC_ATTR_FLOAT)
            (void)toxic_attr_set_float(toxic->ops, &values, &attrs[i], (v & 3) / 3.0, NULL);
        else
            (void)toxic_attr_set_int(toxic->ops, &values, &attrs[i], numbers[v & 15], NULL);
    }
    toxic_apply(toxic, &values, value & 128 ? 0.5f : 1.0f);
    (void)toxic_set_chunk_toxicity(toxic, value & 64 ? 1.0 : (value & 3) / 3.0, NULL);
    (void)w;
}

static bool is_lossless(const char *type)
{
    static const char *const names[] = {"noop",   "latency",     "bandwidth", "slow_close",
                                        "slicer", "packet_loss", "blackhole", "slow_open"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(type, names[i]))
            return true;
    }
    return false;
}

static void toggle(struct world *w, size_t i, unsigned char value)
{
    if (w->on[i]) {
        chain_remove(w->chain, w->toxics[i], w->now);
        toxic_free(w->toxics[i]);
        w->toxics[i] = NULL;
    } else {
        size_t count;
        const struct toxic_ops *const *types = toxic_types(&count);
        const struct toxic_ops *ops = types[value % count];
        w->lossy = w->lossy || !is_lossless(toxic_type_name(ops));
        w->toxics[i] = toxic_new(ops, NULL, NULL, 1, NULL);
        set_values(w, w->toxics[i], value);
        require(chain_add(w->chain, w->toxics[i], &w->toxics[i]->stats, w->now) == 0);
    }
    w->on[i] = !w->on[i];
}

static void wait(struct world *w, ns_t span)
{
    ns_t until = w->now + span;
    for (int i = 0; i < TICKS_MAX && chain_deadline(w->chain) <= until; i++) {
        w->now = chain_deadline(w->chain);
        chain_tick(w->chain, w->now);
        require(chain_deadline(w->chain) > w->now);
    }
    w->now = until;
    chain_tick(w->chain, w->now);
}

static void step(struct world *w, unsigned char op, unsigned char value)
{
    size_t i = (op >> 4) % TOXICS;
    switch (op & 7) {
    case 0: toggle(w, i, value); break;
    case 1:
        if (w->on[i]) {
            set_values(w, w->toxics[i], value);
            chain_update(w->chain, w->toxics[i], w->now);
        }
        break;
    case 2: wait(w, value * (op & 8 ? 100 : 1) * NS_PER_MS); break;
    case 3: write_some(w, value * 200u); break;
    case 4:
        if (value == 255)
            chain_push_eof(w->chain, w->now);
        break;
    case 5:
        while (chain_output(w->chain))
            write_some(w, SIZE_MAX);
        break;
    default:
        if (chain_wants_input(w->chain))
            push(w, op & 8 ? value : value * 128u);
    }
    require(chain_deadline(w->chain) > w->now);
    require(chain_bytes_held(w->chain) <= (TOXICS + 2) * 2 * BYTES_MAX);
}

/* Without its toxics the chain must let go of everything. */
static void drain(struct world *w)
{
    chain_push_eof(w->chain, w->now);
    for (size_t i = 0; i < TOXICS; i++) {
        if (w->on[i])
            toggle(w, i, 0);
    }
    while (chain_output(w->chain))
        write_some(w, SIZE_MAX);
    require(chain_end(w->chain) != CHAIN_OPEN);
    require(w->lossy || w->received == w->pushed);
    require(chain_bytes_held(w->chain) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096)
        return 0;
    struct world w = {0};
    chunk_pool_init(&w.pool, 8);
    w.chain = chain_new(&(struct chain_config){
        .rng = rng_seeded(data[0]), .pool = &w.pool, .bytes_max = BYTES_MAX});
    for (size_t i = 1; i + 1 < size; i += 2)
        step(&w, data[i], data[i + 1]);
    drain(&w);
    chain_free(w.chain);
    chunk_pool_deinit(&w.pool);
    return 0;
}
