/* SPDX-License-Identifier: MIT */
/* What breakers do beyond gobreaker, in virtual time: rules for connects and for slow answers, a
 * quota for a fleet, and trial requests that are nobody's. */
#include <mcmeta/breaker.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/time.h"

#define MS(n) ((n)*NS_PER_MS)

static struct mcm_breaker *make(struct mcm_breaker_settings settings)
{
    struct mcm_breaker *b = mcm_breaker_new(&settings, 1, 0);
    assert_non_null(b);
    return b;
}

/* A request that is allowed at `begin` and ends at `end`. */
static void request(struct mcm_breaker *b, enum mcm_breaker_result result, int64_t begin,
                    int64_t end)
{
    struct mcm_breaker_token token;
    assert_int_equal(mcm_breaker_allow(b, begin, &token, NULL), MCM_BREAKER_ALLOWED);
    mcm_breaker_done(b, token, result, end, NULL);
}

static void assert_state(struct mcm_breaker *b, int64_t now, enum mcm_breaker_state state)
{
    assert_string_equal(mcm_breaker_state_name(mcm_breaker_state(b, now, NULL)),
                        mcm_breaker_state_name(state));
}

static void failed_connects_in_a_row_trip_by_themselves(void **state)
{
    (void)state;
    static const enum mcm_breaker_result between[] = {MCM_BREAKER_SUCCESS, MCM_BREAKER_FAILURE};
    for (int i = 0; i < 2; i++) {
        struct mcm_breaker *b = make((struct mcm_breaker_settings){.connect_failures = 2});
        request(b, MCM_BREAKER_CONNECT_FAILURE, 1, 2);
        request(b, between[i], 3, 4); /* there was a connection after all */
        request(b, MCM_BREAKER_CONNECT_FAILURE, 5, 6);
        request(b, MCM_BREAKER_EXCLUDED, 7, 8);
        assert_state(b, 9, MCM_BREAKER_CLOSED);
        request(b, MCM_BREAKER_CONNECT_FAILURE, 10, 11);
        assert_state(b, 12, MCM_BREAKER_OPEN);
        mcm_breaker_free(b);
    }
}

static void without_the_rule_a_failed_connect_is_a_failure_like_any(void **state)
{
    (void)state;
    struct mcm_breaker *b = make((struct mcm_breaker_settings){.consecutive_failures = 3});
    request(b, MCM_BREAKER_CONNECT_FAILURE, 1, 2);
    request(b, MCM_BREAKER_FAILURE, 3, 4);
    assert_state(b, 5, MCM_BREAKER_CLOSED);
    request(b, MCM_BREAKER_CONNECT_FAILURE, 6, 7);
    assert_state(b, 8, MCM_BREAKER_OPEN);
    mcm_breaker_free(b);
}

static void a_slow_success_is_a_failure(void **state)
{
    (void)state;
    struct mcm_breaker *b =
        make((struct mcm_breaker_settings){.consecutive_failures = 2, .slow_ns = MS(10)});
    request(b, MCM_BREAKER_SUCCESS, 0, MS(10) + 1);
    request(b, MCM_BREAKER_SUCCESS, MS(20), MS(30)); /* just in time */
    request(b, MCM_BREAKER_SUCCESS, MS(40), MS(60));
    assert_state(b, MS(60), MCM_BREAKER_CLOSED);
    request(b, MCM_BREAKER_EXCLUDED, MS(60), MS(90));
    request(b, MCM_BREAKER_SUCCESS, MS(90), MS(110));
    assert_state(b, MS(110), MCM_BREAKER_OPEN);
    mcm_breaker_free(b);
}

static void time_that_was_not_the_servers_does_not_count_as_slow(void **state)
{
    (void)state;
    struct mcm_breaker *b =
        make((struct mcm_breaker_settings){.consecutive_failures = 1, .slow_ns = MS(10)});
    struct mcm_breaker_token token;
    assert_int_equal(mcm_breaker_allow(b, 0, &token, NULL), MCM_BREAKER_ALLOWED);
    token.began_ns += MS(50);
    mcm_breaker_done(b, token, MCM_BREAKER_SUCCESS, MS(60), NULL);
    assert_state(b, MS(60), MCM_BREAKER_CLOSED);
    mcm_breaker_free(b);
}

static uint64_t trips_refused(struct mcm_breaker *b, int64_t now)
{
    struct mcm_breaker_stats stats;
    mcm_breaker_stats_get(b, now, &stats);
    return stats.trips_refused;
}

static void a_quota_limits_how_many_are_away(void **state)
{
    (void)state;
    struct mcm_breaker_quota quota = {.away_max = 1};
    struct mcm_breaker_settings settings = {
        .consecutive_failures = 1, .open_ns = MS(100), .quota = &quota};
    struct mcm_breaker *a = make(settings), *b = make(settings);
    request(a, MCM_BREAKER_FAILURE, 1, 2);
    assert_state(a, 3, MCM_BREAKER_OPEN);
    request(b, MCM_BREAKER_FAILURE, 3, 4);
    assert_state(b, 5, MCM_BREAKER_CLOSED);
    assert_int_equal(trips_refused(b, 5), 1);
    /* Half-open and open again: it is the same one that is away. */
    request(a, MCM_BREAKER_FAILURE, MS(200), MS(201));
    assert_state(a, MS(202), MCM_BREAKER_OPEN);
    assert_int_equal(quota.away, 1);
    request(b, MCM_BREAKER_FAILURE, MS(203), MS(204));
    assert_state(b, MS(205), MCM_BREAKER_CLOSED);
    /* It came back: now another one may. */
    request(a, MCM_BREAKER_SUCCESS, MS(400), MS(401));
    assert_state(a, MS(402), MCM_BREAKER_CLOSED);
    assert_int_equal(quota.away, 0);
    request(b, MCM_BREAKER_FAILURE, MS(403), MS(404));
    assert_state(b, MS(405), MCM_BREAKER_OPEN);
    assert_int_equal(quota.away, 1);
    mcm_breaker_free(b);
    assert_int_equal(quota.away, 0);
    mcm_breaker_free(a);
    assert_int_equal(quota.away, 0);
}

static void a_larger_quota_takes_effect_at_the_next_failure(void **state)
{
    (void)state;
    struct mcm_breaker_quota quota = {.away_max = 0};
    struct mcm_breaker *b =
        make((struct mcm_breaker_settings){.consecutive_failures = 2, .quota = &quota});
    for (int i = 0; i < 5; i++)
        request(b, MCM_BREAKER_FAILURE, i, i);
    assert_state(b, 10, MCM_BREAKER_CLOSED);
    assert_int_equal(trips_refused(b, 10), 4);
    quota.away_max = 1;
    request(b, MCM_BREAKER_FAILURE, 11, 12);
    assert_state(b, 13, MCM_BREAKER_OPEN);
    mcm_breaker_free(b);
}

static void held_probes_keep_callers_out_until_trials_succeeded(void **state)
{
    (void)state;
    struct mcm_breaker *b = make((struct mcm_breaker_settings){
        .consecutive_failures = 1, .open_ns = MS(10), .half_open_max = 2, .held_probes = true});
    struct mcm_breaker_token token;
    assert_int_equal(mcm_breaker_allow_probe(b, 0, &token, NULL), MCM_BREAKER_ALLOWED);
    mcm_breaker_done(b, token, MCM_BREAKER_FAILURE, 1, NULL);
    assert_int_equal(mcm_breaker_allow_probe(b, 2, &token, NULL), MCM_BREAKER_REFUSED_OPEN);
    for (int i = 0; i < 2; i++) {
        struct mcm_breaker_token own;
        assert_int_equal(mcm_breaker_allow(b, MS(20), &own, NULL), MCM_BREAKER_REFUSED_BUSY);
        assert_int_equal(mcm_breaker_allow_probe(b, MS(20), &token, NULL), MCM_BREAKER_ALLOWED);
        mcm_breaker_done(b, token, MCM_BREAKER_SUCCESS, MS(21), NULL);
    }
    assert_state(b, MS(22), MCM_BREAKER_CLOSED);
    assert_int_equal(mcm_breaker_allow(b, MS(22), &token, NULL), MCM_BREAKER_ALLOWED);
    mcm_breaker_free(b);
}

static void settings_that_make_no_sense_are_named(void **state)
{
    (void)state;
    struct mcm_breaker_settings settings = {.slow_ns = -1};
    assert_string_equal(mcm_breaker_settings_error(&settings), "slow_ns must not be negative");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_connects_in_a_row_trip_by_themselves),
        cmocka_unit_test(without_the_rule_a_failed_connect_is_a_failure_like_any),
        cmocka_unit_test(a_slow_success_is_a_failure),
        cmocka_unit_test(time_that_was_not_the_servers_does_not_count_as_slow),
        cmocka_unit_test(a_quota_limits_how_many_are_away),
        cmocka_unit_test(a_larger_quota_takes_effect_at_the_next_failure),
        cmocka_unit_test(held_probes_keep_callers_out_until_trials_succeeded),
        cmocka_unit_test(settings_that_make_no_sense_are_named),
    };
    return cmocka_run_group_tests_name("mcmeta/breaker_additions", tests, NULL, NULL);
}
