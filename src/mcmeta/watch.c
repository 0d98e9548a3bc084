/* SPDX-License-Identifier: MIT */
#include "mcmeta/watch.h"

#include "base/time.h"

enum mcm_measure mcm_watch_kind(enum mcm_command command)
{
    static const enum mcm_measure kinds[MCM_COMMAND_COUNT] = {
        [MCM_COMMAND_GET] = MCM_MEASURE_GET,       [MCM_COMMAND_SET] = MCM_MEASURE_STORE,
        [MCM_COMMAND_DELETE] = MCM_MEASURE_DELETE, [MCM_COMMAND_ARITH] = MCM_MEASURE_ARITHMETIC,
        [MCM_COMMAND_NOOP] = MCM_MEASURE_OTHER,    [MCM_COMMAND_TEXT] = MCM_MEASURE_OTHER,
    };
    return kinds[command];
}

void mcm_watch_begin(struct mcm_watch *watch, struct mcm_backend *backend,
                     const struct mcm_call_event *event)
{
    const struct mcm_hooks *hooks = backend->hooks;
    watch->backend = backend;
    watch->event = *event;
    watch->event.server_name = backend->name;
    watch->event.began = ns_now();
    if (hooks->on_call_begin != NULL)
        watch->event.span = hooks->on_call_begin(hooks->arg, &watch->event);
}

void mcm_watch_end(struct mcm_watch *watch, enum mcm_outcome outcome, bool retried)
{
    struct mcm_measures *measures = watch->backend->measures;
    const struct mcm_hooks *hooks = watch->backend->hooks;
    enum mcm_measure kind = watch->event.kind;
    watch->event.ended = ns_now();
    watch->event.outcome = outcome;
    watch->event.retried = retried;
    mcm_measure_add(measures, kind, (uint64_t)(watch->event.ended - watch->event.began));
    if (kind != MCM_MEASURE_BATCH)
        atomic_fetch_add_explicit(&measures->results[kind][outcome], 1, memory_order_relaxed);
    if (hooks->on_call_end != NULL)
        hooks->on_call_end(hooks->arg, &watch->event);
}
