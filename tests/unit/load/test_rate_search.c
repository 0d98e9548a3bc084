/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "load/rate_search.h"

static struct rate_search search(double capacity, double max)
{
    struct rate_search s;
    rate_search_init(&s, max, 1.05);
    for (double rate; (rate = rate_search_next(&s)) > 0;) {
        assert_true(rate <= max && s.trials < RATE_SEARCH_TRIALS_MAX);
        rate_search_tell(&s, rate, rate <= capacity);
    }
    return s;
}

static void any_capacity_is_found_in_few_trials(void **state)
{
    (void)state;
    for (double capacity = 16; capacity < 5e6; capacity *= 1.37) {
        struct rate_search s = search(capacity, 1e7);
        assert_true(s.holds <= capacity && capacity < s.fails);
        assert_true(s.fails / s.holds <= 1.06);
        assert_true(s.trials <= RATE_SEARCH_TRIALS_MAX);
    }
}

static void the_maximum_ends_the_search(void **state)
{
    (void)state;
    struct rate_search s = search(1e9, 50000);
    assert_true(s.holds >= 50000 && s.fails <= 0);
    s = search(1e9, 200);
    assert_true(s.holds >= 200 && s.trials == 1);
}

static void nothing_may_hold(void **state)
{
    (void)state;
    struct rate_search s = search(0, 1e6);
    assert_true(s.holds <= 0 && s.fails < 2 * RATE_SEARCH_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_capacity_is_found_in_few_trials),
        cmocka_unit_test(the_maximum_ends_the_search),
        cmocka_unit_test(nothing_may_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
