/* SPDX-License-Identifier: MIT */
/*
 * The breaker in virtual time. The cases of gobreaker's own test table come first, then what we
 * add. Time is in milliseconds here; MS() converts.
 */
#include <mcmeta/breaker.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"

#define MS(n) ((n)*NS_PER_MS)
#define S MCM_BREAKER_SUCCESS
#define F MCM_BREAKER_FAILURE
#define X MCM_BREAKER_EXCLUDED
#define CLOSED MCM_BREAKER_CLOSED
#define HALF_OPEN MCM_BREAKER_HALF_OPEN
#define OPEN MCM_BREAKER_OPEN

/* One breaker, its clock, and the last transition. */
struct rig {
    struct mcm_breaker *b;
    int64_t now;
    struct mcm_breaker_transition moved;
};

static struct rig rig_make(const struct mcm_breaker_settings *settings)
{
    struct rig r = {.now = MS(1000)};
    r.b = mcm_breaker_new(settings, 1, r.now);
    assert_non_null(r.b);
    return r;
}

static enum mcm_breaker_verdict rig_allow(struct rig *r, struct mcm_breaker_token *token)
{
    return mcm_breaker_allow(r->b, r->now, token, &r->moved);
}

static struct mcm_breaker_token rig_start(struct rig *r)
{
    struct mcm_breaker_token token;
    assert_int_equal(rig_allow(r, &token), MCM_BREAKER_ALLOWED);
    return token;
}

static void rig_done(struct rig *r, struct mcm_breaker_token token, enum mcm_breaker_result result)
{
    mcm_breaker_done(r->b, token, result, r->now, &r->moved);
}

/* Requests that start and end now. */
static void rig_run(struct rig *r, enum mcm_breaker_result result, int times)
{
    for (int i = 0; i < times; i++)
        rig_done(r, rig_start(r), result);
}

static enum mcm_breaker_verdict rig_refused(struct rig *r)
{
    struct mcm_breaker_token token;
    return rig_allow(r, &token);
}

static enum mcm_breaker_state rig_state(struct rig *r)
{
    return mcm_breaker_state(r->b, r->now, &r->moved);
}

static struct mcm_breaker_stats rig_stats(struct rig *r)
{
    struct mcm_breaker_stats stats;
    mcm_breaker_stats_get(r->b, r->now, &stats);
    return stats;
}

static void rig_counts(struct rig *r, uint64_t requests, uint64_t successes, uint64_t failures,
                       uint64_t exclusions, uint64_t row_good, uint64_t row_bad)
{
    struct mcm_breaker_counts c = rig_stats(r).counts;
    assert_int_equal(c.requests, requests);
    assert_int_equal(c.successes, successes);
    assert_int_equal(c.failures, failures);
    assert_int_equal(c.exclusions, exclusions);
    assert_int_equal(c.consecutive_successes, row_good);
    assert_int_equal(c.consecutive_failures, row_bad);
}

static void rig_moved(const struct rig *r, enum mcm_breaker_state from, enum mcm_breaker_state to,
                      enum mcm_breaker_cause cause)
{
    assert_int_equal(r->moved.cause, cause);
    assert_int_equal(r->moved.from, from);
    assert_int_equal(r->moved.to, to);
    assert_int_equal(r->moved.at_ns, r->now);
}

static bool trip_at_ratio(const struct mcm_breaker_counts *c, void *arg)
{
    (void)arg;
    return c->requests >= 3 && (double)c->failures / (double)c->requests >= 0.6;
}

/* --- gobreaker's table --- */

static void states_have_gobreakers_numbers_and_names(void **state)
{
    (void)state;
    assert_int_equal(CLOSED, 0);
    assert_int_equal(HALF_OPEN, 1);
    assert_int_equal(OPEN, 2);
    assert_string_equal(mcm_breaker_state_name(CLOSED), "closed");
    assert_string_equal(mcm_breaker_state_name(HALF_OPEN), "half-open");
    assert_string_equal(mcm_breaker_state_name(OPEN), "open");
}

static void zeroed_and_negative_settings_mean_the_defaults(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){.interval_ns = -1, .open_ns = -5});
    r.now += MS(86400000); /* no window */
    rig_run(&r, F, 5);
    assert_int_equal(rig_state(&r), CLOSED);
    rig_run(&r, F, 1);
    assert_int_equal(rig_stats(&r).open_until_ns, r.now + MS(60000));
    mcm_breaker_free(r.b);
}

static void opens_at_the_sixth_failure_in_a_row_and_recovers(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){0});
    rig_run(&r, F, 5);
    rig_counts(&r, 5, 0, 5, 0, 0, 5);
    rig_run(&r, S, 1);
    rig_counts(&r, 6, 1, 5, 0, 1, 0);
    rig_run(&r, F, 5);
    assert_int_equal(rig_state(&r), CLOSED);
    rig_run(&r, F, 1);
    rig_moved(&r, CLOSED, OPEN, MCM_BREAKER_CAUSE_TRIPPED);
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    assert_int_equal(rig_refused(&r), MCM_BREAKER_REFUSED_OPEN);
    rig_counts(&r, 0, 0, 0, 0, 0, 0);

    r.now += MS(59999);
    assert_int_equal(rig_state(&r), OPEN);
    r.now += MS(1); /* exactly at the expiry: not yet passed */
    assert_int_equal(rig_state(&r), OPEN);
    r.now += 1;
    assert_int_equal(rig_state(&r), HALF_OPEN);
    rig_moved(&r, OPEN, HALF_OPEN, MCM_BREAKER_CAUSE_OPEN_EXPIRED);

    rig_run(&r, F, 1);
    rig_moved(&r, HALF_OPEN, OPEN, MCM_BREAKER_CAUSE_PROBE_FAILED);
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    r.now += MS(60000) + 1;
    rig_run(&r, S, 1); /* the allow itself goes to half-open */
    rig_moved(&r, HALF_OPEN, CLOSED, MCM_BREAKER_CAUSE_PROBES_SUCCEEDED);
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    mcm_breaker_free(r.b);
}

static void a_fixed_window_starts_anew_when_it_is_over(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){.half_open_max = 3,
                                                           .interval_ns = MS(30000),
                                                           .open_ns = MS(90000),
                                                           .ready_to_trip = trip_at_ratio});
    for (int i = 0; i < 10; i++) {
        rig_run(&r, S, 1);
        rig_run(&r, F, 1);
    }
    rig_counts(&r, 20, 10, 10, 0, 0, 1);
    r.now += MS(29000);
    rig_run(&r, S, 1);
    rig_counts(&r, 21, 11, 10, 0, 1, 0);
    r.now += MS(1000);
    rig_run(&r, F, 1); /* exactly at the end: still the same window */
    rig_counts(&r, 22, 11, 11, 0, 0, 1);
    r.now += 1;
    rig_run(&r, F, 1);
    rig_counts(&r, 1, 0, 1, 0, 0, 1);
    assert_int_equal(r.moved.cause, MCM_BREAKER_CAUSE_NONE);
    mcm_breaker_free(r.b);
}

static void a_ratio_rule_trips_and_three_probes_close(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){.half_open_max = 3,
                                                           .interval_ns = MS(30000),
                                                           .open_ns = MS(90000),
                                                           .ready_to_trip = trip_at_ratio});
    rig_run(&r, S, 1);
    rig_run(&r, X, 1);
    rig_run(&r, F, 1);
    assert_int_equal(rig_state(&r), CLOSED);
    rig_counts(&r, 3, 1, 1, 1, 0, 1);
    rig_run(&r, F, 2);
    rig_moved(&r, CLOSED, OPEN, MCM_BREAKER_CAUSE_TRIPPED);

    r.now += MS(90000) + 1;
    rig_run(&r, X, 4); /* exclusions do not fill the probe slots */
    rig_counts(&r, 4, 0, 0, 4, 0, 0);
    rig_run(&r, S, 2);
    assert_int_equal(rig_state(&r), HALF_OPEN);
    struct mcm_breaker_token third = rig_start(&r);
    rig_counts(&r, 7, 2, 0, 4, 2, 0);
    assert_int_equal(rig_refused(&r), MCM_BREAKER_REFUSED_BUSY);
    rig_done(&r, third, S);
    rig_moved(&r, HALF_OPEN, CLOSED, MCM_BREAKER_CAUSE_PROBES_SUCCEEDED);
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    mcm_breaker_free(r.b);
}

static bool trip_at_14_of_23(const struct mcm_breaker_counts *c, void *arg)
{
    (void)arg;
    return c->requests >= 20 && (double)c->failures / (double)c->requests >= 0.6;
}

static void a_rolling_window_forgets_bucket_by_bucket(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){.half_open_max = 3,
                                                           .interval_ns = MS(30000),
                                                           .bucket_ns = MS(3000),
                                                           .open_ns = MS(90000),
                                                           .ready_to_trip = trip_at_14_of_23});
    for (int bucket = 0; bucket < 10; bucket++) {
        rig_run(&r, S, 1);
        rig_run(&r, F, 1);
        if (bucket < 9)
            r.now += MS(3000);
    }
    rig_counts(&r, 20, 10, 10, 0, 0, 1);
    r.now += MS(2999);
    rig_counts(&r, 20, 10, 10, 0, 0, 1);
    r.now += MS(1); /* buckets end at their end, unlike expiries */
    rig_counts(&r, 18, 9, 9, 0, 0, 1);
    rig_run(&r, F, 4);
    assert_int_equal(rig_state(&r), CLOSED);
    rig_counts(&r, 22, 9, 13, 0, 0, 5);
    rig_run(&r, F, 1); /* 14 / 23 */
    rig_moved(&r, CLOSED, OPEN, MCM_BREAKER_CAUSE_TRIPPED);
    mcm_breaker_free(r.b);
}

static void a_rolling_window_clears_after_a_long_silence_in_the_same_generation(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){
        .interval_ns = MS(28000), .bucket_ns = MS(3000)}); /* rounded up to 30 s */
    struct mcm_breaker_token early = rig_start(&r);
    rig_run(&r, F, 3);
    uint64_t generation = rig_stats(&r).generation;
    r.now += MS(29999);
    rig_counts(&r, 4, 0, 3, 0, 0, 3);
    r.now += MS(1);
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    assert_int_equal(rig_stats(&r).generation, generation);
    rig_done(&r, early, F); /* its bucket has left */
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    mcm_breaker_free(r.b);
}

static void a_late_result_counts_in_the_bucket_of_its_start(void **state)
{
    (void)state;
    struct rig r =
        rig_make(&(struct mcm_breaker_settings){.interval_ns = MS(2000), .bucket_ns = MS(1000)});
    struct mcm_breaker_token early = rig_start(&r);
    r.now += MS(1500);
    rig_done(&r, early, F);
    rig_counts(&r, 1, 0, 1, 0, 0, 1);
    r.now += MS(500); /* the second bucket ends, the first one's result leaves with it */
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    mcm_breaker_free(r.b);
}

static void a_rolling_window_of_one_bucket_is_a_fixed_window(void **state)
{
    (void)state;
    struct rig r =
        rig_make(&(struct mcm_breaker_settings){.interval_ns = MS(500), .bucket_ns = MS(1000)});
    rig_run(&r, F, 1);
    r.now += MS(1000);
    rig_counts(&r, 1, 0, 1, 0, 0, 1);
    r.now += 1;
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    assert_int_equal(rig_stats(&r).generation, 2);
    mcm_breaker_free(r.b);
}

static void a_result_of_an_old_generation_is_ignored(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){.interval_ns = MS(1000)});
    struct mcm_breaker_token old = rig_start(&r);
    r.now += MS(1000) + 1;
    struct mcm_breaker_token fresh = rig_start(&r);
    rig_done(&r, old, F);
    rig_counts(&r, 1, 0, 0, 0, 0, 0);
    rig_done(&r, fresh, S);
    rig_counts(&r, 1, 1, 0, 0, 1, 0);
    mcm_breaker_free(r.b);
}

static void a_result_from_before_the_trip_does_not_judge_the_probes(void **state)
{
    (void)state;
    struct rig r =
        rig_make(&(struct mcm_breaker_settings){.consecutive_failures = 1, .open_ns = MS(10)});
    struct mcm_breaker_token good = rig_start(&r), bad = rig_start(&r);
    rig_run(&r, F, 1);
    r.now += MS(10) + 1;
    rig_done(&r, bad, F); /* makes the transition that is due, and no more */
    rig_moved(&r, OPEN, HALF_OPEN, MCM_BREAKER_CAUSE_OPEN_EXPIRED);
    rig_done(&r, good, S);
    assert_int_equal(rig_state(&r), HALF_OPEN);
    rig_counts(&r, 0, 0, 0, 0, 0, 0);
    mcm_breaker_free(r.b);
}

static void exclusions_touch_only_requests_and_exclusions(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){
        .consecutive_failures = 3, .failure_ratio = 0.5, .min_requests = 1000});
    rig_run(&r, F, 2);
    rig_run(&r, X, 50);
    rig_counts(&r, 52, 0, 2, 50, 0, 2);
    rig_run(&r, F, 1); /* the streak survived the exclusions */
    assert_int_equal(rig_state(&r), OPEN);
    mcm_breaker_free(r.b);
}

static void two_probes_in_flight_block_others_until_they_end_excluded(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){
        .half_open_max = 2, .consecutive_failures = 1, .open_ns = MS(10)});
    rig_run(&r, F, 1);
    r.now += MS(10) + 1;
    struct mcm_breaker_token one = rig_start(&r), two = rig_start(&r);
    assert_int_equal(rig_refused(&r), MCM_BREAKER_REFUSED_BUSY);
    rig_done(&r, one, X);
    rig_done(&r, two, X);
    rig_run(&r, S, 2);
    assert_int_equal(rig_state(&r), CLOSED);
    mcm_breaker_free(r.b);
}

/* --- What we add --- */

static void a_silent_probe_reopens_after_the_probe_timeout(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){.half_open_max = 2,
                                                           .consecutive_failures = 1,
                                                           .open_ns = MS(10),
                                                           .probe_timeout_ns = MS(100)});
    rig_run(&r, F, 1);
    r.now += MS(10) + 1;
    assert_int_equal(mcm_breaker_deadline(r.b), r.now);
    assert_int_equal(rig_state(&r), HALF_OPEN);
    assert_int_equal(mcm_breaker_deadline(r.b), NS_NEVER); /* no probe is in flight */
    r.now += MS(1000);
    struct mcm_breaker_token one = rig_start(&r);
    r.now += MS(60);
    struct mcm_breaker_token two = rig_start(&r);
    r.now += MS(30);
    rig_done(&r, one, S); /* a sign of life */
    r.now += MS(100);
    assert_int_equal(rig_state(&r), HALF_OPEN);
    assert_int_equal(mcm_breaker_deadline(r.b), r.now + 1);
    r.now += 1;
    mcm_breaker_tick(r.b, r.now, &r.moved);
    rig_moved(&r, HALF_OPEN, OPEN, MCM_BREAKER_CAUSE_PROBE_TIMED_OUT);
    rig_done(&r, two, S); /* too late */
    assert_int_equal(rig_state(&r), OPEN);
    mcm_breaker_free(r.b);
}

static void without_a_probe_timeout_half_open_waits_for_ever(void **state)
{
    (void)state;
    struct rig r =
        rig_make(&(struct mcm_breaker_settings){.consecutive_failures = 1, .open_ns = MS(10)});
    rig_run(&r, F, 1);
    r.now += MS(10) + 1;
    rig_start(&r);
    r.now += MS(86400000);
    assert_int_equal(rig_refused(&r), MCM_BREAKER_REFUSED_BUSY);
    mcm_breaker_free(r.b);
}

static void the_open_time_grows_to_its_cap_and_starts_over_after_closing(void **state)
{
    (void)state;
    struct rig r = rig_make(&(struct mcm_breaker_settings){
        .consecutive_failures = 1, .open_ns = MS(100), .open_backoff = 2, .open_max_ns = MS(500)});
    static const int64_t expected_ms[] = {100, 200, 400, 500, 500};
    for (size_t i = 0; i < sizeof(expected_ms) / sizeof(expected_ms[0]); i++) {
        rig_run(&r, F, 1);
        assert_int_equal(rig_stats(&r).open_until_ns - r.now, MS(expected_ms[i]));
        r.now += MS(expected_ms[i]) + 1;
    }
    rig_run(&r, S, 1);
    rig_run(&r, F, 1);
    assert_int_equal(rig_stats(&r).open_until_ns - r.now, MS(100));
    mcm_breaker_free(r.b);
}

static void jitter_stays_within_its_share(void **state)
{
    (void)state;
    struct mcm_breaker_settings set = {
        .consecutive_failures = 1, .open_ns = MS(1000), .open_jitter = 0.2};
    struct rig r = rig_make(&set);
    int64_t least = NS_NEVER, most = 0;
    for (int i = 0; i < 1000; i++) {
        rig_run(&r, F, 1);
        int64_t open = rig_stats(&r).open_until_ns - r.now;
        least = ns_min(least, open);
        most = ns_max(most, open);
        r.now += open + 1;
    }
    assert_in_range(least, MS(800), MS(805));
    assert_in_range(most, MS(1195), MS(1200));
    mcm_breaker_free(r.b);
}

static void refuses_without_the_lock_exactly_while_open(void **state)
{
    (void)state;
    struct rig r =
        rig_make(&(struct mcm_breaker_settings){.consecutive_failures = 1, .open_ns = MS(10)});
    assert_false(mcm_breaker_reject_fast(r.b, r.now));
    rig_run(&r, F, 1);
    assert_int_equal(mcm_breaker_state_hint(r.b), OPEN);
    assert_true(mcm_breaker_reject_fast(r.b, r.now));
    assert_true(mcm_breaker_reject_fast(r.b, r.now + MS(10)));
    assert_false(mcm_breaker_reject_fast(r.b, r.now + MS(10) + 1));
    assert_int_equal(rig_refused(&r), MCM_BREAKER_REFUSED_OPEN);
    assert_int_equal(rig_stats(&r).rejected_open, 3);
    r.now += MS(10) + 1;
    assert_int_equal(mcm_breaker_state_hint(r.b), OPEN); /* nobody has looked yet */
    assert_int_equal(rig_state(&r), HALF_OPEN);
    assert_int_equal(mcm_breaker_state_hint(r.b), HALF_OPEN);
    assert_false(mcm_breaker_reject_fast(r.b, r.now));
    mcm_breaker_free(r.b);
}

static void stats_count_opens_rejections_and_time_in_each_state(void **state)
{
    (void)state;
    struct rig r =
        rig_make(&(struct mcm_breaker_settings){.consecutive_failures = 1, .open_ns = MS(10)});
    r.now += MS(100);
    rig_run(&r, F, 1);
    assert_int_equal(rig_refused(&r), MCM_BREAKER_REFUSED_OPEN);
    r.now += MS(11);
    struct mcm_breaker_token probe = rig_start(&r);
    assert_int_equal(rig_refused(&r), MCM_BREAKER_REFUSED_BUSY);
    r.now += MS(7);
    rig_done(&r, probe, S);
    r.now += MS(5);
    struct mcm_breaker_stats stats = rig_stats(&r);
    assert_int_equal(stats.opens, 1);
    assert_int_equal(stats.rejected_open, 1);
    assert_int_equal(stats.rejected_busy, 1);
    assert_int_equal(stats.state_ns[CLOSED], MS(105));
    assert_int_equal(stats.state_ns[OPEN], MS(11));
    assert_int_equal(stats.state_ns[HALF_OPEN], MS(7));
    assert_int_equal(stats.since_ns, r.now - MS(5));
    mcm_breaker_free(r.b);
}

static void unusable_settings_are_refused_with_a_reason(void **state)
{
    (void)state;
    const struct mcm_breaker_settings bad[] = {
        {.failure_ratio = 1.5},
        {.failure_ratio = -0.1},
        {.open_jitter = 1},
        {.open_backoff = -1},
        {.failure_ratio = __builtin_nan("")},
        {.interval_ns = MS(1001), .bucket_ns = MS(1)},
        {.interval_ns = INT64_MAX, .bucket_ns = 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(mcm_breaker_settings_error(&bad[i]));
        assert_null(mcm_breaker_new(&bad[i], 1, 0));
    }
    mcm_breaker_free(NULL);
}

static void presets_are_found_by_name_and_usable(void **state)
{
    (void)state;
    assert_int_equal(mcm_breaker_preset_by_name("gobreaker"), MCM_BREAKER_GOBREAKER);
    assert_int_equal(mcm_breaker_preset_by_name("original"), MCM_BREAKER_ORIGINAL);
    assert_int_equal(mcm_breaker_preset_by_name("fast"), MCM_BREAKER_FAST);
    assert_int_equal(mcm_breaker_preset_by_name("Fast"), -1);
    for (int i = 0; i < MCM_BREAKER_PRESET_COUNT; i++) {
        struct mcm_breaker_settings settings;
        mcm_breaker_preset_get((enum mcm_breaker_preset)i, &settings);
        assert_null(mcm_breaker_settings_error(&settings));
    }
}

/* --- Every ordered pair of states, and every event in every state --- */

static struct rig rig_in(enum mcm_breaker_state state)
{
    struct rig r = rig_make(&(struct mcm_breaker_settings){
        .consecutive_failures = 1, .open_ns = MS(10), .probe_timeout_ns = MS(10)});
    if (state == CLOSED)
        return r;
    rig_run(&r, F, 1);
    if (state == HALF_OPEN) {
        r.now += MS(10) + 1;
        rig_state(&r);
    }
    assert_int_equal(mcm_breaker_state_hint(r.b), state);
    return r;
}

enum event { ALLOW, ALLOW_LATER, SUCCEED, FAIL, EXCLUDE, HANG, EVENT_COUNT };

/* `later` is after every expiry of these settings. Requests are refused while open. */
static void rig_event(struct rig *r, enum event event)
{
    static const enum mcm_breaker_result results[] = {[SUCCEED] = S, [FAIL] = F, [EXCLUDE] = X};
    struct mcm_breaker_token token;
    if (event == ALLOW_LATER)
        r->now += MS(10) + 1;
    bool allowed = rig_allow(r, &token) == MCM_BREAKER_ALLOWED;
    if (!allowed || event == ALLOW || event == ALLOW_LATER)
        return;
    if (event == HANG) {
        r->now += MS(10) + 1;
        mcm_breaker_tick(r->b, r->now, &r->moved);
        return;
    }
    rig_done(r, token, results[event]);
}

static void every_event_leads_from_every_state_only_where_the_table_says(void **state)
{
    (void)state;
    static const enum mcm_breaker_state expected[MCM_BREAKER_STATE_COUNT][EVENT_COUNT] = {
        /*             ALLOW      ALLOW_LATER SUCCEED   FAIL  EXCLUDE    HANG */
        [CLOSED] = {CLOSED, CLOSED, CLOSED, OPEN, CLOSED, CLOSED},
        [HALF_OPEN] = {HALF_OPEN, HALF_OPEN, CLOSED, OPEN, HALF_OPEN, OPEN},
        [OPEN] = {OPEN, HALF_OPEN, OPEN, OPEN, OPEN, OPEN},
    };
    bool seen[MCM_BREAKER_STATE_COUNT][MCM_BREAKER_STATE_COUNT] = {{false}};
    for (int from = 0; from < MCM_BREAKER_STATE_COUNT; from++) {
        for (int event = 0; event < EVENT_COUNT; event++) {
            struct rig r = rig_in((enum mcm_breaker_state)from);
            rig_event(&r, (enum event)event);
            enum mcm_breaker_state to = mcm_breaker_state_hint(r.b);
            assert_int_equal(to, expected[from][event]);
            seen[from][to] = true;
            mcm_breaker_free(r.b);
        }
    }
    for (int from = 0; from < MCM_BREAKER_STATE_COUNT; from++) {
        for (int to = 0; to < MCM_BREAKER_STATE_COUNT; to++) {
            bool illegal = (from == CLOSED && to == HALF_OPEN) || (from == OPEN && to == CLOSED);
            assert_int_equal(seen[from][to], !illegal);
        }
    }
}

/* --- Random sequences --- */

#define TOKENS_MAX 64

/* What must hold whatever happens, judged from outside. */
struct watcher {
    struct rig r;
    struct mcm_breaker_token tokens[TOKENS_MAX];
    int token_count;
    uint64_t half_open_max;
    enum mcm_breaker_state last;
    int64_t last_change;
    int64_t open_ns_least;
    uint64_t opens;
};

static void watch_transition(struct watcher *w)
{
    const struct mcm_breaker_transition *m = &w->r.moved;
    if (m->cause == MCM_BREAKER_CAUSE_NONE)
        return;
    assert_int_equal(m->from, w->last);
    if (m->from == OPEN)
        assert_true(m->at_ns - w->last_change > w->open_ns_least);
    if (m->to == OPEN)
        w->opens++;
    w->last = m->to;
    w->last_change = m->at_ns;
}

static void watch_allow(struct watcher *w)
{
    struct mcm_breaker_token token;
    enum mcm_breaker_verdict verdict = rig_allow(&w->r, &token);
    watch_transition(w);
    if (w->last == OPEN)
        assert_int_equal(verdict, MCM_BREAKER_REFUSED_OPEN);
    if (w->last == CLOSED)
        assert_int_equal(verdict, MCM_BREAKER_ALLOWED);
    struct mcm_breaker_stats stats = rig_stats(&w->r);
    if (w->last == HALF_OPEN)
        assert_true(stats.counts.requests - stats.counts.exclusions <= w->half_open_max);
    if (verdict == MCM_BREAKER_ALLOWED && w->token_count < TOKENS_MAX)
        w->tokens[w->token_count++] = token;
}

static void watch_done(struct watcher *w, struct rng *rng)
{
    if (w->token_count == 0)
        return;
    int i = (int)rng_below(rng, (uint64_t)w->token_count);
    struct mcm_breaker_token token = w->tokens[i];
    w->tokens[i] = w->tokens[--w->token_count];
    rig_done(&w->r, token, (enum mcm_breaker_result)rng_below(rng, 3));
    watch_transition(w);
}

static void watch_step(struct watcher *w, struct rng *rng)
{
    switch (rng_below(rng, 5)) {
    case 0:
    case 1: watch_allow(w); break;
    case 2:
    case 3: watch_done(w, rng); break;
    case 4: w->r.now += (int64_t)rng_below(rng, MS(40)); break;
    }
    if (w->last == OPEN)
        assert_int_equal(rig_stats(&w->r).counts.requests, 0);
    else
        assert_false(mcm_breaker_reject_fast(w->r.b, w->r.now));
}

static void random_sequences_keep_the_promises(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng rng = rng_seeded(seed);
        struct mcm_breaker_settings set = {
            .half_open_max = (uint32_t)rng_below(&rng, 5),
            .interval_ns = (int64_t)rng_below(&rng, MS(500)),
            .bucket_ns = rng_below(&rng, 2) ? MS(20) : 0,
            .open_ns = MS(50),
            .consecutive_failures = rng_below(&rng, 4),
            .failure_ratio = rng_below(&rng, 2) ? 0.5 : 0,
            .min_requests = rng_below(&rng, 10),
            .probe_timeout_ns = rng_below(&rng, 2) ? MS(30) : 0,
            .open_jitter = rng_below(&rng, 2) ? 0.3 : 0,
            .open_backoff = rng_below(&rng, 2) ? 2 : 0,
            .open_max_ns = MS(200),
        };
        struct watcher w = {.r = rig_make(&set), .last = CLOSED, .open_ns_least = MS(35)};
        w.half_open_max = set.half_open_max ? set.half_open_max : 1;
        for (int i = 0; i < 2000; i++)
            watch_step(&w, &rng);
        assert_int_equal(rig_stats(&w.r).opens, w.opens);
        mcm_breaker_free(w.r.b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_have_gobreakers_numbers_and_names),
        cmocka_unit_test(zeroed_and_negative_settings_mean_the_defaults),
        cmocka_unit_test(opens_at_the_sixth_failure_in_a_row_and_recovers),
        cmocka_unit_test(a_fixed_window_starts_anew_when_it_is_over),
        cmocka_unit_test(a_ratio_rule_trips_and_three_probes_close),
        cmocka_unit_test(a_rolling_window_forgets_bucket_by_bucket),
        cmocka_unit_test(a_rolling_window_clears_after_a_long_silence_in_the_same_generation),
        cmocka_unit_test(a_late_result_counts_in_the_bucket_of_its_start),
        cmocka_unit_test(a_rolling_window_of_one_bucket_is_a_fixed_window),
        cmocka_unit_test(a_result_of_an_old_generation_is_ignored),
        cmocka_unit_test(a_result_from_before_the_trip_does_not_judge_the_probes),
        cmocka_unit_test(exclusions_touch_only_requests_and_exclusions),
        cmocka_unit_test(two_probes_in_flight_block_others_until_they_end_excluded),
        cmocka_unit_test(a_silent_probe_reopens_after_the_probe_timeout),
        cmocka_unit_test(without_a_probe_timeout_half_open_waits_for_ever),
        cmocka_unit_test(the_open_time_grows_to_its_cap_and_starts_over_after_closing),
        cmocka_unit_test(jitter_stays_within_its_share),
        cmocka_unit_test(refuses_without_the_lock_exactly_while_open),
        cmocka_unit_test(stats_count_opens_rejections_and_time_in_each_state),
        cmocka_unit_test(unusable_settings_are_refused_with_a_reason),
        cmocka_unit_test(presets_are_found_by_name_and_usable),
        cmocka_unit_test(every_event_leads_from_every_state_only_where_the_table_says),
        cmocka_unit_test(random_sequences_keep_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
