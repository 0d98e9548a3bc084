/* SPDX-License-Identifier: MIT */
/*
 * Carries out a plan: switches faults on and off when their time has come, counts their victims,
 * and undoes whatever is still on. It never waits for time to pass: the caller asks when it wants
 * to be called. One thread uses a controller.
 */
#ifndef SCENARIO_CONTROLLER_H
#define SCENARIO_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "scenario/fault.h"
#include "scenario/plan.h"

/* What became of one fault of the plan. */
struct fault_log {
    bool active;        /* it is on now */
    size_t events_left; /* switches of the plan still to come */
    ns_t first_on_ns;   /* monotonic, before the first switch on; NS_NEVER until then */
    ns_t last_off_ns;   /* after the last switch off; NS_NEVER until then */
    struct fault fault; /* its victims are complete after the last switch off */
};

struct controller_config {
    const struct plan *plan;
    struct fault_env env;
    struct watchdog *watchdog; /* undoes what we do not; NULL = none */
    ns_t start_ns;             /* when the plan's time 0 was */
    /* Just before a fault is switched on for the first time and just after it was switched off for
     * the last time. May be NULL. */
    void (*fault_begins)(void *arg, size_t fault, ns_t now);
    void (*fault_ended)(void *arg, size_t fault, ns_t now);
    void *arg;
};

struct controller {
    struct controller_config config;
    size_t next_event;
    struct fault_log *faults; /* one per fault of the plan */
};

/* All pointers must outlive the controller. Returns 0 or -1. */
int controller_init(struct controller *controller, const struct controller_config *config,
                    struct err *err);
void controller_deinit(struct controller *controller);

/* When the next event is due, monotonic; NS_NEVER after the last. */
ns_t controller_deadline(const struct controller *controller);

/* Carries out every event that is due and belongs to a phase up to `phase`. Returns 0, or -1 when
 * a fault could not be switched. */
int controller_advance(struct controller *controller, ns_t now, size_t phase, struct err *err);

/*
 * Switches off every fault that is on. Goes on after an error, and returns -1 with the first one:
 * then something may still be faulted, which the caller must say.
 */
int controller_undo(struct controller *controller, struct err *err);

#endif
