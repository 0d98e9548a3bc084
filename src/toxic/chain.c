/* SPDX-License-Identifier: MIT */
/*
 * The chain: a list of stages with a queue in front of each, and the output queue behind the last.
 *
 * An inactive stage (the dice spared this link) only keeps its place: chunks skip it. The end of
 * the stream moves like a chunk: in_end says that it has come into a stage behind its queue,
 * out_end that it has left. Nothing follows an end: chunks given to what has ended are discarded.
 *
 * Every entry point changes something and then runs the stages until nothing moves any more. Chunks
 * only move forward and are only split finitely often, so that ends.
 */
#include "toxic/chain.h"

#include <assert.h>
#include <stdlib.h>

#include "toxic/stage.h"

struct chain {
    struct stage *first;
    struct chunk_pool *pool;
    size_t bytes_max;
    struct rng rng;
    struct chunk_queue output;
    enum chain_end in_end;
    enum chain_end out_end;
    enum chain_end ordered; /* the most violent end that a toxic has ordered */
    ns_t progress;          /* the receiver took something, or had nothing to take, at this time */
    ns_t now;               /* of the call being served */
    ns_t deadline;          /* the earliest of the stages */
    bool fresh;             /* no data has come in */
    bool moved;             /* something was handed over since it was last cleared */
    struct toxic_stats ignored; /* counts for which nobody asked */
};

struct chain *chain_new(const struct chain_config *config)
{
    struct chain *chain = calloc(1, sizeof(*chain));
    if (!chain)
        return NULL;
    chain->rng = config->rng;
    chain->pool = config->pool;
    chain->bytes_max = config->bytes_max ? config->bytes_max : CHAIN_BYTES_MAX_DEFAULT;
    chain->now = INT64_MIN;
    chain->deadline = NS_NEVER;
    chain->fresh = true;
    return chain;
}

void chain_free(struct chain *chain)
{
    if (!chain)
        return;
    while (chain->first) {
        struct stage *stage = chain->first;
        chain->first = stage->next;
        chunk_queue_clear(&stage->queue, chain->pool);
        free(stage);
    }
    chunk_queue_clear(&chain->output, chain->pool);
    free(chain);
}

static struct stage *first_active(struct stage *stage)
{
    while (stage && !stage->active)
        stage = stage->next;
    return stage;
}

static bool has_room_at(const struct chain *chain, const struct stage *stage)
{
    if (!stage)
        return chain->out_end || chain->output.cost < CHAIN_OUTPUT_BYTES_MAX;
    size_t limit = stage->ops->queue_bytes_max;
    if (limit > chain->bytes_max)
        limit = chain->bytes_max;
    return stage->out_end || stage->queue.count == 0 || stage->queue.cost < limit;
}

/* Whether the stage leaves the next chunk alone. The dice are used only if there is a choice. */
static bool spares(struct stage *stage)
{
    float share = stage->chunk_toxicity;
    return share < 1 && rng_double(&stage->rng) >= (double)share;
}

/* Hands a chunk to `stage`, or to the output when there is none. */
static void receive(struct chain *chain, struct stage *stage, struct chunk *chunk)
{
    chain->moved = true;
    if (!stage) {
        if (!chain->output.head)
            chain->progress = chain->now;
        chunk_queue_push(&chain->output, chunk);
        return;
    }
    chunk->spared = spares(stage);
    if (stage->ops->arrive && !chunk->spared)
        stage->ops->arrive(stage, chunk, chain->now);
    else
        chunk_queue_push(&stage->queue, chunk);
}

static void receive_end(struct chain *chain, struct stage *stage, enum chain_end how)
{
    enum chain_end *end = stage ? &stage->in_end : &chain->out_end;
    if (*end == CHAIN_OPEN)
        *end = how;
    chain->moved = true;
}

bool stage_has_room(const struct stage *stage)
{
    return has_room_at(stage->chain, first_active(stage->next));
}

void stage_drop(struct stage *stage, struct chunk *chunk)
{
    stage_hit(stage, chunk->length, 0);
    stage->stats->bytes_dropped += chunk->length;
    chunk_free(stage->chain->pool, chunk);
}

void stage_give(struct stage *stage, struct chunk *chunk)
{
    struct chain *chain = stage->chain;
    struct stage *next = first_active(stage->next);
    stage->left = ns_max(stage->left, chunk->time);
    if (next && next->out_end) {
        stage_drop(next, chunk);
    } else if (next ? next->in_end : chain->out_end) {
        stage_drop(stage, chunk);
    } else {
        receive(chain, next, chunk);
        return;
    }
    chain->moved = true;
}

void stage_give_head(struct stage *stage, ns_t time)
{
    struct chunk *chunk = chunk_queue_pop(&stage->queue);
    chunk->time = time;
    stage_give(stage, chunk);
}

struct chunk *stage_split_head(struct stage *stage, size_t length)
{
    struct chunk *head = stage->queue.head;
    if (length >= head->length)
        return chunk_queue_pop(&stage->queue);
    struct chunk *piece = chunk_copy(stage->chain->pool, chunk_bytes(head), length);
    if (!piece)
        return chunk_queue_pop(&stage->queue);
    piece->time = head->time;
    chunk_queue_skip(&stage->queue, length);
    return piece;
}

void stage_pass_end(struct stage *stage)
{
    if (stage->queue.count || !stage->in_end || stage->out_end)
        return;
    stage->out_end = stage->in_end;
    stage->deadline = NS_NEVER;
    receive_end(stage->chain, first_active(stage->next), stage->out_end);
}

void stage_end(struct stage *stage, enum chain_end how)
{
    assert(!stage->out_end);
    struct chunk *chunk;
    while ((chunk = chunk_queue_pop(&stage->queue)))
        stage_drop(stage, chunk);
    stage_hit(stage, 0, 0);
    if (how == CHAIN_RESET)
        stage->stats->resets++;
    else
        stage->stats->closes++;
    stage->out_end = how;
    stage->deadline = NS_NEVER;
    if (!stage->chain->ordered)
        stage->chain->progress = stage->chain->now;
    if (how > stage->chain->ordered)
        stage->chain->ordered = how;
    receive_end(stage->chain, first_active(stage->next), how);
}

void stage_hit(struct stage *stage, size_t bytes, ns_t delay_ns)
{
    if (!stage->counted) {
        stage->counted = true;
        stage->stats->connections++;
    }
    if (bytes) {
        stage->stats->chunks++;
        stage->stats->bytes += bytes;
    }
    if (delay_ns > 0)
        stage->stats->delay_ns += (uint64_t)delay_ns;
}

bool stage_is_fresh(const struct stage *stage)
{
    return stage->chain->fresh;
}

ns_t stage_span(int64_t value, ns_t unit_ns)
{
    const int64_t limit = (INT64_MAX / 2) / unit_ns;
    if (value > limit)
        value = limit;
    if (value < -limit)
        value = -limit;
    return value * unit_ns;
}

/* Passes on the chunks at the front that the toxic leaves alone. */
static void pass_spared(struct stage *stage)
{
    struct chunk *head;
    while ((head = stage->queue.head) && head->spared && stage_has_room(stage))
        stage_give_head(stage, ns_max(head->time, stage->left));
}

static void run_once(struct chain *chain)
{
    chain->deadline = NS_NEVER;
    for (struct stage *stage = chain->first; stage; stage = stage->next) {
        if (!stage->active || stage->out_end)
            continue;
        pass_spared(stage);
        stage->ops->pump(stage, chain->now);
        chain->deadline = ns_min(chain->deadline, stage->deadline);
    }
}

/* Does not let a receiver that takes nothing put off for ever what a toxic has ordered. */
static void lose_patience(struct chain *chain)
{
    if (!chain->ordered || !chain->output.head)
        return;
    ns_t until = ns_add(chain->progress, CHAIN_CLOSE_GRACE_NS);
    if (chain->now < until) {
        chain->deadline = ns_min(chain->deadline, until);
        return;
    }
    chunk_queue_clear(&chain->output, chain->pool);
    chain->out_end = chain->ordered;
    chain->moved = true;
}

static void run(struct chain *chain)
{
    do {
        chain->moved = false;
        run_once(chain);
        if (!chain->moved)
            lose_patience(chain);
    } while (chain->moved);
}

static void begin(struct chain *chain, ns_t now)
{
    chain->now = ns_max(chain->now, now);
}

static struct stage *find(const struct chain *chain, const struct toxic *toxic)
{
    struct stage *stage = chain->first;
    while (stage && stage->toxic != toxic)
        stage = stage->next;
    return stage;
}

/* Whether the end of the stream has already gone by the place of `stage`. */
static enum chain_end end_before(const struct chain *chain, const struct stage *stage)
{
    enum chain_end end = chain->in_end;
    for (const struct stage *s = chain->first; s != stage; s = s->next) {
        if (s->active)
            end = s->out_end;
    }
    return end;
}

static bool dice(struct stage *stage, float toxicity)
{
    double roll = rng_double(&stage->rng);
    return stage->ops->pump && roll < (double)toxicity;
}

static void activate(struct stage *stage)
{
    struct chain *chain = stage->chain;
    stage->active = true;
    stage->left = INT64_MIN;
    stage->deadline = NS_NEVER;
    stage->in_end = stage->out_end = end_before(chain, stage);
    if (stage->ops->start && !stage->out_end)
        stage->ops->start(stage, chain->now);
}

static void deactivate(struct stage *stage)
{
    if (!stage->active)
        return;
    struct chain *chain = stage->chain;
    if (stage->ops->stop)
        stage->ops->stop(stage, chain->now);
    const struct chunk *head;
    while ((head = stage->queue.head)) {
        /* Who was held until now was hit, too; a toxic with a stop of its own has counted that. */
        if (!stage->ops->stop && !head->spared && chain->now > head->time)
            stage_hit(stage, head->length, chain->now - head->time);
        stage_give_head(stage, chain->now);
    }
    stage_pass_end(stage);
    stage->active = false;
    stage->deadline = NS_NEVER;
}

int chain_add(struct chain *chain, const struct toxic *toxic, struct toxic_stats *stats, ns_t now)
{
    assert(!find(chain, toxic));
    struct stage *stage = calloc(1, sizeof(*stage) + toxic->ops->state_size);
    if (!stage)
        return -1;
    begin(chain, now);
    stage->chain = chain;
    stage->ops = toxic->ops;
    stage->toxic = toxic;
    stage->stats = stats ? stats : &chain->ignored;
    stage->values = toxic->values;
    stage->chunk_toxicity = toxic->chunk_toxicity;
    stage->rng = rng_seeded(rng_u64(&chain->rng));
    stage->deadline = NS_NEVER;
    struct stage **end = &chain->first;
    while (*end)
        end = &(*end)->next;
    *end = stage;
    if (dice(stage, toxic->toxicity))
        activate(stage);
    run(chain);
    return 0;
}

void chain_update(struct chain *chain, const struct toxic *toxic, ns_t now)
{
    struct stage *stage = find(chain, toxic);
    assert(stage);
    begin(chain, now);
    stage->values = toxic->values;
    stage->chunk_toxicity = toxic->chunk_toxicity;
    bool chosen = dice(stage, toxic->toxicity);
    if (!chosen)
        deactivate(stage);
    else if (!stage->active)
        activate(stage);
    else if (stage->ops->update && !stage->out_end)
        stage->ops->update(stage, now);
    run(chain);
}

void chain_remove(struct chain *chain, const struct toxic *toxic, ns_t now)
{
    struct stage *stage = find(chain, toxic);
    assert(stage);
    begin(chain, now);
    if (stage->ops->closes_on_remove && !stage->out_end && !end_before(chain, stage))
        stage_end(stage, CHAIN_CLOSE);
    deactivate(stage);
    struct stage **place = &chain->first;
    while (*place != stage)
        place = &(*place)->next;
    *place = stage->next;
    free(stage);
    run(chain);
}

void chain_push(struct chain *chain, struct chunk *chunk, ns_t now)
{
    begin(chain, now);
    struct stage *stage = first_active(chain->first);
    chunk->time = chain->now;
    chain->fresh = chain->fresh && chunk->length == 0;
    if (chunk->length == 0 || chain->in_end)
        chunk_free(chain->pool, chunk);
    else if (stage && stage->out_end)
        stage_drop(stage, chunk);
    else if (stage ? stage->in_end : chain->out_end)
        chunk_free(chain->pool, chunk);
    else
        receive(chain, stage, stage ? chunk_fit(chain->pool, chunk) : chunk);
    run(chain);
}

void chain_push_eof(struct chain *chain, ns_t now)
{
    begin(chain, now);
    if (chain->in_end)
        return;
    chain->in_end = CHAIN_EOF;
    receive_end(chain, first_active(chain->first), CHAIN_EOF);
    run(chain);
}

bool chain_wants_input(const struct chain *chain)
{
    if (chain->in_end || chain->out_end)
        return false;
    return has_room_at(chain, first_active(chain->first)) &&
           chain_bytes_held(chain) < chain->bytes_max;
}

struct chunk *chain_output(struct chain *chain)
{
    return chain->output.head;
}

const struct chunk_queue *chain_output_queue(const struct chain *chain)
{
    return &chain->output;
}

void chain_consume(struct chain *chain, size_t length, ns_t now)
{
    begin(chain, now);
    struct chunk *head = chain->output.head;
    assert(head && length <= head->length);
    chain->progress = chain->now;
    if (length < head->length)
        chunk_queue_skip(&chain->output, length);
    else
        chunk_free(chain->pool, chunk_queue_pop(&chain->output));
    run(chain);
}

enum chain_end chain_end(const struct chain *chain)
{
    if (chain->out_end == CHAIN_RESET || !chain->output.head)
        return chain->out_end;
    return CHAIN_OPEN;
}

ns_t chain_deadline(const struct chain *chain)
{
    return chain->deadline;
}

void chain_tick(struct chain *chain, ns_t now)
{
    begin(chain, now);
    run(chain);
}

void chain_bypass(struct chain *chain)
{
    chain->fresh = false;
}

bool chain_is_transparent(const struct chain *chain)
{
    return !first_active(chain->first) && !chain->output.head && !chain->out_end;
}

size_t chain_bytes_held(const struct chain *chain)
{
    size_t held = chain->output.cost;
    for (const struct stage *stage = chain->first; stage; stage = stage->next)
        held += stage->queue.cost;
    return held;
}
