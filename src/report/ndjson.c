/* SPDX-License-Identifier: MIT */
/* The events of all runs in order of time. */
#include "report/event.h"
#include "report/formats.h"

#include <stdlib.h>

/* In this order when they happen at the same moment. */
enum kind {
    KIND_PHASE,
    KIND_FAULT_ON,
    KIND_BREAKER,
    KIND_FAULT_OFF,
    KIND_INTERVAL,
};

struct entry {
    ns_t at;
    enum kind kind;
    size_t index;
};

struct entries {
    struct entry *list;
    size_t count;
};

static void add(struct entries *e, ns_t at, enum kind kind, size_t index)
{
    if (at != NS_NEVER)
        e->list[e->count++] = (struct entry){at, kind, index};
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void gather(const struct run_result *run, struct entries *e)
{
    for (size_t i = 0; i < run->phase_count; i++)
        add(e, run->phases[i].start_ns, KIND_PHASE, i);
    for (size_t i = 0; i < run->fault_count; i++) {
        add(e, run->faults[i].times.fault_start_ns, KIND_FAULT_ON, i);
        add(e, run->faults[i].times.fault_end_ns, KIND_FAULT_OFF, i);
    }
    for (size_t i = 0; i < run->transition_count; i++)
        add(e, run->transitions[i].at_ns, KIND_BREAKER, i);
    for (size_t i = 0; i < run->interval_count; i++)
        add(e, run->intervals[i].end_ns, KIND_INTERVAL, i);
    qsort(e->list, e->count, sizeof(*e->list), compare);
}

static void write_entry(const struct event_stream *s, const struct run_result *run,
                        const struct entry *e)
{
    const struct interval *interval;
    const struct result_fault *fault;
    switch (e->kind) {
    case KIND_PHASE: event_phase(s, e->at, run->phases[e->index].name); break;
    case KIND_FAULT_ON:
    case KIND_FAULT_OFF:
        fault = &run->faults[e->index];
        event_fault(s, e->at, e->kind == KIND_FAULT_ON, fault->text, fault->node);
        break;
    case KIND_BREAKER: event_breaker(s, &run->transitions[e->index]); break;
    case KIND_INTERVAL:
        interval = &run->intervals[e->index];
        event_interval(s, interval,
                       interval->phase < run->phase_count ? run->phases[interval->phase].name
                                                          : NULL);
        break;
    }
}

static int write_run(const struct event_stream *s, const struct run_result *run)
{
    size_t most =
        run->phase_count + 2 * run->fault_count + run->transition_count + run->interval_count;
    struct entries entries = {.list = calloc(most + 1, sizeof(*entries.list))};
    if (!entries.list)
        return -1;
    gather(run, &entries);
    event_run_start(s, run->start_ns, run->scenario, run->seed);
    for (size_t i = 0; i < entries.count; i++)
        write_entry(s, run, &entries.list[i]);
    for (size_t i = 0; i < run->check_count; i++)
        event_check(s, run->end_ns, &run->checks[i]);
    event_run_end(s, run);
    free(entries.list);
    return 0;
}

static int write_ndjson(FILE *out, const struct result *r)
{
    struct event_stream s = {.out = out, .result = r};
    event_session_start(&s);
    for (size_t i = 0; i < r->run_count; i++) {
        s.run = r->runs_dropped + i + 1;
        if (write_run(&s, r->runs[i]) < 0)
            return -1;
    }
    s.run = 0;
    event_session_end(&s);
    return ferror(out) ? -1 : 0;
}

const struct report_format report_format_ndjson = {
    .name = "ndjson",
    .extension = ".ndjson",
    .help = "all events in order of time, one JSON object per line",
    .write = write_ndjson};
