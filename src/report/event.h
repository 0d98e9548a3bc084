/* SPDX-License-Identifier: MIT */
/*
 * What happens in a session, one JSON object per line (schema/event.v1.json): written live by
 * -events, and in order of time by the report format ndjson. Instants are nanoseconds since the
 * start of the session.
 *
 * Each function writes one line and flushes nothing. Not thread-safe: a stream has one writer at a
 * time.
 */
#ifndef REPORT_EVENT_H
#define REPORT_EVENT_H

#include "report/result.h"

#include <stdio.h>

#define EVENT_SCHEMA_VERSION 1

struct event_stream {
    FILE *out;
    const struct result *result; /* names of nodes, start */
    uint64_t run;                /* the number of the run, from 1; 0 outside of runs */
};

void event_session_start(const struct event_stream *s);
void event_run_start(const struct event_stream *s, ns_t at, const char *scenario, uint64_t seed);
void event_phase(const struct event_stream *s, ns_t at, const char *name);
void event_fault(const struct event_stream *s, ns_t at, bool on, const char *text, unsigned node);
void event_breaker(const struct event_stream *s, const struct transition *t);
void event_interval(const struct event_stream *s, const struct interval *e, const char *phase);
void event_check(const struct event_stream *s, ns_t at, const struct check *c);
void event_run_end(const struct event_stream *s, const struct run_result *run);
void event_session_end(const struct event_stream *s);

/* "hard", "validity", "expected" */
const char *check_kind_name(enum check_kind kind);

#endif
