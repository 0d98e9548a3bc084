/* SPDX-License-Identifier: MIT */
/*
 * blackhole: nothing comes through, not even the end of the stream, on open and on new connections.
 * The bytes are kept, up to the link's bound, and delivered when the toxic goes: what a path does
 * that drops everything for a while.
 */
#include "toxic/stage.h"

static void blackhole_arrive(struct stage *stage, struct chunk *chunk, ns_t now)
{
    (void)now;
    stage_hit(stage, chunk->length, 0);
    chunk_queue_push(&stage->queue, chunk);
}

static void blackhole_stop(struct stage *stage, ns_t now)
{
    struct chunk *chunk = stage_chosen(stage->queue.head);
    for (; chunk; chunk = stage_chosen(chunk->next))
        stage_hit(stage, 0, now - chunk->time);
}

static void blackhole_pump(struct stage *stage, ns_t now)
{
    (void)now;
    if (stage->in_end)
        stage_hit(stage, 0, 0);
    stage->deadline = NS_NEVER;
}

const struct toxic_ops toxic_blackhole = {
    .type = "blackhole",
    .help = "Lets nothing through; delivers it when removed.",
    .queue_bytes_max = SIZE_MAX,
    .arrive = blackhole_arrive,
    .stop = blackhole_stop,
    .pump = blackhole_pump,
};
