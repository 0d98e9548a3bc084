/* SPDX-License-Identifier: MIT */
#include "scenario/plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHASE_NS_MIN (100 * NS_PER_MS) /* shorter phases hold too few operations to judge */

static ns_t scaled(ns_t value, ns_t duration, ns_t length)
{
    return (ns_t)((__extension__(__int128) value * duration) / length);
}

static int place_phases(struct plan *plan, ns_t duration, struct err *err)
{
    ns_t length = scenario_length(&plan->scenario), sum = 0;
    if (duration <= 0)
        duration = length;
    for (int i = 0; i < PHASE_COUNT; i++) {
        ns_t phase = plan->scenario.phase_ns[i];
        plan->phase_start_ns[i] = scaled(sum, duration, length);
        sum += phase;
        if (phase > 0 && scaled(phase, duration, length) < PHASE_NS_MIN)
            return err_set(err,
                           "scenario %s: its %s phase would last less than 100 ms; "
                           "give a longer -duration",
                           plan->scenario.name, phase_names[i]);
    }
    plan->phase_start_ns[PHASE_COUNT] = duration;
    return 0;
}

static int place_faults(struct plan *plan, size_t node_count, struct err *err)
{
    uint64_t existing = node_count < 64 ? (UINT64_C(1) << node_count) - 1 : UINT64_MAX;
    plan->faults = calloc(PLAN_FAULTS_MAX, sizeof *plan->faults);
    if (plan->faults == NULL)
        return err_set(err, "scenario %s: out of memory", plan->scenario.name);
    for (size_t i = 0; i < plan->scenario.step_count; i++) {
        const struct scenario_step *step = &plan->scenario.steps[i];
        uint64_t nodes = step->nodes == UINT64_MAX ? existing : step->nodes;
        if (nodes & ~existing)
            return err_set(
                err, "scenario %s: step %zu aims at a node that does not exist; there are %zu",
                plan->scenario.name, i + 1, node_count);
        for (size_t node = 0; node < node_count; node++) {
            if (!(nodes & (UINT64_C(1) << node)))
                continue;
            if (plan->fault_count == PLAN_FAULTS_MAX)
                return err_set(err, "scenario %s: more than %d faults", plan->scenario.name,
                               PLAN_FAULTS_MAX);
            struct plan_fault *fault = &plan->faults[plan->fault_count++];
            *fault = (struct plan_fault){.step = step, .node = node};
            snprintf(fault->name, sizeof fault->name, "memchaos_%zu", i + 1);
        }
    }
    return 0;
}

static int compare_events(const void *a, const void *b)
{
    const struct plan_event *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->on != y->on)
        return x->on ? 1 : -1;
    return x->fault < y->fault ? -1 : x->fault > y->fault;
}

/* How often the step starts between `start` and `end`. */
static size_t repetitions(const struct scenario_step *step, ns_t start, ns_t end)
{
    if (step->every_ns == 0)
        return 1;
    ns_t count = (end - start + step->every_ns - 1) / step->every_ns;
    return count > PLAN_EVENTS_MAX ? PLAN_EVENTS_MAX : (size_t)count;
}

static ns_t fault_start(const struct plan *plan, const struct plan_fault *fault)
{
    assert(fault->step != NULL);
    ns_t begin = plan->phase_start_ns[PHASE_FAULT], end = plan->phase_start_ns[PHASE_RECOVERY];
    return begin + scaled(fault->step->at_ns, end - begin, plan->scenario.phase_ns[PHASE_FAULT]);
}

static int place_events(struct plan *plan, struct err *err)
{
    ns_t end = plan->phase_start_ns[PHASE_RECOVERY];
    size_t count = 0;
    for (size_t i = 0; i < plan->fault_count; i++)
        count += 2 * repetitions(plan->faults[i].step, fault_start(plan, &plan->faults[i]), end);
    if (count > PLAN_EVENTS_MAX)
        return err_set(err,
                       "scenario %s: its faults would be switched more than %d times; "
                       "give a shorter -duration",
                       plan->scenario.name, PLAN_EVENTS_MAX);
    plan->events = calloc(count > 0 ? count : 1, sizeof *plan->events);
    if (plan->events == NULL)
        return err_set(err, "scenario %s: out of memory", plan->scenario.name);
    for (size_t i = 0; i < plan->fault_count; i++) {
        const struct scenario_step *step = plan->faults[i].step;
        ns_t start = fault_start(plan, &plan->faults[i]);
        for (size_t n = repetitions(step, start, end); n > 0; n--, start += step->every_ns) {
            ns_t stop = ns_min(ns_add(start, step->for_ns), end);
            plan->events[plan->event_count++] =
                (struct plan_event){.at_ns = start, .on = true, .fault = i};
            plan->events[plan->event_count++] = (struct plan_event){.at_ns = stop, .fault = i};
        }
    }
    qsort(plan->events, plan->event_count, sizeof *plan->events, compare_events);
    return 0;
}

int plan_init(struct plan *plan, const struct scenario *scenario, size_t node_count, ns_t duration,
              struct err *err)
{
    *plan = (struct plan){.scenario = *scenario};
    if (place_phases(plan, duration, err) == 0 && place_faults(plan, node_count, err) == 0 &&
        place_events(plan, err) == 0)
        return 0;
    plan_deinit(plan);
    return -1;
}

void plan_deinit(struct plan *plan)
{
    free(plan->faults);
    free(plan->events);
    plan->faults = NULL;
    plan->events = NULL;
    plan->fault_count = plan->event_count = 0;
}

ns_t plan_length(const struct plan *plan)
{
    return plan->phase_start_ns[PHASE_COUNT];
}

enum phase plan_phase_at(const struct plan *plan, ns_t at_ns)
{
    int phase = PHASE_BASELINE;
    for (int i = 1; i < PHASE_COUNT; i++)
        if (plan->scenario.phase_ns[i] > 0 && at_ns >= plan->phase_start_ns[i])
            phase = i;
    return (enum phase)phase;
}

void plan_fault_text(const struct plan_fault *fault, char *text, size_t size)
{
    const struct scenario_step *step = fault->step;
    fault_text(step->fault, step->streams, step->toxicity, &step->values, text, size);
}
