/* SPDX-License-Identifier: MIT */
#include "mcmeta/window.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"

#define S MCM_BREAKER_SUCCESS
#define F MCM_BREAKER_FAILURE
#define X MCM_BREAKER_EXCLUDED

static void check(const struct mcm_breaker_counts *c, uint64_t requests, uint64_t successes,
                  uint64_t failures, uint64_t exclusions, uint64_t row_good, uint64_t row_bad)
{
    assert_int_equal(c->requests, requests);
    assert_int_equal(c->successes, successes);
    assert_int_equal(c->failures, failures);
    assert_int_equal(c->exclusions, exclusions);
    assert_int_equal(c->consecutive_successes, row_good);
    assert_int_equal(c->consecutive_failures, row_bad);
}

static void run(struct mcm_window *w, uint64_t age, enum mcm_breaker_result result, int times)
{
    for (int i = 0; i < times; i++) {
        mcm_window_count_request(w);
        mcm_window_count_result(w, age, result);
    }
}

static void counts_results_and_streaks(void **state)
{
    (void)state;
    struct mcm_breaker_counts buckets[2];
    struct mcm_window w;
    mcm_window_init(&w, buckets, 2);
    run(&w, 0, S, 2);
    check(&w.total, 2, 2, 0, 0, 2, 0);
    run(&w, 0, F, 2);
    check(&w.total, 4, 2, 2, 0, 0, 2);
    run(&w, 0, X, 1);
    check(&w.total, 5, 2, 2, 1, 0, 2);
    run(&w, 0, S, 1);
    check(&w.total, 6, 3, 2, 1, 1, 0);
    mcm_window_clear(&w);
    check(&w.total, 0, 0, 0, 0, 0, 0);
}

static void the_oldest_bucket_leaves_when_the_age_comes_round(void **state)
{
    (void)state;
    struct mcm_breaker_counts buckets[2];
    struct mcm_window w;
    mcm_window_init(&w, buckets, 2);
    run(&w, 0, S, 1);
    run(&w, 0, F, 1);
    run(&w, 0, S, 1);
    run(&w, 0, X, 1);
    mcm_window_grow(&w, 1);
    check(&w.total, 4, 2, 1, 1, 1, 0);
    run(&w, 1, S, 1);
    check(&w.total, 5, 3, 1, 1, 2, 0);
    mcm_window_grow(&w, 2);
    check(&w.total, 1, 1, 0, 0, 1, 0);
    check(&buckets[0], 0, 0, 0, 0, 0, 0);
    check(&buckets[1], 1, 1, 0, 0, 1, 0);
}

static void growing_is_monotone(void **state)
{
    (void)state;
    struct mcm_breaker_counts buckets[2];
    struct mcm_window w;
    mcm_window_init(&w, buckets, 2);
    run(&w, 0, F, 1);
    mcm_window_grow(&w, 1);
    mcm_window_grow(&w, 0);
    assert_int_equal(w.age, 1);
    check(&w.total, 1, 0, 1, 0, 0, 1);
    mcm_window_grow(&w, 3);
    assert_int_equal(w.age, 3);
    check(&w.total, 0, 0, 0, 0, 0, 0);
}

static void results_from_outside_the_window_are_ignored(void **state)
{
    (void)state;
    struct mcm_breaker_counts buckets[2];
    struct mcm_window w;
    mcm_window_init(&w, buckets, 2);
    mcm_window_grow(&w, 2);
    run(&w, 0, F, 3); /* its bucket has left */
    run(&w, 3, F, 3); /* its bucket has not come */
    check(&w.total, 6, 0, 0, 0, 0, 0);
    run(&w, 1, F, 1);
    check(&w.total, 7, 0, 1, 0, 0, 1);
    check(&buckets[0], 7, 0, 0, 0, 0, 0);
    check(&buckets[1], 0, 0, 1, 0, 0, 1);
}

static void a_streak_is_cut_only_when_it_spans_the_window(void **state)
{
    (void)state;
    struct mcm_breaker_counts buckets[3];
    struct mcm_window w;
    mcm_window_init(&w, buckets, 3);
    run(&w, 0, F, 2);
    mcm_window_grow(&w, 1);
    run(&w, 1, F, 3);
    mcm_window_grow(&w, 3);
    check(&w.total, 3, 0, 3, 0, 0, 3); /* began in the bucket that left */
    run(&w, 3, S, 1);
    run(&w, 3, F, 1);
    mcm_window_grow(&w, 4);
    check(&w.total, 2, 1, 1, 0, 0, 1); /* began after it */
}

/* Totals are sums of buckets, whatever happens, also with late and repeated results. */
static void totals_are_the_sums_of_the_buckets(void **state)
{
    (void)state;
    struct mcm_breaker_counts buckets[5];
    struct mcm_window w;
    struct rng rng = rng_seeded(1);
    mcm_window_init(&w, buckets, 5);
    for (int i = 0; i < 20000; i++) {
        if (rng_below(&rng, 10) == 0)
            mcm_window_grow(&w, w.age + rng_below(&rng, 7));
        mcm_window_count_request(&w);
        uint64_t late = rng_below(&rng, 8);
        mcm_window_count_result(&w, w.age - (late > w.age ? 0 : late),
                                (enum mcm_breaker_result)rng_below(&rng, 3));
        struct mcm_breaker_counts sum = {0};
        for (int k = 0; k < 5; k++) {
            sum.requests += buckets[k].requests;
            sum.successes += buckets[k].successes;
            sum.failures += buckets[k].failures;
            sum.exclusions += buckets[k].exclusions;
        }
        check(&w.total, sum.requests, sum.successes, sum.failures, sum.exclusions,
              w.total.consecutive_successes, w.total.consecutive_failures);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_results_and_streaks),
        cmocka_unit_test(the_oldest_bucket_leaves_when_the_age_comes_round),
        cmocka_unit_test(growing_is_monotone),
        cmocka_unit_test(results_from_outside_the_window_are_ignored),
        cmocka_unit_test(a_streak_is_cut_only_when_it_spans_the_window),
        cmocka_unit_test(totals_are_the_sums_of_the_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
