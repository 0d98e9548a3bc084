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
        assert(event->at_ns >= plan->phase_start_ns[PHASE_FAULT]);
        assert(event->at_ns <= plan->phase_start_ns[PHASE_RECOVERY]);
        assert(event->fault < plan->fault_count);
        on += event->on ? 1 : -1;
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
        err.text[0] = '\0';
        if (plan_init(&plan, &scenario, 3, durations[i], &err) != 0) {
            assert(err.text[0] != '\0');
            continue;
        }
        check_plan(&plan);
        plan_deinit(&plan);
    }
    return 0;
}
