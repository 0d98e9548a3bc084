/* SPDX-License-Identifier: MIT */
#include "metrics/transitions.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node_state {
    enum breaker_view view;
    ns_t since_ns;
    ns_t spent_ns[BREAKER_VIEW_COUNT]; /* in finished stays */
};

struct transitions {
    pthread_mutex_t lock;
    struct transition *entries;
    size_t count;
    size_t cap;
    uint64_t dropped;
    struct node_state *states;
    unsigned nodes;
};

struct transitions *transitions_new(unsigned nodes, size_t cap, ns_t now)
{
    struct transitions *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->nodes = nodes;
    t->cap = cap;
    t->entries = calloc(cap + 1, sizeof(*t->entries));
    t->states = calloc(nodes + 1, sizeof(*t->states));
    if (!t->entries || !t->states) {
        transitions_free(t);
        return NULL;
    }
    for (unsigned i = 0; i < nodes; i++) {
        t->states[i].view = BREAKER_VIEW_CLOSED;
        t->states[i].since_ns = now;
    }
    return t;
}

void transitions_free(struct transitions *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t->entries);
    free(t->states);
    free(t);
}

static void enter(struct node_state *state, enum breaker_view view, ns_t at)
{
    /* Two threads may report out of order; time never runs backwards here. */
    ns_t from = state->since_ns;
    state->since_ns = ns_max(at, from);
    state->spent_ns[state->view] += state->since_ns - from;
    state->view = view;
}

static void append(struct transitions *t, const struct transition *entry)
{
    if (t->count < t->cap)
        t->entries[t->count++] = *entry;
    else
        t->dropped++;
}

void transitions_add(struct transitions *t, unsigned node, enum breaker_view from,
                     enum breaker_view to, const char *cause, ns_t at_ns)
{
    assert(from < BREAKER_VIEW_COUNT && to < BREAKER_VIEW_COUNT);
    if (node >= t->nodes)
        return;
    struct transition entry = {.at_ns = at_ns, .node = node, .from = from, .to = to};
    snprintf(entry.cause, sizeof(entry.cause), "%s", cause ? cause : "");
    pthread_mutex_lock(&t->lock);
    append(t, &entry);
    enter(&t->states[node], to, at_ns);
    pthread_mutex_unlock(&t->lock);
}

size_t transitions_read(struct transitions *t, size_t from, struct transition *out, size_t max)
{
    pthread_mutex_lock(&t->lock);
    size_t n = from < t->count ? t->count - from : 0;
    if (n > max)
        n = max;
    if (n > 0)
        memcpy(out, t->entries + from, n * sizeof(*out));
    pthread_mutex_unlock(&t->lock);
    return n;
}

size_t transitions_count(struct transitions *t)
{
    pthread_mutex_lock(&t->lock);
    size_t count = t->count;
    pthread_mutex_unlock(&t->lock);
    return count;
}

uint64_t transitions_dropped(struct transitions *t)
{
    pthread_mutex_lock(&t->lock);
    uint64_t dropped = t->dropped;
    pthread_mutex_unlock(&t->lock);
    return dropped;
}

ns_t transitions_time_in(struct transitions *t, unsigned node, enum breaker_view view, ns_t now)
{
    assert(node < t->nodes && view < BREAKER_VIEW_COUNT);
    pthread_mutex_lock(&t->lock);
    const struct node_state *state = &t->states[node];
    ns_t spent = state->spent_ns[view];
    if (state->view == view && now > state->since_ns)
        spent += now - state->since_ns;
    pthread_mutex_unlock(&t->lock);
    return spent;
}

ns_t transitions_first_open(struct transitions *t, unsigned node, ns_t since)
{
    ns_t first = NS_NEVER;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->count; i++) {
        const struct transition *e = &t->entries[i];
        if (e->node == node && e->to == BREAKER_VIEW_OPEN && e->at_ns >= since)
            first = ns_min(first, e->at_ns);
    }
    pthread_mutex_unlock(&t->lock);
    return first;
}
