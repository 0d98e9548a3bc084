/* SPDX-License-Identifier: MIT */
#include "metrics/recovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS NS_PER_MS
#define S NS_PER_SEC

struct world {
    struct recorder *recorder;
    struct recovery *recovery;
    int window; /* index of the next one */
};

static struct world make(void)
{
    struct recorder_config recorder = {.nodes = 2, .phases = 1, .workers = 1};
    struct recovery_config recovery = {
        .nodes = 2, .band = BAND_CONFIG_DEFAULT, .steady_windows = 10};
    struct world w = {.recorder = recorder_new(&recorder, NULL)};
    assert_non_null(w.recorder);
    w.recovery = recovery_new(&recovery, w.recorder);
    assert_non_null(w.recovery);
    return w;
}

static void end(struct world *w)
{
    recovery_free(w->recovery);
    recorder_free(w->recorder);
}

/* Windows for both nodes until `until`; node 0 has `ok` successes in each, node 1 always 100. */
static void windows(struct world *w, ns_t until, uint64_t ok, bool is_baseline)
{
    for (; w->window * 100 * MS < until; w->window++) {
        struct window window = {.start_ns = w->window * 100 * MS,
                                .length_ns = 100 * MS,
                                .ok = ok,
                                .failed = ok == 0,
                                .p99_ns = MS};
        recovery_window(w->recovery, 0, &window, is_baseline);
        window.ok = 100;
        window.failed = 0;
        recovery_window(w->recovery, 1, &window, is_baseline);
        recovery_tick(w->recovery);
    }
}

static void record(struct world *w, enum outcome outcome, ns_t start, ns_t finish)
{
    struct sample s = {
        .outcome = outcome, .intended_ns = start, .start_ns = start, .end_ns = finish};
    recorder_record(w->recorder, 0, &s);
}

static void all_four_times_are_found(void **state)
{
    (void)state;
    struct world w = make();
    windows(&w, 5 * S, 100, true);
    int fault = recovery_fault_start(w.recovery, 0, 5 * S);
    record(&w, OUTCOME_IO_TIMEOUT, 4900 * MS, 5250 * MS);
    recovery_breaker(w.recovery, 1, BREAKER_VIEW_OPEN, 5300 * MS);
    recovery_breaker(w.recovery, 0, BREAKER_VIEW_OPEN, 5400 * MS);
    recovery_breaker(w.recovery, 0, BREAKER_VIEW_HALF_OPEN, 5500 * MS);
    recovery_breaker(w.recovery, 0, BREAKER_VIEW_OPEN, 5600 * MS);
    windows(&w, 8 * S, 0, false);
    recovery_fault_end(w.recovery, fault, 8 * S);
    assert_false(recovery_is_complete(w.recovery));
    record(&w, OUTCOME_HIT, 7990 * MS, 8100 * MS); /* started under the fault */
    record(&w, OUTCOME_HIT, 8200 * MS, 8201 * MS);
    windows(&w, 9 * S, 60, false); /* alive but not as before */
    windows(&w, 11 * S, 100, false);
    struct recovery_times t = recovery_times(w.recovery, fault);
    assert_int_equal(t.node, 0);
    assert_int_equal(t.first_error_ns, 5250 * MS);
    assert_int_equal(t.breaker_open_ns, 5400 * MS);
    assert_int_equal(t.first_success_ns, 8201 * MS);
    assert_int_equal(t.steady_ns, 9 * S);
    assert_false(t.superseded);
    assert_true(recovery_is_complete(w.recovery));
    end(&w);
}

static void never_is_a_value(void **state)
{
    (void)state;
    struct world w = make();
    windows(&w, 5 * S, 100, true);
    int fault = recovery_fault_start(w.recovery, 0, 5 * S);
    recovery_fault_end(w.recovery, fault, 6 * S);
    windows(&w, 60 * S, 0, false);
    struct recovery_times t = recovery_times(w.recovery, fault);
    assert_int_equal(t.first_error_ns, NS_NEVER);
    assert_int_equal(t.breaker_open_ns, NS_NEVER);
    assert_int_equal(t.first_success_ns, NS_NEVER);
    assert_int_equal(t.steady_ns, NS_NEVER);
    assert_false(recovery_is_complete(w.recovery));
    end(&w);
}

static void without_a_baseline_the_first_success_is_enough(void **state)
{
    (void)state;
    struct world w = make();
    int fault = recovery_fault_start(w.recovery, 0, 5 * S);
    recovery_fault_end(w.recovery, fault, 6 * S);
    record(&w, OUTCOME_HIT, 6 * S, 6 * S + MS);
    assert_false(recovery_is_complete(w.recovery));
    windows(&w, 8 * S, 100, false);
    assert_true(recovery_is_complete(w.recovery));
    assert_int_equal(recovery_times(w.recovery, fault).steady_ns, NS_NEVER);
    end(&w);
}

static void a_new_fault_supersedes_an_unfinished_recovery(void **state)
{
    (void)state;
    struct world w = make();
    windows(&w, 5 * S, 100, true);
    int first = recovery_fault_start(w.recovery, 0, 5 * S);
    recovery_breaker(w.recovery, 0, BREAKER_VIEW_OPEN, 5500 * MS);
    windows(&w, 6 * S, 0, false);
    recovery_fault_end(w.recovery, first, 6 * S);
    windows(&w, 6500 * MS, 100, false);
    int second = recovery_fault_start(w.recovery, 0, 6500 * MS);
    windows(&w, 7 * S, 0, false);
    recovery_fault_end(w.recovery, second, 7 * S);
    record(&w, OUTCOME_HIT, 7 * S, 7 * S + MS);
    windows(&w, 9 * S, 100, false);
    assert_true(recovery_times(w.recovery, first).superseded);
    assert_int_equal(recovery_times(w.recovery, first).steady_ns, NS_NEVER);
    /* The breaker was open already. */
    assert_int_equal(recovery_times(w.recovery, second).breaker_open_ns, 6500 * MS);
    assert_int_equal(recovery_times(w.recovery, second).steady_ns, 7 * S);
    assert_int_equal(recovery_times(w.recovery, second).first_success_ns, 7 * S + MS);
    assert_true(recovery_is_complete(w.recovery));
    end(&w);
}

static void faults_are_bounded_and_watches_are_given_back(void **state)
{
    (void)state;
    struct world w = make();
    for (int i = 0; i < RECOVERY_FAULTS_MAX; i++) {
        int fault = recovery_fault_start(w.recovery, 0, i * S);
        assert_int_equal(fault, i);
        record(&w, OUTCOME_RESET, i * S, i * S + MS);
        recovery_tick(w.recovery);
        assert_int_equal(recovery_times(w.recovery, fault).first_error_ns, i * S + MS);
        recovery_fault_end(w.recovery, fault, i * S + 500 * MS);
    }
    assert_int_equal(recovery_fault_start(w.recovery, 0, 5000 * S), -1);
    recovery_fault_end(w.recovery, -1, 5001 * S);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_four_times_are_found),
        cmocka_unit_test(never_is_a_value),
        cmocka_unit_test(without_a_baseline_the_first_success_is_enough),
        cmocka_unit_test(a_new_fault_supersedes_an_unfinished_recovery),
        cmocka_unit_test(faults_are_bounded_and_watches_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
