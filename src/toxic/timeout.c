/* SPDX-License-Identifier: MIT */
/*
 * timeout: discards all data of its direction, and closes when nothing has come for a while.
 * Because bytes are missing afterwards, a connection does not survive its removal.
 */
#include "toxic/stage.h"

enum { TIMEOUT };

static const struct toxic_attr attrs[] = {
    [TIMEOUT] = {"timeout", TOXIC_ATTR_INT, "ms", TOXIC_ANY_INT,
                 .help = "close after this long without data; 0 or less: never"},
};

struct timeout {
    ns_t since;
};

static void timeout_start(struct stage *stage, ns_t now)
{
    struct timeout *self = stage_state(stage);
    self->since = now;
}

static void timeout_arrive(struct stage *stage, struct chunk *chunk, ns_t now)
{
    timeout_start(stage, now);
    stage_drop(stage, chunk);
}

static void timeout_pump(struct stage *stage, ns_t now)
{
    const struct timeout *self = stage_state(stage);
    stage->deadline = NS_NEVER;
    stage_pass_end(stage);
    int64_t timeout_ms = stage->values.v[TIMEOUT].i;
    if (stage->out_end || timeout_ms <= 0)
        return;
    ns_t until = ns_add(self->since, stage_span(timeout_ms, NS_PER_MS));
    if (now < until)
        stage->deadline = until;
    else
        stage_end(stage, CHAIN_CLOSE);
}

const struct toxic_ops toxic_timeout = {
    .type = "timeout",
    .help = "Discards all data, then closes the connection.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct timeout),
    .closes_on_remove = true,
    .start = timeout_start,
    .update = timeout_start,
    .arrive = timeout_arrive,
    .pump = timeout_pump,
};
