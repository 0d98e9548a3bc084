/* SPDX-License-Identifier: MIT */
/*
 * What goes into each toxic and what comes out when, in virtual time, for the pictures in
 * docs/toxics (tools/draw-toxics.py). Prints, in the order in which they happen:
 *
 *   toxic TYPE TITLE
 *   in MS BYTES | out MS BYTES | bad MS BYTES (out, but changed) | on MS | off MS
 *   eof MS | close MS | reset MS (how the connection ends)
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "toxic/chain.h"

struct scene {
    const char *type;
    const char *title;
    int64_t attrs[TOXIC_ATTRS_MAX];
    double loss_rate; /* packet_loss and corrupt: a probability comes first */
    unsigned every_ms;
    unsigned count;
    unsigned bytes;
    unsigned on_ms;
    unsigned off_ms; /* 0: stays */
    uint64_t seed;
};

static const struct scene scenes[] = {
    {"latency", "latency 100, jitter 50", {100, 50}, 0, 20, 40, 1000, 0, 0, 1},
    {"bandwidth", "rate 25", {25}, 0, 20, 40, 1000, 0, 0, 1},
    {"slow_close", "delay 200", {200}, 0, 20, 30, 1000, 0, 0, 1},
    {"timeout", "timeout 200, added at 200 ms", {200}, 0, 20, 30, 1000, 200, 0, 1},
    {"reset_peer", "timeout 200, added at 200 ms", {200}, 0, 20, 40, 1000, 200, 0, 1},
    {"slicer", "average_size 100, delay 10000", {100, 0, 10000}, 0, 200, 4, 1000, 0, 0, 1},
    {"limit_data", "bytes 15500", {15500}, 0, 20, 40, 1000, 0, 0, 1},
    {"packet_loss", "loss_rate 0.2", {0}, 0.2, 250, 16, 1000, 0, 0, 6},
    {"blackhole", "added at 200 ms, removed at 600 ms", {0}, 0, 20, 40, 1000, 200, 600, 1},
    {"slow_open", "delay 300", {300}, 0, 20, 40, 1000, 0, 0, 1},
    {"limit_time", "time 400", {400}, 0, 20, 40, 1000, 0, 0, 1},
    {"reset", "timeout 0, added at 400 ms", {0}, 0, 20, 40, 1000, 400, 0, 1},
    {"corrupt", "rate 0.2", {0}, 0.2, 20, 40, 1000, 0, 0, 1},
};

static double ms(ns_t time)
{
    return (double)time / (double)NS_PER_MS;
}

static struct toxic *toxic_of(const struct scene *scene)
{
    struct toxic *toxic = toxic_new(toxic_type_find(scene->type), NULL, NULL, 1, NULL);
    assert(toxic);
    size_t count;
    const struct toxic_attr *attrs = toxic_type_attrs(toxic->ops, &count);
    for (size_t i = 0; i < count; i++) {
        if (attrs[i].kind == TOXIC_ATTR_INT)
            toxic->values.v[i].i = scene->attrs[i];
        else if (i == 0)
            toxic->values.v[i].f = scene->loss_rate;
    }
    return toxic;
}

/* What an event loop does after each call. True: the connection has ended. */
static bool settle(struct chain *chain, ns_t now)
{
    static const char *const ends[] = {"", "eof", "close", "reset"};
    struct chunk *chunk;
    while ((chunk = chain_output(chain))) {
        bool bad = false;
        for (uint32_t i = 0; i < chunk->length; i++)
            bad = bad || chunk_bytes(chunk)[i] != 0;
        printf("%s %.3f %u\n", bad ? "bad" : "out", ms(now), (unsigned)chunk->length);
        chain_consume(chain, chunk->length, now);
    }
    enum chain_end end = chain_end(chain);
    if (end != CHAIN_OPEN)
        printf("%s %.3f\n", ends[end], ms(now));
    return end != CHAIN_OPEN;
}

/* Runs the timers up to `until`. */
static bool advance(struct chain *chain, ns_t until)
{
    for (ns_t now; (now = chain_deadline(chain)) <= until && now != NS_NEVER;) {
        chain_tick(chain, now);
        if (settle(chain, now))
            return true;
    }
    return false;
}

/* What happens at a millisecond of a scene besides timers. */
static void act(const struct scene *scene, struct chain *chain, struct toxic *toxic, unsigned at)
{
    static const unsigned char zeros[CHUNK_BYTES_MAX];
    ns_t now = at * NS_PER_MS;
    if (at == scene->on_ms) {
        int rc = chain_add(chain, toxic, NULL, now);
        assert(rc == 0);
        printf("on %u\n", at);
    }
    if (scene->off_ms && at == scene->off_ms) {
        chain_remove(chain, toxic, now);
        printf("off %u\n", at);
    }
    if (at % scene->every_ms)
        return;
    if (at / scene->every_ms < scene->count && chain_wants_input(chain)) {
        printf("in %u %u\n", at, scene->bytes);
        chain_push(chain, chunk_copy(NULL, zeros, scene->bytes), now);
    } else if (at / scene->every_ms == scene->count && strcmp(scene->type, "timeout") != 0) {
        chain_push_eof(chain, now);
    }
}

static void play(const struct scene *scene)
{
    struct toxic *toxic = toxic_of(scene);
    struct chain *chain = chain_new(&(struct chain_config){.rng = rng_seeded(scene->seed)});
    assert(chain);
    printf("toxic %s %s\n", scene->type, scene->title);
    for (unsigned at = 0; at < 10000; at++) {
        if (advance(chain, at * NS_PER_MS))
            break;
        act(scene, chain, toxic, at);
        if (settle(chain, at * NS_PER_MS))
            break;
    }
    chain_free(chain);
    toxic_free(toxic);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
        play(&scenes[i]);
    return 0;
}
