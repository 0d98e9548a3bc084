/* SPDX-License-Identifier: MIT */
#include "report/collect.h"

#include <stdlib.h>
#include <string.h>

/* A histogram that is filled and read over and over. */
struct reader {
    const struct recorder *recorder;
    struct hist hist;
};

static struct latency service(struct reader *r, int phase, int64_t node, int op, bool succeeded)
{
    hist_reset(&r->hist);
    recorder_service(r->recorder, phase, node, op, succeeded, &r->hist);
    return latency_of(&r->hist);
}

static struct latency response(struct reader *r, int phase, bool succeeded)
{
    hist_reset(&r->hist);
    recorder_response(r->recorder, phase, succeeded, &r->hist);
    return latency_of(&r->hist);
}

static void collect_lateness(struct reader *r, int phase, struct result_phase *out)
{
    hist_reset(&r->hist);
    recorder_lateness(r->recorder, phase, &r->hist);
    out->lateness = latency_of(&r->hist);
    out->lateness_p10_ns = hist_value_at_percentile(&r->hist, 10);
}

static void *arena_copy(struct arena *arena, const void *from, size_t count, size_t size)
{
    void *copy = arena_array(arena, count, size);
    if (copy && from && count > 0)
        memcpy(copy, from, count * size);
    return copy;
}

/* NULL without memory, and of NULL. */
static struct hist_packed *arena_packed(struct arena *arena, const struct hist_packed *packed)
{
    return packed ? arena_copy(arena, packed, 1, hist_packed_size(packed)) : NULL;
}

/* A copy of what the reader holds; NULL without memory. */
static const struct hist_packed *pack(struct reader *r, struct arena *arena)
{
    struct hist_packed *packed = hist_pack(&r->hist);
    const struct hist_packed *copy = arena_packed(arena, packed);
    free(packed);
    return copy;
}

static int collect_phase_hists(struct reader *r, int phase, struct run_result *run)
{
    struct result_phase *out = &run->phases[phase];
    out->service = service(r, phase, RECORDER_ALL, RECORDER_ALL, true);
    out->service_hist = pack(r, &run->arena);
    out->response = response(r, phase, true);
    out->response_hist = pack(r, &run->arena);
    out->service_failed = service(r, phase, RECORDER_ALL, RECORDER_ALL, false);
    out->service_failed_hist = pack(r, &run->arena);
    return out->service_hist && out->response_hist && out->service_failed_hist ? 0 : -1;
}

static int collect_phases(const struct collect *c, struct reader *r, struct run_result *run)
{
    run->phases = arena_array(&run->arena, c->phase_count, sizeof(*run->phases));
    if (!run->phases)
        return -1;
    run->phase_count = c->phase_count;
    for (size_t i = 0; i < c->phase_count; i++) {
        int phase = (int)i;
        run->phases[i] = (struct result_phase){
            .name = arena_text(&run->arena, c->phases[i].name),
            .start_ns = c->phases[i].start_ns,
            .end_ns = c->phases[i].end_ns,
            .counts = recorder_counts(r->recorder, phase, RECORDER_ALL, RECORDER_ALL),
        };
        collect_lateness(r, phase, &run->phases[i]);
        if (!run->phases[i].name || collect_phase_hists(r, phase, run) < 0)
            return -1;
    }
    return 0;
}

static void collect_totals(struct reader *r, struct run_result *run)
{
    run->total = recorder_counts(r->recorder, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL);
    run->service = service(r, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL, true);
    run->service_failed = service(r, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL, false);
    run->response = response(r, RECORDER_ALL, true);
    run->response_failed = response(r, RECORDER_ALL, false);
    for (int op = 0; op < OP_COUNT; op++) {
        run->ops[op] = (struct result_op){
            .op = op,
            .counts = recorder_counts(r->recorder, RECORDER_ALL, RECORDER_ALL, op),
            .service = service(r, RECORDER_ALL, RECORDER_ALL, op, true),
            .service_failed = service(r, RECORDER_ALL, RECORDER_ALL, op, false),
        };
    }
}

static void collect_pool(const struct collect *c, unsigned node, struct result_node_run *out)
{
    out->pool_total_max = sampler_pool_total_max(c->sampler, node);
    if (!c->node_stats)
        return;
    out->stats = c->node_stats[node];
    out->pool_waiting_max = out->stats.pool_waiting_max;
    if (out->stats.pool_total_max > out->pool_total_max)
        out->pool_total_max = out->stats.pool_total_max;
}

static int collect_node(const struct collect *c, struct reader *r, unsigned node,
                        struct run_result *run)
{
    struct result_node_run *out = &run->nodes[node];
    out->counts = recorder_counts(r->recorder, RECORDER_ALL, node, RECORDER_ALL);
    out->service = service(r, RECORDER_ALL, node, RECORDER_ALL, true);
    out->phases = arena_array(&run->arena, c->phase_count, sizeof(*out->phases));
    out->phase_service = arena_array(&run->arena, c->phase_count, sizeof(*out->phase_service));
    if (c->traffic)
        out->phase_traffic = arena_array(&run->arena, c->phase_count, sizeof(*out->phase_traffic));
    if (!out->phases || !out->phase_service || (c->traffic && !out->phase_traffic))
        return -1;
    for (size_t i = 0; i < c->phase_count; i++) {
        out->phases[i] = recorder_counts(r->recorder, (int)i, node, RECORDER_ALL);
        out->phase_service[i] = service(r, (int)i, node, RECORDER_ALL, true);
        if (c->traffic)
            out->phase_traffic[i] = c->traffic[i * run->node_count + node];
    }
    collect_pool(c, node, out);
    for (int view = 0; c->transitions && view < BREAKER_VIEW_COUNT; view++)
        out->breaker_ns[view] = transitions_time_in(c->transitions, node, view, c->end_ns);
    return 0;
}

/* ---- cells and intervals ---- */

static int collect_cell(struct reader *r, const struct result_cell *key, struct run_result *run)
{
    struct result_cell *out = &run->cells[run->cell_count];
    *out = *key;
    out->count =
        recorder_count(r->recorder, (int)key->phase, key->node, (int)key->op, key->outcome);
    if (out->count == 0)
        return 0;
    if (run->cell_count == RESULT_CELLS_MAX) {
        run->cells_dropped++;
        return 0;
    }
    hist_reset(&r->hist);
    recorder_service_of(r->recorder, (int)key->phase, key->node, (int)key->op, key->outcome,
                        &r->hist);
    out->service = latency_of(&r->hist);
    out->hist = pack(r, &run->arena);
    run->cell_count++;
    return out->hist ? 0 : -1;
}

static int collect_node_cells(struct reader *r, unsigned phase, unsigned node,
                              struct run_result *run)
{
    struct result_cell key = {.phase = phase, .node = node};
    for (key.op = 0; key.op < OP_COUNT; key.op++)
        for (key.outcome = 0; key.outcome < OUTCOME_COUNT; key.outcome++)
            if (collect_cell(r, &key, run) < 0)
                return -1;
    return 0;
}

static int collect_cells(const struct collect *c, struct reader *r, struct run_result *run)
{
    struct result_cell *list = calloc(RESULT_CELLS_MAX + 1, sizeof(*list));
    int rc = list ? 0 : -1;
    run->cells = list;
    for (unsigned phase = 0; phase < c->phase_count && rc == 0; phase++) {
        for (unsigned node = 0; node < run->node_count && rc == 0; node++)
            rc = collect_node_cells(r, phase, node, run);
        if (rc == 0)
            rc = collect_node_cells(r, phase, RECORDER_NODE_UNKNOWN, run);
    }
    run->cells = arena_copy(&run->arena, list, run->cell_count, sizeof(*list));
    free(list);
    return rc == 0 && run->cells ? 0 : -1;
}

static int interval_copy(struct interval *to, const struct interval *from, struct run_result *run)
{
    struct arena *arena = &run->arena;
    *to = *from;
    to->nodes = arena_copy(arena, from->nodes, run->node_count, sizeof(*to->nodes));
    to->cells = arena_copy(arena, from->cells, from->cell_count, sizeof(*to->cells));
    to->service_hist = arena_packed(arena, from->service_hist);
    to->response_hist = arena_packed(arena, from->response_hist);
    for (size_t i = 0; to->cells && i < to->cell_count; i++)
        to->cells[i].service = arena_packed(arena, from->cells[i].service);
    return to->nodes && to->cells ? 0 : -1;
}

static int copy_intervals(void *arg, const struct series *series)
{
    struct run_result *run = arg;
    run->interval_halvings = series_halvings(series);
    run->intervals = arena_array(&run->arena, series_len(series), sizeof(*run->intervals));
    if (!run->intervals)
        return -1;
    for (; run->interval_count < series_len(series); run->interval_count++) {
        size_t i = run->interval_count;
        if (interval_copy(&run->intervals[i], series_at(series, i), run) < 0)
            return -1;
    }
    return 0;
}

static int collect_intervals(const struct collect *c, struct run_result *run)
{
    return sampler_series_see(c->sampler, copy_intervals, run);
}

static int collect_transitions(const struct collect *c, struct run_result *run)
{
    if (!c->transitions)
        return 0;
    size_t count = transitions_count(c->transitions);
    run->transitions = arena_array(&run->arena, count, sizeof(*run->transitions));
    if (!run->transitions)
        return -1;
    run->transition_count = transitions_read(c->transitions, 0, run->transitions, count);
    run->transitions_dropped = transitions_dropped(c->transitions);
    return 0;
}

static struct recovery_times fault_times(const struct collect *c, const struct collect_fault *f)
{
    if (f->handle >= 0)
        return sampler_fault_times(c->sampler, f->handle);
    return (struct recovery_times){
        .node = f->node,
        .fault_start_ns = f->start_ns,
        .fault_end_ns = f->end_ns,
        .first_error_ns = NS_NEVER,
        .breaker_open_ns = NS_NEVER,
        .first_success_ns = NS_NEVER,
        .steady_ns = NS_NEVER,
    };
}

static int collect_faults(const struct collect *c, struct run_result *run)
{
    run->faults = arena_array(&run->arena, c->fault_count, sizeof(*run->faults));
    if (!run->faults)
        return -1;
    run->fault_count = c->fault_count;
    for (size_t i = 0; i < c->fault_count; i++) {
        const struct collect_fault *f = &c->faults[i];
        run->faults[i] = (struct result_fault){
            .text = arena_text(&run->arena, f->text),
            .target = arena_text(&run->arena, f->target),
            .node = f->node,
            .phase = f->phase,
            .times = fault_times(c, f),
            .victims = f->victims,
            .may_miss = f->may_miss,
            .may_not_recover = f->may_not_recover || f->handle < 0,
            .breaker = f->breaker,
        };
        if (!run->faults[i].text || !run->faults[i].target)
            return -1;
    }
    return 0;
}

static void collect_facts(const struct collect *c, struct run_result *run)
{
    run->seed = c->seed;
    run->start_ns = c->start_ns;
    run->end_ns = c->end_ns;
    run->timeout_ns = c->timeout_ns;
    run->open_loop = c->open_loop;
    run->interrupted = c->interrupted;
    run->aborted = c->aborted;
    run->leaked_connections = c->leaked_connections;
    run->baseline_phase = c->baseline_phase;
    run->baseline = sampler_gate(c->sampler);
    run->longest_op_ns = recorder_longest_op(c->recorder);
    run->overdue = recorder_overdue(c->recorder, c->end_ns);
    run->overdue_ns = recorder_config(c->recorder)->overdue_ns;
    run->sampler_lag_max_ns = sampler_lag_max(c->sampler);
}

static void collect_host(struct run_result *run)
{
    run->host = host_use_none();
    for (size_t p = 0; p < run->phase_count; p++) {
        struct result_phase *phase = &run->phases[p];
        phase->host = host_use_none();
        for (size_t i = 0; i < run->interval_count; i++)
            if (run->intervals[i].phase == p)
                host_use_add(&phase->host, &run->intervals[i].host);
        if (phase->host.length_ns > 0)
            host_use_add(&run->host, &phase->host);
        phase->bottleneck = bottleneck_of(&phase->host, &phase->counts, &phase->lateness);
        if (!bottleneck_is_limit(run->bottleneck) && phase->bottleneck != BOTTLENECK_NONE) {
            run->bottleneck = phase->bottleneck;
            run->bottleneck_phase = (unsigned)p;
        }
    }
}

static int collect_all(const struct collect *c, struct reader *r, struct run_result *run)
{
    run->scenario = arena_text(&run->arena, c->scenario);
    run->description = arena_text(&run->arena, c->description);
    if (!run->scenario || !run->description)
        return -1;
    collect_facts(c, run);
    collect_totals(r, run);
    if (collect_phases(c, r, run) < 0)
        return -1;
    for (unsigned node = 0; node < run->node_count; node++) {
        if (collect_node(c, r, node, run) < 0)
            return -1;
    }
    if (!c->figures_only && (collect_cells(c, r, run) < 0 || collect_intervals(c, run) < 0))
        return -1;
    collect_host(run);
    if (collect_transitions(c, run) < 0)
        return -1;
    return collect_faults(c, run);
}

struct run_result *collect_run(const struct collect *c, struct err *err)
{
    struct reader reader = {.recorder = c->recorder};
    struct run_result *run = run_result_new(recorder_config(c->recorder)->nodes);
    if (!run || hist_init(&reader.hist, &LATENCY_HIST_CONFIG, NULL) < 0 ||
        collect_all(c, &reader, run) < 0) {
        err_set(err, "no memory for the result");
        run_result_free(run);
        run = NULL;
    }
    hist_deinit(&reader.hist);
    return run;
}
