/* SPDX-License-Identifier: MIT */
#include "example.h"

#include <assert.h>
#include <string.h>

#define S NS_PER_SEC
#define MS NS_PER_MS
#define US NS_PER_US

static struct latency latency(uint64_t count, ns_t p50)
{
    return (struct latency){.count = count,
                            .min_ns = p50 / 2,
                            .mean_ns = p50 + p50 / 4,
                            .p50_ns = p50,
                            .p90_ns = 2 * p50,
                            .p95_ns = 3 * p50,
                            .p99_ns = 5 * p50,
                            .p999_ns = 8 * p50,
                            .max_ns = 20 * p50};
}

static struct recorder_counts counts(uint64_t hits, uint64_t timeouts, uint64_t rejected)
{
    struct recorder_counts c = {.offered = hits + timeouts + rejected,
                                .attempted = hits + timeouts + rejected,
                                .succeeded = hits,
                                .failed = timeouts + rejected};
    c.by_outcome[OUTCOME_HIT] = hits;
    c.by_outcome[OUTCOME_IO_TIMEOUT] = timeouts;
    c.by_outcome[OUTCOME_BREAKER_OPEN] = rejected;
    return c;
}

static void fill_phases(struct run_result *run)
{
    static const char *const names[] = {"baseline", "fault", "recovery"};
    static const ns_t ends[] = {10 * S, 20 * S, 30 * S};
    run->phase_count = 3;
    run->phases = arena_array(&run->arena, 3, sizeof(*run->phases));
    for (int i = 0; i < 3; i++) {
        run->phases[i] = (struct result_phase){
            .name = names[i],
            .start_ns = EXAMPLE_START + (i ? ends[i - 1] : 0),
            .end_ns = EXAMPLE_START + ends[i],
            .counts = i == 1 ? counts(66000, 30, 33970) : counts(100000, 0, 0),
            .service = latency(i == 1 ? 66000 : 100000, 210 * US),
            .response = latency(i == 1 ? 66000 : 100000, 230 * US),
            .service_failed = i == 1 ? latency(34000, 2 * US) : (struct latency){0},
            .lateness = latency(100000, 30 * US),
            .lateness_p10_ns = 20 * US,
        };
    }
}

static void fill_nodes(struct run_result *run)
{
    for (unsigned i = 0; i < 2; i++) {
        struct result_node_run *n = &run->nodes[i];
        n->counts = i == 0 ? counts(66000, 30, 33970) : counts(200000, 0, 0);
        n->service = latency(n->counts.succeeded, 210 * US);
        n->phases = arena_array(&run->arena, 3, sizeof(*n->phases));
        n->phase_service = arena_array(&run->arena, 3, sizeof(*n->phase_service));
        for (int p = 0; p < 3; p++)
            n->phases[p] =
                i == 0 && p == 1 ? counts(0, 30, 33970) : counts(i == 0 ? 33000 : 66000, 0, 0);
        for (int p = 0; p < 3; p++)
            n->phase_service[p] = latency(n->phases[p].succeeded, 210 * US);
        n->stats = (struct node_stats){
            .pool_active = 3, .pool_idle = 7, .pool_total = 10, .breaker = BREAKER_VIEW_CLOSED};
        n->pool_total_max = 10;
        n->breaker_ns[BREAKER_VIEW_CLOSED] = i == 0 ? 19 * S : 30 * S;
        n->breaker_ns[BREAKER_VIEW_OPEN] = i == 0 ? 11 * S : 0;
    }
}

static void fill_faults(struct run_result *run)
{
    run->fault_count = 1;
    run->faults = arena_array(&run->arena, 1, sizeof(*run->faults));
    run->faults[0] = (struct result_fault){
        .text = "blackhole, both directions",
        .node = 0,
        .phase = 1,
        .times = {.node = 0,
                  .fault_start_ns = EXAMPLE_START + 10 * S,
                  .fault_end_ns = EXAMPLE_START + 20 * S,
                  .first_error_ns = EXAMPLE_START + 10 * S + 251 * MS,
                  .breaker_open_ns = EXAMPLE_START + 10 * S + 253 * MS,
                  .first_success_ns = EXAMPLE_START + 21 * S + 40 * MS,
                  .steady_ns = EXAMPLE_START + 21 * S + 100 * MS},
        .victims = {.counted = true,
                    .connections = 10,
                    .chunks = 1042,
                    .bytes = 65000,
                    .connections_cut = 10},
        .breaker = BREAKER_MUST_OPEN,
    };
}

static void fill_series(struct run_result *run)
{
    static const struct transition transitions[] = {
        {EXAMPLE_START + 10 * S + 253 * MS, 0, BREAKER_VIEW_CLOSED, BREAKER_VIEW_OPEN,
         "6 consecutive failures"},
        {EXAMPLE_START + 21 * S, 0, BREAKER_VIEW_OPEN, BREAKER_VIEW_HALF_OPEN, ""},
        {EXAMPLE_START + 21 * S + 40 * MS, 0, BREAKER_VIEW_HALF_OPEN, BREAKER_VIEW_CLOSED,
         "probe succeeded"},
    };
    run->transition_count = 3;
    run->transitions = arena_array(&run->arena, 3, sizeof(*transitions));
    memcpy(run->transitions, transitions, sizeof(transitions));
    run->interval_count = 1;
    run->intervals = arena_array(&run->arena, 1, sizeof(*run->intervals));
    run->intervals[0] = (struct interval){.start_ns = EXAMPLE_START + 10 * S,
                                          .end_ns = EXAMPLE_START + 12 * S,
                                          .phase = 1,
                                          .offered = 20000,
                                          .succeeded = 13200,
                                          .failed = 6800,
                                          .service = latency(13200, 210 * US)};
    run->intervals[0].by_outcome[OUTCOME_HIT] = 13200;
    run->intervals[0].by_outcome[OUTCOME_IO_TIMEOUT] = 30;
    run->intervals[0].by_outcome[OUTCOME_BREAKER_OPEN] = 6770;
    run->intervals[0].nodes = arena_array(&run->arena, 2, sizeof(struct interval_node));
    run->intervals[0].nodes[0] = (struct interval_node){
        .failed = 6800, .stats = {.pool_waiting = 2, .breaker = BREAKER_VIEW_OPEN}};
    run->intervals[0].nodes[1] = (struct interval_node){
        .succeeded = 13200,
        .stats = {.pool_active = 3, .pool_idle = 7, .pool_total = 10, .breaker = 1}};
}

struct run_result *example_run(void)
{
    struct run_result *run = run_result_new(2);
    assert(run);
    run->scenario = "total-packet-drop";
    run->description = "One node goes silent for ten seconds.";
    run->seed = 42;
    run->start_ns = EXAMPLE_START;
    run->end_ns = EXAMPLE_START + 30 * S;
    run->baseline_phase = 0;
    fill_phases(run);
    run->total = counts(266000, 30, 33970);
    run->service = latency(266000, 210 * US);
    run->response = latency(266000, 230 * US);
    run->service_failed = run->response_failed = latency(34000, 2 * US);
    for (int op = 0; op < OP_COUNT; op++)
        run->ops[op].op = op;
    run->ops[OP_GET].counts = run->total;
    run->ops[OP_GET].service = run->service;
    fill_nodes(run);
    fill_faults(run);
    fill_series(run);
    run->baseline = (struct gate){.ok = true,
                                  .windows = 100,
                                  .succeeded = 100000,
                                  .goodput_per_s = 10000,
                                  .goodput_cv = 0.013};
    run->longest_op_ns = 252 * MS;
    run->overdue_ns = 500 * MS;
    run->sampler_lag_max_ns = 3 * MS;
    run->timeout_ns = 250 * MS;
    run->open_loop = true;
    run->leaked_connections = 0;
    return run;
}

struct result *example_result(void)
{
    static const struct named_value options[] = {
        {"scenario", "total-packet-drop"}, {"duration", "30s"}, {"concurrency", "100"}};
    struct result *r = result_new(2);
    assert(r);
    r->version = "0.1.0";
    r->seed = 42;
    r->command = "memchaos -scenario total-packet-drop -duration 30s -seed 42";
    r->options = arena_array(&r->arena, 3, sizeof(*r->options));
    memcpy(r->options, options, sizeof(options));
    r->option_count = 3;
    r->host = (struct result_host){"Linux 6.1.0", "1.6.18", 2};
    r->start_unix_ns = INT64_C(1700000000) * S;
    r->start_ns = EXAMPLE_START;
    r->end_ns = EXAMPLE_START + 31 * S;
    r->nodes[0] = (struct result_node){"node1", "127.0.0.1:31001", "127.0.0.1:21211", 0.334};
    r->nodes[1] = (struct result_node){"node2", "127.0.0.1:31002", "127.0.0.1:21212", 0.666};
    return r;
}
