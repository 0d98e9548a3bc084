/* SPDX-License-Identifier: MIT */
#include "metrics/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define S NS_PER_SEC

/* One second with `count` operations that took `latency` each. */
static void add(struct series *s, int second, unsigned phase, ns_t latency, unsigned count)
{
    struct hist hist;
    struct interval_node node = {.succeeded = count, .stats = {.pool_total = (uint32_t)second}};
    struct interval interval = {.start_ns = second * S,
                                .end_ns = (second + 1) * S,
                                .phase = phase,
                                .offered = count,
                                .succeeded = count,
                                .nodes = &node};
    interval.by_outcome[OUTCOME_HIT] = count;
    assert_int_equal(hist_init(&hist, &LATENCY_HIST_CONFIG, NULL), 0);
    for (unsigned i = 0; i < count; i++)
        hist_record(&hist, latency);
    assert_int_equal(series_add(s, &interval, &hist, NULL), 0);
    hist_deinit(&hist);
}

static void a_full_series_halves_its_resolution(void **state)
{
    (void)state;
    struct series *s = series_new(1, 4, NULL);
    add(s, 0, 0, NS_PER_MS, 99);
    add(s, 1, 0, 50 * NS_PER_MS, 1);
    add(s, 2, 0, NS_PER_MS, 10);
    add(s, 3, 0, NS_PER_MS, 10);
    assert_int_equal(series_len(s), 4);
    add(s, 4, 0, NS_PER_MS, 10);
    assert_int_equal(series_len(s), 3);
    assert_int_equal(series_halvings(s), 1);

    const struct interval *first = series_at(s, 0);
    assert_int_equal(first->start_ns, 0);
    assert_int_equal(first->end_ns, 2 * S);
    assert_int_equal(first->succeeded, 100);
    assert_int_equal(first->by_outcome[OUTCOME_HIT], 100);
    assert_int_equal(first->nodes[0].succeeded, 100);
    assert_int_equal(first->nodes[0].stats.pool_total, 1);
    /* 99 of 100 took 1 ms: the mean of the two p99 would be 25 ms. */
    assert_in_range(first->service.p99_ns, NS_PER_MS, NS_PER_MS + NS_PER_MS / 50);
    assert_int_equal(first->service.max_ns, 50 * NS_PER_MS);
    assert_int_equal(series_at(s, 2)->start_ns, 4 * S);
    series_free(s);
}

static void phases_are_not_merged_with_each_other(void **state)
{
    (void)state;
    struct series *s = series_new(1, 4, NULL);
    add(s, 0, 0, NS_PER_MS, 1);
    add(s, 1, 1, NS_PER_MS, 1);
    add(s, 2, 1, NS_PER_MS, 1);
    add(s, 3, 2, NS_PER_MS, 1);
    add(s, 4, 2, NS_PER_MS, 1);
    assert_int_equal(series_len(s), 4);
    assert_int_equal(series_at(s, 0)->end_ns, 1 * S);
    assert_int_equal(series_at(s, 1)->phase, 1);
    assert_int_equal(series_at(s, 1)->end_ns, 3 * S);
    assert_int_equal(series_at(s, 2)->phase, 2);
    series_free(s);
}

static void stays_bounded_for_hours_and_loses_nothing(void **state)
{
    (void)state;
    struct series *s = series_new(1, 8, NULL);
    uint64_t total = 0;
    for (int i = 0; i < 1000; i++) {
        add(s, i, i % 7 == 0, NS_PER_MS, 3); /* phases that alternate */
        assert_in_range(series_len(s), 1, 8);
    }
    for (size_t i = 0; i < series_len(s); i++) {
        total += series_at(s, i)->succeeded;
        if (i > 0)
            assert_int_equal(series_at(s, i)->start_ns, series_at(s, i - 1)->end_ns);
    }
    assert_int_equal(total, 3000);
    series_free(s);
    series_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_series_halves_its_resolution),
        cmocka_unit_test(phases_are_not_merged_with_each_other),
        cmocka_unit_test(stays_bounded_for_hours_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
