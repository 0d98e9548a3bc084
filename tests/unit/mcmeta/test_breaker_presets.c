/* SPDX-License-Identifier: MIT */
/*
 * How long the presets take to open after a server goes away, and to close after it comes back, by
 * simulation in virtual time: 3333 op/s of good traffic, then nothing but failures.
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

#define GOOD_RATE 3333
#define PHASES 60
#define GIVE_UP_NS (100 * NS_PER_SEC)

static struct mcm_breaker *preset_make(enum mcm_breaker_preset preset, uint64_t seed)
{
    struct mcm_breaker_settings settings;
    mcm_breaker_preset_get(preset, &settings);
    struct mcm_breaker *b = mcm_breaker_new(&settings, seed, 0);
    assert_non_null(b);
    return b;
}

/* A request that starts and ends now; false when it was refused. */
static bool request(struct mcm_breaker *b, enum mcm_breaker_result result, int64_t now)
{
    struct mcm_breaker_token token;
    if (mcm_breaker_allow(b, now, &token, NULL) != MCM_BREAKER_ALLOWED)
        return false;
    mcm_breaker_done(b, token, result, now, NULL);
    return true;
}

/* Good traffic until `phase`, then `batch` failures `per_sec` times a second: time until open. */
static int64_t time_to_open(enum mcm_breaker_preset preset, int64_t phase, int64_t per_sec,
                            int batch)
{
    struct mcm_breaker *b = preset_make(preset, 1);
    for (int64_t i = 0; i * NS_PER_SEC / GOOD_RATE < phase; i++)
        request(b, MCM_BREAKER_SUCCESS, i * NS_PER_SEC / GOOD_RATE);
    int64_t opened = NS_NEVER;
    for (int64_t k = 1; opened == NS_NEVER && k * NS_PER_SEC / per_sec < GIVE_UP_NS; k++) {
        int64_t after = k * NS_PER_SEC / per_sec;
        for (int i = 0; i < batch; i++)
            request(b, MCM_BREAKER_FAILURE, phase + after);
        if (mcm_breaker_state_hint(b) == MCM_BREAKER_OPEN)
            opened = after;
    }
    mcm_breaker_free(b);
    return opened;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorted times to open over evenly spread phases of a 30 s window. */
static void times_to_open(enum mcm_breaker_preset preset, int64_t per_sec, int batch,
                          int64_t times[PHASES])
{
    for (int i = 0; i < PHASES; i++)
        times[i] =
            time_to_open(preset, (2 * i + 1) * 30 * NS_PER_SEC / (2 * PHASES), per_sec, batch);
    qsort(times, PHASES, sizeof(times[0]), compare_times);
}

static void assert_about(int64_t ns, double seconds, double tolerance)
{
    double got = (double)ns / NS_PER_SEC;
    if (got < seconds - tolerance || got > seconds + tolerance)
        fail_msg("%.3f s instead of %.3f s", got, seconds);
}

static const struct {
    const char *name;
    int64_t per_sec;
    int batch;
    double median, max; /* seconds, ORIGINAL; in theory 30 r/(1 + r), r = 1.5 * 3333 / rate */
} outages[] = {
    {"refused, 5 times as frequent", 5 * GOOD_RATE, 1, 3.46, 6.92},
    {"as frequent as before", GOOD_RATE, 1, 9.0, 18.0},
    {"half as frequent", GOOD_RATE / 2, 1, 11.25, 22.5},
    {"100 time-outs/s", 100, 1, 14.7, 29.4},
    {"10 connections, time-out 1 s", 1, 10, 15.0, 30.0},
};
#define OUTAGE_COUNT (sizeof(outages) / sizeof(outages[0]))

static void original_opens_only_when_its_window_allows(void **state)
{
    (void)state;
    for (size_t i = 0; i < OUTAGE_COUNT; i++) {
        int64_t times[PHASES];
        times_to_open(MCM_BREAKER_ORIGINAL, outages[i].per_sec, outages[i].batch, times);
        /* Phases are half a second apart, and results come at the granularity of their rate. */
        double grain = 0.5 + 1.0 / (double)outages[i].per_sec;
        assert_about(times[PHASES / 2], outages[i].median, grain);
        assert_about(times[PHASES - 1], outages[i].max, grain);
    }
}

static void fast_opens_within_two_seconds_at_every_phase(void **state)
{
    (void)state;
    for (size_t i = 0; i < OUTAGE_COUNT; i++) {
        int64_t times[PHASES];
        times_to_open(MCM_BREAKER_FAST, outages[i].per_sec, outages[i].batch, times);
        assert_true(times[PHASES - 1] <= 1 * NS_PER_SEC);
    }
}

static void fast_opens_at_the_second_round_of_a_small_pool(void **state)
{
    (void)state;
    assert_int_equal(time_to_open(MCM_BREAKER_FAST, 7 * NS_PER_SEC, 1, 4), 2 * NS_PER_SEC);
}

/* 5 % errors at random, an hour of traffic to one server. */
static void fast_does_not_trip_at_five_percent_errors(void **state)
{
    (void)state;
    struct mcm_breaker *b = preset_make(MCM_BREAKER_FAST, 1);
    struct rng rng = rng_seeded(42);
    for (int64_t i = 0; i < 3600 * (int64_t)GOOD_RATE; i++) {
        bool bad = rng_below(&rng, 100) < 5;
        assert_true(request(b, bad ? MCM_BREAKER_FAILURE : MCM_BREAKER_SUCCESS,
                            i * NS_PER_SEC / GOOD_RATE));
    }
    mcm_breaker_free(b);
}

/* Half the connections of a node are dead: every second request fails. No long streak occurs. */
static void fast_opens_when_every_second_request_fails(void **state)
{
    (void)state;
    struct mcm_breaker *b = preset_make(MCM_BREAKER_FAST, 1);
    for (int64_t i = 0; i < 100; i++) {
        enum mcm_breaker_result result = i % 2 ? MCM_BREAKER_FAILURE : MCM_BREAKER_SUCCESS;
        request(b, result, i * NS_PER_MS);
    }
    assert_int_equal(mcm_breaker_state_hint(b), MCM_BREAKER_OPEN);
    mcm_breaker_free(b);
}

/* A probe without an answer: ends by its own timeout or by that of the breaker. */
static int64_t probe_lost(struct mcm_breaker *b, struct mcm_breaker_token token, int64_t now,
                          int64_t timeout)
{
    now = ns_min(now + timeout, mcm_breaker_deadline(b));
    mcm_breaker_done(b, token, MCM_BREAKER_FAILURE, now, NULL);
    assert_int_equal(mcm_breaker_state_hint(b), MCM_BREAKER_OPEN);
    return now;
}

/*
 * The server is silent until `back`. A probe that started before fails `timeout` after its start,
 * one that starts later succeeds at once. Returns the time from `back` until closed.
 */
static int64_t time_to_close(uint64_t seed, int64_t back, int64_t timeout)
{
    struct mcm_breaker *b = preset_make(MCM_BREAKER_FAST, seed);
    for (int i = 0; i < 8; i++)
        request(b, MCM_BREAKER_FAILURE, 0);
    int64_t now = 0;
    while (mcm_breaker_state(b, now, NULL) != MCM_BREAKER_CLOSED) {
        struct mcm_breaker_token token;
        assert_true(now < back + GIVE_UP_NS);
        if (mcm_breaker_allow(b, now, &token, NULL) != MCM_BREAKER_ALLOWED)
            now = mcm_breaker_deadline(b);
        else if (now >= back)
            mcm_breaker_done(b, token, MCM_BREAKER_SUCCESS, now, NULL);
        else
            now = probe_lost(b, token, now, timeout);
    }
    mcm_breaker_free(b);
    return ns_max(0, now - back);
}

static void fast_closes_within_five_seconds_of_the_return(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        int64_t back = (int64_t)seed * 97 * NS_PER_MS;
        assert_true(time_to_close(seed, back, NS_PER_SEC) <= 2201 * NS_PER_MS);
        /* A probe without any timeout of its own is ended by the probe timeout. */
        assert_true(time_to_close(seed, back, 1000 * NS_PER_SEC) <= 3201 * NS_PER_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(original_opens_only_when_its_window_allows),
        cmocka_unit_test(fast_opens_within_two_seconds_at_every_phase),
        cmocka_unit_test(fast_opens_at_the_second_round_of_a_small_pool),
        cmocka_unit_test(fast_does_not_trip_at_five_percent_errors),
        cmocka_unit_test(fast_opens_when_every_second_request_fails),
        cmocka_unit_test(fast_closes_within_five_seconds_of_the_return),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
