/* SPDX-License-Identifier: MIT */
/*
 * slicer: cuts each chunk into pieces, each written on its own, with a pause after each. A stretch
 * that is longer than average_size + size_variation is halved somewhere around its middle, and so
 * are its halves. The cuts still to come are kept as a stack of offsets; the halves shrink so fast
 * that its depth stays below CUTS_MAX for any chunk.
 */
#include "toxic/stage.h"

enum { AVERAGE_SIZE, SIZE_VARIATION, DELAY };

#define CUTS_MAX 64

static const struct toxic_attr attrs[] = {
    [AVERAGE_SIZE] = {"average_size", TOXIC_ATTR_INT, "bytes", TOXIC_ANY_INT,
                      .help = "typical size of a piece; 0 or less: chunks stay whole"},
    [SIZE_VARIATION] = {"size_variation", TOXIC_ATTR_INT, "bytes", TOXIC_ANY_INT,
                        .help = "how far a piece may differ; at most average_size is used"},
    [DELAY] = {"delay", TOXIC_ATTR_INT, "us", TOXIC_ANY_INT, .help = "pause after each piece"},
};

struct slicer {
    uint32_t at;             /* offset in the chunk as it came */
    uint32_t cuts[CUTS_MAX]; /* ends of the stretches to come, the next one last */
    uint32_t cut_count;      /* 0: no chunk in hand */
    ns_t ready;              /* the pause lasts until then */
    bool blocked;            /* a piece could have gone but there was no room */
};

static void slicer_start(struct stage *stage, ns_t now)
{
    struct slicer *self = stage_state(stage);
    self->cut_count = 0;
    self->ready = now;
    self->blocked = false;
}

/* What is left of the chunk in hand goes out as one piece. */
static void slicer_update(struct stage *stage, ns_t now)
{
    struct slicer *self = stage_state(stage);
    if (self->cut_count) {
        stage_hit(stage, stage_head(stage)->length, 0);
        stage_give_head(stage, now);
    }
    slicer_start(stage, now);
}

static int64_t clamp(int64_t value, int64_t min, int64_t max)
{
    return value < min ? min : value > max ? max : value;
}

static uint32_t middle(struct stage *stage, uint32_t start, uint32_t end, int64_t variation)
{
    int64_t r = (int64_t)rng_below(&stage->rng, 2 * (uint64_t)variation) - variation;
    int64_t mid = start + (end - start) / 2 + r;
    return (uint32_t)clamp(mid, (int64_t)start + 1, (int64_t)end - 1);
}

static size_t next_piece(struct stage *stage)
{
    struct slicer *self = stage_state(stage);
    int64_t average = clamp(stage->values.v[AVERAGE_SIZE].i, 0, CHUNK_BYTES_MAX);
    int64_t variation = clamp(stage->values.v[SIZE_VARIATION].i, 0, average);
    if (self->cut_count == 0) {
        self->at = 0;
        self->cuts[self->cut_count++] = stage_head(stage)->length;
    }
    for (;;) {
        uint32_t end = self->cuts[self->cut_count - 1];
        bool small = average == 0 || (int64_t)end - self->at <= average + variation;
        if (small || self->cut_count == CUTS_MAX)
            return end - self->at;
        self->cuts[self->cut_count++] = middle(stage, self->at, end, variation);
    }
}

static void send_piece(struct stage *stage, ns_t time)
{
    struct slicer *self = stage_state(stage);
    struct chunk *piece = stage_split_head(stage, next_piece(stage));
    self->at += piece->length;
    while (self->cut_count && self->cuts[self->cut_count - 1] <= self->at)
        self->cut_count--;
    ns_t pause = ns_max(stage_span(stage->values.v[DELAY].i, NS_PER_US), 0);
    self->ready = ns_add(time, pause);
    stage_hit(stage, piece->length, pause);
    piece->time = time;
    stage_give(stage, piece);
}

static void slicer_pump(struct stage *stage, ns_t now)
{
    struct slicer *self = stage_state(stage);
    for (;;) {
        stage->deadline = NS_NEVER;
        if (now < self->ready) {
            stage->deadline = self->ready;
            return;
        }
        if (!stage_head(stage))
            break;
        self->blocked = self->blocked || !stage_has_room(stage);
        if (!stage_has_room(stage))
            return;
        ns_t from = ns_max(stage_head(stage)->time, self->ready);
        send_piece(stage, self->blocked ? now : from);
        self->blocked = false;
    }
    stage_pass_end(stage);
}

const struct toxic_ops toxic_slicer = {
    .type = "slicer",
    .help = "Cuts the data into small pieces, with pauses between them.",
    .attrs = attrs,
    .attr_count = 3,
    .state_size = sizeof(struct slicer),
    .start = slicer_start,
    .update = slicer_update,
    .pump = slicer_pump,
};
