/* SPDX-License-Identifier: MIT */
#include "metrics/sampler.h"

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
    unsigned intervals;
    struct interval last;
    uint32_t pool_total;
};

static void give_stats(void *arg, struct node_stats *out, unsigned nodes)
{
    const struct world *w = arg;
    for (unsigned i = 0; i < nodes; i++)
        out[i] = (struct node_stats){.pool_total = w->pool_total, .breaker = BREAKER_VIEW_CLOSED};
}

static void take_interval(void *arg, const struct interval *interval, unsigned nodes)
{
    struct world *w = arg;
    assert_int_equal(nodes, 2);
    w->intervals++;
    w->last = *interval;
}

static void make(struct world *w)
{
    *w = (struct world){.now = 1000 * S};
    struct recorder_config recorder = {.nodes = 2, .phases = 3, .workers = 1};
    w->recorder = recorder_new(&recorder, NULL);
    w->transitions = transitions_new(2, 16, w->now);
    struct sampler_config config = {.recorder = w->recorder,
                                    .transitions = w->transitions,
                                    .baseline_phase = 0,
                                    .node_stats = give_stats,
                                    .interval = take_interval,
                                    .arg = w};
    w->sampler = sampler_new(&config, w->now, NULL);
    assert_non_null(w->sampler);
}

static void end(struct world *w)
{
    sampler_free(w->sampler);
    transitions_free(w->transitions);
    recorder_free(w->recorder);
}

static void record(struct world *w, unsigned node, enum outcome outcome, ns_t latency)
{
    struct sample s = {.outcome = outcome,
                       .node = node,
                       .phase = recorder_phase(w->recorder),
                       .intended_ns = w->now,
                       .start_ns = w->now,
                       .end_ns = w->now + latency};
    recorder_record(w->recorder, 0, &s);
}

/* Node 1 always answers in 1 ms, 50 times per window; node 0 as told. */
static void run(struct world *w, ns_t length, enum outcome outcome, ns_t latency)
{
    for (ns_t end_ns = w->now + length; w->now < end_ns; w->now += 100 * MS) {
        for (int i = 0; i < 50; i++) {
            record(w, 0, outcome, latency);
            record(w, 1, OUTCOME_HIT, 1 * MS);
        }
        sampler_tick(w->sampler, w->now + 100 * MS);
    }
}

static void intervals_hold_differences(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    run(&w, 2 * S, OUTCOME_HIT, 1 * MS);
    assert_int_equal(w.intervals, 1);
    assert_int_equal(w.last.succeeded, 2000);
    assert_in_range(w.last.service.p99_ns, MS, MS + MS / 50);
    run(&w, 2 * S, OUTCOME_MISS, 20 * MS);
    assert_int_equal(w.intervals, 2);
    assert_int_equal(w.last.start_ns, 1002 * S);
    assert_int_equal(w.last.end_ns, 1004 * S);
    assert_int_equal(w.last.by_outcome[OUTCOME_HIT], 1000);
    assert_int_equal(w.last.by_outcome[OUTCOME_MISS], 1000);
    /* Half of this interval took 20 ms, of the whole run a quarter. */
    assert_in_range(w.last.service.p50_ns, MS, MS + MS / 50);
    assert_in_range(w.last.service.p90_ns, 20 * MS, 21 * MS);
    run(&w, 2 * S, OUTCOME_RESET, 1 * MS);
    assert_int_equal(w.last.failed, 1000);
    assert_int_equal(w.last.succeeded, 1000);
    assert_in_range(w.last.service.max_ns, MS, MS + MS / 50);
    end(&w);
}

static void a_phase_change_cuts_the_interval(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    run(&w, 1 * S, OUTCOME_HIT, 1 * MS);
    recorder_phase_set(w.recorder, 1);
    run(&w, 100 * MS, OUTCOME_HIT, 1 * MS);
    assert_int_equal(w.intervals, 1);
    assert_int_equal(w.last.phase, 0);
    assert_int_equal(w.last.end_ns, 1001 * S + 100 * MS);
    run(&w, 500 * MS, OUTCOME_HIT, 1 * MS);
    sampler_stop(w.sampler, w.now);
    assert_int_equal(w.intervals, 2);
    assert_int_equal(w.last.phase, 1);
    const struct series *series = sampler_series(w.sampler);
    assert_int_equal(series_len(series), 2);
    assert_int_equal(series_at(series, 0)->succeeded + series_at(series, 1)->succeeded, 1600);
    end(&w);
}

static void intervals_have_cells_and_response_times(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    run(&w, 2 * S, OUTCOME_RESET, 5 * MS);
    run(&w, 2 * S, OUTCOME_HIT, 3 * MS);
    sampler_stop(w.sampler, w.now);
    const struct series *series = sampler_series(w.sampler);
    assert_int_equal(series_len(series), 2);
    const struct interval *first = series_at(series, 0), *second = series_at(series, 1);
    assert_int_equal(first->cell_count, 2);
    assert_int_equal(first->cells[0].node, 0);
    assert_int_equal(first->cells[0].outcome, OUTCOME_RESET);
    assert_int_equal(first->cells[0].count, 1000);
    assert_int_equal(first->cells[0].service->total, 1000);
    assert_int_equal(first->cells[0].service->max, 5 * MS);
    assert_int_equal(first->cells[1].node, 1);
    /* The second interval holds only what came after the first. */
    assert_int_equal(second->cell_count, 2);
    assert_int_equal(second->cells[0].outcome, OUTCOME_HIT);
    assert_int_equal(second->cells[1].count, 1000);
    assert_int_equal(second->cells[1].service->total, 1000);
    assert_int_equal(second->response.count, 2000);
    assert_int_equal(second->response_hist->total, 2000);
    assert_int_equal(first->response.count, 1000);
    assert_in_range(second->response.p99_ns, 3 * MS, 3 * MS + MS / 20);
    end(&w);
}

static void a_whole_scenario_gives_gate_and_recovery(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    w.pool_total = 3;
    run(&w, 5 * S, OUTCOME_HIT, 1 * MS);
    assert_true(sampler_gate(w.sampler).ok);
    recorder_phase_set(w.recorder, 1);
    int fault = sampler_fault_start(w.sampler, 0, w.now);
    w.pool_total = 10;
    run(&w, 1 * S, OUTCOME_IO_TIMEOUT, 250 * MS);
    transitions_add(w.transitions, 0, BREAKER_VIEW_CLOSED, BREAKER_VIEW_OPEN, "test", w.now);
    run(&w, 1 * S, OUTCOME_BREAKER_OPEN, 1);
    w.pool_total = 4;
    recorder_phase_set(w.recorder, 2);
    sampler_fault_end(w.sampler, fault, w.now);
    assert_false(sampler_is_recovered(w.sampler));
    run(&w, 300 * MS, OUTCOME_BREAKER_OPEN, 1);
    run(&w, 2 * S, OUTCOME_HIT, 1 * MS);
    assert_true(sampler_is_recovered(w.sampler));
    struct recovery_times t = sampler_fault_times(w.sampler, fault);
    assert_int_equal(t.first_error_ns, 1005 * S + 250 * MS);
    assert_int_equal(t.breaker_open_ns, 1006 * S);
    assert_int_equal(t.first_success_ns, 1007 * S + 301 * MS);
    assert_int_equal(t.steady_ns, 1007 * S + 300 * MS);
    assert_int_equal(sampler_pool_total_max(w.sampler, 0), 10);
    assert_true(sampler_gate(w.sampler).ok); /* the baseline alone is judged */
    assert_int_equal(sampler_lag_max(w.sampler), 0);
    end(&w);
}

static void a_late_tick_makes_a_longer_window(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    sampler_tick(w.sampler, w.now + 99 * MS); /* too early: nothing */
    assert_int_equal(sampler_deadline(w.sampler), w.now + 100 * MS);
    sampler_tick(w.sampler, w.now + 350 * MS);
    assert_int_equal(sampler_lag_max(w.sampler), 250 * MS);
    assert_int_equal(sampler_deadline(w.sampler), w.now + 450 * MS);
    end(&w);
}

static void the_thread_starts_and_stops(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    sampler_free(w.sampler);
    w.now = ns_now();
    struct sampler_config config = {.recorder = w.recorder,
                                    .baseline_phase = -1,
                                    .window_ns = 1 * MS,
                                    .interval_ns = 2 * MS,
                                    .node_stats = give_stats,
                                    .interval = take_interval,
                                    .arg = &w};
    w.sampler = sampler_new(&config, w.now, NULL);
    assert_int_equal(sampler_start(w.sampler, NULL), 0);
    for (int i = 0; i < 100; i++)
        record(&w, 0, OUTCOME_HIT, 1 * MS);
    sampler_fault_end(w.sampler, sampler_fault_start(w.sampler, 0, w.now), w.now);
    sampler_stop(w.sampler, ns_now());
    uint64_t total = 0;
    for (size_t i = 0; i < series_len(sampler_series(w.sampler)); i++)
        total += series_at(sampler_series(w.sampler), i)->succeeded;
    assert_int_equal(total, 100);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_hold_differences),
        cmocka_unit_test(a_phase_change_cuts_the_interval),
        cmocka_unit_test(intervals_have_cells_and_response_times),
        cmocka_unit_test(a_whole_scenario_gives_gate_and_recovery),
        cmocka_unit_test(a_late_tick_makes_a_longer_window),
        cmocka_unit_test(the_thread_starts_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
