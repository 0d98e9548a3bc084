/* SPDX-License-Identifier: MIT */
/* slow_open: the first data of a connection comes later; what follows waits behind it. */
#include "toxic/stage.h"

enum { DELAY };

static const struct toxic_attr attrs[] = {
    [DELAY] = {"delay", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT,
               .help = "how long the first data of a connection is held"},
};

struct slow_open {
    bool open; /* the first chunk has passed */
};

static void slow_open_start(struct stage *stage, ns_t now)
{
    (void)now;
    struct slow_open *self = stage_state(stage);
    self->open = self->open || !stage_is_fresh(stage);
}

static void slow_open_update(struct stage *stage, ns_t now)
{
    struct slow_open *self = stage_state(stage);
    if (!stage_head(stage))
        return;
    stage_hit(stage, stage_head(stage)->length, now - stage_head(stage)->time);
    self->open = true;
    stage_give_head(stage, now);
}

static void slow_open_pump(struct stage *stage, ns_t now)
{
    struct slow_open *self = stage_state(stage);
    stage->deadline = NS_NEVER;
    /* A first chunk that chunk_toxicity spared has opened the connection too. */
    self->open = self->open || stage->left != INT64_MIN;
    while (stage_head(stage) && stage_has_room(stage)) {
        ns_t time = stage_head(stage)->time;
        if (self->open) {
            stage_give_head(stage, time);
            continue;
        }
        ns_t delay = ns_max(stage_span(stage->values.v[DELAY].i, NS_PER_MS), 0);
        ns_t due = ns_add(time, delay);
        if (now < due) {
            stage->deadline = due;
            return;
        }
        self->open = true;
        stage_hit(stage, stage_head(stage)->length, delay);
        stage_give_head(stage, due);
    }
    stage_pass_end(stage);
}

const struct toxic_ops toxic_slow_open = {
    .type = "slow_open",
    .help = "Delays the first data of each new connection.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct slow_open),
    .start = slow_open_start,
    .update = slow_open_update,
    .pump = slow_open_pump,
};
