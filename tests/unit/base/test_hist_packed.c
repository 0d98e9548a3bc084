/* SPDX-License-Identifier: MIT */
#include "base/hist_packed.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hist_codec.h"
#include "base/rng.h"

#define CONFIG ((struct hist_config){.lowest = 1000, .highest = 100 * NS_PER_SEC, .digits = 2})

static void make(struct hist *h)
{
    assert_int_equal(hist_init(h, &CONFIG, NULL), 0);
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

static void gives_back_exactly_what_was_packed(void **state)
{
    (void)state;
    struct rng rng = rng_fork(7, 0);
    for (int round = 0; round < 50; round++) {
        struct hist h, back;
        make(&h);
        make(&back);
        for (int i = 0; i < round * 20; i++)
            hist_record(&h, (ns_t)(rng_u64(&rng) >> (24 + rng_below(&rng, 30))));
        struct hist_packed *packed = hist_pack(&h);
        hist_packed_add(packed, &back);
        assert_same(&h, &back);
        assert_int_equal(packed->total, hist_count(&h));
        free(packed);
        hist_deinit(&h);
        hist_deinit(&back);
    }
}

static void adding_packed_ones_is_adding_histograms(void **state)
{
    (void)state;
    struct hist a, b, sum;
    make(&a);
    make(&b);
    make(&sum);
    for (int i = 0; i < 1000; i++) {
        hist_record(&a, i * NS_PER_US);
        hist_record(&b, (i + 500) * NS_PER_US * 3);
    }
    struct hist_packed *packed_a = hist_pack(&a), *packed_b = hist_pack(&b);
    struct hist_packed *copy = hist_packed_copy(packed_b);
    hist_packed_add(packed_a, &sum);
    hist_packed_add(copy, &sum);
    hist_add(&a, &b);
    assert_same(&a, &sum);
    assert_null(hist_packed_copy(NULL));
    free(copy);
    free(packed_a);
    free(packed_b);
    hist_deinit(&a);
    hist_deinit(&b);
    hist_deinit(&sum);
}

static void is_small_and_encodes_as_the_histogram_does(void **state)
{
    (void)state;
    struct hist h;
    make(&h);
    for (int i = 0; i < 100000; i++)
        hist_record(&h, 200 * NS_PER_US + i * 5);
    struct hist_packed *packed = hist_pack(&h);
    assert_in_range(hist_packed_size(packed), sizeof *packed, 2000);
    char *text = hist_encode(&h, NULL), *same = hist_packed_encode(packed, NULL);
    assert_string_equal(text, same);
    free(text);
    free(same);
    free(packed);
    hist_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_exactly_what_was_packed),
        cmocka_unit_test(adding_packed_ones_is_adding_histograms),
        cmocka_unit_test(is_small_and_encodes_as_the_histogram_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
