/* SPDX-License-Identifier: MIT */
/*
 * packet_loss: what a TCP stream looks like when the path loses packets. Nothing is ever missing;
 * lost segments come later, and everything behind them waits.
 *
 * A chunk is so many segments of SEGMENT_BYTES. Each is lost with probability loss_rate, or
 * loss_rate + correlation when the one before it was lost; a repeated segment, which travels alone,
 * with loss_rate. How a loss is repaired:
 *   - fast retransmit: once DUPLICATES_MIN later segments have arrived, the sender repeats the
 * segment, which takes a round trip, FAST_NS;
 *   - else its timer runs out RTO_MIN_NS after the segment was sent.
 * When the repeated segment is lost too, the timer doubles each time, up to RTO_MAX_NS.
 * A chunk is delivered as a whole when its last segment is there, and after the chunk before it.
 */
#include "toxic/stage.h"

enum { LOSS_RATE, CORRELATION };

#define SEGMENT_BYTES 1448
#define DUPLICATES_MIN 3
#define FAST_NS (1 * NS_PER_MS)
#define RTO_MIN_NS (200 * NS_PER_MS)
#define RTO_MAX_NS (120 * NS_PER_SEC)
/* After so many repetitions a segment is never delivered: TCP gives up at 15. */
#define REPEATS_MAX 15
/* Lost chunks that may wait for duplicates at the same time; further ones wait for the timer. */
#define PENDING_MAX 16

static const struct toxic_attr attrs[] = {
    [LOSS_RATE] = {"loss_rate", TOXIC_ATTR_FLOAT, "probability", .min = {.f = 0}, .max = {.f = 1},
                   .help = "share of the segments that are lost"},
    [CORRELATION] = {"correlation", TOXIC_ATTR_FLOAT, "probability", .min = {.f = 0},
                     .max = {.f = 1}, .help = "added for a segment behind a lost one"},
};

/* A chunk whose lost segment has fewer than DUPLICATES_MIN arrived segments behind it. */
struct pending {
    struct chunk *chunk;
    unsigned duplicates; /* so far */
    ns_t backoff;        /* what lost repetitions add */
};

struct packet_loss {
    bool lost_before; /* the latest segment was lost */
    ns_t last;        /* when the previous chunk was delivered */
    struct pending pending[PENDING_MAX];
    unsigned pending_count;
};

/* How a chunk fared. */
struct passage {
    unsigned lost;
    unsigned arrived;
    unsigned duplicates; /* segments that arrived behind the last lost one */
    unsigned repeats;    /* the most repetitions that one segment lost */
};

static bool lose_segment(struct stage *stage)
{
    struct packet_loss *self = stage_state(stage);
    double p = stage->values.v[LOSS_RATE].f;
    if (self->lost_before)
        p += stage->values.v[CORRELATION].f;
    self->lost_before = rng_double(&stage->rng) < p;
    return self->lost_before;
}

static unsigned lost_repeats(struct stage *stage)
{
    unsigned repeats = 0;
    while (repeats < REPEATS_MAX && rng_double(&stage->rng) < stage->values.v[LOSS_RATE].f)
        repeats++;
    return repeats;
}

static struct passage travel(struct stage *stage, size_t length)
{
    struct passage way = {0};
    for (size_t sent = 0; sent < length; sent += SEGMENT_BYTES) {
        if (!lose_segment(stage)) {
            way.arrived++;
            way.duplicates++;
            continue;
        }
        unsigned repeats = lost_repeats(stage);
        way.repeats = repeats > way.repeats ? repeats : way.repeats;
        way.lost++;
        way.duplicates = 0;
    }
    return way;
}

/* How long the timer is waited for when it runs out `times` times in a row. */
static ns_t timer_sum(unsigned times)
{
    ns_t sum = 0;
    ns_t rto = RTO_MIN_NS;
    if (times > REPEATS_MAX)
        return NS_NEVER;
    for (unsigned i = 0; i < times; i++) {
        sum += rto;
        rto = ns_min(rto * 2, RTO_MAX_NS);
    }
    return sum;
}

static ns_t fast_due(ns_t time, ns_t backoff)
{
    return ns_add(ns_add(time, FAST_NS), backoff);
}

/* Segments that arrive tell the sender which earlier ones are missing. */
static void count_duplicates(struct packet_loss *self, unsigned arrived, ns_t time)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < self->pending_count; i++) {
        struct pending *p = &self->pending[i];
        p->duplicates += arrived;
        if (p->duplicates >= DUPLICATES_MIN)
            p->chunk->due = ns_min(p->chunk->due, fast_due(time, p->backoff));
        else
            self->pending[kept++] = *p;
    }
    self->pending_count = kept;
}

/* Decides when a chunk will have come through: chunk->due. */
static void judge(struct stage *stage, struct chunk *chunk)
{
    struct packet_loss *self = stage_state(stage);
    struct passage way = travel(stage, chunk->length);
    count_duplicates(self, way.arrived, chunk->time);
    chunk->due = chunk->time;
    if (!way.lost)
        return;
    ns_t backoff = way.repeats == REPEATS_MAX ? NS_NEVER : timer_sum(way.repeats);
    chunk->due = ns_add(chunk->time, timer_sum(way.repeats + 1));
    if (way.duplicates >= DUPLICATES_MIN)
        chunk->due = fast_due(chunk->time, backoff);
    else if (self->pending_count < PENDING_MAX)
        self->pending[self->pending_count++] =
            (struct pending){.chunk = chunk, .duplicates = way.duplicates, .backoff = backoff};
}

static void forget(struct packet_loss *self, const struct chunk *chunk)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < self->pending_count; i++) {
        if (self->pending[i].chunk != chunk)
            self->pending[kept++] = self->pending[i];
    }
    self->pending_count = kept;
}

static void deliver(struct stage *stage, ns_t time)
{
    struct packet_loss *self = stage_state(stage);
    struct chunk *head = stage_head(stage);
    forget(self, head);
    self->last = time;
    if (time > head->time)
        stage_hit(stage, head->length, time - head->time);
    stage_give_head(stage, time);
}

static void packet_loss_start(struct stage *stage, ns_t now)
{
    (void)now;
    struct packet_loss *self = stage_state(stage);
    *self = (struct packet_loss){.last = INT64_MIN};
}

/* The head goes at once; the others travel again under the new values. */
static void packet_loss_update(struct stage *stage, ns_t now)
{
    struct packet_loss *self = stage_state(stage);
    if (stage_head(stage))
        deliver(stage, now);
    self->pending_count = 0;
    for (struct chunk *chunk = stage_head(stage); chunk; chunk = chunk->next)
        judge(stage, chunk);
}

static void packet_loss_arrive(struct stage *stage, struct chunk *chunk, ns_t now)
{
    (void)now;
    judge(stage, chunk);
    chunk_queue_push(&stage->queue, chunk);
}

static void packet_loss_pump(struct stage *stage, ns_t now)
{
    struct packet_loss *self = stage_state(stage);
    stage->deadline = NS_NEVER;
    while (stage_head(stage) && stage_has_room(stage)) {
        ns_t due = ns_max(stage_head(stage)->due, self->last);
        if (due > now) {
            stage->deadline = due;
            return;
        }
        deliver(stage, due);
    }
    stage_pass_end(stage);
}

const struct toxic_ops toxic_packet_loss = {
    .type = "packet_loss",
    .help = "Loses segments as a network does: the stream stalls until they are sent again.",
    .attrs = attrs,
    .attr_count = 2,
    .state_size = sizeof(struct packet_loss),
    .queue_bytes_max = SIZE_MAX,
    .start = packet_loss_start,
    .update = packet_loss_update,
    .arrive = packet_loss_arrive,
    .pump = packet_loss_pump,
};
