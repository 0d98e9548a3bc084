/* SPDX-License-Identifier: MIT */
#include "report/collect.h"
#include "report/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS NS_PER_MS
#define S NS_PER_SEC

struct world {
    struct recorder *recorder;
    struct transitions *transitions;
    struct sampler *sampler;
    ns_t now;
};

static void record(struct world *w, unsigned node, enum outcome outcome)
{
    unsigned phase = recorder_phase(w->recorder);
    struct sample s = {.op = OP_GET,
                       .outcome = outcome,
                       .node = node,
                       .phase = phase,
                       .intended_ns = w->now,
                       .start_ns = w->now + MS,
                       .end_ns = w->now + 2 * MS};
    recorder_offered(w->recorder, 0, phase, 1);
    recorder_record(w->recorder, 0, &s);
}

static void run(struct world *w, int windows, enum outcome node0)
{
    for (int i = 0; i < windows; i++) {
        for (int n = 0; n < 40; n++) {
            record(w, 0, node0);
            record(w, 1, OUTCOME_HIT);
        }
        w->now += 100 * MS;
        sampler_tick(w->sampler, w->now);
    }
}

static void make(struct world *w)
{
    *w = (struct world){.now = 100 * S};
    struct recorder_config recorder = {
        .nodes = 2, .phases = 3, .workers = 1, .overdue_ns = 500 * MS};
    w->recorder = recorder_new(&recorder, NULL);
    w->transitions = transitions_new(2, 16, w->now);
    struct sampler_config sampler = {
        .recorder = w->recorder, .transitions = w->transitions, .baseline_phase = 0};
    w->sampler = sampler_new(&sampler, w->now, NULL);
}

/* Node 0 fails for one second and is well again at once. Returns the fault's handle. */
static int play(struct world *w)
{
    run(w, 50, OUTCOME_HIT);
    recorder_phase_set(w->recorder, 1);
    int handle = sampler_fault_start(w->sampler, 0, w->now);
    transitions_add(w->transitions, 0, BREAKER_VIEW_CLOSED, BREAKER_VIEW_OPEN, "x", w->now + 1);
    run(w, 10, OUTCOME_RESET);
    sampler_fault_end(w->sampler, handle, w->now);
    recorder_phase_set(w->recorder, 2);
    transitions_add(w->transitions, 0, BREAKER_VIEW_OPEN, BREAKER_VIEW_CLOSED, "y", w->now);
    run(w, 20, OUTCOME_HIT);
    sampler_stop(w->sampler, w->now);
    return handle;
}

static struct run_result *collect(const struct world *w, int handle)
{
    const struct collect_phase phases[] = {{"baseline", 100 * S, 105 * S},
                                           {"fault", 105 * S, 106 * S},
                                           {"recovery", 106 * S, 108 * S}};
    const struct collect_fault fault = {.text = "reset",
                                        .node = 0,
                                        .phase = 1,
                                        .handle = handle,
                                        .victims = {.counted = true, .connections_cut = 4},
                                        .breaker = BREAKER_MUST_OPEN};
    const struct node_stats stats[2] = {
        {.breaker = BREAKER_VIEW_CLOSED, .pool_total_max = 9, .pool_waiting_max = 4},
        {.breaker = BREAKER_VIEW_CLOSED},
    };
    const struct collect all = {.scenario = "reset",
                                .description = "d",
                                .seed = 1,
                                .start_ns = 100 * S,
                                .end_ns = w->now,
                                .baseline_phase = 0,
                                .recorder = w->recorder,
                                .sampler = w->sampler,
                                .transitions = w->transitions,
                                .node_stats = stats,
                                .phases = phases,
                                .phase_count = 3,
                                .faults = &fault,
                                .fault_count = 1};
    struct run_result *r = collect_run(&all, NULL);
    assert_non_null(r);
    return r;
}

/* The result does not need what it was made from. */
static void end(struct world *w)
{
    sampler_free(w->sampler);
    transitions_free(w->transitions);
    recorder_free(w->recorder);
}

/* Cells and intervals are two ways to take the same operations apart. */
static void check_histograms(const struct run_result *r)
{
    uint64_t by_cell = 0, by_interval = 0, buckets = 0;
    for (size_t i = 0; i < r->cell_count; i++) {
        by_cell += r->cells[i].count;
        assert_true(r->cells[i].count > 0);
        assert_int_equal(r->cells[i].hist->total, r->cells[i].service.count);
    }
    for (size_t i = 0; i < r->interval_count; i++) {
        assert_int_equal(r->intervals[i].service_hist->total, r->intervals[i].succeeded);
        assert_int_equal(r->intervals[i].response_hist->total, r->intervals[i].succeeded);
        for (size_t c = 0; c < r->intervals[i].cell_count; c++)
            by_interval += r->intervals[i].cells[c].service->total;
    }
    for (size_t i = 0; i < r->phase_count; i++)
        buckets += r->phases[i].service_hist->total + r->phases[i].service_failed_hist->total;
    assert_int_equal(by_cell, r->total.attempted);
    assert_int_equal(by_interval, r->total.attempted);
    assert_int_equal(buckets, r->total.attempted);
    assert_int_equal(r->cells_dropped, 0);
}

static void check_facts(const struct run_result *r)
{
    assert_int_equal(r->total.attempted, 80 * 80);
    assert_int_equal(r->total.offered, 80 * 80);
    assert_int_equal(r->total.failed, 400);
    assert_int_equal(r->phases[1].counts.failed, 400);
    assert_int_equal(r->phases[0].service.count, 4000);
    assert_in_range(r->service.p50_ns, MS, MS + MS / 50);
    assert_in_range(r->response.p50_ns, 2 * MS, 2 * MS + MS / 25);
    assert_int_equal(r->ops[OP_GET].counts.attempted, 6400);
    assert_int_equal(r->nodes[0].phases[1].failed, 400);
    assert_int_equal(r->nodes[0].pool_total_max, 9);
    assert_int_equal(r->nodes[0].pool_waiting_max, 4);
    assert_int_equal(r->nodes[0].breaker_ns[BREAKER_VIEW_OPEN], S - 1);
    assert_int_equal(r->transition_count, 2);
    assert_int_equal(r->faults[0].times.first_error_ns, 105 * S + 2 * MS);
    assert_int_equal(r->faults[0].times.breaker_open_ns, 105 * S + 1);
    assert_int_equal(r->faults[0].times.steady_ns, 106 * S);
    assert_true(r->interval_count >= 4);
    check_histograms(r);
}

static void a_scenario_in_virtual_time_becomes_a_passed_result(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    struct run_result *r = collect(&w, play(&w));
    end(&w);
    check_facts(r);
    struct result *session = result_new(2);
    assert_int_equal(verdict_judge(r, session, &VERDICT_CONFIG_DEFAULT), 0);
    assert_int_equal(r->verdict, VERDICT_PASSED);
    result_add_run(session, r);
    result_free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scenario_in_virtual_time_becomes_a_passed_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
