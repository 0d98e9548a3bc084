/* SPDX-License-Identifier: MIT */
#include "metrics/series.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Merging only within phases frees nothing when there are as many phases as intervals. */
#define CAP_MIN 2

struct entry {
    struct interval interval;
    struct hist service;
};

struct series {
    unsigned nodes;
    size_t cap;
    size_t len;
    unsigned halvings;
    struct entry **entries; /* cap of them, the first len in use */
};

struct series *series_new(unsigned nodes, size_t cap, struct err *err)
{
    struct series *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(err, "no memory for the time series");
        return NULL;
    }
    s->nodes = nodes;
    s->cap = cap < CAP_MIN ? CAP_MIN : cap;
    s->entries = calloc(s->cap, sizeof(struct entry *));
    if (!s->entries) {
        err_set(err, "no memory for the time series");
        series_free(s);
        return NULL;
    }
    return s;
}

static void entry_free(struct entry *e)
{
    hist_deinit(&e->service);
    free(e->interval.nodes);
    free(e);
}

void series_free(struct series *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++)
        entry_free(s->entries[i]);
    free(s->entries);
    free(s);
}

static struct entry *entry_new(unsigned nodes, struct err *err)
{
    struct entry *e = calloc(1, sizeof(*e));
    if (!e) {
        err_set(err, "no memory for an interval");
        return NULL;
    }
    e->interval.nodes = calloc(nodes + 1, sizeof(*e->interval.nodes));
    if (!e->interval.nodes || hist_init(&e->service, &LATENCY_HIST_CONFIG, err) < 0) {
        err_set(err, "no memory for an interval");
        entry_free(e);
        return NULL;
    }
    return e;
}

/* Counts add up; what describes a moment is that of the later entry. */
static void node_merge(struct interval_node *into, const struct interval_node *later)
{
    into->succeeded += later->succeeded;
    into->failed += later->failed;
    into->stats = later->stats;
}

static void entry_merge(struct entry *into, const struct entry *later, unsigned nodes)
{
    struct interval *a = &into->interval;
    const struct interval *b = &later->interval;
    a->end_ns = b->end_ns;
    a->phase = b->phase;
    a->offered += b->offered;
    a->dropped += b->dropped;
    a->succeeded += b->succeeded;
    a->failed += b->failed;
    for (unsigned i = 0; i < OUTCOME_COUNT; i++)
        a->by_outcome[i] += b->by_outcome[i];
    for (unsigned i = 0; i < nodes; i++)
        node_merge(&a->nodes[i], &b->nodes[i]);
    hist_add(&into->service, &later->service);
    a->service = latency_of(&into->service);
}

/* Merges neighbours two by two. */
static void halve(struct series *s, bool across_phases)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->len; kept++) {
        struct entry *e = s->entries[i++];
        s->entries[kept] = e;
        if (i == s->len)
            continue;
        struct entry *next = s->entries[i];
        if (!across_phases && next->interval.phase != e->interval.phase)
            continue;
        entry_merge(e, next, s->nodes);
        entry_free(next);
        i++;
    }
    s->len = kept;
}

static void make_room(struct series *s)
{
    if (s->len < s->cap)
        return;
    s->halvings++;
    halve(s, false);
    if (s->len == s->cap)
        halve(s, true);
}

int series_add(struct series *s, const struct interval *interval, const struct hist *service,
               struct err *err)
{
    make_room(s);
    struct entry *e = entry_new(s->nodes, err);
    if (!e)
        return -1;
    struct interval_node *nodes = e->interval.nodes;
    e->interval = *interval;
    e->interval.nodes = nodes;
    memcpy(nodes, interval->nodes, s->nodes * sizeof(*nodes));
    hist_copy(&e->service, service);
    e->interval.service = latency_of(&e->service);
    s->entries[s->len++] = e;
    return 0;
}

size_t series_len(const struct series *s)
{
    return s->len;
}

const struct interval *series_at(const struct series *s, size_t index)
{
    assert(index < s->len);
    return &s->entries[index]->interval;
}

unsigned series_halvings(const struct series *s)
{
    return s->halvings;
}
