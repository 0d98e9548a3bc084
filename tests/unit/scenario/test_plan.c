/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "scenario/plan.h"

#define SEC NS_PER_SEC
#define MS NS_PER_MS

static struct scenario scenario_of(const char *steps)
{
    char text[1024];
    struct scenario scenario;
    struct err err;
    snprintf(
        text, sizeof text,
        "name: x\ndescription: d\nphases: {baseline: 5s, fault: 10s, recovery: 5s}\nsteps:\n%s",
        steps);
    if (scenario_parse("t", text, strlen(text), &scenario, &err) != 0)
        fail_msg("%s", err.text);
    return scenario;
}

/* Phases of such a scenario by index. */
enum { FAULT = 1, RECOVERY = 2 };

static int resolve(struct plan *plan, const struct scenario *scenario, size_t nodes, ns_t duration,
                   struct err *err)
{
    struct plan_config config = {.node_count = nodes, .duration = duration, .seed = 1};
    return plan_init(plan, scenario, &config, err);
}

static void phases_keep_their_proportion(void **state)
{
    (void)state;
    struct scenario scenario = scenario_of("- {target: node 1, proxy: down}\n");
    static const struct {
        ns_t duration, fault, recovery, end;
    } cases[] = {
        {0, 5 * SEC, 15 * SEC, 20 * SEC},
        {20 * SEC, 5 * SEC, 15 * SEC, 20 * SEC},
        {2 * SEC, 500 * MS, 1500 * MS, 2 * SEC},
        {80 * SEC, 20 * SEC, 60 * SEC, 80 * SEC},
        {1209600 * SEC, 302400 * SEC, 907200 * SEC, 1209600 * SEC}, /* 336 h */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plan plan;
        struct err err;
        assert_int_equal(resolve(&plan, &scenario, 3, cases[i].duration, &err), 0);
        assert_int_equal(plan.phase_start_ns[FAULT], cases[i].fault);
        assert_int_equal(plan.phase_start_ns[RECOVERY], cases[i].recovery);
        assert_int_equal(plan_length(&plan), cases[i].end);
        assert_int_equal(plan.event_count, 2);
        assert_true(plan.events[0].action == PLAN_ON && plan.events[1].action == PLAN_OFF);
        assert_int_equal(plan.events[0].at_ns, cases[i].fault);
        assert_int_equal(plan.events[1].at_ns, cases[i].recovery);
        assert_int_equal(plan_phase_at(&plan, 0), SCENARIO_BASELINE);
        assert_int_equal(plan_phase_at(&plan, cases[i].fault - 1), SCENARIO_BASELINE);
        assert_int_equal(plan_phase_at(&plan, cases[i].fault), FAULT);
        assert_int_equal(plan_phase_at(&plan, cases[i].end), RECOVERY);
        plan_deinit(&plan);
    }
}

static void a_pulse_keeps_its_shape_when_phases_shrink(void **state)
{
    (void)state;
    struct scenario scenario =
        scenario_of("- {target: node 2, toxic: bandwidth, at: 2s, for: 300ms, every: 1s}\n");
    struct plan plan;
    struct err err;
    assert_int_equal(resolve(&plan, &scenario, 3, 10 * SEC, &err), 0);
    /* The fault phase is 2.5 s to 7.5 s; the step begins a fifth into it. */
    assert_int_equal(plan.event_count, 8);
    for (size_t i = 0; i < plan.event_count; i += 2) {
        assert_int_equal(plan.events[i].at_ns, 3500 * MS + (ns_t)i / 2 * SEC);
        assert_int_equal(plan.events[i + 1].at_ns, plan.events[i].at_ns + 300 * MS);
    }
    plan_deinit(&plan);
}

static void no_fault_outlasts_its_phase(void **state)
{
    (void)state;
    struct scenario scenario =
        scenario_of("- {target: node 1, proxy: down, at: 9900ms, for: 5s}\n"
                    "- {target: node 2, toxic: latency, for: 900ms, every: 1s, at: 500ms}\n");
    struct plan plan;
    struct err err;
    assert_int_equal(resolve(&plan, &scenario, 3, 0, &err), 0);
    int on = 0;
    for (size_t i = 0; i < plan.event_count; i++) {
        assert_true(plan.events[i].at_ns >= plan.phase_start_ns[FAULT]);
        assert_true(plan.events[i].at_ns <= plan.phase_start_ns[RECOVERY]);
        assert_true(i == 0 || plan.events[i - 1].at_ns <= plan.events[i].at_ns);
        on += plan.events[i].action == PLAN_ON ? 1 : -1;
    }
    assert_int_equal(on, 0);
    plan_deinit(&plan);
}

static void targets_become_nodes(void **state)
{
    (void)state;
    struct scenario scenario = scenario_of("- {target: all, proxy: down}\n"
                                           "- {target: nodes 1 3, toxic: latency, stream: both}\n");
    struct plan plan;
    struct err err;
    assert_int_equal(resolve(&plan, &scenario, 4, 0, &err), 0);
    static const size_t expected[] = {0, 1, 2, 3, 0, 2};
    assert_int_equal(plan.fault_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(plan.faults[i].node, expected[i]);
    char text[64];
    plan_fault_text(&plan.faults[0], text, sizeof text);
    assert_string_equal(text, "proxy down");
    plan_fault_text(&plan.faults[5], text, sizeof text);
    assert_string_equal(text, "latency both ways");
    plan_deinit(&plan);
    assert_int_equal(resolve(&plan, &scenario, 2, 0, &err), -1);
    assert_non_null(strstr(err.text, "step 2"));
}

static void too_short_and_too_many_are_refused(void **state)
{
    (void)state;
    struct scenario scenario =
        scenario_of("- {target: node 1, proxy: down, for: 5ms, every: 10ms}\n");
    struct plan plan;
    struct err err;
    assert_int_equal(resolve(&plan, &scenario, 3, 100 * MS, &err), -1);
    assert_non_null(strstr(err.text, "less than 100 ms"));
    assert_int_equal(resolve(&plan, &scenario, 3, 3600 * SEC, &err), -1);
    assert_non_null(strstr(err.text, "more than 100000 times"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_keep_their_proportion),
        cmocka_unit_test(a_pulse_keeps_its_shape_when_phases_shrink),
        cmocka_unit_test(no_fault_outlasts_its_phase),
        cmocka_unit_test(targets_become_nodes),
        cmocka_unit_test(too_short_and_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
