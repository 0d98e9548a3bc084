/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "example.h"
#include "report/check_eval.h"
#include "report/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define S NS_PER_SEC
#define MS NS_PER_MS

static struct check_rule rule_of(const char *text)
{
    static const char *const phases[] = {"baseline", "fault", "recovery", "later", NULL};
    struct check_rule rule;
    struct err err = {""};
    size_t at;
    int rc = check_parse(text, phases, &rule, &at, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    return rule;
}

struct row {
    const char *text;
    enum check_state state;
    const char *measured;
};

static void judge_rows(struct run_result *run, const struct row *rows, size_t count)
{
    struct result *r = example_result();
    struct check_facts facts = {.run = run, .result = r};
    for (size_t i = 0; i < count; i++) {
        struct check_rule rule = rule_of(rows[i].text);
        struct check_outcome out = check_judge(&facts, &rule);
        if (out.state != rows[i].state || strcmp(out.measured, rows[i].measured) != 0)
            fail_msg("%s: state %d, %s", rows[i].text, out.state, out.measured);
    }
    result_free(r);
}

#define JUDGE(run, rows) judge_rows(run, rows, sizeof(rows) / sizeof((rows)[0]))

static void every_figure_has_its_value(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"error_rate < 12%", CHECK_MET, "11.33 %"},
        {"fault.error_rate <= 0.34", CHECK_MET, "34 %"},
        {"fault.error_rate < 0.34", CHECK_NOT_MET, "34 %"},
        {"fault.node1.error_rate == 1", CHECK_MET, "100 %"},
        {"faulted_nodes.failed == 34k", CHECK_MET, "34,000"},
        {"other_nodes.error_rate == 0", CHECK_MET, "0 %"},
        {"other_nodes.succeeded != 200k", CHECK_NOT_MET, "200,000"},
        {"attempted >= 300k", CHECK_MET, "300,000"},
        {"baseline.offered == 100k", CHECK_MET, "100,000"},
        {"baseline.lateness_p(99) < 20ms", CHECK_MET, "150 us"},
        {"lateness_p(50) < 20us", CHECK_NOT_MET, "30.0 us"},
        {"dropped == 0", CHECK_MET, "0"},
        {"drop_rate < 1%", CHECK_MET, "0 %"},
        {"hit_rate == 100%", CHECK_MET, "100 %"},
        {"goodput_per_s > 8k", CHECK_MET, "8,867"},
        {"fault.goodput_per_s > 8k", CHECK_NOT_MET, "6,600"},
        {"goodput >= 0.6", CHECK_MET, "66 %"}, /* over the phase with the fault */
        {"recovery.goodput >= 100%", CHECK_MET, "100 %"},
        {"wrong_values == 0", CHECK_MET, "0"},
        {"stale_reads == 0", CHECK_MET, "0"},
        {"recovery.p(99) < 5ms", CHECK_MET, "1.05 ms"},
        {"p(50) < 1ms", CHECK_MET, "210 us"},
        {"p(90) < 1ms", CHECK_MET, "420 us"},
        {"p(95) < 1ms", CHECK_MET, "630 us"},
        {"p(99.9) < 1ms", CHECK_NOT_MET, "1.68 ms"},
        {"min > 0ms", CHECK_MET, "105 us"},
        {"avg < 1ms", CHECK_MET, "262 us"},
        {"med < 1ms", CHECK_MET, "210 us"},
        {"max < 1ms", CHECK_NOT_MET, "4.20 ms"},
        {"response_p(99) < 1ms", CHECK_NOT_MET, "1.15 ms"},
        {"other_nodes.p(99) < 5ms", CHECK_MET, "1.05 ms"},
        {"max_operation < timeout + 50ms", CHECK_MET, "252 ms, the limit was 300 ms"},
        {"max_operation < timeout", CHECK_NOT_MET, "252 ms, the limit was 250 ms"},
        {"fault.max_operation < 1ms", CHECK_NOT_MET, "4.20 ms"},
        {"overdue == 0", CHECK_MET, "0"},
        {"leaked_connections == 0", CHECK_MET, "0"},
        {"pool_max <= 10", CHECK_MET, "10"},
        {"node1.first_error_within < 1s", CHECK_MET, "251 ms"},
        {"node1.first_success_within < 1s", CHECK_NOT_MET, "1.04 s"},
        {"node1.recovered_within < 5s", CHECK_MET, "1.10 s"},
        {"breaker(node1).opened_within < 2s", CHECK_MET, "253 ms"},
        {"breaker(node1).closed_within < 1s", CHECK_NOT_MET, "1.04 s"},
        {"breaker(node1).open_time < 20s", CHECK_MET, "11.0 s"},
        {"breaker(node1).half_open_time < 1s", CHECK_MET, "0"},
        {"breaker(faulted_nodes).opened == 1", CHECK_MET, "1"},
        {"breaker(other_nodes).opened == 0", CHECK_MET, "0"},
        {"breaker(node1).probes == 1", CHECK_MET, "1"},
        {"breaker(node1).probes_failed == 0", CHECK_MET, "0"},
        {"fault.breaker(node1).rejected > 30k", CHECK_MET, "33,970"},
        {"breaker(other_nodes).rejected == 0", CHECK_MET, "0"},
        {"errors only [timeout, breaker_open]", CHECK_MET, "30 io_timeout, 33,970 breaker_open"},
        {"errors only [io_timeout]", CHECK_NOT_MET,
         "30 io_timeout, 33,970 breaker_open (not allowed)"},
        {"other_nodes.errors only []", CHECK_MET, "no errors"},
        {"fault.p(99) < 2 * baseline.p(99) - 1ms", CHECK_MET, "1.05 ms, the limit was 1.10 ms"},
    };
    struct run_result *run = example_run();
    JUDGE(run, rows);
    run_result_free(run);
}

/* Requests of 100 bytes; under the fault three and two connections for what the breaker let
 * through. */
static void amplification_counts_requests_and_connections_per_operation_that_was_tried(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"fault.node1.amplification < 5", CHECK_NOT_MET, "5"},
        {"fault.node1.amplification <= 5", CHECK_MET, "5"},
        {"baseline.amplification < 1.01", CHECK_MET, "1"},
        {"other_nodes.amplification == 1", CHECK_MET, "1"},
        {"later.amplification < 3", CHECK_NOT_MEASURED, "not measured: the run had no such phase"},
    };
    static const struct row unknown[] = {
        {"fault.amplification < 3", CHECK_NOT_MEASURED,
         "not measured: no proxy counted what the client sent"},
    };
    struct run_result *run = example_run();
    JUDGE(run, unknown);
    for (unsigned node = 0; node < run->node_count; node++) {
        struct result_node_run *n = &run->nodes[node];
        n->phase_traffic = arena_array(&run->arena, run->phase_count, sizeof *n->phase_traffic);
        for (size_t p = 0; p < run->phase_count; p++)
            n->phase_traffic[p].bytes = 100 * n->phases[p].attempted;
    }
    struct result_node_run *hit = &run->nodes[0];
    uint64_t tried = hit->phases[1].attempted - hit->phases[1].by_outcome[OUTCOME_BREAKER_OPEN];
    assert_in_range(tried, 1, hit->phases[1].attempted - 1);
    hit->phase_traffic[1] = (struct traffic){.connections = 2 * tried, .bytes = 300 * tried};
    JUDGE(run, rows);
    run_result_free(run);
}

static void what_was_not_measured_is_never_a_pass(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"later.error_rate == 0", CHECK_NOT_MEASURED, "not measured: the run had no such phase"},
        {"later.errors only []", CHECK_NOT_MEASURED, "not measured: the run had no such phase"},
        {"node9.error_rate == 0", CHECK_NOT_MEASURED, "not measured: there is no such node"},
        {"breaker(node2).opened_within < 2s", CHECK_NOT_MEASURED,
         "not measured: no fault of these nodes was observed for that"},
        {"leaked_connections == 0", CHECK_NOT_MEASURED, "not measured: the kernel did not tell"},
        {"overdue == 0", CHECK_NOT_MEASURED, "not measured: there is no limit for operations"},
        {"breaker(node1).opened >= 0", CHECK_NOT_MEASURED,
         "not measured: there were more transitions than the log holds"},
        {"baseline.node2.p(99) < 5ms", CHECK_NOT_MEASURED,
         "not measured: no operation ended there"},
        {"baseline.node2.error_rate == 0", CHECK_NOT_MEASURED,
         "not measured: no operation ended there"},
        {"recovery.p(99) < 2 * later.p(99)", CHECK_NOT_MEASURED,
         "not measured: the run had no such phase"},
    };
    struct run_result *run = example_run();
    run->leaked_connections = -1;
    run->overdue_ns = NS_NEVER;
    run->transitions_dropped = 1;
    run->nodes[1].phases[0] = (struct recorder_counts){0};
    run->nodes[1].phase_service[0] = (struct latency){0};
    JUDGE(run, rows);
    run_result_free(run);
}

static void without_fault_breaker_or_baseline_there_is_nothing_to_measure(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"breaker(node1).opened == 0", CHECK_NOT_MEASURED,
         "not measured: the client has no circuit breaker"},
        {"faulted_nodes.error_rate > 0", CHECK_NOT_MEASURED, "not measured: no node had a fault"},
        {"goodput > 0", CHECK_NOT_MEASURED, "not measured: there is no baseline to compare with"},
        {"other_nodes.error_rate < 1", CHECK_MET, "11.33 %"},
    };
    struct run_result *run = example_run();
    run->nodes[0].stats.breaker = BREAKER_VIEW_NONE;
    run->fault_count = 0;
    run->baseline_phase = -1;
    JUDGE(run, rows);
    run_result_free(run);
}

static void what_never_came_fails_when_it_was_watched_for_long_enough(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"node1.recovered_within < 5s", CHECK_NOT_MET, "never"},
        {"node1.recovered_within < 9s", CHECK_NOT_MEASURED,
         "not measured: it did not come, and was only watched for 8.80 s"},
        {"breaker(node1).opened_within <= 10s", CHECK_NOT_MET, "never"},
        {"recovery.node1.p(99) < 5s", CHECK_NOT_MET, "never"}, /* only failures */
    };
    struct run_result *run = example_run();
    run->faults[0].times.steady_ns = run->faults[0].times.breaker_open_ns = NS_NEVER;
    run->nodes[0].phase_service[2] = (struct latency){0};
    run->nodes[0].phases[2].failed = 33000;
    JUDGE(run, rows);
    run_result_free(run);
}

static void healthy_share_comes_from_the_key_map(void **state)
{
    (void)state;
    struct result *r = example_result();
    struct run_result *run = example_run();
    struct check_facts facts = {.run = run, .result = r};
    struct check_rule rule = rule_of("goodput >= healthy_share");
    /* node1 gets a third of the baseline: two thirds are left, less the noise of 100,000. */
    struct check_outcome out = check_judge(&facts, &rule);
    assert_int_equal(out.state, CHECK_NOT_MET); /* 66 % are less than 66.67 - 3 * 0.211 = 66.03 */
    assert_string_equal(out.measured, "66 %, the limit was 66.03 %");
    run->phases[1].counts.succeeded += 100;
    assert_int_equal(check_judge(&facts, &rule).state, CHECK_MET);
    /* Without a baseline by node, the share of the key space: 66.6 %. */
    run->nodes[0].phases[0].attempted = run->nodes[1].phases[0].attempted = 0;
    out = check_judge(&facts, &rule);
    assert_string_equal(out.measured, "66.1 %, the limit was 66.15 %");
    r->nodes[0].key_share = r->nodes[1].key_share = 0;
    assert_int_equal(check_judge(&facts, &rule).state, CHECK_NOT_MEASURED);
    run_result_free(run);
    result_free(r);
}

static void a_closed_loop_is_judged_by_its_rate(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"fault.goodput >= 0.9", CHECK_NOT_MET, "66 %"},
    };
    struct run_result *run = example_run();
    run->open_loop = false;
    run->phases[1].counts.offered = 66000; /* as many as were made: says nothing */
    JUDGE(run, rows);
    run_result_free(run);
}

/* The example 1.5 s into its fault phase. */
static struct run_result *live_run(void)
{
    struct run_result *run = example_run();
    run->phase_count = 2;
    run->phases[1].end_ns = run->end_ns = EXAMPLE_START + 11500 * MS;
    run->faults[0].times.fault_end_ns = NS_NEVER;
    run->faults[0].times.first_success_ns = run->faults[0].times.steady_ns = NS_NEVER;
    run->faults[0].times.breaker_open_ns = NS_NEVER;
    return run;
}

static void while_the_run_goes_on_only_what_is_certain_ends_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fails;
    } rows[] = {
        {"fault.error_rate < 30%", true},
        {"fault.error_rate < 40%", false},
        {"recovery.error_rate == 0", false}, /* has not begun */
        {"breaker(node1).opened_within < 1s", true},
        {"breaker(node1).opened_within < 2s", false},
        {"node1.recovered_within < 1ms", false}, /* the fault still lasts */
        {"failed == 0", true},
        {"failed < 10", true},
        {"succeeded > 1M", false}, /* may still come */
        {"succeeded == 1M", false},
        {"errors only [timeout]", true},
        {"leaked_connections == 0", false},
        {"breaker(node1).closed_within < 1ms", false},
        {"goodput >= healthy_share + 5%", true},
        {"goodput >= healthy_share - 5%", false},
        {"max_operation < timeout", true},
    };
    struct result *r = example_result();
    struct run_result *run = live_run();
    run->leaked_connections = 5;
    struct check_facts facts = {.run = run, .result = r, .live = true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct check_outcome out = {0};
        struct check_rule rule = rule_of(rows[i].text);
        if (check_fails_already(&facts, &rule, &out) != rows[i].fails)
            fail_msg("%s: %s", rows[i].text, out.measured);
    }
    /* A phase that has just begun says nothing about rates. */
    struct check_outcome out;
    struct check_rule rule = rule_of("fault.error_rate < 30%");
    run->phases[1].end_ns = run->end_ns = run->phases[1].start_ns + 900 * MS;
    assert_false(check_fails_already(&facts, &rule, &out));
    run_result_free(run);
    result_free(r);
}

static void the_checks_of_a_scenario_decide(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum verdict verdict;
    } rows[] = {
        {"fault.error_rate < 40%", VERDICT_PASSED},
        {"fault.error_rate < 30%", VERDICT_FAILED},
        {"later.error_rate < 30%", VERDICT_INVALID},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct result *r = example_result();
        struct run_result *run = example_run();
        struct check_rule rule = rule_of(rows[i].text);
        assert_int_equal(check_add_all(run, r, &rule, 1, -1, ""), 0);
        assert_int_equal(verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT), 0);
        assert_int_equal(run->verdict, rows[i].verdict);
        run_result_free(run);
        result_free(r);
    }
}

static void a_check_that_ended_the_run_fails_it_and_those_not_measured_are_left_out(void **state)
{
    (void)state;
    struct result *r = example_result();
    struct run_result *run = live_run();
    struct check_rule rules[] = {rule_of("fault.error_rate < 40%"), rule_of("later.p(99) < 1ms")};
    run->aborted = true;
    assert_int_equal(check_add_all(run, r, rules, 2, 0, "41 %"), 0);
    assert_int_equal(run->check_count, 1);
    assert_string_equal(run->checks[0].measured, "41 %; this ended the run");
    assert_int_equal(verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT), 0);
    assert_int_equal(run->verdict, VERDICT_FAILED);
    run_result_free(run);
    result_free(r);
}

/* The parser may not see the outcomes, which belong to a higher layer. */
static void kinds_of_errors_are_the_outcomes_that_fail(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        bool listed = false;
        for (size_t k = 0; check_kinds[k].name; k++)
            listed = listed || strcmp(check_kinds[k].members[0], outcome_name(i)) == 0;
        if (outcome_is_failure(i) && !listed)
            fail_msg("%s cannot be written in a check", outcome_name(i));
    }
    for (size_t k = 0; check_kinds[k].name; k++) {
        assert_true(k < 64);
        for (size_t m = 0; m < CHECK_KIND_MEMBERS_MAX && check_kinds[k].members[m]; m++)
            assert_true(outcome_is_failure(outcome_by_name(check_kinds[k].members[m])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_has_its_value),
        cmocka_unit_test(
            amplification_counts_requests_and_connections_per_operation_that_was_tried),
        cmocka_unit_test(what_was_not_measured_is_never_a_pass),
        cmocka_unit_test(without_fault_breaker_or_baseline_there_is_nothing_to_measure),
        cmocka_unit_test(what_never_came_fails_when_it_was_watched_for_long_enough),
        cmocka_unit_test(healthy_share_comes_from_the_key_map),
        cmocka_unit_test(a_closed_loop_is_judged_by_its_rate),
        cmocka_unit_test(while_the_run_goes_on_only_what_is_certain_ends_it),
        cmocka_unit_test(the_checks_of_a_scenario_decide),
        cmocka_unit_test(a_check_that_ended_the_run_fails_it_and_those_not_measured_are_left_out),
        cmocka_unit_test(kinds_of_errors_are_the_outcomes_that_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
