/* SPDX-License-Identifier: MIT */
#include "load/tally.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct counter {
    pthread_mutex_t lock;
    uint64_t begun, acknowledged; /* sums of deltas */
    bool known;
    uint64_t result, before; /* of the last operation that was acknowledged */
};

struct tally {
    uint32_t count;
    struct counter *counters;
};

struct tally *tally_new(uint32_t counters)
{
    struct tally *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->counters = calloc(counters > 0 ? counters : 1, sizeof *t->counters);
    if (t->counters == NULL) {
        free(t);
        return NULL;
    }
    for (; t->count < counters; t->count++)
        pthread_mutex_init(&t->counters[t->count].lock, NULL);
    return t;
}

void tally_free(struct tally *t)
{
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < t->count; i++)
        pthread_mutex_destroy(&t->counters[i].lock);
    free(t->counters);
    free(t);
}

static struct counter *counter_lock(struct tally *t, uint32_t counter)
{
    assert(counter < t->count);
    pthread_mutex_lock(&t->counters[counter].lock);
    return &t->counters[counter];
}

struct tally_op tally_begin(struct tally *t, uint32_t counter, uint64_t delta)
{
    struct counter *c = counter_lock(t, counter);
    c->begun += delta;
    struct tally_op op = {delta, c->acknowledged, c->known, c->result, c->before};
    pthread_mutex_unlock(&c->lock);
    return op;
}

void tally_unsent(struct tally *t, uint32_t counter, const struct tally_op *op)
{
    struct counter *c = counter_lock(t, counter);
    c->begun -= op->delta;
    pthread_mutex_unlock(&c->lock);
}

bool tally_end(struct tally *t, uint32_t counter, const struct tally_op *op, uint64_t result,
               uint64_t *low, uint64_t *high)
{
    struct counter *c = counter_lock(t, counter);
    uint64_t added = c->begun - op->before; /* at most, since A began */
    c->acknowledged += op->delta;
    c->known = true;
    c->result = result;
    c->before = op->acknowledged + op->delta; /* what cannot be added after it */
    pthread_mutex_unlock(&c->lock);
    *low = op->delta;
    *high = UINT64_MAX;
    if (!op->known) /* the counter may be older than the run */
        return result >= op->delta;
    *low += op->result;
    *high = op->result + added;
    if (result < op->delta || result > *high)
        return false;
    return result >= *low || result <= added;
}
