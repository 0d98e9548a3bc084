/* SPDX-License-Identifier: MIT */
/*
 * latency: a delay line. Each chunk leaves latency ± jitter after it came in, but never before the
 * chunk in front of it. A chunk counts as leaving when it was due, not when the event loop came to
 * it, so the delays of several latency toxics add up exactly. The end of the stream is not delayed
 * by itself.
 */
#include "toxic/stage.h"

enum { LATENCY, JITTER };

static const struct toxic_attr attrs[] = {
    [LATENCY] = {"latency", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT, .help = "delay of each chunk"},
    [JITTER] = {"jitter", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT,
                .help = "a random part, uniform in [-jitter, jitter)"},
};

struct latency {
    bool drawn; /* `due` holds for the head of the queue */
    ns_t due;
    ns_t last; /* when the previous chunk left */
};

static void latency_start(struct stage *stage, ns_t now)
{
    (void)now;
    struct latency *self = stage_state(stage);
    *self = (struct latency){.last = INT64_MIN};
}

static ns_t draw_delay(struct stage *stage)
{
    ns_t delay = stage_span(stage->values.v[LATENCY].i, NS_PER_MS);
    ns_t jitter = stage_span(stage->values.v[JITTER].i, NS_PER_MS);
    if (jitter <= 0)
        return delay;
    /* Neither sum can overflow: a span is at most half of the range. */
    ns_t r = (ns_t)rng_below(&stage->rng, 2 * (uint64_t)jitter) - jitter;
    return delay + r;
}

static void leave(struct stage *stage, ns_t time)
{
    struct latency *self = stage_state(stage);
    struct chunk *head = stage_head(stage);
    stage_hit(stage, head->length, time - head->time);
    self->drawn = false;
    self->last = time;
    stage_give_head(stage, time);
}

static void latency_update(struct stage *stage, ns_t now)
{
    if (stage_head(stage))
        leave(stage, now);
}

static void latency_pump(struct stage *stage, ns_t now)
{
    struct latency *self = stage_state(stage);
    stage->deadline = NS_NEVER;
    while (stage_head(stage) && stage_has_room(stage)) {
        if (!self->drawn) {
            ns_t time = stage_head(stage)->time;
            ns_t due = ns_add(time, draw_delay(stage));
            self->due = ns_max(ns_max(due, time), self->last);
            self->drawn = true;
        }
        if (self->due > now) {
            stage->deadline = self->due;
            return;
        }
        leave(stage, self->due);
    }
    stage_pass_end(stage);
}

const struct toxic_ops toxic_latency = {
    .type = "latency",
    .help = "Delays everything in its direction.",
    .attrs = attrs,
    .attr_count = 2,
    .state_size = sizeof(struct latency),
    .queue_bytes_max = SIZE_MAX,
    .start = latency_start,
    .update = latency_update,
    .pump = latency_pump,
};
