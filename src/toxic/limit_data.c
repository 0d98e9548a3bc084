/* SPDX-License-Identifier: MIT */
/*
 * limit_data: passes so many bytes, then closes. The count begins with the connection, or with the
 * toxic on a connection that is open, and is kept when the limit changes.
 */
#include "toxic/stage.h"

enum { BYTES };

static const struct toxic_attr attrs[] = {
    [BYTES] = {"bytes", TOXIC_ATTR_INT, "bytes", TOXIC_ANY_INT,
               .help = "how much passes; 0 or less: closes at the first data"},
};

struct limit_data {
    int64_t passed;
};

/* Passes the first `length` bytes of the head and discards the rest. */
static void pass_part(struct stage *stage, uint32_t length)
{
    struct chunk *head = chunk_queue_pop(&stage->queue);
    if (length < head->length) {
        stage_hit(stage, head->length, 0);
        stage->stats->bytes_dropped += head->length - length;
        head->length = length;
    }
    stage_give(stage, head);
}

static void limit_data_pump(struct stage *stage, ns_t now)
{
    (void)now;
    struct limit_data *self = stage_state(stage);
    int64_t limit = stage->values.v[BYTES].i;
    while (stage_head(stage) && stage_has_room(stage)) {
        int64_t length = stage_head(stage)->length;
        /* passed is never negative, so with a limit below it nothing can overflow. */
        int64_t part = limit <= self->passed ? 0 : ns_min(length, limit - self->passed);
        self->passed += part;
        if (part > 0)
            pass_part(stage, (uint32_t)part);
        if (self->passed >= limit) {
            stage_end(stage, CHAIN_CLOSE);
            return;
        }
    }
    stage_pass_end(stage);
}

const struct toxic_ops toxic_limit_data = {
    .type = "limit_data",
    .help = "Closes the connection after a number of bytes.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct limit_data),
    .pump = limit_data_pump,
};
