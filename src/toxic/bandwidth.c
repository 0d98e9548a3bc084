/* SPDX-License-Identifier: MIT */
/*
 * bandwidth: a line of `rate` bytes per millisecond. A chunk leaves in pieces of at most 100 ms
 * worth, each when its last byte has gone over the line. Times are counted from an anchor in exact
 * integer arithmetic, so a late event loop makes a piece late but not the next, and no rounding
 * adds up.
 *
 * An idle line gains nothing: the anchor moves to the arrival of the next chunk. Only a gap of up
 * to GAP_NS, which is an event loop fetching more from a busy sender, does not count as idle.
 */
#include "toxic/stage.h"

enum { RATE };

#define PIECE_MS 100
#define GAP_NS (5 * NS_PER_MS)
/* A petabyte per second is as good as no limit. */
#define RATE_MAX INT64_C(1000000000000)

static const struct toxic_attr attrs[] = {
    [RATE] = {"rate", TOXIC_ATTR_INT, "KB/s", .min = {.i = 0}, .max = {.i = INT64_MAX},
              .help = "bytes per millisecond; 0 lets nothing through"},
};

struct bandwidth {
    bool used;     /* anchor and sent are valid */
    bool blocked;  /* a piece was due but there was no room for it */
    ns_t since;    /* of these values */
    ns_t anchor;   /* the line has been busy since then */
    uint64_t sent; /* bytes since the anchor */
    ns_t arrived;  /* when the chunk on the line, the head of the queue, had arrived */
    size_t length; /* its full length */
    size_t left;   /* of it; 0: no chunk is on the line */
};

static uint64_t line_rate(const struct stage *stage)
{
    int64_t rate = stage->values.v[RATE].i;
    return (uint64_t)(rate < RATE_MAX ? rate : RATE_MAX);
}

/* When the line will have carried `bytes` more. */
static ns_t line_time(const struct stage *stage, size_t bytes)
{
    const struct bandwidth *self = (const void *)stage->state;
    uint64_t rate = line_rate(stage);
    if (rate == 0)
        return NS_NEVER;
    uint64_t total = self->sent + bytes;
    /* Whole milliseconds apart, so that the product cannot overflow. */
    uint64_t span = total / rate * NS_PER_MS + total % rate * NS_PER_MS / rate;
    return ns_add(self->anchor, (ns_t)span);
}

static void anchor_at(struct bandwidth *self, ns_t time)
{
    self->used = true;
    self->anchor = time;
    self->sent = 0;
}

static void take_chunk(struct stage *stage)
{
    struct bandwidth *self = stage_state(stage);
    const struct chunk *head = stage_head(stage);
    if (!self->used || head->time > ns_add(line_time(stage, 0), GAP_NS))
        anchor_at(self, ns_max(head->time, self->since));
    self->arrived = head->time;
    self->left = self->length = head->length;
}

static size_t piece_length(const struct stage *stage)
{
    const struct bandwidth *self = (const void *)stage->state;
    uint64_t rate = line_rate(stage);
    return rate < self->left / PIECE_MS ? (size_t)rate * PIECE_MS : self->left;
}

static void send_piece(struct stage *stage, size_t length, ns_t time)
{
    struct bandwidth *self = stage_state(stage);
    struct chunk *piece = stage_split_head(stage, length);
    self->sent += piece->length;
    self->left -= piece->length;
    if (self->left == 0)
        stage_hit(stage, self->length, time - self->arrived);
    piece->time = time;
    stage_give(stage, piece);
}

static void bandwidth_start(struct stage *stage, ns_t now)
{
    struct bandwidth *self = stage_state(stage);
    *self = (struct bandwidth){.since = now};
}

/* What is left of the chunk in hand goes out at once, unthrottled. */
static void bandwidth_update(struct stage *stage, ns_t now)
{
    struct bandwidth *self = stage_state(stage);
    if (self->left)
        send_piece(stage, self->left, now);
    bandwidth_start(stage, now);
}

static void bandwidth_pump(struct stage *stage, ns_t now)
{
    struct bandwidth *self = stage_state(stage);
    stage->deadline = NS_NEVER;
    while (stage_head(stage)) {
        if (!self->left)
            take_chunk(stage);
        size_t length = piece_length(stage);
        ns_t due = line_time(stage, length);
        if (due > now) {
            stage->deadline = due;
            return;
        }
        self->blocked = self->blocked || !stage_has_room(stage);
        if (!stage_has_room(stage))
            return;
        send_piece(stage, length, self->blocked ? now : due);
        if (self->blocked)
            anchor_at(self, now);
        self->blocked = false;
    }
    stage_pass_end(stage);
}

const struct toxic_ops toxic_bandwidth = {
    .type = "bandwidth",
    .help = "Limits how many bytes per second each connection gets through.",
    .attrs = attrs,
    .attr_count = 1,
    .state_size = sizeof(struct bandwidth),
    .queue_bytes_max = CHAIN_OUTPUT_BYTES_MAX,
    .start = bandwidth_start,
    .update = bandwidth_update,
    .pump = bandwidth_pump,
};
