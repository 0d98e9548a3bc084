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
    log->active = true; /* also when switching on fails half-way: undo must then look at it */
    return ops->on(&c->config.env, fault, err);
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
        if (fault_switch(controller, event->fault, event->action == PLAN_ON, err) != 0)
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
