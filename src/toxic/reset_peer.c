/* SPDX-License-Identifier: MIT */
/*
 * reset_peer: the first chunk, or the end of the stream, starts a timer; when it runs out the
 * connection is reset and what has come is discarded. Until then the chunk is kept, so that
 * removing the toxic in time lets the connection go on as if nothing had been. An idle connection
 * is left alone.
 */
#include "toxic/stage.h"

enum { TIMEOUT };

static const struct toxic_attr attrs[] = {
    [TIMEOUT] = {"timeout", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT,
                 .help = "how long after the first data the connection is reset"},
};

struct reset_peer {
    bool triggered;
    ns_t since;
};

static void reset_peer_start(struct stage *stage, ns_t now)
{
    (void)now;
    struct reset_peer *self = stage_state(stage);
    self->triggered = false;
}

static void reset_peer_pump(struct stage *stage, ns_t now)
{
    struct reset_peer *self = stage_state(stage);
    stage->deadline = NS_NEVER;
    if (!self->triggered) {
        if (!stage_head(stage) && !stage->in_end)
            return;
        self->triggered = true;
        self->since = stage_head(stage) ? stage_head(stage)->time : now;
    }
    ns_t until = ns_add(self->since, stage_span(stage->values.v[TIMEOUT].i, NS_PER_MS));
    if (now < until)
        stage->deadline = until;
    else
        stage_end(stage, CHAIN_RESET);
}

const struct toxic_ops toxic_reset_peer = {
    .type = "reset_peer",
    .help = "Resets the connection (TCP RST) once data flows.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct reset_peer),
    .start = reset_peer_start,
    .pump = reset_peer_pump,
};
