/* SPDX-License-Identifier: MIT */
#include "scenario/plan.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAMP_NS_MIN (10 * NS_PER_MS)   /* between two values of a ramp */
#define PHASE_NS_MIN (100 * NS_PER_MS) /* shorter phases hold too few operations to judge */

/* Random streams of a plan: one per step for its targets, one per fault for its jitter. */
#define STREAM_TARGETS UINT64_C(0x7467740000000000)
#define STREAM_JITTER UINT64_C(0x6a69740000000000)

static ns_t scaled(ns_t value, ns_t duration, ns_t length)
{
    return (ns_t)((__extension__(__int128) value * duration) / length);
}

static ns_t phase_end(const struct plan *plan, size_t phase)
{
    return plan->phase_start_ns[phase + 1];
}

/* `value` of the file, scaled as its phase was. */
static ns_t in_phase(const struct plan *plan, size_t phase, ns_t value)
{
    return scaled(value, phase_end(plan, phase) - plan->phase_start_ns[phase],
                  plan->scenario.phases[phase].length_ns);
}

static int place_phases(struct plan *plan, ns_t duration, struct err *err)
{
    ns_t length = scenario_length(&plan->scenario), sum = 0;
    if (duration <= 0)
        duration = length;
    for (size_t i = 0; i < plan->scenario.phase_count; i++) {
        const struct scenario_phase *phase = &plan->scenario.phases[i];
        plan->phase_start_ns[i] = scaled(sum, duration, length);
        sum += phase->length_ns;
        if (scaled(phase->length_ns, duration, length) < PHASE_NS_MIN)
            return err_set(err,
                           "scenario %s: its %s phase would last less than 100 ms; "
                           "give a longer -duration",
                           plan->scenario.name, phase->name);
    }
    plan->phase_start_ns[plan->scenario.phase_count] = duration;
    return 0;
}

/* One step on its `turn`-th node. */
static int place_fault(struct plan *plan, size_t step_index, size_t node, size_t turn,
                       struct err *err)
{
    const struct scenario_step *step = &plan->scenario.steps[step_index];
    if (plan->fault_count == PLAN_FAULTS_MAX)
        return err_set(err, "scenario %s: more than %d faults", plan->scenario.name,
                       PLAN_FAULTS_MAX);
    struct plan_fault *fault = &plan->faults[plan->fault_count++];
    ns_t begin = plan->phase_start_ns[step->phase];
    *fault = (struct plan_fault){
        .step = step,
        .step_index = step_index,
        .node = node,
        .start_ns =
            begin + in_phase(plan, step->phase, ns_add(step->at_ns, (ns_t)turn * step->stagger_ns)),
    };
    snprintf(fault->name, sizeof fault->name, PLAN_FAULT_PREFIX "%zu", step_index + 1);
    if (fault->start_ns >= phase_end(plan, step->phase))
        return err_set(err,
                       "scenario %s: step %zu would start on node %zu after its phase has ended: "
                       "\"stagger\" is too long for %zu nodes",
                       plan->scenario.name, step_index + 1, node + 1, turn + 1);
    return 0;
}

static int place_faults(struct plan *plan, const struct plan_config *config, struct err *err)
{
    plan->faults = calloc(PLAN_FAULTS_MAX, sizeof *plan->faults);
    if (plan->faults == NULL)
        return err_set(err, "scenario %s: out of memory", plan->scenario.name);
    for (size_t i = 0; i < plan->scenario.step_count; i++) {
        struct rng rng = rng_fork(config->seed, STREAM_TARGETS + i);
        size_t nodes[TARGET_NODES_MAX];
        struct err reason;
        size_t count = target_resolve(&plan->scenario.steps[i].target, config->node_count,
                                      config->key_shares, &rng, nodes, &reason);
        if (count == 0)
            return err_set(err, "scenario %s: step %zu: %s", plan->scenario.name, i + 1,
                           reason.text);
        for (size_t turn = 0; turn < count; turn++)
            if (place_fault(plan, i, nodes[turn], turn, err) != 0)
                return -1;
    }
    return 0;
}

static int compare_events(const void *a, const void *b)
{
    const struct plan_event *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->action != y->action)
        return x->action < y->action ? -1 : 1;
    return x->fault < y->fault ? -1 : x->fault > y->fault;
}

/* How often the fault starts. */
static size_t repetitions(const struct plan *plan, const struct plan_fault *fault)
{
    assert(fault->step != NULL);
    ns_t left = phase_end(plan, fault->step->phase) - fault->start_ns;
    if (fault->step->every_ns == 0)
        return 1;
    ns_t count = (left + fault->step->every_ns - 1) / fault->step->every_ns;
    return count > PLAN_EVENTS_MAX ? PLAN_EVENTS_MAX : (size_t)count;
}

/* How long the step lasts each time: nodes that take turns as written still do when scaled. */
static ns_t step_length(const struct plan *plan, const struct scenario_step *step)
{
    if (step->stagger_ns > 0 && step->for_ns <= step->stagger_ns)
        return ns_min(step->for_ns, in_phase(plan, step->phase, step->stagger_ns));
    return step->for_ns;
}

static void add_event(struct plan *plan, struct plan_event event)
{
    plan->events[plan->event_count++] = event;
}

/* How many values a ramp goes through in `length`; a moment is too short for more than the first.
 */
static size_t ramp_values(const struct scenario_step *step, ns_t length)
{
    ns_t most = length / RAMP_NS_MIN;
    return step->ramp_steps == 0 || most < 2 ? 1 : (size_t)ns_min(step->ramp_steps, most);
}

/* The fault on from `on` to `off`, with the values of its ramps between, each for the same time. */
static void place_repetition(struct plan *plan, size_t index, ns_t on, ns_t off)
{
    size_t values = ramp_values(plan->faults[index].step, off - on);
    add_event(plan, (struct plan_event){.at_ns = on, .action = PLAN_ON, .fault = index});
    for (size_t i = 1; i < values; i++)
        add_event(plan, (struct plan_event){.at_ns = on + scaled((ns_t)i, off - on, (ns_t)values),
                                            .action = PLAN_CHANGE,
                                            .position = (double)i / (double)(values - 1),
                                            .fault = index});
    add_event(plan, (struct plan_event){.at_ns = off, .action = PLAN_OFF, .fault = index});
}

static void place_repetitions(struct plan *plan, size_t index)
{
    const struct plan_fault *fault = &plan->faults[index];
    const struct scenario_step *step = fault->step;
    ns_t end = phase_end(plan, step->phase), length = step_length(plan, step);
    struct rng rng =
        rng_fork(plan->seed, STREAM_JITTER + fault->step_index * TARGET_NODES_MAX + fault->node);
    ns_t start = fault->start_ns;
    for (size_t n = repetitions(plan, fault); n > 0; n--, start += step->every_ns) {
        ns_t late_max = ns_min(step->jitter_ns, end - start - 1);
        ns_t on = start + (ns_t)rng_below(&rng, (uint64_t)late_max + 1);
        ns_t off = ns_min(ns_add(on, length), end);
        place_repetition(plan, index, on, off);
    }
}

static int place_events(struct plan *plan, struct err *err)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->fault_count; i++)
        count += (2 + plan->faults[i].step->ramp_steps) * repetitions(plan, &plan->faults[i]);
    if (count > PLAN_EVENTS_MAX)
        return err_set(err,
                       "scenario %s: its faults would be switched more than %d times; "
                       "give a shorter -duration",
                       plan->scenario.name, PLAN_EVENTS_MAX);
    plan->events = calloc(count > 0 ? count : 1, sizeof *plan->events);
    if (plan->events == NULL)
        return err_set(err, "scenario %s: out of memory", plan->scenario.name);
    for (size_t i = 0; i < plan->fault_count; i++)
        place_repetitions(plan, i);
    qsort(plan->events, plan->event_count, sizeof *plan->events, compare_events);
    return 0;
}

int plan_init(struct plan *plan, const struct scenario *scenario, const struct plan_config *config,
              struct err *err)
{
    *plan = (struct plan){.scenario = *scenario, .seed = config->seed};
    if (place_phases(plan, config->duration, err) == 0 && place_faults(plan, config, err) == 0 &&
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
    return plan->phase_start_ns[plan->scenario.phase_count];
}

size_t plan_phase_at(const struct plan *plan, ns_t at_ns)
{
    size_t phase = SCENARIO_BASELINE;
    for (size_t i = 1; i < plan->scenario.phase_count; i++)
        if (at_ns >= plan->phase_start_ns[i])
            phase = i;
    return phase;
}

struct fault_values plan_values_at(const struct scenario_step *step, double position,
                                   double *toxicity)
{
    struct fault_param params[FAULT_PARAMS_MAX];
    size_t count = fault_params(step->fault, params);
    struct fault_values values = step->values;
    for (size_t i = 0; i < count; i++) {
        values.v[i] += (step->values_to.v[i] - step->values.v[i]) * position;
        if (params[i].whole)
            values.v[i] = nearbyint(values.v[i]);
    }
    *toxicity = step->toxicity + (step->toxicity_to - step->toxicity) * position;
    return values;
}

__attribute__((format(printf, 4, 5))) static void append(char *text, size_t size, size_t *used,
                                                         const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (*used < size)
        *used += (size_t)vsnprintf(text + *used, size - *used, format, ap);
    va_end(ap);
}

void plan_fault_text(const struct plan_fault *fault, char *text, size_t size)
{
    const struct scenario_step *step = fault->step;
    fault_text(step->fault, step->streams, step->toxicity, &step->values, text, size);
    if (step->ramp_steps == 0)
        return;
    size_t used = strlen(text);
    append(text, size, &used, ", to");
    struct fault_param params[FAULT_PARAMS_MAX];
    size_t count = fault_params(step->fault, params);
    for (size_t i = 0; i < count; i++)
        if (step->values_to.v[i] != step->values.v[i])
            append(text, size, &used, " %s=%g", params[i].name, step->values_to.v[i]);
    if (step->toxicity_to != step->toxicity)
        append(text, size, &used, " toxicity=%g", step->toxicity_to);
    append(text, size, &used, " in %u steps", step->ramp_steps);
}
