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

static struct scenario scenario_in(const char *phases, const char *steps)
{
    char text[1024];
    struct scenario scenario;
    struct err err;
    snprintf(text, sizeof text, "name: x\ndescription: d\nphases: %s\nsteps:\n%s", phases, steps);
    if (scenario_parse("t", text, strlen(text), &scenario, &err) != 0)
        fail_msg("%s", err.text);
    return scenario;
}

static struct scenario scenario_of(const char *steps)
{
    return scenario_in("{baseline: 5s, fault: 10s, recovery: 5s}", steps);
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

static void steps_belong_to_their_phases(void **state)
{
    (void)state;
    struct scenario scenario =
        scenario_in("{baseline: 2s, slow: 4s, calm: 1s, down: 2s, recovery: 1s}",
                    "- {target: node 1, toxic: latency, at: 1s}\n"
                    "- {target: node 2, proxy: down, phase: down, for: 1s}\n");
    struct plan plan;
    struct err err;
    assert_int_equal(resolve(&plan, &scenario, 3, 20 * SEC, &err), 0);
    static const struct {
        ns_t at_ns;
        enum plan_action action;
        size_t fault;
    } expected[] = {
        {6 * SEC, PLAN_ON, 0},
        {12 * SEC, PLAN_OFF, 0},
        {14 * SEC, PLAN_ON, 1},
        {15 * SEC, PLAN_OFF, 1},
    };
    assert_int_equal(plan.event_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(plan.events[i].at_ns, expected[i].at_ns);
        assert_int_equal(plan.events[i].action, expected[i].action);
        assert_int_equal(plan.events[i].fault, expected[i].fault);
    }
    assert_int_equal(plan_phase_at(&plan, 13 * SEC), 2);
    assert_int_equal(plan_phase_at(&plan, 14 * SEC), 3);
    plan_deinit(&plan);
}

static void stagger_rolls_over_the_nodes_and_keeps_them_taking_turns(void **state)
{
    (void)state;
    struct scenario scenario =
        scenario_of("- {target: all, proxy: down, for: 2s, stagger: 3s, at: 1s}\n");
    struct plan plan;
    struct err err;
    assert_int_equal(resolve(&plan, &scenario, 3, 0, &err), 0);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(plan.events[i].fault, i / 2);
        assert_int_equal(plan.events[i].at_ns, (ns_t)(6 + 3 * (i / 2) + 2 * (i % 2)) * SEC);
    }
    plan_deinit(&plan);
    assert_int_equal(resolve(&plan, &scenario, 3, 5 * SEC, &err), 0); /* a quarter as long */
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(plan.events[i].fault, i / 2);
    assert_int_equal(plan.events[1].at_ns - plan.events[0].at_ns, 750 * MS);
    plan_deinit(&plan);
    assert_int_equal(resolve(&plan, &scenario, 5, 0, &err), -1);
    assert_non_null(strstr(err.text, "on node 4 after its phase has ended"));
}

static void jitter_delays_each_start_within_its_bound(void **state)
{
    (void)state;
    struct scenario scenario =
        scenario_of("- {target: node 1, proxy: down, for: 100ms, every: 500ms, jitter: 300ms}\n");
    struct plan plan;
    struct err err;
    ns_t least = NS_NEVER, most = 0;
    assert_int_equal(resolve(&plan, &scenario, 3, 0, &err), 0);
    assert_int_equal(plan.event_count, 40);
    for (size_t i = 0; i < plan.event_count; i += 2) {
        ns_t late = plan.events[i].at_ns - 5 * SEC - (ns_t)i / 2 * 500 * MS;
        assert_int_equal(plan.events[i].action, PLAN_ON);
        assert_int_equal(plan.events[i + 1].at_ns - plan.events[i].at_ns, 100 * MS);
        assert_in_range(late, 0, 300 * MS);
        least = ns_min(least, late);
        most = ns_max(most, late);
    }
    assert_true(least < 60 * MS && most > 240 * MS);
    plan_deinit(&plan);
}

static void a_ramp_changes_the_value_in_equal_steps(void **state)
{
    (void)state;
    struct scenario scenario =
        scenario_of("- {target: node 1, toxic: latency, for: 4s, toxicity: {from: 1, to: 0},\n"
                    "   attributes: {jitter: 7, latency: {from: 1, to: 8, steps: 4}}}\n");
    struct plan plan;
    struct err err;
    assert_int_equal(scenario.steps[0].ramp_steps, 10); /* the longer one's */
    scenario.steps[0].ramp_steps = 4;
    assert_int_equal(resolve(&plan, &scenario, 3, 0, &err), 0);
    assert_int_equal(plan.event_count, 5);
    static const double latency[] = {1, 3, 6, 8}, toxicity[] = {1, 2.0 / 3, 1.0 / 3, 0};
    for (size_t i = 0; i < 4; i++) {
        const struct plan_event *event = &plan.events[i];
        double share;
        struct fault_values values = plan_values_at(plan.faults[0].step, event->position, &share);
        assert_int_equal(event->action, i == 0 ? PLAN_ON : PLAN_CHANGE);
        assert_int_equal(event->at_ns, (ns_t)(5 + i) * SEC);
        assert_true(values.v[0] == latency[i] && values.v[1] == 7);
        assert_true(share > toxicity[i] - 1e-9 && share < toxicity[i] + 1e-9);
    }
    assert_int_equal(plan.events[4].action, PLAN_OFF);
    char text[128];
    plan_fault_text(&plan.faults[0], text, sizeof text);
    assert_string_equal(
        text, "latency downstream latency=1 jitter=7, to latency=8 toxicity=0 in 4 steps");
    plan_deinit(&plan);
}

/* Everything that can be drawn, drawn. */
#define DRAWN_STEPS                                                                     \
    "- {target: one, toxic: latency, attributes: {latency: 5}, for: 1s, jitter: 2s}\n"  \
    "- {target: minority, proxy: down, for: 50ms, every: 300ms, jitter: 200ms}\n"       \
    "- {target: majority, toxic: noop}\n- {target: random 3, toxic: timeout, at: 2s,\n" \
    "   for: 1s, stagger: 1s}\n"

static bool plans_equal(const struct plan *a, const struct plan *b)
{
    if (a->fault_count != b->fault_count || a->event_count != b->event_count)
        return false;
    for (size_t i = 0; i < a->fault_count; i++)
        if (a->faults[i].node != b->faults[i].node)
            return false;
    for (size_t i = 0; i < a->event_count; i++)
        if (a->events[i].at_ns != b->events[i].at_ns || a->events[i].fault != b->events[i].fault ||
            a->events[i].action != b->events[i].action)
            return false;
    return true;
}

static void the_same_seed_makes_the_same_plan_and_another_seed_another(void **state)
{
    (void)state;
    struct scenario scenario = scenario_of(DRAWN_STEPS);
    struct plan a, b;
    struct err err;
    size_t different = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct plan_config config = {.node_count = 5, .seed = seed};
        assert_int_equal(plan_init(&a, &scenario, &config, &err), 0);
        assert_int_equal(plan_init(&b, &scenario, &config, &err), 0);
        assert_true(plans_equal(&a, &b));
        plan_deinit(&b);
        config.seed = seed + 1000;
        assert_int_equal(plan_init(&b, &scenario, &config, &err), 0);
        different += !plans_equal(&a, &b);
        plan_deinit(&a);
        plan_deinit(&b);
    }
    assert_int_equal(different, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_keep_their_proportion),
        cmocka_unit_test(a_pulse_keeps_its_shape_when_phases_shrink),
        cmocka_unit_test(no_fault_outlasts_its_phase),
        cmocka_unit_test(targets_become_nodes),
        cmocka_unit_test(too_short_and_too_many_are_refused),
        cmocka_unit_test(steps_belong_to_their_phases),
        cmocka_unit_test(stagger_rolls_over_the_nodes_and_keeps_them_taking_turns),
        cmocka_unit_test(jitter_delays_each_start_within_its_bound),
        cmocka_unit_test(a_ramp_changes_the_value_in_equal_steps),
        cmocka_unit_test(the_same_seed_makes_the_same_plan_and_another_seed_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
