/* SPDX-License-Identifier: MIT */
#include "scenario/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int controller_init(struct controller *controller, const struct controller_config *config,
                    struct err *err)
{
    const struct plan *plan = config->plan;
    *controller = (struct controller){.config = *config};
    controller->faults = calloc(plan->fault_count + 1, sizeof *controller->faults);
    if (controller->faults == NULL)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < plan->fault_count; i++)
        controller->faults[i] =
            (struct fault_log){.first_on_ns = NS_NEVER, .last_off_ns = NS_NEVER};
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

static const char *const stream_names[] = {"upstream", "downstream"}; /* by bit */

static void toxic_name(const struct plan_fault *fault, int stream, char *text, size_t size)
{
    snprintf(text, size, "%s_%s", fault->name, stream_names[stream]);
}

static int toxic_add(struct controller *c, const struct plan_fault *fault, int stream,
                     struct err *err)
{
    const struct scenario_step *step = fault->step;
    struct apiclient_attribute attributes[SCENARIO_ATTRIBUTES_MAX];
    for (size_t i = 0; i < step->attribute_count; i++)
        attributes[i] = (struct apiclient_attribute){.name = step->attributes[i].name,
                                                     .value = step->attributes[i].value};
    char name[64];
    toxic_name(fault, stream, name, sizeof name);
    struct apiclient_toxic toxic = {
        .name = name,
        .type = step->toxic,
        .stream = stream_names[stream],
        .toxicity = step->toxicity,
        .attributes = attributes,
        .attribute_count = step->attribute_count,
    };
    int rc = apiclient_toxic_add(c->config.api, c->config.proxies[fault->node], &toxic, err);
    return rc == APICLIENT_OK ? 0 : -1;
}

/* Adds what a removed toxic did; the sign is -1 for what it had done before this fault. */
static void count_removed(struct victims *victims, const struct apiclient_stats *stats,
                          const char *name, int sign)
{
    uint64_t factor = (uint64_t)(int64_t)sign; /* modulo 2^64 */
    for (size_t i = 0; i < stats->removed_count; i++) {
        const struct apiclient_toxic_stats *t = &stats->removed[i];
        if (strcmp(t->name, name) != 0)
            continue;
        victims->connections += factor * t->connections;
        victims->chunks += factor * t->chunks;
        victims->bytes += factor * t->bytes;
        victims->bytes_dropped += factor * t->bytes_dropped;
        victims->delay_ms += factor * t->delay_ms;
        victims->resets += factor * t->resets;
    }
}

/* Adds (or with -1 takes away) what the proxy has counted for this fault so far. */
static void count_victims(struct controller *c, const struct plan_fault *fault,
                          struct fault_log *log, int sign)
{
    struct apiclient_stats stats;
    struct err ignored;
    int rc = apiclient_stats(c->config.api, c->config.proxies[fault->node], &stats, &ignored);
    log->victims.counted = rc == APICLIENT_OK;
    if (rc != APICLIENT_OK)
        return;
    if (fault->step->kind == FAULT_PROXY_DOWN) {
        log->victims.connections_cut += (uint64_t)(int64_t)sign * stats.connections_cut;
        return;
    }
    for (int stream = 0; stream < 2; stream++) {
        char name[64];
        toxic_name(fault, stream, name, sizeof name);
        count_removed(&log->victims, &stats, name, sign);
    }
}

static int toxics_remove(struct controller *c, const struct plan_fault *fault, struct err *err)
{
    int result = 0;
    for (int stream = 0; stream < 2; stream++) {
        if (!(fault->step->streams & (1u << stream)))
            continue;
        char name[64];
        toxic_name(fault, stream, name, sizeof name);
        struct err reason;
        int rc =
            apiclient_toxic_remove(c->config.api, c->config.proxies[fault->node], name, &reason);
        if (rc != APICLIENT_OK && rc != APICLIENT_NOT_FOUND && result == 0)
            result = err_set(err, "%s", reason.text);
    }
    return result;
}

static int toxics_add(struct controller *c, const struct plan_fault *fault, struct err *err)
{
    for (int stream = 0; stream < 2; stream++)
        if ((fault->step->streams & (1u << stream)) && toxic_add(c, fault, stream, err) != 0)
            return -1;
    return 0;
}

static int proxy_set(struct controller *c, const struct plan_fault *fault, bool enabled,
                     struct err *err)
{
    int rc = apiclient_set_enabled(c->config.api, c->config.proxies[fault->node], enabled, err);
    return rc == APICLIENT_OK ? 0 : -1;
}

static int fault_switch(struct controller *c, size_t index, bool on, struct err *err)
{
    const struct plan_fault *fault = &c->config.plan->faults[index];
    struct fault_log *log = &c->faults[index];
    if (on && log->first_on_ns == NS_NEVER) {
        count_victims(c, fault, log, -1); /* of earlier runs on these proxies */
        log->first_on_ns = ns_now();
        if (c->config.fault_begins != NULL)
            c->config.fault_begins(c->config.arg, index, log->first_on_ns);
    }
    log->active = true; /* also when switching on fails half-way: undo must then look at it */
    int rc;
    if (fault->step->kind == FAULT_PROXY_DOWN)
        rc = proxy_set(c, fault, !on, err);
    else
        rc = on ? toxics_add(c, fault, err) : toxics_remove(c, fault, err);
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
    count_victims(c, &c->config.plan->faults[index], log, 1);
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
