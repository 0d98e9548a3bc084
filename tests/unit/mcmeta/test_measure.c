/* SPDX-License-Identifier: MIT */
/* Histograms: where values go, how far off a bucket is, and what many threads count together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/rng.h"
#include "mcmeta/measure.h"

#define THREADS 8
#define EACH 20000

static void every_bucket_begins_where_the_one_before_ends(void **state)
{
    (void)state;
    struct mcm_histogram histogram = {.unit = 1};
    for (unsigned i = 0; i + 1 < MCM_HISTOGRAM_BUCKETS; i++) {
        uint64_t bound = mcm_histogram_bound(&histogram, i);
        assert_int_equal(mcm_histogram_index(bound), i);
        assert_int_equal(mcm_histogram_index(bound + 1), i + 1);
    }
    assert_int_equal(mcm_histogram_index(0), 0);
    assert_int_equal(mcm_histogram_index(UINT64_MAX), MCM_HISTOGRAM_BUCKETS - 1);
    assert_true(mcm_histogram_bound(&histogram, MCM_HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
}

static void a_time_from_a_microsecond_to_ten_seconds_is_off_by_an_eighth_at_most(void **state)
{
    (void)state;
    struct rng rng = rng_seeded(1);
    struct mcm_measures *measures = calloc(1, sizeof(*measures));
    for (int i = 0; i < 3000; i++) {
        struct mcm_histogram histogram;
        uint64_t value = 1000 + rng_u64(&rng) % (UINT64_C(1) << (10 + i % 24));
        if (value > UINT64_C(10000000000))
            continue;
        mcm_measure_add(measures, MCM_MEASURE_GET, value);
        mcm_measure_sum(measures, MCM_MEASURE_GET, &histogram);
        assert_int_equal(histogram.count, 1);
        assert_int_equal(histogram.sum, value);
        uint64_t read = mcm_histogram_quantile(&histogram, 0.5);
        assert_true(read >= value && read - value <= value / 8 + 256);
        *measures = (struct mcm_measures){0};
    }
    free(measures);
}

static void quantiles_are_those_of_the_values(void **state)
{
    (void)state;
    struct mcm_measures *measures = calloc(1, sizeof(*measures));
    struct mcm_histogram histogram, sum = {0};
    for (uint64_t i = 1; i <= 10; i++)
        mcm_measure_add(measures, MCM_MEASURE_DEPTH, i);
    mcm_measure_sum(measures, MCM_MEASURE_DEPTH, &histogram);
    assert_int_equal(mcm_histogram_quantile(&histogram, 0), 1);
    assert_int_equal(mcm_histogram_quantile(&histogram, 0.5), 5);
    assert_int_equal(mcm_histogram_quantile(&histogram, 0.9), 9);
    assert_int_equal(mcm_histogram_quantile(&histogram, 1), 10);
    mcm_histogram_add(&sum, &histogram);
    mcm_histogram_add(&sum, &histogram);
    assert_int_equal(sum.count, 20);
    assert_int_equal(sum.sum, 110);
    assert_int_equal(mcm_histogram_quantile(&sum, 0.5), 5);
    mcm_measure_sum(measures, MCM_MEASURE_GET, &histogram);
    assert_int_equal(mcm_histogram_quantile(&histogram, 0.5), 0);
    free(measures);
}

static void *add_many(void *arg)
{
    for (uint64_t i = 0; i < EACH; i++)
        mcm_measure_add(arg, MCM_MEASURE_STORE, i * 1000);
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    struct mcm_measures *measures = calloc(1, sizeof(*measures));
    struct mcm_histogram histogram;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, measures), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    mcm_measure_sum(measures, MCM_MEASURE_STORE, &histogram);
    assert_int_equal(histogram.count, THREADS * EACH);
    assert_int_equal(histogram.sum, UINT64_C(1000) * THREADS * EACH * (EACH - 1) / 2);
    free(measures);
}

static void measures_have_the_names_of_the_operations(void **state)
{
    (void)state;
    for (int i = 0; i < MCM_OPERATION_COUNT; i++)
        assert_string_equal(mcm_measure_name((enum mcm_measure)i),
                            mcm_operation_name((enum mcm_operation)i));
    assert_string_equal(mcm_measure_name(MCM_MEASURE_DIAL), "dial");
    assert_string_equal(mcm_measure_name(MCM_MEASURE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bucket_begins_where_the_one_before_ends),
        cmocka_unit_test(a_time_from_a_microsecond_to_ten_seconds_is_off_by_an_eighth_at_most),
        cmocka_unit_test(quantiles_are_those_of_the_values),
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(measures_have_the_names_of_the_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
