/* SPDX-License-Identifier: MIT */
#include "metrics/series.h"

#include <stdlib.h>

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
    interval.service_hist = hist_pack(&hist);
    for (unsigned i = 0; i < count; i++)
        hist_record(&hist, 2 * latency);
    interval.response_hist = hist_pack(&hist);
    struct cell cells[] = {
        {.op = OP_GET, .outcome = OUTCOME_HIT, .count = count, .service = interval.service_hist},
        {.op = second % 2 ? OP_SET : OP_GET, .outcome = OUTCOME_RESET, .count = 1},
    };
    interval.cells = cells;
    interval.cell_count = 2;
    assert_int_equal(series_add(s, &interval, NULL), 0);
    free(interval.service_hist);
    free(interval.response_hist);
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
    assert_int_equal(first->service_hist->total, 100);
    assert_int_equal(first->response.count, 200);
    assert_int_equal(first->response.max_ns, 100 * NS_PER_MS);
    /* The same cell of both is one, those of only one are kept; all in order. */
    assert_int_equal(first->cell_count, 3);
    assert_int_equal(first->cells[0].outcome, OUTCOME_HIT);
    assert_int_equal(first->cells[0].count, 100);
    assert_int_equal(first->cells[0].service->total, 100);
    assert_int_equal(first->cells[1].op, OP_GET);
    assert_int_equal(first->cells[1].outcome, OUTCOME_RESET);
    assert_int_equal(first->cells[2].op, OP_SET);
    assert_int_equal(first->cells[2].count, 1);
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

/* 23 days of one-second intervals, without their histograms. */
static void memory_stays_flat_in_a_soak(void **state)
{
    (void)state;
    struct series *s = series_new(3, SERIES_CAP_DEFAULT, NULL);
    struct interval_node nodes[3] = {{.succeeded = 1}, {.succeeded = 2}, {.failed = 1}};
    size_t bytes_max = 0;
    uint64_t succeeded = 0;
    const ns_t count = 2000000;
    for (ns_t i = 0; i < count; i++) {
        struct interval interval = {
            .start_ns = i * S, .end_ns = (i + 1) * S, .succeeded = 3, .failed = 1, .nodes = nodes};
        assert_int_equal(series_add(s, &interval, NULL), 0);
        bytes_max = series_bytes(s) > bytes_max ? series_bytes(s) : bytes_max;
    }
    assert_in_range(series_len(s), SERIES_CAP_DEFAULT / 2, SERIES_CAP_DEFAULT);
    assert_in_range(bytes_max, 1, 1 << 20);
    for (size_t i = 0; i < series_len(s); i++)
        succeeded += series_at(s, i)->succeeded;
    assert_int_equal(succeeded, 3 * count);
    series_free(s);
}

/* Intervals with as many cells and buckets as never occur. */
static void memory_has_a_limit_in_bytes(void **state)
{
    (void)state;
    static struct cell cells[CELLS_MAX];
    struct series *s = series_new(1, SERIES_CAP_DEFAULT, NULL);
    struct hist wide;
    struct interval_node node = {.succeeded = 1};
    assert_int_equal(hist_init(&wide, &LATENCY_HIST_CONFIG, NULL), 0);
    for (ns_t at = NS_PER_US; at < 100 * NS_PER_SEC; at += at / 200 + 1)
        hist_record(&wide, at);
    struct hist_packed *packed = hist_pack(&wide);
    for (unsigned i = 0; i < CELLS_MAX; i++)
        cells[i] = (struct cell){.node = i, .count = 1, .service = packed};
    for (int i = 0; i < 12; i++) {
        struct interval interval = {.start_ns = i * S,
                                    .end_ns = (i + 1) * S,
                                    .succeeded = 1,
                                    .nodes = &node,
                                    .cells = cells,
                                    .cell_count = CELLS_MAX};
        assert_int_equal(series_add(s, &interval, NULL), 0);
        /* The limit, and the newest on top of it. */
        assert_in_range(series_bytes(s), 1, SERIES_BYTES_MAX + SERIES_BYTES_MAX / 2);
    }
    assert_true(series_halvings(s) > 0);
    assert_int_equal(series_at(s, 0)->cells[5].count, series_at(s, 0)->succeeded);
    free(packed);
    hist_deinit(&wide);
    series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_series_halves_its_resolution),
        cmocka_unit_test(phases_are_not_merged_with_each_other),
        cmocka_unit_test(stays_bounded_for_hours_and_loses_nothing),
        cmocka_unit_test(memory_stays_flat_in_a_soak),
        cmocka_unit_test(memory_has_a_limit_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
