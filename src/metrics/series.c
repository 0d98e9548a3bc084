/* SPDX-License-Identifier: MIT */
#include "metrics/series.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Merging only within phases frees nothing when there are as many phases as intervals. */
#define CAP_MIN 2

struct series {
    unsigned nodes;
    size_t cap;
    size_t len;
    size_t bytes;
    unsigned halvings;
    struct interval **entries; /* cap of them, the first len in use */
    struct hist scratch;       /* where packed histograms are added up */
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
    s->entries = calloc(s->cap, sizeof(struct interval *));
    if (!s->entries || hist_init(&s->scratch, &LATENCY_HIST_CONFIG, err) < 0) {
        err_set(err, "no memory for the time series");
        series_free(s);
        return NULL;
    }
    return s;
}

static void entry_free(struct interval *e)
{
    for (size_t i = 0; i < e->cell_count; i++)
        free(e->cells[i].service);
    free(e->cells);
    free(e->service_hist);
    free(e->response_hist);
    free(e->nodes);
    free(e);
}

void series_free(struct series *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++)
        entry_free(s->entries[i]);
    free(s->entries);
    hist_deinit(&s->scratch);
    free(s);
}

static size_t packed_bytes(const struct hist_packed *packed)
{
    return packed ? hist_packed_size(packed) : 0;
}

static size_t entry_bytes(const struct series *s, const struct interval *e)
{
    size_t bytes = sizeof(*e) + s->nodes * sizeof(*e->nodes) + e->cell_count * sizeof(*e->cells) +
                   packed_bytes(e->service_hist) + packed_bytes(e->response_hist);
    for (size_t i = 0; i < e->cell_count; i++)
        bytes += packed_bytes(e->cells[i].service);
    return bytes;
}

/* ---- copies ---- */

/* Returns false without memory; a missing original has a missing copy. */
static bool packed_copy(struct hist_packed **to, const struct hist_packed *from)
{
    *to = hist_packed_copy(from);
    return *to || !from;
}

static bool cells_copy(struct interval *to, const struct interval *from)
{
    to->cells = calloc(from->cell_count + 1, sizeof(*to->cells));
    if (!to->cells)
        return false;
    for (; to->cell_count < from->cell_count; to->cell_count++) {
        struct cell *cell = &to->cells[to->cell_count];
        *cell = from->cells[to->cell_count];
        if (!packed_copy(&cell->service, cell->service))
            return false;
    }
    return true;
}

static struct interval *entry_new(unsigned nodes, const struct interval *from)
{
    struct interval *e = malloc(sizeof(*e));
    if (!e)
        return NULL;
    *e = *from;
    e->cells = NULL;
    e->cell_count = 0;
    e->response_hist = NULL;
    e->nodes = calloc(nodes + 1, sizeof(*e->nodes));
    if (!packed_copy(&e->service_hist, from->service_hist) || !e->nodes ||
        !packed_copy(&e->response_hist, from->response_hist) || !cells_copy(e, from)) {
        entry_free(e);
        return NULL;
    }
    memcpy(e->nodes, from->nodes, nodes * sizeof(*e->nodes));
    return e;
}

/* ---- merging ---- */

/* Counts add up; what describes a moment is that of the later entry. */
static void node_merge(struct interval_node *into, const struct interval_node *later)
{
    into->succeeded += later->succeeded;
    into->failed += later->failed;
    into->stats = later->stats;
}

/* Returns the figures of the sum. Without memory for it the first one is kept. */
static struct latency packed_merge(struct series *s, struct hist_packed **into,
                                   const struct hist_packed *later)
{
    if (!*into && !later)
        return (struct latency){0};
    hist_reset(&s->scratch);
    if (*into)
        hist_packed_add(*into, &s->scratch);
    if (later)
        hist_packed_add(later, &s->scratch);
    struct hist_packed *sum = hist_pack(&s->scratch);
    if (sum) {
        free(*into);
        *into = sum;
    }
    return latency_of(&s->scratch);
}

/* Moves the next cell of either list to `out`, those of both merged. */
static void cells_step(struct series *s, struct interval *a, struct interval *b, size_t at[2],
                       struct cell *out)
{
    struct cell *mine = at[0] < a->cell_count ? &a->cells[at[0]] : NULL;
    struct cell *later = at[1] < b->cell_count ? &b->cells[at[1]] : NULL;
    assert(mine || later);
    int order = !mine ? 1 : !later ? -1 : cell_compare(mine, later);
    *out = order <= 0 ? *mine : *later;
    if (order == 0) {
        out->count += later->count;
        packed_merge(s, &out->service, later->service);
        free(later->service);
    }
    at[0] += order <= 0;
    at[1] += order >= 0;
}

/* Takes the cells of `b` over. Without memory they are lost; the counts beside them are not. */
static void cells_merge(struct series *s, struct interval *a, struct interval *b)
{
    struct cell *merged = calloc(a->cell_count + b->cell_count + 1, sizeof(*merged));
    if (!merged)
        return;
    size_t at[2] = {0, 0}, count = 0;
    while (at[0] < a->cell_count || at[1] < b->cell_count)
        cells_step(s, a, b, at, &merged[count++]);
    b->cell_count = 0;
    free(a->cells);
    a->cell_count = count;
    a->cells = realloc(merged, (count + 1) * sizeof(*merged));
    if (!a->cells)
        a->cells = merged;
}

static void entry_merge(struct series *s, struct interval *a, struct interval *b)
{
    a->end_ns = b->end_ns;
    a->phase = b->phase;
    a->offered += b->offered;
    a->dropped += b->dropped;
    a->succeeded += b->succeeded;
    a->failed += b->failed;
    for (unsigned i = 0; i < OUTCOME_COUNT; i++)
        a->by_outcome[i] += b->by_outcome[i];
    for (unsigned i = 0; i < s->nodes; i++)
        node_merge(&a->nodes[i], &b->nodes[i]);
    host_use_add(&a->host, &b->host);
    a->service = packed_merge(s, &a->service_hist, b->service_hist);
    a->response = packed_merge(s, &a->response_hist, b->response_hist);
    cells_merge(s, a, b);
}

/* Merges neighbours two by two. */
static void halve(struct series *s, bool across_phases)
{
    size_t kept = 0;
    s->bytes = 0;
    for (size_t i = 0; i < s->len; kept++) {
        struct interval *e = s->entries[i++];
        assert(e);
        s->entries[kept] = e;
        struct interval *next = i < s->len ? s->entries[i] : NULL;
        if (next && (across_phases || next->phase == e->phase)) {
            entry_merge(s, e, next);
            entry_free(next);
            i++;
        }
        s->bytes += entry_bytes(s, e);
    }
    s->len = kept;
}

static bool is_full(const struct series *s)
{
    return s->len == s->cap || (s->bytes > SERIES_BYTES_MAX && s->len > 1);
}

static void make_room(struct series *s)
{
    if (!is_full(s))
        return;
    s->halvings++;
    halve(s, false);
    if (is_full(s))
        halve(s, true);
}

int series_add(struct series *s, const struct interval *interval, struct err *err)
{
    make_room(s);
    struct interval *e = entry_new(s->nodes, interval);
    if (!e)
        return err_set(err, "no memory for an interval");
    s->bytes += entry_bytes(s, e);
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
    return s->entries[index];
}

size_t series_bytes(const struct series *s)
{
    return s->bytes;
}

unsigned series_halvings(const struct series *s)
{
    return s->halvings;
}
