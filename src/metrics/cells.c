/* SPDX-License-Identifier: MIT */
/*
 * The meter keeps, for every cell, its count and its packed histogram at the last cut. Only cells
 * whose count has changed are unpacked and compared, and only those take memory.
 */
#include "metrics/cells.h"

#include <stdlib.h>

struct mark {
    uint64_t count;
    struct hist_packed *service; /* NULL: empty */
};

struct cell_meter {
    const struct recorder *recorder;
    unsigned nodes;       /* one more than the recorder's: the unknown one */
    struct mark *marks;   /* node, op, outcome */
    struct hist now, old; /* scratch */
    struct cell list[CELLS_MAX];
    size_t len;
};

int cell_compare(const struct cell *a, const struct cell *b)
{
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->op != b->op)
        return a->op < b->op ? -1 : 1;
    return (a->outcome > b->outcome) - (a->outcome < b->outcome);
}

static size_t mark_count(const struct cell_meter *m)
{
    return (size_t)m->nodes * OP_COUNT * OUTCOME_COUNT;
}

struct cell_meter *cell_meter_new(const struct recorder *recorder, struct err *err)
{
    struct cell_meter *m = calloc(1, sizeof *m);
    if (m == NULL) {
        err_set(err, "no memory for the time series");
        return NULL;
    }
    m->recorder = recorder;
    m->nodes = recorder_config(recorder)->nodes + 1;
    m->marks = calloc(mark_count(m), sizeof *m->marks);
    if (m->marks == NULL || hist_init(&m->now, &LATENCY_HIST_CONFIG, err) < 0 ||
        hist_init(&m->old, &LATENCY_HIST_CONFIG, err) < 0) {
        err_set(err, "no memory for the time series");
        cell_meter_free(m);
        return NULL;
    }
    return m;
}

static void list_clear(struct cell_meter *m)
{
    while (m->len > 0)
        free(m->list[--m->len].service);
}

void cell_meter_free(struct cell_meter *m)
{
    if (m == NULL)
        return;
    list_clear(m);
    for (size_t i = 0; m->marks != NULL && i < mark_count(m); i++)
        free(m->marks[i].service);
    free(m->marks);
    hist_deinit(&m->now);
    hist_deinit(&m->old);
    free(m);
}

/* The histogram of what came since the mark, which is moved on. Without memory the mark stays, and
 * the next cut has it all. */
static struct hist_packed *service_cut(struct cell_meter *m, struct mark *mark,
                                       const struct cell *cell)
{
    hist_reset(&m->now);
    recorder_service_of(m->recorder, RECORDER_ALL, cell->node, (int)cell->op, (int)cell->outcome,
                        &m->now);
    struct hist_packed *whole = hist_pack(&m->now);
    if (whole == NULL)
        return NULL;
    if (mark->service != NULL) {
        hist_reset(&m->old);
        hist_packed_add(mark->service, &m->old);
        hist_subtract(&m->now, &m->old);
    }
    struct hist_packed *part = hist_pack(&m->now);
    if (part == NULL) {
        free(whole);
        return NULL;
    }
    free(mark->service);
    mark->service = whole;
    return part;
}

static void cell_cut(struct cell_meter *m, uint32_t node, enum op op, enum outcome outcome)
{
    unsigned index = node == RECORDER_NODE_UNKNOWN ? m->nodes - 1 : node;
    struct mark *mark = &m->marks[((size_t)index * OP_COUNT + op) * OUTCOME_COUNT + outcome];
    uint64_t count = recorder_count(m->recorder, RECORDER_ALL, node, (int)op, outcome);
    if (count == mark->count || m->len == CELLS_MAX)
        return;
    struct cell *cell = &m->list[m->len++];
    *cell = (struct cell){.node = node, .op = op, .outcome = outcome, .count = count - mark->count};
    mark->count = count;
    if (outcome_class(outcome) != OUTCOME_CLASS_NEUTRAL)
        cell->service = service_cut(m, mark, cell);
}

size_t cell_meter_cut(struct cell_meter *m, struct cell **out)
{
    list_clear(m);
    for (unsigned n = 0; n < m->nodes; n++) {
        uint32_t node = n == m->nodes - 1 ? RECORDER_NODE_UNKNOWN : n;
        for (unsigned op = 0; op < OP_COUNT; op++)
            for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++)
                cell_cut(m, node, op, outcome);
    }
    *out = m->list;
    return m->len;
}
