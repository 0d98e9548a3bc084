/* SPDX-License-Identifier: MIT */
#include "report/verdict.h"

#include "example.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct check *check_by_name(const struct run_result *run, const char *name)
{
    for (size_t i = 0; i < run->check_count; i++) {
        if (strcmp(run->checks[i].name, name) == 0)
            return &run->checks[i];
    }
    return NULL;
}

/* Each changes one thing in a run that otherwise passes. */

static void nothing(struct run_result *run)
{
    (void)run;
}

static void wrong_value(struct run_result *run)
{
    run->total.wrong = 1;
    run->total.by_outcome[OUTCOME_WRONG_VALUE] = 1;
}

static void unsteady(struct run_result *run)
{
    run->baseline.ok = false;
    snprintf(run->baseline.reason, sizeof(run->baseline.reason), "goodput varies");
}

static void wrong_and_unsteady(struct run_result *run)
{
    wrong_value(run);
    unsteady(run);
}

static void no_victim(struct run_result *run)
{
    run->faults[0].victims = (struct victims){.counted = true};
}

static void no_victim_but_allowed(struct run_result *run)
{
    no_victim(run);
    run->faults[0].may_miss = true;
}

static void victims_unknown(struct run_result *run)
{
    run->faults[0].victims = (struct victims){.counted = false};
}

static void victims_unknown_and_no_effect(struct run_result *run)
{
    victims_unknown(run);
    run->nodes[0].phases[1].failed = 0;
}

static void victims_unknown_but_slow(struct run_result *run)
{
    victims_unknown_and_no_effect(run);
    run->nodes[0].phase_service[1].p99_ns =
        2 * run->nodes[0].phase_service[0].p99_ns + NS_PER_MS + 1;
}

static void never_on_time(struct run_result *run)
{
    run->phases[0].lateness_p10_ns = 21 * NS_PER_MS;
}

static void saturated(struct run_result *run)
{
    run->phases[0].counts.dropped = run->phases[0].counts.offered / 50;
}

static void aborted(struct run_result *run)
{
    run->aborted = true;
    run->faults[0].victims = (struct victims){.counted = true};
    run->faults[0].times.first_success_ns = run->faults[0].times.steady_ns = NS_NEVER;
    run->nodes[0].stats.breaker = BREAKER_VIEW_OPEN;
    verdict_check_add(run, CHECK_EXPECTED, "p", false, "p(99) < 1ms", "2 ms; this ended the run");
}

static void nothing_succeeded(struct run_result *run)
{
    run->total.succeeded = 0;
}

static void overdue(struct run_result *run)
{
    run->overdue = 1;
}

static void overdue_and_no_victim(struct run_result *run)
{
    overdue(run);
    no_victim(run);
}

static void never_a_success(struct run_result *run)
{
    run->faults[0].times.first_success_ns = NS_NEVER;
}

static void never_steady(struct run_result *run)
{
    run->faults[0].times.steady_ns = NS_NEVER;
}

static void never_steady_but_hardly_watched(struct run_result *run)
{
    never_steady(run);
    run->end_ns = run->faults[0].times.fault_end_ns + 5 * NS_PER_SEC - 1;
}

static void superseded(struct run_result *run)
{
    never_steady(run);
    run->faults[0].times.superseded = true;
}

static void lasts_to_the_end(struct run_result *run)
{
    never_steady(run);
    run->faults[0].may_not_recover = true;
}

static void other_node_failed(struct run_result *run)
{
    run->nodes[1].phases[1].failed = 3;
}

static void other_node_failed_before(struct run_result *run)
{
    run->nodes[1].phases[2].failed = 3;
}

static void breaker_never_opened(struct run_result *run)
{
    run->faults[0].times.breaker_open_ns = NS_NEVER;
}

static void breaker_opened_but_must_not(struct run_result *run)
{
    run->faults[0].breaker = BREAKER_MUST_STAY_CLOSED;
}

static void breaker_left_open(struct run_result *run)
{
    run->nodes[0].stats.breaker = BREAKER_VIEW_OPEN;
}

static void interrupted(struct run_result *run)
{
    run->interrupted = true;
    never_steady(run);
}

static void interrupted_with_wrong_data(struct run_result *run)
{
    interrupted(run);
    wrong_value(run);
}

static void each_fact_has_its_verdict(void **state)
{
    (void)state;
    const struct {
        void (*change)(struct run_result *run);
        enum verdict verdict;
        const char *failed_check; /* NULL: none fails */
    } table[] = {
        {nothing, VERDICT_PASSED, NULL},
        {wrong_value, VERDICT_FAILED, "wrong_data"},
        {unsteady, VERDICT_INVALID, "baseline_steady"},
        {wrong_and_unsteady, VERDICT_FAILED, "wrong_data"},
        {no_victim, VERDICT_INVALID, "fault_hit"},
        {no_victim_but_allowed, VERDICT_PASSED, NULL},
        {victims_unknown, VERDICT_PASSED, NULL},
        {victims_unknown_and_no_effect, VERDICT_INVALID, "fault_hit"},
        {victims_unknown_but_slow, VERDICT_PASSED, NULL},
        {saturated, VERDICT_INVALID, "generator_kept_up"},
        {aborted, VERDICT_FAILED, "p"},
        {never_on_time, VERDICT_INVALID, "generator_on_time"},
        {nothing_succeeded, VERDICT_INVALID, "operations_done"},
        {overdue, VERDICT_FAILED, "no_operation_overdue"},
        {overdue_and_no_victim, VERDICT_INVALID, "fault_hit"},
        {never_a_success, VERDICT_FAILED, "recovered"},
        {never_steady, VERDICT_FAILED, "recovered"},
        {never_steady_but_hardly_watched, VERDICT_INVALID, "recovery_watched"},
        {superseded, VERDICT_PASSED, NULL},
        {lasts_to_the_end, VERDICT_PASSED, NULL},
        {other_node_failed, VERDICT_FAILED, "others_clean"},
        {other_node_failed_before, VERDICT_PASSED, NULL},
        {breaker_never_opened, VERDICT_FAILED, "breaker"},
        {breaker_opened_but_must_not, VERDICT_FAILED, "breaker"},
        {breaker_left_open, VERDICT_FAILED, "breaker_closed"},
        {interrupted, VERDICT_INTERRUPTED, "recovered"},
        {interrupted_with_wrong_data, VERDICT_FAILED, "wrong_data"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct result *r = example_result();
        struct run_result *run = example_run();
        table[i].change(run);
        assert_int_equal(verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT), 0);
        assert_int_equal(run->verdict, table[i].verdict);
        assert_int_equal(run->reason_count > 0, run->verdict != VERDICT_PASSED);
        size_t failed = 0;
        for (size_t c = 0; c < run->check_count; c++)
            failed += !run->checks[c].ok;
        assert_int_equal(failed > 0, table[i].failed_check != NULL);
        if (table[i].failed_check)
            assert_false(check_by_name(run, table[i].failed_check)->ok);
        result_add_run(r, run);
        assert_int_equal(r->verdict, table[i].verdict);
        result_free(r);
    }
}

static void the_scenario_adds_its_own_checks(void **state)
{
    (void)state;
    struct result *r = example_result();
    struct run_result *run = example_run();
    verdict_check_add(run, CHECK_EXPECTED, "goodput", true, "goodput above half", "66 %");
    verdict_check_add(run, CHECK_EXPECTED, "p99", false, "p99 below 1 ms", "1.05 ms");
    assert_int_equal(verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT), 0);
    assert_int_equal(run->verdict, VERDICT_FAILED);
    assert_true(check_by_name(run, "goodput")->ok);
    assert_int_equal(run->reason_count, 1);
    assert_string_equal(run->reasons[0], "p99 below 1 ms: 1.05 ms");
    run_result_free(run);
    result_free(r);
}

static void a_run_without_baseline_and_fault_can_pass(void **state)
{
    (void)state;
    struct result *r = example_result();
    struct run_result *run = example_run();
    run->baseline_phase = -1;
    run->fault_count = 0;
    run->overdue_ns = NS_NEVER;
    assert_int_equal(verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT), 0);
    assert_int_equal(run->verdict, VERDICT_PASSED);
    assert_int_equal(run->check_count, 2);
    run_result_free(run);
    result_free(r);
}

static void the_session_keeps_the_worst_verdict_and_the_latest_runs(void **state)
{
    (void)state;
    struct result *r = example_result();
    for (int i = 0; i < RESULT_RUNS_MAX + 5; i++) {
        struct run_result *run = run_result_new(2);
        run->verdict = i == 1 ? VERDICT_INVALID : VERDICT_PASSED;
        run->seed = (uint64_t)i;
        result_add_run(r, run);
    }
    assert_int_equal(r->run_count, RESULT_RUNS_MAX);
    assert_int_equal(r->runs_dropped, 5);
    assert_int_equal(r->runs[0]->seed, 5);
    assert_int_equal(r->verdict, VERDICT_INVALID);
    assert_int_equal(r->verdicts[VERDICT_INVALID], 1);
    assert_int_equal(r->verdicts[VERDICT_PASSED], RESULT_RUNS_MAX + 4);
    assert_int_equal(verdict_exit_code(r->verdict), 98);
    result_free(r);
}

static void the_host_is_described(void **state)
{
    (void)state;
    struct result *r = result_new(1);
    assert_int_equal(result_host_read(r), 0);
    assert_true(r->host.cpus > 0);
    assert_non_null(strchr(r->host.kernel, ' '));
    result_free(r);
}

static void exit_codes_are_those_users_know(void **state)
{
    (void)state;
    assert_int_equal(verdict_exit_code(VERDICT_PASSED), 0);
    assert_int_equal(verdict_exit_code(VERDICT_FAILED), 99);
    assert_int_equal(verdict_exit_code(VERDICT_INTERRUPTED), 105);
    assert_int_equal(verdict_worse(VERDICT_INVALID, VERDICT_FAILED), VERDICT_FAILED);
    assert_int_equal(verdict_worse(VERDICT_INVALID, VERDICT_INTERRUPTED), VERDICT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fact_has_its_verdict),
        cmocka_unit_test(the_scenario_adds_its_own_checks),
        cmocka_unit_test(a_run_without_baseline_and_fault_can_pass),
        cmocka_unit_test(the_session_keeps_the_worst_verdict_and_the_latest_runs),
        cmocka_unit_test(the_host_is_described),
        cmocka_unit_test(exit_codes_are_those_users_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
