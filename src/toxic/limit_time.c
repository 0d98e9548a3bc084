/* SPDX-License-Identifier: MIT */
/* limit_time: data passes until a time is over, then the connection is closed. */
#include "toxic/stage.h"

enum { TIME };

static const struct toxic_attr attrs[] = {
    [TIME] = {"time", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT,
              .help = "closes this long after the connection began or the toxic was added"},
};

struct limit_time {
    bool running;
    ns_t since;
};

/* The time goes on through updates and through dice that spare the link for a while. */
static void limit_time_start(struct stage *stage, ns_t now)
{
    struct limit_time *self = stage_state(stage);
    if (!self->running)
        *self = (struct limit_time){.running = true, .since = now};
}

static void limit_time_pump(struct stage *stage, ns_t now)
{
    const struct limit_time *self = stage_state(stage);
    while (stage_head(stage) && stage_has_room(stage))
        stage_give_head(stage, stage_head(stage)->time);
    stage_pass_end(stage);
    if (stage->out_end)
        return;
    ns_t until = ns_add(self->since, stage_span(stage->values.v[TIME].i, NS_PER_MS));
    if (now < until)
        stage->deadline = until;
    else
        stage_end(stage, CHAIN_CLOSE);
}

const struct toxic_ops toxic_limit_time = {
    .type = "limit_time",
    .help = "Closes the connection after a fixed time, data or not.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct limit_time),
    .start = limit_time_start,
    .pump = limit_time_pump,
};
