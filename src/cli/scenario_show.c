/* SPDX-License-Identifier: MIT */
#include "cli/scenario_show.h"

#include <string.h>

#include "base/duration.h"
#include "base/wrap.h"
#include "report/table.h"

#define SHOW_WIDTH 96
#define SHOW_ROWS_MAX 500 /* of faults; JSON has them all */
#define FAULT_TEXT_SIZE 200

struct row {
    ns_t at_ns;
    size_t fault;
    ns_t off_ns;
};

/* When the fault that `event` switches on is switched off. */
static ns_t off_of(const struct plan *plan, size_t event)
{
    size_t i = event + 1;
    while (plan->events[i].fault != plan->events[event].fault || plan->events[i].action != PLAN_OFF)
        i++;
    return plan->events[i].at_ns;
}

/* Times are shown to the millisecond. */
static const char *moment(ns_t ns, char text[static DURATION_TEXT_SIZE])
{
    return duration_text(ns / NS_PER_MS * NS_PER_MS, text);
}

static void phase_row(struct table *t, const struct plan *plan, size_t phase)
{
    char at[DURATION_TEXT_SIZE], length[DURATION_TEXT_SIZE];
    bool is_end = phase == plan->scenario.phase_count;
    table_cell(t, moment(plan->phase_start_ns[phase], at));
    table_cell(t, is_end ? "end" : plan->scenario.phases[phase].name);
    table_cell(
        t, is_end ? ""
                  : moment(plan->phase_start_ns[phase + 1] - plan->phase_start_ns[phase], length));
    table_cell(t, "");
    table_cell(t, "");
}

static void fault_row(struct table *t, const struct plan *plan, size_t event)
{
    const struct plan_event *on = &plan->events[event];
    const struct plan_fault *fault = &plan->faults[on->fault];
    char at[DURATION_TEXT_SIZE], length[DURATION_TEXT_SIZE], text[FAULT_TEXT_SIZE];
    char target[TARGET_TEXT_SIZE];
    plan_fault_text(fault, text, sizeof text);
    table_cell(t, moment(on->at_ns, at));
    table_cellf(t, "  node%zu", fault->node + 1);
    table_cell(t, moment(off_of(plan, event) - on->at_ns, length));
    table_cell(t, text);
    table_cellf(t, "step %zu: %s", fault->step_index + 1,
                target_text(&fault->step->target, target));
}

static void print_timeline(FILE *out, const struct plan *plan)
{
    struct table t;
    size_t rows = 0, left_out = 0;
    table_init(&t, "rlrll");
    const char *const head[] = {"at", "phase, node", "for", "fault", "by"};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        table_cell(&t, head[i]);
    size_t event = 0;
    for (size_t phase = 0; phase < plan->scenario.phase_count; phase++) {
        phase_row(&t, plan, phase);
        for (; event < plan->event_count; event++) {
            const struct plan_event *e = &plan->events[event];
            if (plan->faults[e->fault].step->phase > phase)
                break;
            if (e->action == PLAN_ON && rows++ < SHOW_ROWS_MAX)
                fault_row(&t, plan, event);
            else if (e->action == PLAN_ON)
                left_out++;
        }
    }
    phase_row(&t, plan, plan->scenario.phase_count);
    table_print(&t, out, 2);
    table_deinit(&t);
    if (left_out > 0)
        fprintf(out, "  %zu more are left out here; -json has all\n", left_out);
}

static void print_load(FILE *out, const struct scenario *scenario)
{
    const char *lead = "\n  load:";
    for (size_t i = 0; i < LOAD_KEY_COUNT; i++) {
        if (scenario->load.text[i][0] == '\0')
            continue;
        fprintf(out, "%s %s %s", lead, scenario_load_keys[i], scenario->load.text[i]);
        lead = ",";
    }
    if (lead[0] == ',')
        fputc('\n', out);
}

void scenario_show_text(FILE *out, const struct plan *plan, uint64_t seed, size_t node_count)
{
    const struct scenario *scenario = &plan->scenario;
    char length[DURATION_TEXT_SIZE];
    fprintf(out, "%s: %s, group", scenario->name, moment(plan_length(plan), length));
    for (size_t i = 0; i < scenario->group_count; i++)
        fprintf(out, "%s %s", i > 0 ? "," : "", scenario->groups[i]);
    fputc('\n', out);
    wrap_print(out, scenario->description, 0, 2, SHOW_WIDTH);
    print_load(out, scenario);
    fprintf(out, "\n  with %zu nodes and seed %llu:\n\n", node_count, (unsigned long long)seed);
    print_timeline(out, plan);
    if (scenario->check_count > 0)
        fprintf(out, "\n  checks:\n");
    for (size_t i = 0; i < scenario->check_count; i++)
        fprintf(out, "    %s%s\n", scenario->checks[i].text,
                scenario->checks[i].abort ? " (ends the run when it fails)" : "");
}

static void json_phases(struct jsonw *j, const struct plan *plan)
{
    jsonw_key_array(j, "phases");
    for (size_t i = 0; i < plan->scenario.phase_count; i++) {
        jsonw_object(j);
        jsonw_key_string(j, "name", plan->scenario.phases[i].name);
        jsonw_key_int(j, "start_ns", plan->phase_start_ns[i]);
        jsonw_key_int(j, "end_ns", plan->phase_start_ns[i + 1]);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void json_values(struct jsonw *j, const struct plan_fault *fault, double position)
{
    struct fault_param params[FAULT_PARAMS_MAX];
    size_t count = fault_params(fault->step->fault, params);
    double toxicity;
    struct fault_values values = plan_values_at(fault->step, position, &toxicity);
    jsonw_key_object(j, "attributes");
    for (size_t i = 0; i < count; i++)
        if (values.given & (1u << i))
            jsonw_key_double(j, params[i].name, values.v[i]);
    jsonw_object_end(j);
    if (fault->step->fault->has_toxicity)
        jsonw_key_double(j, "toxicity", toxicity);
}

static void json_faults(struct jsonw *j, const struct plan *plan)
{
    char text[FAULT_TEXT_SIZE], target[TARGET_TEXT_SIZE];
    jsonw_key_array(j, "faults");
    for (size_t i = 0; i < plan->fault_count; i++) {
        const struct plan_fault *fault = &plan->faults[i];
        plan_fault_text(fault, text, sizeof text);
        jsonw_object(j);
        jsonw_key_uint(j, "step", fault->step_index + 1);
        jsonw_key_string(j, "phase", plan->scenario.phases[fault->step->phase].name);
        jsonw_key_string(j, "target", target_text(&fault->step->target, target));
        jsonw_key_uint(j, "node", fault->node + 1);
        jsonw_key_string(j, "family", fault_family_names[fault->step->fault->family]);
        jsonw_key_string(j, "type", fault->step->fault->name);
        jsonw_key_string(j, "text", text);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void json_events(struct jsonw *j, const struct plan *plan)
{
    static const char *const actions[] = {"off", "change", "on"};
    jsonw_key_array(j, "events");
    for (size_t i = 0; i < plan->event_count; i++) {
        const struct plan_event *event = &plan->events[i];
        jsonw_object(j);
        jsonw_key_int(j, "at_ns", event->at_ns);
        jsonw_key_string(j, "action", actions[event->action]);
        jsonw_key_uint(j, "fault", event->fault);
        if (event->action != PLAN_OFF)
            json_values(j, &plan->faults[event->fault], event->position);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

void scenario_show_json(struct jsonw *j, const struct plan *plan, uint64_t seed, size_t node_count)
{
    const struct scenario *scenario = &plan->scenario;
    char seed_text[32];
    snprintf(seed_text, sizeof seed_text, "%llu", (unsigned long long)seed);
    jsonw_object(j);
    jsonw_key_string(j, "scenario", scenario->name);
    jsonw_key_string(j, "description", scenario->description);
    jsonw_key_array(j, "groups");
    for (size_t i = 0; i < scenario->group_count; i++)
        jsonw_string(j, scenario->groups[i]);
    jsonw_array_end(j);
    jsonw_key_string(j, "seed", seed_text);
    jsonw_key_uint(j, "nodes", node_count);
    jsonw_key_int(j, "length_ns", plan_length(plan));
    jsonw_key_object(j, "load");
    for (size_t i = 0; i < LOAD_KEY_COUNT; i++)
        if (scenario->load.text[i][0] != '\0')
            jsonw_key_string(j, scenario_load_keys[i], scenario->load.text[i]);
    jsonw_object_end(j);
    json_phases(j, plan);
    json_faults(j, plan);
    json_events(j, plan);
    jsonw_key_array(j, "checks");
    for (size_t i = 0; i < scenario->check_count; i++)
        jsonw_string(j, scenario->checks[i].text);
    jsonw_array_end(j);
    jsonw_object_end(j);
}
