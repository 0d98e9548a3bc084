/* SPDX-License-Identifier: MIT */
/*
 * Everything cumulative is read once per tick and compared with what it was at the last one: the
 * differences of counters and histograms are exact, so no operation is lost between two windows or
 * counted in both. Only the thread that ticks touches the parts marked as its own; the mutex is for
 * what the controller asks about.
 */
#include "metrics/sampler.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Breaker transitions looked at in one go. */
#define TRANSITIONS_BATCH 32

/* The ticking thread's own: a node's cumulative figures at the last tick. */
struct node_mark {
    struct recorder_live_counts counts;
    struct hist service;
};

struct sampler {
    struct sampler_config config;
    unsigned nodes;

    /* The ticking thread's own. */
    ns_t window_start_ns;
    unsigned window_phase;
    struct node_mark *marks;
    struct hist window_hist;  /* scratch */
    struct interval interval; /* being filled */
    struct hist interval_hist;
    struct hist response_hist; /* scratch */
    struct hist response_mark; /* at the last interval's end */
    struct cell_meter *cells;
    struct host_sample host;       /* at the last interval's end */
    struct recorder_counts totals; /* at the last interval's end */
    struct node_stats *stats;      /* scratch for the callback */
    size_t transitions_seen;       /* under the mutex */

    pthread_mutex_t lock; /* of all below */
    struct recovery *recovery;
    struct baseline baseline; /* of all nodes together */
    struct series *series;
    ns_t lag_max_ns;
    uint32_t *pool_total_max;
    ns_t deadline_ns;

    pthread_cond_t wake;
    pthread_t thread;
    bool running;
    bool stopping;
};

/* ---- life cycle ---- */

static bool is_zero(const void *memory, size_t size)
{
    const unsigned char *bytes = memory;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static void config_complete(struct sampler_config *c)
{
    if (c->window_ns == 0)
        c->window_ns = WINDOW_DEFAULT_NS;
    if (c->interval_ns == 0)
        c->interval_ns = SAMPLER_INTERVAL_DEFAULT_NS;
    if (c->series_cap == 0)
        c->series_cap = SERIES_CAP_DEFAULT;
    if (c->steady_windows == 0)
        c->steady_windows = STEADY_WINDOWS_DEFAULT;
    if (is_zero(&c->band, sizeof(c->band)))
        c->band = BAND_CONFIG_DEFAULT;
    if (is_zero(&c->gate, sizeof(c->gate)))
        c->gate = GATE_CONFIG_DEFAULT;
}

static void sync_init(struct sampler *s)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->lock, NULL);
}

static int hists_init(struct sampler *s, struct err *err)
{
    if (hist_init(&s->window_hist, &LATENCY_HIST_CONFIG, err) < 0 ||
        hist_init(&s->interval_hist, &LATENCY_HIST_CONFIG, err) < 0 ||
        hist_init(&s->response_hist, &LATENCY_HIST_CONFIG, err) < 0 ||
        hist_init(&s->response_mark, &LATENCY_HIST_CONFIG, err) < 0)
        return -1;
    for (unsigned i = 0; i < s->nodes; i++) {
        if (hist_init(&s->marks[i].service, &LATENCY_HIST_CONFIG, err) < 0)
            return -1;
    }
    return 0;
}

static int parts_init(struct sampler *s, struct err *err)
{
    struct recovery_config recovery = {
        .nodes = s->nodes, .band = s->config.band, .steady_windows = s->config.steady_windows};
    s->recovery = recovery_new(&recovery, s->config.recorder);
    s->series = series_new(s->nodes, s->config.series_cap, err);
    s->cells = cell_meter_new(s->config.recorder, err);
    s->marks = calloc(s->nodes, sizeof(*s->marks));
    s->interval.nodes = calloc(s->nodes, sizeof(*s->interval.nodes));
    s->stats = calloc(s->nodes, sizeof(*s->stats));
    s->pool_total_max = calloc(s->nodes, sizeof(*s->pool_total_max));
    baseline_init(&s->baseline);
    if (!s->recovery || !s->series || !s->cells || !s->marks || !s->interval.nodes || !s->stats ||
        !s->pool_total_max)
        return err_set(err, "no memory for the sampler");
    return hists_init(s, err);
}

static struct host_sample host_look(const struct sampler *s, ns_t now)
{
    struct host_sample sample = host_sample_unknown(now);
    if (s->config.host)
        s->config.host(s->config.arg, now, &sample);
    return sample;
}

static void interval_begin(struct sampler *s, ns_t now, unsigned phase)
{
    struct interval_node *nodes = s->interval.nodes;
    memset(nodes, 0, s->nodes * sizeof(*nodes));
    s->interval = (struct interval){.start_ns = now, .phase = phase, .nodes = nodes};
    hist_reset(&s->interval_hist);
}

struct sampler *sampler_new(const struct sampler_config *config, ns_t now, struct err *err)
{
    struct sampler *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(err, "no memory for the sampler");
        return NULL;
    }
    s->config = *config;
    s->nodes = recorder_config(config->recorder)->nodes;
    config_complete(&s->config);
    sync_init(s);
    if (parts_init(s, err) < 0) {
        sampler_free(s);
        return NULL;
    }
    s->window_start_ns = now;
    s->window_phase = recorder_phase(config->recorder);
    s->deadline_ns = ns_add(now, s->config.window_ns);
    s->host = host_look(s, now);
    interval_begin(s, now, s->window_phase);
    return s;
}

static void thread_end(struct sampler *s)
{
    if (!s->running)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    s->running = false;
}

void sampler_free(struct sampler *s)
{
    if (!s)
        return;
    thread_end(s);
    for (unsigned i = 0; s->marks && i < s->nodes; i++)
        hist_deinit(&s->marks[i].service);
    hist_deinit(&s->window_hist);
    hist_deinit(&s->interval_hist);
    hist_deinit(&s->response_hist);
    hist_deinit(&s->response_mark);
    cell_meter_free(s->cells);
    recovery_free(s->recovery);
    series_free(s->series);
    free(s->marks);
    free(s->interval.nodes);
    free(s->stats);
    free(s->pool_total_max);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- windows ---- */

/* Leaves in window_hist what was recorded since the last call. */
static void window_hist_cut(struct sampler *s, unsigned node)
{
    struct hist *mark = &s->marks[node].service;
    hist_reset(&s->window_hist);
    recorder_live(s->config.recorder, node, &s->window_hist);
    hist_subtract(&s->window_hist, mark);
    hist_add(mark, &s->window_hist);
    hist_add(&s->interval_hist, &s->window_hist);
}

static struct window window_cut(struct sampler *s, unsigned node, ns_t now)
{
    struct node_mark *mark = &s->marks[node];
    struct recorder_live_counts counts = recorder_live_counts(s->config.recorder, node);
    window_hist_cut(s, node);
    struct window w = {
        .start_ns = s->window_start_ns,
        .length_ns = now - s->window_start_ns,
        .ok = counts.succeeded - mark->counts.succeeded,
        .failed = counts.failed - mark->counts.failed,
        .p99_ns = hist_value_at_percentile(&s->window_hist, 99),
    };
    mark->counts = counts;
    s->interval.nodes[node].succeeded += w.ok;
    s->interval.nodes[node].failed += w.failed;
    return w;
}

/* Called with the mutex held. */
static void windows_cut(struct sampler *s, ns_t now, unsigned phase)
{
    int baseline_phase = s->config.baseline_phase;
    bool is_baseline =
        baseline_phase >= 0 && (unsigned)baseline_phase == phase && s->window_phase == phase;
    struct window all = {.start_ns = s->window_start_ns, .length_ns = now - s->window_start_ns};
    for (unsigned i = 0; i < s->nodes; i++) {
        struct window w = window_cut(s, i, now);
        recovery_window(s->recovery, i, &w, is_baseline);
        all.ok += w.ok;
        all.failed += w.failed;
    }
    if (is_baseline)
        baseline_add(&s->baseline, &all);
    s->lag_max_ns = ns_max(s->lag_max_ns, all.length_ns - s->config.window_ns);
    s->window_start_ns = now;
    s->window_phase = phase;
}

/* Tells recovery about new breaker transitions. Called with the mutex held. */
static void transitions_follow(struct sampler *s)
{
    struct transition batch[TRANSITIONS_BATCH];
    size_t n;
    if (!s->config.transitions)
        return;
    do {
        n = transitions_read(s->config.transitions, s->transitions_seen, batch, TRANSITIONS_BATCH);
        for (size_t i = 0; i < n; i++)
            recovery_breaker(s->recovery, batch[i].node, batch[i].to, batch[i].at_ns);
        s->transitions_seen += n;
    } while (n == TRANSITIONS_BATCH);
}

static void stats_take(struct sampler *s)
{
    if (!s->config.node_stats)
        return;
    memset(s->stats, 0, s->nodes * sizeof(*s->stats));
    s->config.node_stats(s->config.arg, s->stats, s->nodes);
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->nodes; i++) {
        s->interval.nodes[i].stats = s->stats[i];
        if (s->stats[i].pool_total > s->pool_total_max[i])
            s->pool_total_max[i] = s->stats[i].pool_total;
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- intervals ---- */

static void interval_counts(struct sampler *s)
{
    struct recorder_counts now =
        recorder_counts(s->config.recorder, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL);
    struct interval *i = &s->interval;
    i->offered = now.offered - s->totals.offered;
    i->dropped = now.dropped - s->totals.dropped;
    i->succeeded = now.succeeded - s->totals.succeeded;
    i->failed = now.failed - s->totals.failed;
    for (unsigned o = 0; o < OUTCOME_COUNT; o++)
        i->by_outcome[o] = now.by_outcome[o] - s->totals.by_outcome[o];
    s->totals = now;
}

/* Leaves in response_hist what was recorded since the last interval's end. */
static void response_cut(struct sampler *s)
{
    hist_reset(&s->response_hist);
    recorder_response(s->config.recorder, RECORDER_ALL, true, &s->response_hist);
    hist_subtract(&s->response_hist, &s->response_mark);
    hist_add(&s->response_mark, &s->response_hist);
}

static void interval_hists(struct sampler *s)
{
    struct interval *i = &s->interval;
    response_cut(s);
    i->service = latency_of(&s->interval_hist);
    i->response = latency_of(&s->response_hist);
    i->service_hist = hist_pack(&s->interval_hist);
    i->response_hist = hist_pack(&s->response_hist);
    i->cell_count = cell_meter_cut(s->cells, &i->cells);
}

static void interval_end(struct sampler *s, ns_t now, unsigned phase)
{
    s->interval.end_ns = now;
    interval_hists(s);
    interval_counts(s);
    struct host_sample host = host_look(s, now);
    s->interval.host = host_use_between(&s->host, &host);
    s->host = host;
    pthread_mutex_lock(&s->lock);
    /* Without memory the series has a gap; the counters and the verdict do not depend on it. */
    series_add(s->series, &s->interval, NULL);
    pthread_mutex_unlock(&s->lock);
    if (s->config.interval)
        s->config.interval(s->config.arg, &s->interval, s->nodes);
    free(s->interval.service_hist);
    free(s->interval.response_hist);
    interval_begin(s, now, phase);
}

/* ---- ticks ---- */

static void window_end(struct sampler *s, ns_t now, unsigned phase)
{
    pthread_mutex_lock(&s->lock);
    windows_cut(s, now, phase);
    transitions_follow(s);
    recovery_tick(s->recovery);
    s->deadline_ns = ns_add(now, s->config.window_ns);
    pthread_mutex_unlock(&s->lock);
    recorder_oldest_in_flight(s->config.recorder, now);
    stats_take(s);
}

void sampler_tick(struct sampler *s, ns_t now)
{
    if (now < sampler_deadline(s))
        return;
    unsigned phase = recorder_phase(s->config.recorder);
    window_end(s, now, phase);
    if (phase != s->interval.phase || now - s->interval.start_ns >= s->config.interval_ns)
        interval_end(s, now, phase);
}

ns_t sampler_deadline(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    ns_t deadline = s->deadline_ns;
    pthread_mutex_unlock(&s->lock);
    return deadline;
}

static bool wait_until(struct sampler *s, ns_t deadline)
{
    struct timespec ts = ns_to_timespec(deadline);
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && ns_now() < deadline)
        pthread_cond_timedwait(&s->wake, &s->lock, &ts);
    bool go_on = !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static void *thread_main(void *arg)
{
    struct sampler *s = arg;
    while (wait_until(s, sampler_deadline(s)))
        sampler_tick(s, ns_now());
    return NULL;
}

int sampler_start(struct sampler *s, struct err *err)
{
    /* Signals are for the main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&s->thread, NULL, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return err_set(err, "cannot start the sampling thread: %s", strerror(failure));
    s->running = true;
    return 0;
}

void sampler_stop(struct sampler *s, ns_t now)
{
    thread_end(s);
    unsigned phase = recorder_phase(s->config.recorder);
    if (now > s->window_start_ns)
        window_end(s, now, phase);
    if (now > s->interval.start_ns)
        interval_end(s, now, phase);
}

/* ---- the controller's side ---- */

int sampler_fault_start(struct sampler *s, unsigned node, ns_t at_ns)
{
    pthread_mutex_lock(&s->lock);
    transitions_follow(s);
    int fault = recovery_fault_start(s->recovery, node, at_ns);
    pthread_mutex_unlock(&s->lock);
    return fault;
}

void sampler_fault_end(struct sampler *s, int fault, ns_t at_ns)
{
    pthread_mutex_lock(&s->lock);
    recovery_fault_end(s->recovery, fault, at_ns);
    pthread_mutex_unlock(&s->lock);
}

struct recovery_times sampler_fault_times(struct sampler *s, int fault)
{
    pthread_mutex_lock(&s->lock);
    struct recovery_times times = recovery_times(s->recovery, fault);
    pthread_mutex_unlock(&s->lock);
    return times;
}

bool sampler_is_recovered(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    bool complete = recovery_is_complete(s->recovery);
    pthread_mutex_unlock(&s->lock);
    return complete;
}

struct gate sampler_gate(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    struct gate gate = gate_judge(&s->baseline, &s->config.gate);
    pthread_mutex_unlock(&s->lock);
    return gate;
}

struct band sampler_band(struct sampler *s, unsigned node)
{
    pthread_mutex_lock(&s->lock);
    struct band band = recovery_band(s->recovery, node);
    pthread_mutex_unlock(&s->lock);
    return band;
}

ns_t sampler_lag_max(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    ns_t lag = s->lag_max_ns;
    pthread_mutex_unlock(&s->lock);
    return lag;
}

uint32_t sampler_pool_total_max(struct sampler *s, unsigned node)
{
    assert(node < s->nodes);
    pthread_mutex_lock(&s->lock);
    uint32_t max = s->pool_total_max[node];
    pthread_mutex_unlock(&s->lock);
    return max;
}

int sampler_series_see(struct sampler *s, int (*see)(void *arg, const struct series *series),
                       void *arg)
{
    pthread_mutex_lock(&s->lock);
    int rc = see(arg, s->series);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

const struct series *sampler_series(const struct sampler *s)
{
    assert(!s->running);
    return s->series;
}
