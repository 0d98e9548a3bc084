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
    long on = 0;
    for (size_t i = 0; i < plan->event_count; i++) {
        const struct plan_event *event = &plan->events[i];
        assert(i == 0 || plan->events[i - 1].at_ns <= event->at_ns);
        assert(event->fault < plan->fault_count);
        size_t phase = plan->faults[event->fault].step->phase;
        assert(event->at_ns >= plan->phase_start_ns[phase]);
        assert(event->at_ns <= plan->phase_start_ns[phase + 1]);
        on += event->action == PLAN_ON ? 1 : event->action == PLAN_OFF ? -1 : 0;
    }
    assert(on == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scenario scenario;
    static struct plan plan;
    struct err err = {""};
    if (scenario_parse("fuzz", (const char *)data, size, &scenario, &err) != 0) {
        assert(err.text[0] != '\0');
        return 0;
    }
    static const ns_t durations[] = {0, NS_PER_SEC, 3600 * NS_PER_SEC};
    for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
        struct plan_config config = {.node_count = 3, .duration = durations[i], .seed = size};
        err.text[0] = '\0';
        if (plan_init(&plan, &scenario, &config, &err) != 0) {
            assert(err.text[0] != '\0');
            continue;
        }
        check_plan(&plan);
        plan_deinit(&plan);
    }
    return 0;
}
