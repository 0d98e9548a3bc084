/* SPDX-License-Identifier: MIT */
/*
 * corrupt: flips bits of some chunks. Lengths and order stay, so this finds out who checks what
 * they read: TCP's own checksum would have caught most of it on a real path, faulty memory it would
 * not.
 */
#include "toxic/stage.h"

enum { RATE, BITS };

#define BITS_MAX (CHUNK_BYTES_MAX * 8)

static const struct toxic_attr attrs[] = {
    [RATE] = {"rate", TOXIC_ATTR_FLOAT, "probability", .min = {.f = 0}, .max = {.f = 1},
              .help = "share of the chunks that are hit"},
    [BITS] = {"bits", TOXIC_ATTR_INT, "bits", .min = {.i = 0}, .max = {.i = BITS_MAX},
              .help = "how many bits of a chunk are flipped; 0 counts as 1"},
};

static void flip_bits(struct stage *stage, struct chunk *chunk)
{
    uint64_t places = (uint64_t)chunk->length * 8;
    int64_t bits = stage->values.v[BITS].i ? stage->values.v[BITS].i : 1;
    /* Neighbours from a random place on, so that no bit is flipped back. */
    uint64_t first = rng_below(&stage->rng, places);
    for (uint64_t i = 0; i < (uint64_t)bits && i < places; i++) {
        uint64_t place = (first + i) % places;
        chunk_bytes(chunk)[place / 8] ^= (unsigned char)(1u << (place % 8));
    }
}

static void corrupt_pump(struct stage *stage, ns_t now)
{
    (void)now;
    while (stage_head(stage) && stage_has_room(stage)) {
        struct chunk *head = stage_head(stage);
        if (rng_double(&stage->rng) < stage->values.v[RATE].f) {
            stage_hit(stage, head->length, 0);
            flip_bits(stage, head);
        }
        stage_give_head(stage, head->time);
    }
    stage_pass_end(stage);
}

const struct toxic_ops toxic_corrupt = {
    .type = "corrupt",
    .help = "Flips bits of the data.",
    .attrs = attrs,
    .attr_count = 2,
    .pump = corrupt_pump,
};
