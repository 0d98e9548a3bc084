/* SPDX-License-Identifier: MIT */
#include "cli/run_live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/file.h"
#include "report/report.h"

int run_live_open(struct run_live *l, const struct run_live_paths *paths, struct log *log,
                  struct err *err)
{
    *l = (struct run_live){.paths = *paths, .log = log};
    pthread_mutex_init(&l->lock, NULL);
    if (paths->events[0] == '\0')
        return 0;
    l->events.out = fopen(paths->events, "we");
    if (l->events.out == NULL)
        return err_set(err, "-events: cannot write %.300s: %s", paths->events, strerror(errno));
    setvbuf(l->events.out, NULL, _IOLBF, 0); /* whoever follows the file sees whole lines */
    return 0;
}

/* ---- status, with the mutex held ---- */

static int write_status(FILE *out, void *arg)
{
    return status_write(out, arg);
}

static void update_status(struct run_live *l)
{
    struct err err;
    if (l->paths.status[0] == '\0')
        return;
    l->status.now = ns_now();
    if (report_file_write(l->paths.status, FILE_SURVIVES_US, write_status, &l->status, &err) == 0)
        return;
    if (!l->lost_status)
        log_error(l->log, "-status: %s", err.text);
    l->lost_status = true;
}

static void look_at_events(struct run_live *l)
{
    if (l->events.out == NULL || l->lost_events || !ferror(l->events.out))
        return;
    l->lost_events = true;
    log_error(l->log, "-events: cannot write %s: %s", l->paths.events, strerror(errno));
}

static void lock(struct run_live *l)
{
    pthread_mutex_lock(&l->lock);
}

static void unlock(struct run_live *l)
{
    look_at_events(l);
    pthread_mutex_unlock(&l->lock);
}

/* ---- what happens ---- */

int run_live_begin(struct run_live *l, const struct result *result, struct err *err)
{
    l->result = l->events.result = l->status.result = result;
    l->last_nodes = calloc(result->node_count, sizeof *l->last_nodes);
    if (l->last_nodes == NULL)
        return err_set(err, "out of memory");
    lock(l);
    if (l->events.out != NULL)
        event_session_start(&l->events);
    update_status(l);
    unlock(l);
    return 0;
}

void run_live_run_start(struct run_live *l, const char *scenario, uint64_t seed, ns_t length_ns)
{
    lock(l);
    l->events.run++;
    l->status = (struct status){
        .result = l->result,
        .run = l->events.run,
        .scenario = scenario,
        .run_start_ns = ns_now(),
        .run_length_ns = length_ns,
    };
    if (l->events.out != NULL)
        event_run_start(&l->events, l->status.run_start_ns, scenario, seed);
    update_status(l);
    unlock(l);
}

void run_live_phase(struct run_live *l, const char *name, ns_t now)
{
    lock(l);
    l->status.phase = name;
    if (l->events.out != NULL)
        event_phase(&l->events, now, name);
    unlock(l);
}

void run_live_fault(struct run_live *l, const char *text, unsigned node, bool on, ns_t now)
{
    lock(l);
    l->status.faults_on += on ? 1 : l->status.faults_on > 0 ? -1u : 0;
    if (l->events.out != NULL)
        event_fault(&l->events, now, on, text, node);
    unlock(l);
}

void run_live_transition(struct run_live *l, const struct transition *transition)
{
    lock(l);
    if (l->events.out != NULL)
        event_breaker(&l->events, transition);
    unlock(l);
}

void run_live_interval(struct run_live *l, const struct interval *interval, const char *phase)
{
    lock(l);
    l->status.succeeded += interval->succeeded;
    l->status.failed += interval->failed;
    l->status.dropped += interval->dropped;
    l->last = *interval;
    memcpy(l->last_nodes, interval->nodes, l->result->node_count * sizeof *l->last_nodes);
    l->last.nodes = l->last_nodes;
    l->status.interval = &l->last;
    if (l->events.out != NULL)
        event_interval(&l->events, interval, phase);
    update_status(l);
    unlock(l);
}

/* ---- snapshots ---- */

static int write_view(FILE *out, void *arg)
{
    return report_json(out, arg);
}

static void write_snapshot(struct run_live *l, const struct result *view, enum file_safety safety)
{
    struct err err;
    if (report_file_write(l->paths.snapshot, safety, write_view, (void *)view, &err) == 0)
        atomic_store(&l->lost_snapshot, false);
    else if (!atomic_exchange(&l->lost_snapshot, true))
        log_error(l->log, "-snapshot: %s", err.text);
}

static void *writer_main(void *arg)
{
    struct run_live *l = arg;
    write_snapshot(l, &l->view, FILE_SURVIVES_US);
    atomic_store(&l->writing, false);
    return NULL;
}

static void wait_for_writer(struct run_live *l)
{
    if (!l->has_writer)
        return;
    pthread_join(l->writer, NULL);
    l->has_writer = false;
    free(l->view.runs);
    run_result_free(l->so_far);
    l->so_far = NULL;
}

void run_live_so_far(struct run_live *l, struct run_result *so_far)
{
    const struct result *r = l->result;
    struct run_result **runs = NULL;
    if (!l->has_writer || !atomic_load(&l->writing)) {
        wait_for_writer(l);
        runs = calloc(r->run_count + 1, sizeof(struct run_result *));
    }
    if (runs == NULL) {
        run_result_free(so_far);
        return;
    }
    memcpy(runs, r->runs, r->run_count * sizeof(struct run_result *));
    runs[r->run_count] = l->so_far = so_far;
    l->view = *r;
    l->view.runs = runs;
    l->view.run_count++;
    l->view.end_ns = so_far->end_ns;
    l->view.verdicts[so_far->verdict]++;
    l->view.verdict = verdict_worse(r->verdict, so_far->verdict);
    atomic_store(&l->writing, true);
    l->has_writer = pthread_create(&l->writer, NULL, writer_main, l) == 0;
    if (!l->has_writer) {
        free(runs);
        run_result_free(so_far);
        l->so_far = NULL;
    }
}

/* ---- ends ---- */

void run_live_run_end(struct run_live *l, const struct run_result *run)
{
    wait_for_writer(l);
    lock(l);
    for (size_t i = 0; l->events.out != NULL && i < run->check_count; i++)
        event_check(&l->events, run->end_ns, &run->checks[i]);
    if (l->events.out != NULL)
        event_run_end(&l->events, run);
    l->status = (struct status){.result = l->result};
    unlock(l);
}

int run_live_end(struct run_live *l)
{
    wait_for_writer(l);
    lock(l);
    l->status = (struct status){.result = l->result, .ended = true};
    l->events.run = 0;
    if (l->events.out != NULL)
        event_session_end(&l->events);
    update_status(l);
    unlock(l);
    if (l->paths.snapshot[0] != '\0')
        write_snapshot(l, l->result, FILE_SURVIVES_POWER);
    return l->lost_events + l->lost_status + atomic_load(&l->lost_snapshot);
}

void run_live_close(struct run_live *l)
{
    if (l->log == NULL)
        return; /* was never opened */
    wait_for_writer(l);
    if (l->events.out != NULL)
        fclose(l->events.out);
    free(l->last_nodes);
    pthread_mutex_destroy(&l->lock);
}
