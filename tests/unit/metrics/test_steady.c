/* SPDX-License-Identifier: MIT */
#include "metrics/steady.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS NS_PER_MS

static struct baseline baseline;

static struct window at(int index, uint64_t ok, uint64_t failed, ns_t p99)
{
    return (struct window){.start_ns = index * 100 * MS,
                           .length_ns = 100 * MS,
                           .ok = ok,
                           .failed = failed,
                           .p99_ns = p99};
}

static void add(int index, uint64_t ok, uint64_t failed, ns_t p99)
{
    struct window w = at(index, ok, failed, p99);
    baseline_add(&baseline, &w);
}

static void fill_even(int windows)
{
    baseline_init(&baseline);
    for (int i = 0; i < windows; i++)
        add(i, 100, 0, 1 * MS);
}

static struct band default_band(void)
{
    struct band_config config = BAND_CONFIG_DEFAULT;
    return band_of(&baseline, &config);
}

static struct gate default_gate(void)
{
    struct gate_config config = GATE_CONFIG_DEFAULT;
    return gate_judge(&baseline, &config);
}

static void an_even_baseline_gives_the_fixed_shares(void **state)
{
    (void)state;
    fill_even(50);
    struct band band = default_band();
    assert_true(band.known);
    assert_float_equal(band.goodput_low_per_s, 800, 1e-6);
    assert_float_equal(band.goodput_high_per_s, 1500, 1e-6);
    assert_int_equal(band.p99_max_ns, 6 * MS);
}

static void the_band_judges_each_figure(void **state)
{
    (void)state;
    fill_even(50);
    struct band band = default_band();
    const struct {
        struct window window;
        bool in;
    } table[] = {
        {at(0, 100, 0, 1 * MS), true},  {at(0, 80, 0, 6 * MS), true},
        {at(0, 79, 0, 1 * MS), false},  {at(0, 150, 0, 1 * MS), true},
        {at(0, 151, 0, 1 * MS), false}, {at(0, 100, 1, 1 * MS), false},
        {at(0, 100, 0, 7 * MS), false}, {at(0, 0, 0, 0), false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(band_holds(&band, &table[i].window), table[i].in);
    struct window late = {.length_ns = 200 * MS, .ok = 200, .p99_ns = MS};
    assert_true(band_holds(&band, &late));
}

static void without_a_baseline_nothing_is_in_the_band(void **state)
{
    (void)state;
    baseline_init(&baseline);
    struct band band = default_band();
    struct window w = at(0, 100, 0, 1 * MS);
    assert_false(band.known);
    assert_false(band_holds(&band, &w));
}

static void one_stall_in_the_baseline_does_not_widen_the_band(void **state)
{
    (void)state;
    fill_even(49);
    add(49, 20, 0, 80 * MS);
    struct band band = default_band();
    assert_float_equal(band.goodput_low_per_s, 800, 1e-6);
    assert_int_equal(band.p99_max_ns, 6 * MS);
}

/* A noisy machine: goodput ± 30 %, and one window in ten with a stall of 12 ms. */
static struct window noisy(struct rng *rng, int index)
{
    return at(index, 70 + rng_below(rng, 61), 0, rng_below(rng, 10) == 0 ? 12 * MS : 2 * MS);
}

static void a_noisy_machine_is_steady_by_its_own_measure(void **state)
{
    (void)state;
    int slowest = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng rng = rng_seeded(seed);
        struct steady s;
        baseline_init(&baseline);
        for (int i = 0; i < 50; i++) {
            struct window w = noisy(&rng, i);
            baseline_add(&baseline, &w);
        }
        assert_true(default_gate().ok);
        struct band band = default_band();
        steady_init(&s, &band, 0, STEADY_WINDOWS_DEFAULT);
        int i = 0;
        for (; i < 300 && s.found_ns == NS_NEVER; i++) {
            struct window w = noisy(&rng, i);
            steady_add(&s, &w);
        }
        assert_int_not_equal(s.found_ns, NS_NEVER);
        slowest = i > slowest ? i : slowest;
    }
    assert_in_range(slowest, 10, 150);
}

static void half_the_goodput_is_never_steady(void **state)
{
    (void)state;
    struct rng rng = rng_seeded(7);
    struct steady s;
    baseline_init(&baseline);
    for (int i = 0; i < 50; i++) {
        struct window w = noisy(&rng, i);
        baseline_add(&baseline, &w);
    }
    struct band band = default_band();
    steady_init(&s, &band, 0, STEADY_WINDOWS_DEFAULT);
    for (int i = 0; i < 1000; i++) {
        struct window w = noisy(&rng, i);
        w.ok /= 2;
        steady_add(&s, &w);
    }
    assert_int_equal(s.found_ns, NS_NEVER);
}

static void steady_is_the_start_of_the_first_long_row(void **state)
{
    (void)state;
    struct steady s;
    fill_even(50);
    struct band band = default_band();
    steady_init(&s, &band, 250 * MS, 3);
    for (int i = 0; i < 12; i++) {
        /* Window 2 begins before `since`; 5 is bad; 6 to 8 are the row. */
        struct window w = at(i, i == 5 ? 10 : 100, 0, 1 * MS);
        if (i == 3 || i == 4 || i == 2 || i >= 5)
            steady_add(&s, &w);
        assert_int_equal(s.found_ns, i < 8 ? NS_NEVER : 600 * MS);
    }
}

static void the_gate_says_why(void **state)
{
    (void)state;
    fill_even(9);
    assert_false(default_gate().ok);
    assert_non_null(strstr(default_gate().reason, "9 windows of 10"));

    fill_even(50);
    struct gate g = default_gate();
    assert_true(g.ok);
    assert_string_equal(g.reason, "");
    assert_float_equal(g.goodput_per_s, 1000, 1e-6);
    assert_float_equal(g.goodput_cv, 0, 1e-9);

    add(50, 100, 2, 1 * MS);
    assert_non_null(strstr(default_gate().reason, "2 operations failed"));

    baseline_init(&baseline);
    for (int i = 0; i < 20; i++)
        add(i, 2, 0, 1 * MS);
    assert_non_null(strstr(default_gate().reason, "40 successes of 100"));
    assert_true(isnan(default_gate().goodput_cv));

    baseline_init(&baseline);
    for (int i = 0; i < 60; i++)
        add(i, i / 10 % 2 ? 50 : 100, 0, 1 * MS); /* every other second is at half speed */
    g = default_gate();
    assert_false(g.ok);
    assert_float_equal(g.goodput_cv, 0.3651, 1e-3);
    assert_non_null(strstr(g.reason, "37 %"));
}

static void a_long_baseline_keeps_the_latest_windows(void **state)
{
    (void)state;
    baseline_init(&baseline);
    for (int i = 0; i < 100; i++)
        add(i, 10, 5, 90 * MS); /* a bad beginning, long ago */
    for (int i = 100; i < 100 + BASELINE_WINDOWS_MAX; i++)
        add(i, 100, 0, 1 * MS);
    assert_int_equal(baseline_len(&baseline), BASELINE_WINDOWS_MAX);
    assert_true(default_gate().ok);
    assert_int_equal(default_band().p99_max_ns, 6 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_even_baseline_gives_the_fixed_shares),
        cmocka_unit_test(the_band_judges_each_figure),
        cmocka_unit_test(without_a_baseline_nothing_is_in_the_band),
        cmocka_unit_test(one_stall_in_the_baseline_does_not_widen_the_band),
        cmocka_unit_test(a_noisy_machine_is_steady_by_its_own_measure),
        cmocka_unit_test(half_the_goodput_is_never_steady),
        cmocka_unit_test(steady_is_the_start_of_the_first_long_row),
        cmocka_unit_test(the_gate_says_why),
        cmocka_unit_test(a_long_baseline_keeps_the_latest_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
