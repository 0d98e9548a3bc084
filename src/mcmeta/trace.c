/* SPDX-License-Identifier: MIT */
#include "mcmeta/trace.h"

#include "base/time.h"

enum mcm_measure mcm_trace_kind(enum mcm_command command)
{
    static const enum mcm_measure kinds[MCM_COMMAND_COUNT] = {
        [MCM_COMMAND_GET] = MCM_MEASURE_GET,       [MCM_COMMAND_SET] = MCM_MEASURE_STORE,
        [MCM_COMMAND_DELETE] = MCM_MEASURE_DELETE, [MCM_COMMAND_ARITH] = MCM_MEASURE_ARITHMETIC,
        [MCM_COMMAND_NOOP] = MCM_MEASURE_OTHER,    [MCM_COMMAND_TEXT] = MCM_MEASURE_OTHER,
    };
    return kinds[command];
}

void mcm_trace_begin(struct mcm_trace *trace, struct mcm_backend *backend,
                     const struct mcm_call_event *event)
{
    const struct mcm_hooks *hooks = backend->hooks;
    trace->backend = backend;
    trace->event = *event;
    trace->event.server_name = backend->name;
    trace->event.began = ns_now();
    if (hooks->on_call_begin != NULL)
        trace->event.span = hooks->on_call_begin(hooks->arg, &trace->event);
}

void mcm_trace_end(struct mcm_trace *trace, enum mcm_outcome outcome, bool retried)
{
    struct mcm_measures *measures = trace->backend->measures;
    const struct mcm_hooks *hooks = trace->backend->hooks;
    enum mcm_measure kind = trace->event.kind;
    trace->event.ended = ns_now();
    trace->event.outcome = outcome;
    trace->event.retried = retried;
    mcm_measure_add(measures, kind, (uint64_t)(trace->event.ended - trace->event.began));
    if (kind != MCM_MEASURE_BATCH)
        atomic_fetch_add_explicit(&measures->results[kind][outcome], 1, memory_order_relaxed);
    if (hooks->on_call_end != NULL)
        hooks->on_call_end(hooks->arg, &trace->event);
}
