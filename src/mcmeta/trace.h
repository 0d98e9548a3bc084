/* SPDX-License-Identifier: MIT */
/* Begin and end of what is done on one server: measured, and told to the hooks of the client. */
#ifndef MCMETA_TRACE_H
#define MCMETA_TRACE_H

#include "mcmeta/handle.h"

struct mcm_trace {
    struct mcm_backend *backend;
    struct mcm_call_event event;
};

/* What a command on one key is counted as. */
enum mcm_measure mcm_trace_kind(enum mcm_command command);

/* `event` has server, kind, key and items. The key must live as long as the call. */
void mcm_trace_begin(struct mcm_trace *trace, struct mcm_backend *backend,
                     const struct mcm_call_event *event);

void mcm_trace_end(struct mcm_trace *trace, enum mcm_outcome outcome, bool retried);

#endif
