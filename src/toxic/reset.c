/* SPDX-License-Identifier: MIT */
/*
 * reset: resets connections, open ones and new ones, idle or not, without waiting for data. With a
 * timeout, data passes until then.
 */
#include "toxic/stage.h"

enum { TIMEOUT };

static const struct toxic_attr attrs[] = {
    [TIMEOUT] = {"timeout", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT,
                 .help = "how long after the connection began or the toxic was added"},
};

struct reset {
    bool running;
    ns_t since;
};

static void reset_start(struct stage *stage, ns_t now)
{
    struct reset *self = stage_state(stage);
    if (!self->running)
        *self = (struct reset){.running = true, .since = now};
}

static void reset_pump(struct stage *stage, ns_t now)
{
    const struct reset *self = stage_state(stage);
    ns_t until = ns_add(self->since, stage_span(stage->values.v[TIMEOUT].i, NS_PER_MS));
    if (now >= until) {
        stage_end(stage, CHAIN_RESET);
        return;
    }
    while (stage_head(stage) && stage_has_room(stage))
        stage_give_head(stage, stage_head(stage)->time);
    stage->deadline = until;
    stage_pass_end(stage);
}

const struct toxic_ops toxic_reset = {
    .type = "reset",
    .help = "Resets connections (TCP RST), idle ones too.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct reset),
    .start = reset_start,
    .pump = reset_pump,
};
