/* SPDX-License-Identifier: MIT */
/* slow_close: data passes untouched, the end of the stream is held for a while. */
#include "toxic/stage.h"

enum { DELAY };

static const struct toxic_attr attrs[] = {
    [DELAY] = {"delay", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT,
               .help = "how long the end of the stream is held"},
};

struct slow_close {
    bool holding;
    ns_t since;
};

/* The hold starts anew with an update. */
static void slow_close_start(struct stage *stage, ns_t now)
{
    (void)now;
    struct slow_close *self = stage_state(stage);
    self->holding = false;
}

static void slow_close_pump(struct stage *stage, ns_t now)
{
    struct slow_close *self = stage_state(stage);
    stage->deadline = NS_NEVER;
    while (stage_head(stage) && stage_has_room(stage))
        stage_give_head(stage, stage_head(stage)->time);
    if (stage->queue.count || !stage->in_end)
        return;
    if (!self->holding) {
        self->holding = true;
        self->since = now;
    }
    ns_t until = ns_add(self->since, stage_span(stage->values.v[DELAY].i, NS_PER_MS));
    if (now < until) {
        stage->deadline = until;
        return;
    }
    stage_hit(stage, 0, now - self->since);
    stage_pass_end(stage);
}

const struct toxic_ops toxic_slow_close = {
    .type = "slow_close",
    .help = "Delays the closing of the connection.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct slow_close),
    .start = slow_close_start,
    .update = slow_close_start,
    .pump = slow_close_pump,
};
