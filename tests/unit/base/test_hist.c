/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hist.h"
#include "base/rng.h"

static void start(struct hist *h, const struct hist_config *config)
{
    struct err err = {""};
    if (hist_init(h, config, &err) != 0)
        fail_msg("%s", err.text);
}

/* The formulas of HdrHistogram, written down once more and independently of the code under test. */
static size_t reference_counts_len(const struct hist_config *c)
{
    int magnitude = (int)ceil(log2(2 * pow(10, c->digits)));
    uint64_t sub_buckets = UINT64_C(1) << magnitude;
    double smallest_untrackable = ldexp((double)sub_buckets, (int)floor(log2((double)c->lowest)));
    size_t buckets = 1;
    while (smallest_untrackable <= (double)c->highest) {
        smallest_untrackable *= 2;
        buckets++;
    }
    return (buckets + 1) * (sub_buckets / 2);
}

static const struct hist_config configs[] = {
    {1, 2, 1},
    {1, 3600000000, 3},
    {1, 100000000, 5},
    {1000, 60 * NS_PER_SEC, 2},
    {1000, 60 * NS_PER_SEC, 3},
    {1024, 1 << 20, 4},
    {777, 3600 * NS_PER_SEC, 3},
    {1, (INT64_C(1) << 62) - (INT64_C(1) << 20), 2},
};
enum { CONFIGS = sizeof configs / sizeof configs[0] };

static void has_the_layout_of_hdrhistogram(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++) {
        struct hist h;
        start(&h, &configs[i]);
        assert_int_equal(h.counts_len, reference_counts_len(&configs[i]));
        assert_int_equal(hist_bytes(&configs[i]), h.counts_len * 8);
        hist_deinit(&h);
        hist_deinit(&h);
    }
    /* Well-known sizes: 1 us to 60 s takes 144 KiB with 3 digits and 21 KiB with 2. */
    assert_int_equal(hist_bytes(&HIST_CONFIG_DEFAULT), 147456);
    assert_int_equal(hist_bytes(&configs[3]), 21504);
    assert_int_equal(hist_bytes(&configs[1]), 188416);
}

static void buckets_follow_each_other_without_gap(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++) {
        struct hist h;
        start(&h, &configs[i]);
        ns_t next = 0;
        size_t last = hist_bucket_of(&h, configs[i].highest);
        for (size_t k = 0; k <= last; k++) {
            ns_t low = hist_bucket_low(&h, k), high = hist_bucket_high(&h, k);
            assert_int_equal(low, next);
            assert_int_equal(hist_bucket_of(&h, low), k);
            if (k < last)
                assert_int_equal(hist_bucket_of(&h, high), k);
            next = high + 1;
            /* The promise: a bucket is at most 10^-digits of its values wide, or one unit. */
            double width = (double)(high - low);
            double unit = ldexp(1, h.unit_magnitude);
            assert_true(width < unit || width <= (double)low / pow(10, configs[i].digits));
        }
        hist_deinit(&h);
    }
}

static void refuses_configs_without_a_layout(void **state)
{
    (void)state;
    static const struct hist_config rows[] = {
        {0, 100, 3}, {-1, 100, 3}, {1, 1, 3},  {100, 199, 3},
        {1, 100, 0}, {1, 100, 6},  {1, -5, 3}, {INT64_MAX / 4, INT64_MAX, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hist h;
        struct err err = {""};
        assert_int_equal(hist_init(&h, &rows[i], &err), -1);
        assert_true(err.text[0] != '\0');
        assert_int_equal(hist_bytes(&rows[i]), 0);
        hist_deinit(&h);
    }
}

static void is_zero_while_empty(void **state)
{
    (void)state;
    struct hist h;
    start(&h, &HIST_CONFIG_DEFAULT);
    assert_int_equal(hist_count(&h), 0);
    assert_int_equal(hist_min(&h), 0);
    assert_int_equal(hist_max(&h), 0);
    assert_true(hist_mean(&h) == 0.0);
    assert_int_equal(hist_value_at_percentile(&h, 99), 0);
    assert_int_equal(hist_value_at_percentile(&h, 100), 0);
    hist_deinit(&h);
}

static void keeps_minimum_maximum_and_mean_exact(void **state)
{
    (void)state;
    struct hist h;
    start(&h, &HIST_CONFIG_DEFAULT);
    hist_record(&h, 123456789);
    hist_record(&h, 7);
    hist_record(&h, 1000000001);
    assert_int_equal(hist_min(&h), 7);
    assert_int_equal(hist_max(&h), 1000000001);
    assert_true(hist_mean(&h) == (123456789.0 + 7.0 + 1000000001.0) / 3.0);
    assert_int_equal(hist_value_at_percentile(&h, 100), 1000000001);
    hist_deinit(&h);
}

static void takes_percentiles_by_rank(void **state)
{
    (void)state;
    struct hist h;
    /* Fine enough that every value of this test has a bucket of its own. */
    start(&h, &(struct hist_config){1, 1000000, 3});
    for (ns_t v = 1; v <= 1000; v++)
        hist_record(&h, v);
    static const struct {
        double percentile;
        ns_t value;
    } rows[] = {
        {-1, 1},   {0, 1},      {0.1, 1},      {0.11, 2},     {50, 500},   {50.05, 501}, {90, 900},
        {99, 990}, {99.9, 999}, {99.91, 1000}, {99.99, 1000}, {100, 1000}, {200, 1000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(hist_value_at_percentile(&h, rows[i].percentile), rows[i].value);
    assert_int_equal(hist_count_up_to(&h, 250), 250);
    assert_int_equal(hist_count_up_to(&h, 5000), 1000);
    assert_int_equal(hist_count_up_to(&h, 0), 0);
    assert_int_equal(hist_count_up_to(&h, -1), 0);
    hist_deinit(&h);
}

static void counts_values_out_of_range(void **state)
{
    (void)state;
    struct hist h;
    start(&h, &HIST_CONFIG_DEFAULT);
    hist_record(&h, -5);
    hist_record(&h, 60 * NS_PER_SEC);
    assert_int_equal(hist_overflow(&h), 0);
    hist_record(&h, 60 * NS_PER_SEC + 1);
    hist_record_shared(&h, INT64_MAX);
    assert_int_equal(hist_overflow(&h), 2);
    assert_int_equal(hist_count(&h), 4);
    assert_int_equal(hist_min(&h), 0);
    assert_int_equal(hist_max(&h), INT64_MAX);
    hist_deinit(&h);
}

/* Latencies over many orders of magnitude, so that every bucket size is met. */
static ns_t random_value(struct rng *rng, ns_t highest)
{
    int shift = 1 + (int)rng_below(rng, 62);
    return (ns_t)((rng_u64(rng) >> shift) % (uint64_t)highest) + 1;
}

static int by_value(const void *a, const void *b)
{
    ns_t x = *(const ns_t *)a, y = *(const ns_t *)b;
    return (x > y) - (x < y);
}

enum { SAMPLES = 3000 };

static void is_within_the_promised_error_of_sorted_values(void **state)
{
    (void)state;
    static ns_t values[SAMPLES];
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct rng rng = rng_seeded(seed);
        const struct hist_config *config = &configs[seed % CONFIGS];
        struct hist h;
        start(&h, config);
        int n = 1 + (int)rng_below(&rng, SAMPLES);
        for (int i = 0; i < n; i++) {
            values[i] = random_value(&rng, config->highest);
            hist_record(&h, values[i]);
        }
        qsort(values, (size_t)n, sizeof values[0], by_value);
        for (int rank = 1; rank <= n; rank += 1 + n / 100) {
            double percentile = 100.0 * rank / n;
            ns_t exact = values[rank - 1];
            ns_t found = hist_value_at_percentile(&h, percentile);
            double error = (double)exact / pow(10, config->digits);
            assert_true(found >= exact);
            assert_true((double)(found - exact) <= fmax(error, (double)config->lowest));
        }
        assert_int_equal(hist_min(&h), values[0]);
        assert_int_equal(hist_max(&h), values[n - 1]);
        hist_deinit(&h);
    }
}

static void assert_same(const struct hist *a, const struct hist *b)
{
    assert_int_equal(hist_count(a), hist_count(b));
    assert_int_equal(hist_min(a), hist_min(b));
    assert_int_equal(hist_max(a), hist_max(b));
    assert_int_equal(hist_overflow(a), hist_overflow(b));
    assert_true(hist_mean(a) == hist_mean(b));
    for (size_t i = 0; i < a->counts_len; i++)
        assert_int_equal(hist_bucket_count(a, i), hist_bucket_count(b, i));
}

static void merged_parts_equal_the_whole(void **state)
{
    (void)state;
    struct hist parts[4], whole, merged;
    struct rng rng = rng_seeded(3);
    start(&whole, &HIST_CONFIG_DEFAULT);
    start(&merged, &HIST_CONFIG_DEFAULT);
    for (int i = 0; i < 4; i++)
        start(&parts[i], &HIST_CONFIG_DEFAULT);
    for (int i = 0; i < SAMPLES; i++) {
        ns_t v = random_value(&rng, 90 * NS_PER_SEC);
        hist_record(&whole, v);
        hist_record(&parts[rng_below(&rng, 3)], v);
    }
    for (int i = 0; i < 4; i++) {
        hist_add(&merged, &parts[i]);
        hist_deinit(&parts[i]);
    }
    assert_same(&merged, &whole);
    hist_reset(&merged);
    assert_int_equal(hist_count(&merged), 0);
    assert_int_equal(hist_min(&merged), 0);
    hist_copy(&merged, &whole);
    assert_same(&merged, &whole);
    hist_deinit(&merged);
    hist_deinit(&whole);
}

static void an_interval_is_the_difference_of_two_snapshots(void **state)
{
    (void)state;
    struct hist total, past, interval, direct;
    struct rng rng = rng_seeded(5);
    start(&total, &HIST_CONFIG_DEFAULT);
    start(&past, &HIST_CONFIG_DEFAULT);
    start(&interval, &HIST_CONFIG_DEFAULT);
    start(&direct, &HIST_CONFIG_DEFAULT);
    for (int round = 0; round < 20; round++) {
        hist_copy(&past, &total);
        hist_reset(&direct);
        for (uint64_t i = rng_below(&rng, 200); i > 0; i--) {
            ns_t v = random_value(&rng, 60 * NS_PER_SEC);
            hist_record(&total, v);
            hist_record(&direct, v);
        }
        hist_copy(&interval, &total);
        hist_subtract(&interval, &past);
        assert_int_equal(hist_count(&interval), hist_count(&direct));
        assert_true(hist_mean(&interval) == hist_mean(&direct));
        for (size_t i = 0; i < total.counts_len; i++)
            assert_int_equal(hist_bucket_count(&interval, i), hist_bucket_count(&direct, i));
        assert_true(hist_min(&interval) <= hist_min(&direct));
        assert_true(hist_max(&interval) >= hist_max(&direct));
        assert_int_equal(hist_bucket_of(&interval, hist_max(&interval)),
                         hist_bucket_of(&direct, hist_max(&direct)));
    }
    hist_subtract(&total, &total);
    assert_int_equal(hist_count(&total), 0);
    assert_int_equal(hist_max(&total), 0);
    hist_deinit(&total);
    hist_deinit(&past);
    hist_deinit(&interval);
    hist_deinit(&direct);
}

enum { WRITERS = 4, WRITES = 20000 };

static void *write_shared(void *arg)
{
    struct rng rng = rng_seeded(11);
    for (int i = 0; i < WRITES; i++)
        hist_record_shared(arg, random_value(&rng, 70 * NS_PER_SEC));
    return NULL;
}

static void several_threads_record_without_loss(void **state)
{
    (void)state;
    struct hist shared, alone, snapshot;
    start(&shared, &HIST_CONFIG_DEFAULT);
    start(&alone, &HIST_CONFIG_DEFAULT);
    start(&snapshot, &HIST_CONFIG_DEFAULT);
    for (int w = 0; w < WRITERS; w++) {
        struct rng rng = rng_seeded(11);
        for (int i = 0; i < WRITES; i++)
            hist_record(&alone, random_value(&rng, 70 * NS_PER_SEC));
    }
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_shared, &shared), 0);
    uint64_t before = 0;
    for (int i = 0; i < 50; i++) {
        hist_copy(&snapshot, &shared);
        uint64_t sum = 0;
        for (size_t k = 0; k < snapshot.counts_len; k++)
            sum += hist_bucket_count(&snapshot, k);
        assert_int_equal(hist_count(&snapshot), sum);
        assert_true(sum >= before);
        before = sum;
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_same(&shared, &alone);
    hist_deinit(&shared);
    hist_deinit(&alone);
    hist_deinit(&snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_layout_of_hdrhistogram),
        cmocka_unit_test(buckets_follow_each_other_without_gap),
        cmocka_unit_test(refuses_configs_without_a_layout),
        cmocka_unit_test(is_zero_while_empty),
        cmocka_unit_test(keeps_minimum_maximum_and_mean_exact),
        cmocka_unit_test(takes_percentiles_by_rank),
        cmocka_unit_test(counts_values_out_of_range),
        cmocka_unit_test(is_within_the_promised_error_of_sorted_values),
        cmocka_unit_test(merged_parts_equal_the_whole),
        cmocka_unit_test(an_interval_is_the_difference_of_two_snapshots),
        cmocka_unit_test(several_threads_record_without_loss),
    };
    return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
