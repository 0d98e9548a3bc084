/* SPDX-License-Identifier: MIT */
/*
 * Life of an entry, see fault_move():
 *
 *   ACTIVE ──fault ends──▶ ENDED ──all found──▶ RECOVERED
 *                            └──faulted again──▶ SUPERSEDED
 *
 * ACTIVE looks for the first error and the breaker's opening; ENDED also for the first success and
 * the steady state. The other two look for nothing and hold no watch.
 */
#include "metrics/recovery.h"

#include <assert.h>
#include <stdlib.h>

enum fault_state {
    FAULT_ACTIVE,
    FAULT_ENDED,
    FAULT_RECOVERED,
    FAULT_SUPERSEDED,
    FAULT_STATE_COUNT
};

#define TO(s) (1u << FAULT_##s)
static const uint32_t fault_next[FAULT_STATE_COUNT] = {
    [FAULT_ACTIVE] = TO(ENDED),
    [FAULT_ENDED] = TO(RECOVERED) | TO(SUPERSEDED),
    [FAULT_RECOVERED] = 0,
    [FAULT_SUPERSEDED] = 0,
};

struct fault {
    enum fault_state state;
    struct recovery_times times;
    struct steady steady;
    int error_watch;   /* -1: none */
    int success_watch; /* -1: none */
};

struct recovery {
    struct recovery_config config;
    struct recorder *recorder; /* borrowed, may be NULL */
    struct baseline *baselines;
    bool *breaker_is_open;
    struct fault *faults;
    int count;
};

struct recovery *recovery_new(const struct recovery_config *config, struct recorder *recorder)
{
    struct recovery *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->config = *config;
    r->recorder = recorder;
    r->baselines = calloc(config->nodes, sizeof(*r->baselines));
    r->breaker_is_open = calloc(config->nodes, sizeof(*r->breaker_is_open));
    r->faults = calloc(RECOVERY_FAULTS_MAX, sizeof(*r->faults));
    if (!r->baselines || !r->breaker_is_open || !r->faults) {
        recovery_free(r);
        return NULL;
    }
    return r;
}

void recovery_free(struct recovery *r)
{
    if (!r)
        return;
    free(r->baselines);
    free(r->breaker_is_open);
    free(r->faults);
    free(r);
}

/* ---- watches ---- */

static void release(struct recovery *r, int *watch)
{
    if (*watch >= 0)
        recorder_watch_release(r->recorder, *watch);
    *watch = -1;
}

/* Takes what a watch has found. The watch is given back when the value has not changed since the
 * tick before: a worker may still be about to record an operation that ended a little earlier. */
static void harvest(struct recovery *r, int *watch, ns_t *found)
{
    if (*watch < 0)
        return;
    ns_t seen = recorder_watch_found_ns(r->recorder, *watch);
    if (seen != NS_NEVER && seen == *found)
        release(r, watch);
    *found = seen;
}

static void fault_move(struct recovery *r, struct fault *f, enum fault_state to)
{
    assert(fault_next[f->state] & (1u << to));
    f->state = to;
    if (to == FAULT_ENDED)
        return;
    release(r, &f->error_watch);
    release(r, &f->success_watch);
    f->times.superseded = to == FAULT_SUPERSEDED;
}

static void fault_tick(struct recovery *r, struct fault *f)
{
    harvest(r, &f->error_watch, &f->times.first_error_ns);
    harvest(r, &f->success_watch, &f->times.first_success_ns);
    /* Without a baseline nothing can be called steady, and nobody shall wait for it. */
    bool steady = f->times.steady_ns != NS_NEVER || !f->steady.band.known;
    if (f->state == FAULT_ENDED && f->times.first_success_ns != NS_NEVER && steady)
        fault_move(r, f, FAULT_RECOVERED);
}

void recovery_tick(struct recovery *r)
{
    for (int i = 0; i < r->count; i++)
        fault_tick(r, &r->faults[i]);
}

/* ---- faults ---- */

static void supersede_earlier(struct recovery *r, unsigned node)
{
    for (int i = 0; i < r->count; i++) {
        struct fault *f = &r->faults[i];
        if (f->times.node == node && f->state == FAULT_ENDED)
            fault_move(r, f, FAULT_SUPERSEDED);
    }
}

int recovery_fault_start(struct recovery *r, unsigned node, ns_t at_ns)
{
    assert(node < r->config.nodes);
    if (r->count == RECOVERY_FAULTS_MAX)
        return -1;
    recovery_tick(r);
    supersede_earlier(r, node);
    struct fault *f = &r->faults[r->count];
    *f = (struct fault){
        .state = FAULT_ACTIVE,
        .times = {.node = node,
                  .fault_start_ns = at_ns,
                  .fault_end_ns = NS_NEVER,
                  .first_error_ns = NS_NEVER,
                  .breaker_open_ns = r->breaker_is_open[node] ? at_ns : NS_NEVER,
                  .first_success_ns = NS_NEVER,
                  .steady_ns = NS_NEVER},
        .error_watch = -1,
        .success_watch = -1,
    };
    if (r->recorder)
        f->error_watch = recorder_arm_first_error(r->recorder, node, at_ns);
    return r->count++;
}

void recovery_fault_end(struct recovery *r, int fault, ns_t at_ns)
{
    if (fault < 0)
        return;
    assert(fault < r->count);
    struct fault *f = &r->faults[fault];
    fault_move(r, f, FAULT_ENDED);
    f->times.fault_end_ns = at_ns;
    struct band band = recovery_band(r, f->times.node);
    steady_init(&f->steady, &band, at_ns, r->config.steady_windows);
    if (r->recorder)
        f->success_watch = recorder_arm_first_success(r->recorder, f->times.node, at_ns);
}

/* ---- what is told ---- */

void recovery_window(struct recovery *r, unsigned node, const struct window *w, bool is_baseline)
{
    assert(node < r->config.nodes);
    if (is_baseline)
        baseline_add(&r->baselines[node], w);
    for (int i = 0; i < r->count; i++) {
        struct fault *f = &r->faults[i];
        if (f->times.node != node || f->state != FAULT_ENDED)
            continue;
        steady_add(&f->steady, w);
        f->times.steady_ns = f->steady.found_ns;
    }
}

void recovery_breaker(struct recovery *r, unsigned node, enum breaker_view view, ns_t at_ns)
{
    assert(node < r->config.nodes);
    r->breaker_is_open[node] = view == BREAKER_VIEW_OPEN;
    if (view != BREAKER_VIEW_OPEN)
        return;
    for (int i = 0; i < r->count; i++) {
        struct fault *f = &r->faults[i];
        if (f->times.node == node && f->state <= FAULT_ENDED && at_ns >= f->times.fault_start_ns)
            f->times.breaker_open_ns = ns_min(f->times.breaker_open_ns, at_ns);
    }
}

/* ---- results ---- */

struct recovery_times recovery_times(const struct recovery *r, int fault)
{
    assert(fault >= 0 && fault < r->count);
    return r->faults[fault].times;
}

bool recovery_is_complete(const struct recovery *r)
{
    for (int i = 0; i < r->count; i++) {
        if (r->faults[i].state == FAULT_ENDED)
            return false;
    }
    return true;
}

struct band recovery_band(const struct recovery *r, unsigned node)
{
    assert(node < r->config.nodes);
    return band_of(&r->baselines[node], &r->config.band);
}
