/* SPDX-License-Identifier: MIT */
/* Any text as a scenario file: it is refused with a message, or it makes a plan that is in order.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "scenario/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plan(const struct plan *plan)
{
    static bool on[PLAN_FAULTS_MAX];
    for (size_t i = 0; i < plan->event_count; i++) {
        const struct plan_event *event = &plan->events[i];
        assert(i == 0 || plan->events[i - 1].at_ns <= event->at_ns);
        assert(event->fault < plan->fault_count);
        size_t phase = plan->faults[event->fault].step->phase;
        assert(event->at_ns >= plan->phase_start_ns[phase]);
        assert(event->at_ns <= plan->phase_start_ns[phase + 1]);
        assert(event->position >= 0 && event->position <= 1);
        assert(on[event->fault] == (event->action != PLAN_ON));
        on[event->fault] = event->action != PLAN_OFF;
    }
    for (size_t i = 0; i < plan->fault_count; i++)
        assert(!on[i] && plan->faults[i].node < SCENARIO_NODES_MAX);
}

static void same_plans(const struct plan *a, const struct plan *b)
{
    assert(a->fault_count == b->fault_count && a->event_count == b->event_count);
    for (size_t i = 0; i < a->fault_count; i++)
        assert(a->faults[i].node == b->faults[i].node);
    for (size_t i = 0; i < a->event_count; i++)
        assert(a->events[i].at_ns == b->events[i].at_ns &&
               a->events[i].fault == b->events[i].fault);
}

static void try_plan(const struct scenario *scenario, const struct plan_config *config)
{
    static struct plan plan, again;
    struct err err = {""};
    if (plan_init(&plan, scenario, config, &err) != 0) {
        assert(err.text[0] != '\0');
        return;
    }
    check_plan(&plan);
    assert(plan_init(&again, scenario, config, &err) == 0);
    same_plans(&plan, &again);
    plan_deinit(&plan);
    plan_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scenario scenario;
    static struct yaml_problems problems;
    struct scenario_source source = {.name = "fuzz", .text = (const char *)data, .length = size};
    if (scenario_read(&source, &scenario, &problems) != 0) {
        assert(problems.count > 0);
        for (size_t i = 0; i < problems.count; i++)
            assert(problems.errors[i].text[0] != '\0');
        return 0;
    }
    assert(problems.count == 0);
    static const struct {
        ns_t duration;
        size_t nodes;
    } cases[] = {{0, 3}, {NS_PER_SEC, 5}, {3600 * NS_PER_SEC, 1}, {7 * NS_PER_SEC, 64}};
    static const double shares[SCENARIO_NODES_MAX] = {0.25, 0.5, 0.25};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plan_config config = {.node_count = cases[i].nodes,
                                     .duration = cases[i].duration,
                                     .seed = size,
                                     .key_shares = shares};
        try_plan(&scenario, &config);
    }
    return 0;
}
