/* SPDX-License-Identifier: MIT */
/*
 * The circuit breaker: a table of three states, one function that moves between them, and a window
 * of counts that is cleared at every move (a new generation).
 *
 * Time is looked at lazily: every call first makes the step that is due, breaker_advance(). One
 * call makes at most one transition, since a state that was entered now can neither have expired
 * nor contain the request whose result is being reported.
 */
#include <mcmeta/breaker.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/time.h"
#include "mcmeta/window.h"

#define OPEN_NS_DEFAULT (60 * NS_PER_SEC)
#define CONSECUTIVE_FAILURES_DEFAULT 6

#define TO(s) (1u << MCM_BREAKER_##s)
static const struct {
    const char *name;
    uint32_t next;
} states[MCM_BREAKER_STATE_COUNT] = {
    [MCM_BREAKER_CLOSED] = {"closed", TO(OPEN)},
    [MCM_BREAKER_HALF_OPEN] = {"half-open", TO(OPEN) | TO(CLOSED)},
    [MCM_BREAKER_OPEN] = {"open", TO(HALF_OPEN)},
};
#undef TO

static const char *const cause_names[] = {
    [MCM_BREAKER_CAUSE_NONE] = "none",
    [MCM_BREAKER_CAUSE_TRIPPED] = "tripped",
    [MCM_BREAKER_CAUSE_OPEN_EXPIRED] = "open time passed",
    [MCM_BREAKER_CAUSE_PROBES_SUCCEEDED] = "probes succeeded",
    [MCM_BREAKER_CAUSE_PROBE_FAILED] = "probe failed",
    [MCM_BREAKER_CAUSE_PROBE_TIMED_OUT] = "probe timed out",
};

static const struct {
    const char *name;
    struct mcm_breaker_settings settings;
} presets[MCM_BREAKER_PRESET_COUNT] = {
    [MCM_BREAKER_GOBREAKER] = {"gobreaker",
                               {
                                   .half_open_max = 1,
                                   .open_ns = OPEN_NS_DEFAULT,
                                   .consecutive_failures = CONSECUTIVE_FAILURES_DEFAULT,
                               }},
    [MCM_BREAKER_ORIGINAL] = {"original",
                              {
                                  .half_open_max = 3,
                                  .interval_ns = 30 * NS_PER_SEC,
                                  .open_ns = 5 * NS_PER_SEC,
                                  .failure_ratio = 0.6,
                                  .min_requests = 5,
                              }},
    [MCM_BREAKER_FAST] = {"fast",
                          {
                              .half_open_max = 3,
                              .interval_ns = 10 * NS_PER_SEC,
                              .bucket_ns = NS_PER_SEC,
                              .open_ns = NS_PER_SEC,
                              .failure_ratio = 0.5,
                              .min_requests = 20,
                              .consecutive_failures = 8,
                              .probe_timeout_ns = 2 * NS_PER_SEC,
                              .open_jitter = 0.2,
                          }},
};

struct mcm_breaker {
    struct mcm_breaker_settings set; /* normalised by settings_normalise() */
    struct rng rng;
    uint64_t generation;
    int64_t start_ns;    /* of the generation */
    int64_t expiry_ns;   /* of the fixed window or of the open time, NS_NEVER when there is none */
    int64_t since_ns;    /* of the state */
    int64_t progress_ns; /* half-open: when the probes in flight last gave a sign of life */
    uint32_t reopened;   /* half-open episodes in a row that ended in open */
    uint64_t connect_failures; /* in a row, in this generation */
    uint64_t trips_refused;
    uint64_t opens;
    uint64_t rejected_busy;
    int64_t state_ns[MCM_BREAKER_STATE_COUNT];
    /* Written under the caller's lock, read without it. */
    enum mcm_breaker_state state;
    int64_t refuse_until_ns; /* end of the open time, INT64_MIN unless open */
    uint64_t rejected_open;
    struct mcm_window window;
    struct mcm_breaker_counts buckets[];
};

/* --- Settings --- */

void mcm_breaker_preset_get(enum mcm_breaker_preset preset, struct mcm_breaker_settings *settings)
{
    assert((unsigned)preset < MCM_BREAKER_PRESET_COUNT);
    *settings = presets[preset].settings;
}

int mcm_breaker_preset_by_name(const char *name)
{
    for (int i = 0; i < MCM_BREAKER_PRESET_COUNT; i++) {
        if (strcmp(presets[i].name, name) == 0)
            return i;
    }
    return -1;
}

static uint32_t bucket_count(const struct mcm_breaker_settings *s)
{
    if (s->interval_ns <= 0 || s->bucket_ns <= 0)
        return 1;
    int64_t count = s->interval_ns / s->bucket_ns + (s->interval_ns % s->bucket_ns != 0);
    return count > MCM_BREAKER_BUCKETS_MAX ? UINT32_MAX : (uint32_t)count;
}

/* The comparisons are written so that a NaN fails them. */
const char *mcm_breaker_settings_error(const struct mcm_breaker_settings *s)
{
    if (!(s->failure_ratio >= 0 && s->failure_ratio <= 1))
        return "failure_ratio must be between 0 and 1";
    if (!(s->open_jitter >= 0 && s->open_jitter < 1))
        return "open_jitter must be at least 0 and below 1";
    if (!(s->open_backoff >= 0 && s->open_backoff <= 1000))
        return "open_backoff must be between 0 and 1000";
    if (s->slow_ns < 0)
        return "slow_ns must not be negative";
    if (bucket_count(s) > MCM_BREAKER_BUCKETS_MAX)
        return "interval_ns / bucket_ns exceeds MCM_BREAKER_BUCKETS_MAX";
    return NULL;
}

static struct mcm_breaker_settings settings_normalise(const struct mcm_breaker_settings *settings)
{
    struct mcm_breaker_settings s = *settings;
    if (s.half_open_max == 0)
        s.half_open_max = 1;
    if (s.open_ns <= 0)
        s.open_ns = OPEN_NS_DEFAULT;
    if (s.failure_ratio <= 0 && s.consecutive_failures == 0 && s.ready_to_trip == NULL)
        s.consecutive_failures = CONSECUTIVE_FAILURES_DEFAULT;
    if (s.interval_ns <= 0)
        s.interval_ns = s.bucket_ns = 0;
    /* A rolling window of one bucket is a fixed window of the bucket's length. */
    if (s.bucket_ns > 0 && s.interval_ns <= s.bucket_ns) {
        s.interval_ns = s.bucket_ns;
        s.bucket_ns = 0;
    }
    if (s.bucket_ns < 0)
        s.bucket_ns = 0;
    return s;
}

/* --- State --- */

/* The open time grows by the back-off for each half-open in a row that failed, then is jittered. */
static int64_t open_time(struct mcm_breaker *b)
{
    double ns = (double)b->set.open_ns;
    double cap = b->set.open_max_ns > 0 ? (double)b->set.open_max_ns : (double)(NS_NEVER / 4);
    if (b->set.open_backoff > 1) {
        for (uint32_t i = 0; i < b->reopened && ns < cap; i++)
            ns *= b->set.open_backoff;
        ns = ns < cap ? ns : cap;
    }
    if (b->set.open_jitter > 0)
        ns *= 1 + b->set.open_jitter * (2 * rng_double(&b->rng) - 1);
    return ns < (double)(NS_NEVER / 2) ? (int64_t)ns : NS_NEVER / 2;
}

static int64_t expiry_from(struct mcm_breaker *b, int64_t now_ns)
{
    switch (b->state) {
    case MCM_BREAKER_CLOSED:
        if (b->set.interval_ns == 0 || b->set.bucket_ns > 0)
            return NS_NEVER;
        return ns_add(now_ns, b->set.interval_ns);
    case MCM_BREAKER_OPEN: return ns_add(now_ns, open_time(b));
    case MCM_BREAKER_HALF_OPEN:
    case MCM_BREAKER_STATE_COUNT: break;
    }
    return NS_NEVER;
}

/* A new generation: what happened before does not count any more. */
static void breaker_renew(struct mcm_breaker *b, int64_t now_ns)
{
    b->generation++;
    b->connect_failures = 0;
    mcm_window_clear(&b->window);
    b->start_ns = now_ns;
    b->expiry_ns = expiry_from(b, now_ns);
}

/* Takes one of the quota for a breaker that leaves closed; false when there is none left. */
static bool quota_take(struct mcm_breaker_quota *quota)
{
    if (quota == NULL)
        return true;
    uint32_t away = __atomic_load_n(&quota->away, __ATOMIC_RELAXED);
    do {
        if (away >= __atomic_load_n(&quota->away_max, __ATOMIC_RELAXED))
            return false;
    } while (!__atomic_compare_exchange_n(&quota->away, &away, away + 1, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

static void quota_give(struct mcm_breaker_quota *quota)
{
    if (quota != NULL)
        __atomic_sub_fetch(&quota->away, 1, __ATOMIC_RELAXED);
}

static void breaker_move(struct mcm_breaker *b, enum mcm_breaker_state to,
                         enum mcm_breaker_cause cause, int64_t now_ns,
                         struct mcm_breaker_transition *moved)
{
    enum mcm_breaker_state from = b->state;
    assert(states[from].next & (1u << to));
    b->state_ns[from] += ns_max(0, now_ns - b->since_ns);
    b->since_ns = now_ns;
    if (to == MCM_BREAKER_OPEN) {
        b->opens++;
        b->reopened = from == MCM_BREAKER_HALF_OPEN ? b->reopened + 1 : 0;
    }
    if (to == MCM_BREAKER_CLOSED)
        quota_give(b->set.quota);
    __atomic_store_n(&b->state, to, __ATOMIC_RELAXED);
    breaker_renew(b, now_ns);
    int64_t refuse_until = to == MCM_BREAKER_OPEN ? b->expiry_ns : INT64_MIN;
    __atomic_store_n(&b->refuse_until_ns, refuse_until, __ATOMIC_RELAXED);
    *moved = (struct mcm_breaker_transition){from, to, cause, now_ns};
}

static uint64_t probes_in_flight(const struct mcm_breaker *b)
{
    const struct mcm_breaker_counts *c = &b->window.total;
    uint64_t ended = c->successes + c->failures + c->exclusions;
    return c->requests > ended ? c->requests - ended : 0;
}

static int64_t probe_deadline(const struct mcm_breaker *b)
{
    if (b->set.probe_timeout_ns <= 0 || probes_in_flight(b) == 0)
        return NS_NEVER;
    return ns_add(b->progress_ns, b->set.probe_timeout_ns);
}

static void window_advance(struct mcm_breaker *b, int64_t now_ns)
{
    if (b->expiry_ns < now_ns)
        breaker_renew(b, now_ns);
    else if (b->set.bucket_ns > 0 && now_ns > b->start_ns)
        mcm_window_grow(&b->window, (uint64_t)((now_ns - b->start_ns) / b->set.bucket_ns));
}

/* Makes the step that is due at `now_ns`. */
static void breaker_advance(struct mcm_breaker *b, int64_t now_ns,
                            struct mcm_breaker_transition *moved)
{
    switch (b->state) {
    case MCM_BREAKER_CLOSED: window_advance(b, now_ns); return;
    case MCM_BREAKER_OPEN:
        if (b->expiry_ns < now_ns)
            breaker_move(b, MCM_BREAKER_HALF_OPEN, MCM_BREAKER_CAUSE_OPEN_EXPIRED, now_ns, moved);
        return;
    case MCM_BREAKER_HALF_OPEN:
        if (probe_deadline(b) < now_ns)
            breaker_move(b, MCM_BREAKER_OPEN, MCM_BREAKER_CAUSE_PROBE_TIMED_OUT, now_ns, moved);
        return;
    case MCM_BREAKER_STATE_COUNT: break;
    }
}

/* Requests that say or will say something about the server. */
static uint64_t judged(const struct mcm_breaker_counts *c)
{
    return c->requests > c->exclusions ? c->requests - c->exclusions : 0;
}

static bool ready_to_trip(const struct mcm_breaker *b)
{
    const struct mcm_breaker_settings *s = &b->set;
    const struct mcm_breaker_counts *c = &b->window.total;
    if (s->connect_failures > 0 && b->connect_failures >= s->connect_failures)
        return true;
    if (s->consecutive_failures > 0 && c->consecutive_failures >= s->consecutive_failures)
        return true;
    if (s->failure_ratio > 0 && judged(c) >= s->min_requests &&
        (double)c->failures / (double)judged(c) >= s->failure_ratio)
        return true;
    return s->ready_to_trip != NULL && s->ready_to_trip(c, s->ready_to_trip_arg);
}

static void closed_done(struct mcm_breaker *b, uint64_t age, enum mcm_breaker_result result,
                        int64_t now_ns, struct mcm_breaker_transition *moved)
{
    mcm_window_count_result(&b->window, age, result);
    if (result != MCM_BREAKER_FAILURE || !ready_to_trip(b))
        return;
    if (quota_take(b->set.quota))
        breaker_move(b, MCM_BREAKER_OPEN, MCM_BREAKER_CAUSE_TRIPPED, now_ns, moved);
    else
        b->trips_refused++;
}

/* What the additions make of a result: one of gobreaker's three. */
static enum mcm_breaker_result judge(struct mcm_breaker *b, struct mcm_breaker_token token,
                                     enum mcm_breaker_result result, int64_t now_ns)
{
    if (result == MCM_BREAKER_CONNECT_FAILURE) {
        b->connect_failures++;
        return MCM_BREAKER_FAILURE;
    }
    if (result != MCM_BREAKER_EXCLUDED)
        b->connect_failures = 0;
    bool slow = b->set.slow_ns > 0 && now_ns - token.began_ns > b->set.slow_ns;
    return result == MCM_BREAKER_SUCCESS && slow ? MCM_BREAKER_FAILURE : result;
}

static void half_open_done(struct mcm_breaker *b, uint64_t age, enum mcm_breaker_result result,
                           int64_t now_ns, struct mcm_breaker_transition *moved)
{
    if (result == MCM_BREAKER_FAILURE) {
        breaker_move(b, MCM_BREAKER_OPEN, MCM_BREAKER_CAUSE_PROBE_FAILED, now_ns, moved);
        return;
    }
    b->progress_ns = now_ns;
    mcm_window_count_result(&b->window, age, result);
    if (b->window.total.consecutive_successes >= b->set.half_open_max)
        breaker_move(b, MCM_BREAKER_CLOSED, MCM_BREAKER_CAUSE_PROBES_SUCCEEDED, now_ns, moved);
}

/* --- Public --- */

const char *mcm_breaker_state_name(enum mcm_breaker_state state)
{
    assert((unsigned)state < MCM_BREAKER_STATE_COUNT);
    return states[state].name;
}

const char *mcm_breaker_cause_name(enum mcm_breaker_cause cause)
{
    assert((unsigned)cause < sizeof(cause_names) / sizeof(cause_names[0]));
    return cause_names[cause];
}

struct mcm_breaker *mcm_breaker_new(const struct mcm_breaker_settings *settings, uint64_t seed,
                                    int64_t now_ns)
{
    if (mcm_breaker_settings_error(settings) != NULL)
        return NULL;
    uint32_t count = bucket_count(settings);
    struct mcm_breaker *b = calloc(1, sizeof(*b) + count * sizeof(b->buckets[0]));
    if (b == NULL)
        return NULL;
    b->set = settings_normalise(settings);
    b->rng = rng_seeded(seed);
    b->state = MCM_BREAKER_CLOSED;
    b->since_ns = now_ns;
    b->refuse_until_ns = INT64_MIN;
    mcm_window_init(&b->window, b->buckets, count);
    breaker_renew(b, now_ns);
    return b;
}

void mcm_breaker_free(struct mcm_breaker *b)
{
    if (b != NULL && b->state != MCM_BREAKER_CLOSED)
        quota_give(b->set.quota);
    free(b);
}

static enum mcm_breaker_verdict allow(struct mcm_breaker *b, bool is_probe, int64_t now_ns,
                                      struct mcm_breaker_token *token,
                                      struct mcm_breaker_transition *moved)
{
    struct mcm_breaker_transition ignored;
    moved = moved != NULL ? moved : &ignored;
    *moved = (struct mcm_breaker_transition){0};
    breaker_advance(b, now_ns, moved);
    if (b->state == MCM_BREAKER_OPEN) {
        __atomic_add_fetch(&b->rejected_open, 1, __ATOMIC_RELAXED);
        return MCM_BREAKER_REFUSED_OPEN;
    }
    if (b->state == MCM_BREAKER_HALF_OPEN) {
        if (judged(&b->window.total) >= b->set.half_open_max || (b->set.held_probes && !is_probe)) {
            b->rejected_busy++;
            return MCM_BREAKER_REFUSED_BUSY;
        }
        if (probes_in_flight(b) == 0)
            b->progress_ns = now_ns;
    }
    mcm_window_count_request(&b->window);
    *token = (struct mcm_breaker_token){b->generation, b->window.age, now_ns};
    return MCM_BREAKER_ALLOWED;
}

enum mcm_breaker_verdict mcm_breaker_allow(struct mcm_breaker *b, int64_t now_ns,
                                           struct mcm_breaker_token *token,
                                           struct mcm_breaker_transition *moved)
{
    return allow(b, false, now_ns, token, moved);
}

enum mcm_breaker_verdict mcm_breaker_allow_probe(struct mcm_breaker *b, int64_t now_ns,
                                                 struct mcm_breaker_token *token,
                                                 struct mcm_breaker_transition *moved)
{
    return allow(b, true, now_ns, token, moved);
}

void mcm_breaker_done(struct mcm_breaker *b, struct mcm_breaker_token token,
                      enum mcm_breaker_result result, int64_t now_ns,
                      struct mcm_breaker_transition *moved)
{
    struct mcm_breaker_transition ignored;
    moved = moved != NULL ? moved : &ignored;
    *moved = (struct mcm_breaker_transition){0};
    breaker_advance(b, now_ns, moved);
    if (token.generation != b->generation)
        return;
    result = judge(b, token, result, now_ns);
    if (b->state == MCM_BREAKER_CLOSED)
        closed_done(b, token.age, result, now_ns, moved);
    else
        half_open_done(b, token.age, result, now_ns, moved);
}

enum mcm_breaker_state mcm_breaker_state(struct mcm_breaker *b, int64_t now_ns,
                                         struct mcm_breaker_transition *moved)
{
    mcm_breaker_tick(b, now_ns, moved);
    return b->state;
}

/* A transition is due strictly after its expiry. */
int64_t mcm_breaker_deadline(const struct mcm_breaker *b)
{
    switch (b->state) {
    case MCM_BREAKER_OPEN: return ns_add(b->expiry_ns, 1);
    case MCM_BREAKER_HALF_OPEN: return ns_add(probe_deadline(b), 1);
    case MCM_BREAKER_CLOSED:
    case MCM_BREAKER_STATE_COUNT: break;
    }
    return NS_NEVER;
}

void mcm_breaker_tick(struct mcm_breaker *b, int64_t now_ns, struct mcm_breaker_transition *moved)
{
    struct mcm_breaker_transition ignored;
    moved = moved != NULL ? moved : &ignored;
    *moved = (struct mcm_breaker_transition){0};
    breaker_advance(b, now_ns, moved);
}

void mcm_breaker_stats_get(struct mcm_breaker *b, int64_t now_ns, struct mcm_breaker_stats *out)
{
    if (b->state == MCM_BREAKER_CLOSED)
        window_advance(b, now_ns);
    *out = (struct mcm_breaker_stats){
        .state = b->state,
        .generation = b->generation,
        .counts = b->window.total,
        .since_ns = b->since_ns,
        .open_until_ns = b->state == MCM_BREAKER_OPEN ? b->expiry_ns : NS_NEVER,
        .opens = b->opens,
        .rejected_open = __atomic_load_n(&b->rejected_open, __ATOMIC_RELAXED),
        .rejected_busy = b->rejected_busy,
        .trips_refused = b->trips_refused,
    };
    memcpy(out->state_ns, b->state_ns, sizeof(out->state_ns));
    out->state_ns[b->state] += ns_max(0, now_ns - b->since_ns);
}

enum mcm_breaker_state mcm_breaker_state_hint(const struct mcm_breaker *b)
{
    return __atomic_load_n(&b->state, __ATOMIC_RELAXED);
}

bool mcm_breaker_reject_fast(struct mcm_breaker *b, int64_t now_ns)
{
    if (now_ns > __atomic_load_n(&b->refuse_until_ns, __ATOMIC_RELAXED))
        return false;
    __atomic_add_fetch(&b->rejected_open, 1, __ATOMIC_RELAXED);
    return true;
}
