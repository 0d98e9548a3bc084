/* SPDX-License-Identifier: MIT */
#include "scenario/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fault fault_of(const struct plan_fault *planned, size_t index)
{
    const struct scenario_step *step = planned->step;
    return (struct fault){
        .type = step->fault,
        .node = planned->node,
        .index = index,
        .name = planned->name,
        .streams = step->streams,
        .toxicity = step->toxicity,
        .values = step->values,
    };
}

int controller_init(struct controller *controller, const struct controller_config *config,
                    struct err *err)
{
    const struct plan *plan = config->plan;
    *controller = (struct controller){.config = *config};
    controller->faults = calloc(plan->fault_count + 1, sizeof *controller->faults);
    if (controller->faults == NULL)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < plan->fault_count; i++)
        controller->faults[i] = (struct fault_log){.first_on_ns = NS_NEVER,
                                                   .last_off_ns = NS_NEVER,
                                                   .fault = fault_of(&plan->faults[i], i)};
    for (size_t i = 0; i < plan->event_count; i++)
        controller->faults[plan->events[i].fault].events_left++;
    return 0;
}

void controller_deinit(struct controller *controller)
{
    free(controller->faults);
    controller->faults = NULL;
}

ns_t controller_deadline(const struct controller *controller)
{
    const struct plan *plan = controller->config.plan;
    if (controller->next_event == plan->event_count)
        return NS_NEVER;
    return ns_add(controller->config.start_ns, plan->events[controller->next_event].at_ns);
}

/* When the plan switches the fault off next. */
static ns_t off_due(const struct controller *c, size_t fault)
{
    const struct plan *plan = c->config.plan;
    for (size_t i = c->next_event; i < plan->event_count; i++)
        if (plan->events[i].fault == fault && plan->events[i].action == PLAN_OFF)
            return ns_add(c->config.start_ns, plan->events[i].at_ns);
    return ns_add(c->config.start_ns, plan_length(plan));
}

static void watchdog_tell(struct controller *c, const struct fault *fault)
{
    struct watchdog_order order = {.kind = WATCHDOG_NOTHING};
    if (c->config.watchdog == NULL || fault->type->ops->dead_man == NULL)
        return;
    fault->type->ops->dead_man(&c->config.env, fault, &order);
    watchdog_arm(c->config.watchdog, fault->index,
                 ns_add(off_due(c, fault->index), fault->type->overdue_ns), &order);
}

static int switch_on(struct controller *c, struct fault_log *log, struct err *err)
{
    struct fault *fault = &log->fault;
    const struct fault_ops *ops = fault->type->ops;
    if (log->first_on_ns == NS_NEVER) {
        if (ops->count != NULL)
            ops->count(&c->config.env, fault, -1); /* of earlier runs */
        log->first_on_ns = ns_now();
        if (c->config.fault_begins != NULL)
            c->config.fault_begins(c->config.arg, fault->index, log->first_on_ns);
    }
    fault->on_ns = ns_now();
    log->active = true; /* also when switching on fails half-way: undo must then look at it */
    watchdog_tell(c, fault);
    int rc = ops->on(&c->config.env, fault, err);
    watchdog_tell(c, fault); /* a restarted node has another process number */
    return rc;
}

static int fault_switch(struct controller *c, size_t index, bool on, struct err *err)
{
    struct fault_log *log = &c->faults[index];
    struct fault *fault = &log->fault;
    int rc = on ? switch_on(c, log, err) : fault->type->ops->off(&c->config.env, fault, err);
    if (rc != 0)
        return err_prefix(err, "cannot switch %s a fault of node %zu", on ? "on" : "off",
                          fault->node + 1);
    log->active = on;
    if (!on)
        watchdog_disarm(c->config.watchdog, index);
    return 0;
}

/* One event. A ramp moves by updating what is there, so that no byte notices but by its effect. */
static int carry_out(struct controller *c, const struct plan_event *event, struct err *err)
{
    struct fault *fault = &c->faults[event->fault].fault;
    const struct scenario_step *step = c->config.plan->faults[event->fault].step;
    if (event->action == PLAN_OFF)
        return fault_switch(c, event->fault, false, err);
    fault->values = plan_values_at(step, event->position, &fault->toxicity);
    if (event->action == PLAN_ON)
        return fault_switch(c, event->fault, true, err);
    if (fault->type->ops->update(&c->config.env, fault, err) != 0)
        return err_prefix(err, "cannot change a fault of node %zu", fault->node + 1);
    return 0;
}

static void fault_over(struct controller *c, size_t index)
{
    struct fault_log *log = &c->faults[index];
    log->last_off_ns = ns_now();
    if (c->config.fault_ended != NULL)
        c->config.fault_ended(c->config.arg, index, log->last_off_ns);
    if (log->fault.type->ops->count != NULL)
        log->fault.type->ops->count(&c->config.env, &log->fault, 1);
}

int controller_advance(struct controller *controller, ns_t now, size_t phase, struct err *err)
{
    const struct plan *plan = controller->config.plan;
    while (controller_deadline(controller) <= now) {
        const struct plan_event *event = &plan->events[controller->next_event];
        if (plan->faults[event->fault].step->phase > phase)
            break;
        controller->next_event++;
        if (carry_out(controller, event, err) != 0)
            return -1;
        if (--controller->faults[event->fault].events_left == 0)
            fault_over(controller, event->fault);
    }
    return 0;
}

int controller_undo(struct controller *controller, struct err *err)
{
    int result = 0;
    for (size_t i = 0; i < controller->config.plan->fault_count; i++) {
        struct fault_log *log = &controller->faults[i];
        struct err reason;
        if (log->active && fault_switch(controller, i, false, &reason) != 0 && result == 0)
            result = err_set(err, "%s", reason.text);
        if (log->first_on_ns != NS_NEVER && log->last_off_ns == NS_NEVER)
            fault_over(controller, i);
    }
    return result;
}
