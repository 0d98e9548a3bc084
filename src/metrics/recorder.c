/* SPDX-License-Identifier: MIT */
/*
 * Every shard has its own counters and histograms, in memory of its own, so that workers on
 * different shards do not share cache lines. Cells are arrays indexed by phase, node (one more than
 * there are, for the unknown one), operation and outcome; a histogram's pointer is
 * NULL until the first sample for it arrives, and the worker that brings it installs the histogram
 * with one compare-and-swap. Without memory for it the sample is in the counters only.
 */
#include "metrics/recorder.h"

#include "metrics/watch.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64
#define SHARDS_DEFAULT 8

typedef _Atomic uint64_t counter;
typedef _Atomic(struct hist *) hist_slot;

enum arrival { ARRIVAL_OFFERED, ARRIVAL_DROPPED, ARRIVAL_COUNT };

struct shard {
    counter *counts;      /* phase, node, op, outcome */
    counter *arrivals;    /* phase, then enum arrival */
    counter *live_counts; /* node, then succeeded and failed */
    hist_slot *service;   /* phase, node, op, outcome; failures in the first shard only */
    hist_slot *response;  /* phase, succeeded */
    hist_slot *late;      /* phase */
    hist_slot *live;      /* node */
    counter overdue;
    _Atomic ns_t longest_ns;
    char padding[CACHE_LINE];
};

/* A worker's operation in flight, alone in its cache line. */
struct flight {
    _Alignas(CACHE_LINE) _Atomic ns_t start_ns; /* NS_NEVER: none */
};

struct recorder {
    struct recorder_config config;
    _Atomic unsigned phase;
    _Atomic ns_t longest_seen_ns;
    struct shard *shards;
    struct watches *watches;
    struct flight *flights;
};

/* ---- life cycle ---- */

static int config_check(const struct recorder_config *c, struct err *err)
{
    if (c->nodes < 1 || c->nodes > RECORDER_NODES_MAX)
        return err_set(err, "%u nodes: 1 to %d can be measured", c->nodes, RECORDER_NODES_MAX);
    if (c->phases < 1 || c->phases > RECORDER_PHASES_MAX)
        return err_set(err, "%u phases: 1 to %d can be measured", c->phases, RECORDER_PHASES_MAX);
    if (c->workers < 1 || c->workers > RECORDER_WORKERS_MAX)
        return err_set(err, "%u workers: 1 to %d can record", c->workers, RECORDER_WORKERS_MAX);
    if (c->shards > RECORDER_SHARDS_MAX || (c->shards & (c->shards - 1)) != 0)
        return err_set(err, "%u shards: a power of two up to %d is needed", c->shards,
                       RECORDER_SHARDS_MAX);
    return 0;
}

static unsigned shards_default(unsigned workers)
{
    unsigned shards = 1;
    while (shards < SHARDS_DEFAULT && shards < workers)
        shards *= 2;
    return shards;
}

static size_t cells(const struct recorder *r)
{
    return (size_t)r->config.phases * (r->config.nodes + 1) * OP_COUNT;
}

static int shard_init(const struct recorder *r, struct shard *s)
{
    s->counts = calloc(cells(r) * OUTCOME_COUNT, sizeof(*s->counts));
    s->arrivals = calloc((size_t)r->config.phases * ARRIVAL_COUNT, sizeof(*s->arrivals));
    s->live_counts = calloc(r->config.nodes * 2, sizeof(*s->live_counts));
    s->service = calloc(cells(r) * OUTCOME_COUNT, sizeof(*s->service));
    s->response = calloc(r->config.phases * 2, sizeof(*s->response));
    s->late = calloc(r->config.phases, sizeof(*s->late));
    s->live = calloc(r->config.nodes, sizeof(*s->live));
    bool ok = s->counts && s->arrivals && s->live_counts;
    return ok && s->service && s->response && s->late && s->live ? 0 : -1;
}

static void hists_free(hist_slot *slots, size_t count)
{
    for (size_t i = 0; slots && i < count; i++) {
        struct hist *h = atomic_load(&slots[i]);
        if (h)
            hist_deinit(h);
        free(h);
    }
    free(slots);
}

static void shard_deinit(const struct recorder *r, struct shard *s)
{
    hists_free(s->service, cells(r) * OUTCOME_COUNT);
    hists_free(s->response, r->config.phases * 2);
    hists_free(s->late, r->config.phases);
    hists_free(s->live, r->config.nodes);
    free(s->counts);
    free(s->arrivals);
    free(s->live_counts);
}

static struct flight *flights_new(unsigned workers)
{
    struct flight *flights = aligned_alloc(CACHE_LINE, workers * sizeof(*flights));
    for (unsigned i = 0; flights && i < workers; i++)
        atomic_init(&flights[i].start_ns, NS_NEVER);
    return flights;
}

struct recorder *recorder_new(const struct recorder_config *config, struct err *err)
{
    if (config_check(config, err) < 0)
        return NULL;
    struct recorder *r = calloc(1, sizeof(*r));
    if (!r) {
        err_set(err, "no memory for the recorder");
        return NULL;
    }
    r->config = *config;
    if (r->config.shards == 0)
        r->config.shards = shards_default(config->workers);
    if (r->config.overdue_ns <= 0)
        r->config.overdue_ns = NS_NEVER;
    r->shards = calloc(r->config.shards, sizeof(*r->shards));
    r->watches = calloc(r->config.nodes, sizeof(*r->watches));
    r->flights = flights_new(r->config.workers);
    bool ok = r->shards && r->watches && r->flights;
    for (unsigned i = 0; ok && i < r->config.shards; i++)
        ok = shard_init(r, &r->shards[i]) == 0;
    if (!ok) {
        err_set(err, "no memory for the recorder");
        recorder_free(r);
        return NULL;
    }
    return r;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    for (unsigned i = 0; r->shards && i < r->config.shards; i++)
        shard_deinit(r, &r->shards[i]);
    free(r->shards);
    free(r->watches);
    free(r->flights);
    free(r);
}

const struct recorder_config *recorder_config(const struct recorder *r)
{
    return &r->config;
}

void recorder_phase_set(struct recorder *r, unsigned phase)
{
    assert(phase < r->config.phases);
    atomic_store(&r->phase, phase);
}

unsigned recorder_phase(const struct recorder *r)
{
    return atomic_load_explicit(&r->phase, memory_order_relaxed);
}

/* ---- the workers' side ---- */

static void add(counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static uint64_t get(const counter *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static void raise_to(_Atomic ns_t *max, ns_t value)
{
    ns_t old = atomic_load_explicit(max, memory_order_relaxed);
    while (value > old && !atomic_compare_exchange_weak_explicit(
                              max, &old, value, memory_order_relaxed, memory_order_relaxed))
        ;
}

static struct shard *shard_of(struct recorder *r, unsigned worker)
{
    assert(worker < r->config.workers);
    return &r->shards[worker & (r->config.shards - 1)];
}

static unsigned node_index(const struct recorder *r, int64_t node)
{
    return node == RECORDER_NODE_UNKNOWN ? r->config.nodes : (unsigned)node;
}

static size_t cell_of(const struct recorder *r, unsigned phase, unsigned node, unsigned op)
{
    return ((size_t)phase * (r->config.nodes + 1) + node) * OP_COUNT + op;
}

/* The histogram of a slot, made by whoever comes first; NULL without memory. */
static struct hist *hist_install(hist_slot *slot)
{
    struct hist *made = calloc(1, sizeof(*made));
    if (!made || hist_init(made, &LATENCY_HIST_CONFIG, NULL) < 0) {
        free(made);
        return NULL;
    }
    struct hist *existing = NULL;
    if (atomic_compare_exchange_strong(slot, &existing, made))
        return made;
    hist_deinit(made);
    free(made);
    return existing;
}

static void hist_slot_record(hist_slot *slot, ns_t value)
{
    struct hist *h = atomic_load_explicit(slot, memory_order_acquire);
    if (__builtin_expect(!h, 0))
        h = hist_install(slot);
    if (h)
        hist_record_shared(h, value);
}

static void record_node(struct recorder *r, struct shard *shard, const struct sample *s, bool ok)
{
    add(&shard->live_counts[s->node * 2 + !ok], 1);
    if (ok) {
        hist_slot_record(&shard->live[s->node], s->end_ns - s->start_ns);
        watches_see(&r->watches[s->node], WATCH_SUCCESS, s->start_ns, s->end_ns);
    } else {
        watches_see(&r->watches[s->node], WATCH_ERROR, s->end_ns, s->end_ns);
    }
}

void recorder_record(struct recorder *r, unsigned worker, const struct sample *s)
{
    assert(s->phase < r->config.phases && s->op < OP_COUNT && s->outcome < OUTCOME_COUNT);
    assert(s->node < r->config.nodes || s->node == RECORDER_NODE_UNKNOWN);
    struct shard *shard = shard_of(r, worker);
    size_t cell = cell_of(r, s->phase, node_index(r, s->node), s->op);
    ns_t service_ns = s->end_ns - s->start_ns;
    add(&shard->counts[cell * OUTCOME_COUNT + s->outcome], 1);
    raise_to(&shard->longest_ns, service_ns);
    if (service_ns > r->config.overdue_ns)
        add(&shard->overdue, 1);

    if (outcome_class(s->outcome) == OUTCOME_CLASS_NEUTRAL)
        return;
    bool ok = outcome_is_success(s->outcome);
    struct shard *kept_in = ok ? shard : &r->shards[0];
    hist_slot_record(&kept_in->service[cell * OUTCOME_COUNT + s->outcome], service_ns);
    hist_slot_record(&shard->response[s->phase * 2 + ok], s->end_ns - s->intended_ns);
    if (s->node != RECORDER_NODE_UNKNOWN)
        record_node(r, shard, s, ok);
}

void recorder_op_begin(struct recorder *r, unsigned worker, ns_t start_ns)
{
    assert(worker < r->config.workers);
    atomic_store_explicit(&r->flights[worker].start_ns, start_ns, memory_order_relaxed);
}

void recorder_op_end(struct recorder *r, unsigned worker)
{
    recorder_op_begin(r, worker, NS_NEVER);
}

void recorder_offered(struct recorder *r, unsigned worker, unsigned phase, uint64_t count)
{
    assert(phase < r->config.phases);
    add(&shard_of(r, worker)->arrivals[phase * ARRIVAL_COUNT + ARRIVAL_OFFERED], count);
}

void recorder_dropped(struct recorder *r, unsigned worker, unsigned phase, uint64_t count)
{
    assert(phase < r->config.phases);
    add(&shard_of(r, worker)->arrivals[phase * ARRIVAL_COUNT + ARRIVAL_DROPPED], count);
}

void recorder_late(struct recorder *r, unsigned worker, unsigned phase, ns_t late_ns)
{
    assert(phase < r->config.phases);
    hist_slot_record(&shard_of(r, worker)->late[phase], late_ns);
}

/* ---- stall watch ---- */

ns_t recorder_oldest_in_flight(struct recorder *r, ns_t now)
{
    ns_t oldest = NS_NEVER;
    for (unsigned i = 0; i < r->config.workers; i++)
        oldest =
            ns_min(oldest, atomic_load_explicit(&r->flights[i].start_ns, memory_order_relaxed));
    ns_t age = oldest < now ? now - oldest : 0;
    raise_to(&r->longest_seen_ns, age);
    return age;
}

ns_t recorder_longest_op(const struct recorder *r)
{
    ns_t longest = atomic_load(&r->longest_seen_ns);
    for (unsigned i = 0; i < r->config.shards; i++)
        longest = ns_max(longest, atomic_load(&r->shards[i].longest_ns));
    return longest;
}

uint64_t recorder_overdue(const struct recorder *r, ns_t now)
{
    uint64_t overdue = 0;
    for (unsigned i = 0; i < r->config.shards; i++)
        overdue += get(&r->shards[i].overdue);
    for (unsigned i = 0; i < r->config.workers; i++) {
        ns_t start = atomic_load_explicit(&r->flights[i].start_ns, memory_order_relaxed);
        overdue += start < now && now - start > r->config.overdue_ns;
    }
    return overdue;
}

unsigned recorder_in_flight(const struct recorder *r)
{
    unsigned count = 0;
    for (unsigned i = 0; i < r->config.workers; i++)
        count += atomic_load_explicit(&r->flights[i].start_ns, memory_order_relaxed) != NS_NEVER;
    return count;
}

/* ---- watches ---- */

/* A watch is told to the outside as one number. */
static int arm(struct recorder *r, unsigned node, enum watch_kind kind, ns_t since)
{
    assert(node < r->config.nodes);
    int watch = watches_arm(&r->watches[node], kind, since);
    return watch < 0 ? -1 : (int)node * WATCHES_PER_NODE + watch;
}

int recorder_arm_first_error(struct recorder *r, unsigned node, ns_t since)
{
    return arm(r, node, WATCH_ERROR, since);
}

int recorder_arm_first_success(struct recorder *r, unsigned node, ns_t since)
{
    return arm(r, node, WATCH_SUCCESS, since);
}

static struct watches *watches_of(const struct recorder *r, int watch)
{
    assert((unsigned)watch / WATCHES_PER_NODE < r->config.nodes);
    return &r->watches[watch / WATCHES_PER_NODE];
}

ns_t recorder_watch_found_ns(const struct recorder *r, int watch)
{
    return watch < 0 ? NS_NEVER : watches_found(watches_of(r, watch), watch % WATCHES_PER_NODE);
}

void recorder_watch_release(struct recorder *r, int watch)
{
    if (watch >= 0)
        watches_release(watches_of(r, watch), watch % WATCHES_PER_NODE);
}

/* ---- readers ---- */

struct range {
    unsigned begin;
    unsigned end;
};

static struct range range_of(int64_t index, unsigned count)
{
    if (index == RECORDER_ALL)
        return (struct range){0, count};
    assert(index >= 0 && index < count);
    return (struct range){(unsigned)index, (unsigned)index + 1};
}

static struct range nodes_of(const struct recorder *r, int64_t node)
{
    return range_of(node == RECORDER_ALL ? node : node_index(r, node), r->config.nodes + 1);
}

typedef void visit_fn(void *arg, const struct shard *shard, size_t cell);

static void visit_ops(const struct recorder *r, size_t first_cell, struct range ops,
                      visit_fn *visit, void *arg)
{
    for (unsigned i = 0; i < r->config.shards; i++)
        for (unsigned op = ops.begin; op < ops.end; op++)
            visit(arg, &r->shards[i], first_cell + op);
}

/* Calls `visit` for every cell that phase, node and op select. */
static void visit_cells(const struct recorder *r, int phase, int64_t node, int op, visit_fn *visit,
                        void *arg)
{
    struct range phases = range_of(phase, r->config.phases);
    struct range nodes = nodes_of(r, node);
    struct range ops = range_of(op, OP_COUNT);
    for (unsigned p = phases.begin; p < phases.end; p++)
        for (unsigned n = nodes.begin; n < nodes.end; n++)
            visit_ops(r, cell_of(r, p, n, 0), ops, visit, arg);
}

static void visit_counts(void *arg, const struct shard *shard, size_t cell)
{
    struct recorder_counts *counts = arg;
    for (unsigned i = 0; i < OUTCOME_COUNT; i++)
        counts->by_outcome[i] += get(&shard->counts[cell * OUTCOME_COUNT + i]);
}

static void add_up(struct recorder_counts *counts)
{
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        uint64_t n = counts->by_outcome[i];
        counts->attempted += n;
        counts->succeeded += outcome_is_success(i) ? n : 0;
        counts->failed += outcome_is_failure(i) ? n : 0;
        counts->wrong += outcome_is_wrong_data(i) ? n : 0;
    }
}

struct recorder_counts recorder_counts(const struct recorder *r, int phase, int64_t node, int op)
{
    struct recorder_counts counts = {0};
    visit_cells(r, phase, node, op, visit_counts, &counts);
    add_up(&counts);
    if (node != RECORDER_ALL || op != RECORDER_ALL)
        return counts;
    struct range phases = range_of(phase, r->config.phases);
    for (unsigned i = 0; i < r->config.shards; i++) {
        for (unsigned p = phases.begin; p < phases.end; p++) {
            const counter *arrivals = r->shards[i].arrivals + (size_t)p * ARRIVAL_COUNT;
            counts.offered += get(arrivals + ARRIVAL_OFFERED);
            counts.dropped += get(arrivals + ARRIVAL_DROPPED);
        }
    }
    return counts;
}

static void hist_slot_add(const hist_slot *slot, struct hist *out)
{
    const struct hist *h = atomic_load_explicit(slot, memory_order_acquire);
    if (h)
        hist_add(out, h);
}

struct service_query {
    bool wanted[OUTCOME_COUNT];
    struct hist *out;
};

static void visit_service(void *arg, const struct shard *shard, size_t cell)
{
    const struct service_query *q = arg;
    for (unsigned i = 0; i < OUTCOME_COUNT; i++)
        if (q->wanted[i])
            hist_slot_add(&shard->service[cell * OUTCOME_COUNT + i], q->out);
}

void recorder_service(const struct recorder *r, int phase, int64_t node, int op, bool succeeded,
                      struct hist *out)
{
    struct service_query query = {.out = out};
    for (unsigned i = 0; i < OUTCOME_COUNT; i++)
        query.wanted[i] = succeeded ? outcome_is_success(i) : outcome_is_failure(i);
    visit_cells(r, phase, node, op, visit_service, &query);
}

struct outcome_query {
    enum outcome outcome;
    uint64_t count;
    struct hist *out;
};

static void visit_outcome_service(void *arg, const struct shard *shard, size_t cell)
{
    const struct outcome_query *q = arg;
    hist_slot_add(&shard->service[cell * OUTCOME_COUNT + q->outcome], q->out);
}

void recorder_service_of(const struct recorder *r, int phase, int64_t node, int op,
                         enum outcome outcome, struct hist *out)
{
    struct outcome_query query = {.outcome = outcome, .out = out};
    visit_cells(r, phase, node, op, visit_outcome_service, &query);
}

static void visit_outcome_count(void *arg, const struct shard *shard, size_t cell)
{
    struct outcome_query *q = arg;
    q->count += get(&shard->counts[cell * OUTCOME_COUNT + q->outcome]);
}

uint64_t recorder_count(const struct recorder *r, int phase, int64_t node, int op,
                        enum outcome outcome)
{
    struct outcome_query query = {.outcome = outcome};
    visit_cells(r, phase, node, op, visit_outcome_count, &query);
    return query.count;
}

void recorder_response(const struct recorder *r, int phase, bool succeeded, struct hist *out)
{
    struct range phases = range_of(phase, r->config.phases);
    for (unsigned i = 0; i < r->config.shards; i++)
        for (unsigned p = phases.begin; p < phases.end; p++)
            hist_slot_add(&r->shards[i].response[p * 2 + succeeded], out);
}

void recorder_lateness(const struct recorder *r, int phase, struct hist *out)
{
    struct range phases = range_of(phase, r->config.phases);
    for (unsigned i = 0; i < r->config.shards; i++)
        for (unsigned p = phases.begin; p < phases.end; p++)
            hist_slot_add(&r->shards[i].late[p], out);
}

void recorder_live(const struct recorder *r, int64_t node, struct hist *out)
{
    struct range nodes = range_of(node, r->config.nodes);
    for (unsigned i = 0; i < r->config.shards; i++)
        for (unsigned n = nodes.begin; n < nodes.end; n++)
            hist_slot_add(&r->shards[i].live[n], out);
}

struct recorder_live_counts recorder_live_counts(const struct recorder *r, unsigned node)
{
    assert(node < r->config.nodes);
    struct recorder_live_counts counts = {0};
    for (unsigned i = 0; i < r->config.shards; i++) {
        counts.succeeded += get(&r->shards[i].live_counts[node * 2]);
        counts.failed += get(&r->shards[i].live_counts[node * 2 + 1]);
    }
    return counts;
}
