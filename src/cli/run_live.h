/* SPDX-License-Identifier: MIT */
/*
 * The files that a session writes while it goes on: events as they happen (-events), a small status
 * (-status) and the whole result so far (-snapshot). None of them changes what is measured: one
 * that cannot be written is complained about once, and the session ends with an error.
 *
 * Threads: run_live_interval() and run_live_transition() come from the sampler's, all else from the
 * main thread.
 */
#ifndef CLI_RUN_LIVE_H
#define CLI_RUN_LIVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/log.h"
#include "report/event.h"
#include "report/status.h"

struct run_live_paths {
    const char *events; /* "" = none, likewise the next two */
    const char *status;
    const char *snapshot;
};

struct run_live {
    struct run_live_paths paths;
    struct log *log;
    const struct result *result;
    pthread_mutex_t lock; /* of all below up to the snapshot */
    struct event_stream events;
    struct status status;
    struct interval last;             /* of the run; what status.interval points to */
    struct interval_node *last_nodes; /* as many as there are nodes */
    bool lost_events, lost_status;    /* complained about */
    /* The snapshot that is being written, by a thread of its own: it may take long. */
    pthread_t writer;
    bool has_writer;
    atomic_bool writing;
    atomic_bool lost_snapshot;
    struct result view; /* the session with the run so far in it */
    struct run_result *so_far;
};

/* Before the session: opens the events, so that a wrong name is known at once. */
int run_live_open(struct run_live *l, const struct run_live_paths *paths, struct log *log,
                  struct err *err);
/* `result` is the session's; it gets its runs between run_live_run_end() and the next start. */
int run_live_begin(struct run_live *l, const struct result *result, struct err *err);

void run_live_run_start(struct run_live *l, const char *scenario, uint64_t seed, ns_t length_ns);
void run_live_phase(struct run_live *l, const char *name, ns_t now);
void run_live_fault(struct run_live *l, const char *text, unsigned node, bool on, ns_t now);
void run_live_transition(struct run_live *l, const struct transition *transition);
void run_live_interval(struct run_live *l, const struct interval *interval, const char *phase);
/* Takes ownership. Skipped while the snapshot before is still being written. */
void run_live_so_far(struct run_live *l, struct run_result *so_far);
/* Before the run is added to the result: afterwards no thread of this looks at earlier runs. */
void run_live_run_end(struct run_live *l, const struct run_result *run);

/* The session has ended. Returns how many of the files are not what they should be. */
int run_live_end(struct run_live *l);
/* Also after a failure of the first two. */
void run_live_close(struct run_live *l);

#endif
