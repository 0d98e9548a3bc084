/* SPDX-License-Identifier: MIT */
/*
 * packet_loss: what a TCP stream looks like when the path loses packets. Nothing is ever missing;
 * lost segments come later, and everything behind them waits.
 *
 * A chunk is so many segments of SEGMENT_BYTES. Each is lost with probability loss_rate, or
 * loss_rate + correlation when the one before it was lost; a repeated segment, which travels alone,
 * with loss_rate. How the sender, a Linux of today (RACK-TLP, RFC 8985), repairs a loss:
 *   - it learns of it when a later segment has arrived: at once when three have, or one that was
 *     sent a quarter of a round trip later, else after a short timer. The repeated segment takes a
 *     round trip;
 *   - when nothing arrived behind the loss it probes with the last segment, after a short timer if
 *     several segments are out, but after more than RTO_MIN_NS if only one is;
 *   - each time a repeated segment is lost too it waits for the retransmission timer, which doubles
 *     from the second time on, up to RTO_MAX_NS.
 * Timers run out at a tick of the kernel's clock. A chunk is delivered as a whole when its last
 * segment is there, and after the chunk before it.
 */
#include "toxic/stage.h"

enum { LOSS_RATE, CORRELATION, RTT };

#define SEGMENT_BYTES 1448
/* What a segment occupies of a line of 1 Gbit/s. */
#define SEGMENT_NS (12 * NS_PER_US)
#define DUPLICATES_MIN 3
/* Linux acknowledges every second segment at once, and a single one later. */
#define ACK_EVERY 2
/* HZ=250, what most distributions run. */
#define TICK_NS (4 * NS_PER_MS)
/* The least that the sender waits for stragglers or for the acknowledgement of several segments. */
#define SHORT_NS (2 * NS_PER_MS)
#define RTO_MIN_NS (200 * NS_PER_MS)
#define RTO_MAX_NS (120 * NS_PER_SEC)
/* After so many repetitions a segment is never delivered: TCP gives up at 15. */
#define REPEATS_MAX 15
/* Lost chunks that may wait for duplicates at the same time; further ones wait for the timer. */
#define PENDING_MAX 16
#define RTT_MAX_MS 60000

static const struct toxic_attr attrs[] = {
    [LOSS_RATE] = {"loss_rate", TOXIC_ATTR_FLOAT, "probability", .min = {.f = 0}, .max = {.f = 1},
                   .help = "share of the segments that are lost"},
    [CORRELATION] = {"correlation", TOXIC_ATTR_FLOAT, "probability", .min = {.f = 0},
                     .max = {.f = 1}, .help = "added for a segment behind a lost one"},
    [RTT] = {"rtt", TOXIC_ATTR_FLOAT, "ms", .initial = {.f = 1}, .min = {.f = 0},
             .max = {.f = RTT_MAX_MS}, .help = "round trip of the path that loses"},
};

/* A chunk with a lost segment that later arrivals may still bring back sooner. */
struct pending {
    struct chunk *chunk;
    unsigned duplicates; /* segments that arrived behind the loss so far */
    ns_t backoff;        /* what lost repetitions add */
};

struct packet_loss {
    bool lost_before; /* the latest segment was lost */
    ns_t last;        /* when the previous chunk was delivered */
    ns_t sent;        /* when the latest segment was sent */
    struct pending pending[PENDING_MAX];
    unsigned pending_count;
};

/* How a chunk fared. */
struct passage {
    unsigned lost;
    unsigned arrived;
    unsigned before;     /* segments that arrived before the first loss */
    unsigned duplicates; /* segments that arrived behind the last lost one */
    unsigned repeats;    /* the most repetitions that one segment lost */
};

static ns_t round_trip(const struct stage *stage)
{
    return (ns_t)(stage->values.v[RTT].f * (double)NS_PER_MS);
}

/* How long a timer of the sender's kernel takes that is set for a little more than `span`. */
static ns_t timer_wait(struct stage *stage, ns_t span)
{
    ns_t ticks = span / TICK_NS + 1;
    return ticks * TICK_NS + (ns_t)rng_below(&stage->rng, TICK_NS);
}

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
            way.before += way.lost == 0;
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

/* What it adds that the first repetition and `repeats` - 1 more are lost. */
static ns_t lost_repeats_wait(struct stage *stage, unsigned repeats)
{
    if (repeats == REPEATS_MAX)
        return NS_NEVER;
    ns_t sum = 0;
    ns_t rto = RTO_MIN_NS + round_trip(stage);
    for (unsigned i = 0; i < repeats; i++) {
        sum += timer_wait(stage, rto);
        rto = ns_min(rto * 2, RTO_MAX_NS);
    }
    return sum;
}

/* How long after segments have arrived that were sent `gap` behind a loss the sender believes it.
 */
static ns_t doubt(struct stage *stage, unsigned duplicates, ns_t gap)
{
    if (duplicates >= DUPLICATES_MIN || gap >= round_trip(stage) / 4)
        return 0;
    return timer_wait(stage, SHORT_NS);
}

static void advance_due(struct chunk *chunk, ns_t time, ns_t wait)
{
    chunk->due = ns_min(chunk->due, ns_add(time, wait));
}

/* Segments that arrive tell the sender which earlier ones are missing. */
static void count_duplicates(struct stage *stage, unsigned arrived, ns_t time)
{
    struct packet_loss *self = stage_state(stage);
    unsigned kept = 0;
    for (unsigned i = 0; i < self->pending_count && arrived; i++) {
        struct pending *p = &self->pending[i];
        p->duplicates += arrived;
        ns_t wait = doubt(stage, p->duplicates, time - p->chunk->time);
        advance_due(p->chunk, time, ns_add(wait + round_trip(stage), p->backoff));
        if (wait)
            self->pending[kept++] = *p;
    }
    if (arrived)
        self->pending_count = kept;
}

/* After how long the sender probes when nothing has arrived behind a loss. */
static ns_t probe_wait(struct stage *stage, const struct passage *way, ns_t time)
{
    const struct packet_loss *self = stage_state(stage);
    ns_t rtt = round_trip(stage);
    ns_t rto = RTO_MIN_NS + rtt;
    unsigned out = way->arrived + way->lost - way->before / ACK_EVERY * ACK_EVERY;
    bool alone = out == 1 && !self->pending_count && time >= ns_add(self->sent, rtt);
    return timer_wait(stage, alone ? rto : ns_min(SHORT_NS + 2 * rtt, rto));
}

/* The probe for this chunk tells of the losses before it. */
static void count_probe(struct stage *stage, ns_t probe)
{
    struct packet_loss *self = stage_state(stage);
    for (unsigned i = 0; i < self->pending_count; i++) {
        struct pending *p = &self->pending[i];
        advance_due(p->chunk, probe, ns_add(round_trip(stage), p->backoff));
    }
}

/* How long the lost segments of a chunk take longer, as far as the chunk itself decides. */
static ns_t repair_wait(struct stage *stage, const struct passage *way, ns_t time)
{
    ns_t rtt = round_trip(stage);
    bool tail = way->duplicates == 0;
    /* Nothing has arrived behind the first loss: all that is lost is at the end. */
    if (way->arrived == way->before) {
        ns_t wait = probe_wait(stage, way, time);
        count_probe(stage, ns_add(time, wait));
        return way->lost > 1 ? wait + rtt : wait;
    }
    unsigned behind = tail ? way->arrived - way->before : way->duplicates;
    ns_t wait = doubt(stage, behind, behind * SEGMENT_NS) + rtt;
    /* The repeated segments show that the end is missing. */
    return tail ? wait + rtt : wait;
}

/* Decides when a chunk will have come through: chunk->due. */
static void judge(struct stage *stage, struct chunk *chunk)
{
    struct packet_loss *self = stage_state(stage);
    ns_t time = chunk->time;
    struct passage way = travel(stage, chunk->length);
    count_duplicates(stage, way.arrived, time);
    chunk->due = time;
    if (way.lost) {
        ns_t backoff = lost_repeats_wait(stage, way.repeats);
        ns_t wait = repair_wait(stage, &way, time);
        chunk->due = ns_add(time, ns_add(wait, backoff));
        if (way.duplicates < DUPLICATES_MIN && self->pending_count < PENDING_MAX)
            self->pending[self->pending_count++] =
                (struct pending){.chunk = chunk, .duplicates = way.duplicates, .backoff = backoff};
    }
    self->sent = time;
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
    *self = (struct packet_loss){.last = INT64_MIN, .sent = INT64_MIN};
}

/* The head goes at once; the others travel again under the new values. */
static void packet_loss_update(struct stage *stage, ns_t now)
{
    struct packet_loss *self = stage_state(stage);
    if (stage_head(stage))
        deliver(stage, now);
    self->pending_count = 0;
    self->sent = INT64_MIN;
    struct chunk *chunk = stage_chosen(stage->queue.head);
    for (; chunk; chunk = stage_chosen(chunk->next))
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
    .attr_count = 3,
    .state_size = sizeof(struct packet_loss),
    .queue_bytes_max = SIZE_MAX,
    .start = packet_loss_start,
    .update = packet_loss_update,
    .arrive = packet_loss_arrive,
    .pump = packet_loss_pump,
};
