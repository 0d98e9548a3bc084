/* SPDX-License-Identifier: MIT */
/*
 * What a toxic is made of: for those who write one. A type is a struct toxic_ops in a file of its
 * own and a line in registry.c. On each link the chain makes a stage for it: the queue of chunks
 * that wait in the toxic, and a zeroed state of state_size bytes.
 *
 * The one rule: whatever comes in through the queue goes out through stage_give() in the same
 * order, unless the toxic is there to discard it (stage_drop). pump() does everything that is due
 * at `now`, leaves the rest in the queue and sets stage->deadline to the next time it has something
 * to do: later than now, or NS_NEVER. It hands over only while stage_has_room(); when there is room
 * again it is called.
 *
 * Chunks that chunk_toxicity spares are the chain's business: they do not arrive(), are never the
 * stage_head() and cost no line here, except where a toxic walks its whole queue.
 */
#ifndef TOXIC_STAGE_H
#define TOXIC_STAGE_H

#include "toxic/chain.h"

struct stage {
    struct stage *next; /* in the chain, active or not */
    struct chain *chain;
    const struct toxic_ops *ops;
    const struct toxic *toxic; /* identity only */
    struct toxic_stats *stats; /* never NULL */
    struct toxic_values values;
    struct rng rng;
    float chunk_toxicity;
    bool active;            /* the dice chose this link; an inactive stage holds nothing */
    bool counted;           /* already among stats->connections */
    enum chain_end in_end;  /* the end of the stream has come in, behind the queue */
    enum chain_end out_end; /* … has been passed on */
    struct chunk_queue queue;
    ns_t left; /* when the latest chunk left; INT64_MIN: none has since the link was chosen */
    ns_t deadline;
    _Alignas(max_align_t) unsigned char state[];
};

struct toxic_ops {
    const char *type;
    const char *help;
    const struct toxic_attr *attrs;
    size_t attr_count;
    size_t state_size;
    /* What may wait in the queue, in bytes of memory. 0: one chunk. SIZE_MAX: the link's bound. */
    size_t queue_bytes_max;
    /* Bytes were discarded, so a connection cannot go on without the toxic. */
    bool closes_on_remove;
    /* It begins to act on this link: at the start, when added, when the dice change. May be NULL.
     */
    void (*start)(struct stage *stage, ns_t now);
    /* New values while it acts. May be NULL. */
    void (*update)(struct stage *stage, ns_t now);
    /* A chunk came in; owned by the stage. NULL: it is put into the queue. */
    void (*arrive)(struct stage *stage, struct chunk *chunk, ns_t now);
    /* It leaves this link, before the queue is passed on. May be NULL. */
    void (*stop)(struct stage *stage, ns_t now);
    /* NULL: the type does nothing at all. */
    void (*pump)(struct stage *stage, ns_t now);
};

static inline void *stage_state(struct stage *stage)
{
    return stage->state;
}

/*
 * The first chunk if the toxic is to act on it. NULL as well when the first one is spared: the
 * chain passes that on itself as soon as there is room, and calls pump() again.
 */
static inline struct chunk *stage_head(const struct stage *stage)
{
    struct chunk *head = stage->queue.head;
    return head && !head->spared ? head : NULL;
}

/* The first chunk from `chunk` on that is not spared, or NULL. */
static inline struct chunk *stage_chosen(struct chunk *chunk)
{
    while (chunk && chunk->spared)
        chunk = chunk->next;
    return chunk;
}

/* Whether what comes next takes another chunk. */
bool stage_has_room(const struct stage *stage);
/* Passes a chunk on, room or not. Its time must be set: when it left this stage. */
void stage_give(struct stage *stage, struct chunk *chunk);
/* Takes the first chunk out of the queue and passes it on as leaving at `time`. */
void stage_give_head(struct stage *stage, ns_t time);
/* The first `length` bytes of the head as a chunk of their own (all of it when memory is short). */
struct chunk *stage_split_head(struct stage *stage, size_t length);
/* Discards a chunk and counts it. */
void stage_drop(struct stage *stage, struct chunk *chunk);
/* When the queue is empty and the end has come in: passes it on. */
void stage_pass_end(struct stage *stage);
/* Ends the stream here: what is in the queue or comes later is discarded. */
void stage_end(struct stage *stage, enum chain_end how);
/* Counts a victim: a chunk of `bytes` delayed by delay_ns (0: hit in another way). */
void stage_hit(struct stage *stage, size_t bytes, ns_t delay_ns);

/* No data has come into the chain yet: the connection is new. */
bool stage_is_fresh(const struct stage *stage);

/* Milliseconds or microseconds of an attribute as a time span, limited to ±146 years. */
ns_t stage_span(int64_t value, ns_t unit_ns);
/* min/max of an attribute without limits, for tables. */
#define TOXIC_ANY_INT .min = {.i = INT64_MIN}, .max = {.i = INT64_MAX}

extern const struct toxic_ops toxic_noop;
extern const struct toxic_ops toxic_latency;
extern const struct toxic_ops toxic_bandwidth;
extern const struct toxic_ops toxic_slow_close;
extern const struct toxic_ops toxic_timeout;
extern const struct toxic_ops toxic_reset_peer;
extern const struct toxic_ops toxic_slicer;
extern const struct toxic_ops toxic_limit_data;
extern const struct toxic_ops toxic_packet_loss;
extern const struct toxic_ops toxic_blackhole;
extern const struct toxic_ops toxic_slow_open;
extern const struct toxic_ops toxic_limit_time;
extern const struct toxic_ops toxic_reset;
extern const struct toxic_ops toxic_corrupt;

#endif
