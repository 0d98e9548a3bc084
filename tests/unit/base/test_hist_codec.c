/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hist_codec.h"
#include "base/rng.h"

/* Made by HdrHistogram 2.1.11 (Java): new Histogram(1000, 100000000000, 2) with the values of
 * fill(), encodeIntoCompressedByteBuffer(). */
static const char from_java[] =
    "HISTFAAAAJd4nCWIMQrCMBRA89L4iSEExMFBL+Di7FZHL+HgJdyKShUHKaUUEREppUiv1tEjqPQN78GbncqxUuqo"
    "enSfqPtpst51Kv70ZylilYv84c9qEIZ6ZKYyt7Hb+oKQod+YvVTYK67EPwkXdINJkQe2xGX4lpDoFyZDCmyFS/EN"
    "4Yy+Y27IFdviEv8i5OgcUyMptsZtFl+F+R87";

static const struct hist_config config_of_java = {1000, 100 * NS_PER_SEC, 2};

static void record_many(struct hist *h, uint64_t value, uint64_t count)
{
    h->counts[hist_bucket_of(h, (ns_t)value)] += count;
    h->total += count;
}

static void fill(struct hist *h)
{
    uint64_t value = 1;
    for (unsigned i = 0; i < 60; i++) {
        record_many(h, value < 100000000000 ? value : 100000000000, i % 7 + 1);
        value = value * 3 / 2 + 17;
    }
    record_many(h, 5000, UINT64_C(1) << 40);
}

static void assert_same_counts(const struct hist *a, const struct hist *b)
{
    assert_int_equal(a->counts_len, b->counts_len);
    for (size_t i = 0; i < a->counts_len; i++)
        assert_int_equal(hist_bucket_count(a, i), hist_bucket_count(b, i));
    assert_int_equal(hist_count(a), hist_count(b));
}

static void start(struct hist *h, const struct hist_config *config)
{
    struct err err = {""};
    if (hist_init(h, config, &err) != 0)
        fail_msg("%s", err.text);
}

static void reads_what_the_java_library_writes(void **state)
{
    (void)state;
    struct hist ours, theirs;
    struct err err = {""};
    start(&ours, &config_of_java);
    fill(&ours);
    if (hist_decode(from_java, &theirs, &err) != 0)
        fail_msg("%s", err.text);
    assert_same_counts(&ours, &theirs);
    assert_int_equal(theirs.config.lowest, 1000);
    assert_int_equal(theirs.config.highest, 100 * NS_PER_SEC);
    assert_int_equal(theirs.config.digits, 2);
    hist_deinit(&ours);
    hist_deinit(&theirs);
}

/* zlib's output may differ between versions, so it is the decoded text that is compared. */
static void survives_a_round_trip(void **state)
{
    (void)state;
    static const struct hist_config configs[] = {
        {1, 2, 1}, {1, NS_PER_SEC, 3}, {1000, 100 * NS_PER_SEC, 2}, {512, 3600 * NS_PER_SEC, 5}};
    struct rng rng = rng_seeded(7);
    for (size_t c = 0; c < sizeof configs / sizeof configs[0]; c++) {
        struct hist h, back;
        struct err err = {""};
        start(&h, &configs[c]);
        for (int i = 0; i < 2000; i++)
            hist_record(&h, (ns_t)(rng_u64(&rng) >> (i % 60 + 3)));
        char *text = hist_encode(&h, &err);
        assert_non_null(text);
        assert_memory_equal(text, "HISTFAAA", 8);
        if (hist_decode(text, &back, &err) != 0)
            fail_msg("%s", err.text);
        assert_same_counts(&h, &back);
        free(text);
        hist_deinit(&h);
        hist_deinit(&back);
    }
}

static void an_empty_histogram_stays_empty(void **state)
{
    (void)state;
    struct hist h, back;
    struct err err = {""};
    start(&h, &HIST_CONFIG_DEFAULT);
    char *text = hist_encode(&h, &err);
    assert_non_null(text);
    assert_int_equal(hist_decode(text, &back, &err), 0);
    assert_int_equal(hist_count(&back), 0);
    assert_int_equal(hist_max(&back), 0);
    free(text);
    hist_deinit(&h);
    hist_deinit(&back);
}

static void percentiles_of_a_decoded_one_are_those_of_the_buckets(void **state)
{
    (void)state;
    struct hist h, back;
    struct err err = {""};
    start(&h, &HIST_CONFIG_DEFAULT);
    for (ns_t i = 1; i <= 1000; i++)
        hist_record(&h, i * NS_PER_MS);
    char *text = hist_encode(&h, &err);
    assert_int_equal(hist_decode(text, &back, &err), 0);
    assert_int_equal(hist_value_at_percentile(&back, 50), hist_value_at_percentile(&h, 50));
    assert_true(hist_max(&back) >= hist_max(&h));
    assert_true(hist_max(&back) < hist_max(&h) + hist_max(&h) / 1000);
    assert_true(hist_mean(&back) > hist_mean(&h) * 0.999 &&
                hist_mean(&back) < hist_mean(&h) * 1.001);
    free(text);
    hist_deinit(&h);
    hist_deinit(&back);
}

static void damaged_text_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "not HdrHistogram's compressed V2"},
        {"HIST", "not HdrHistogram's compressed V2"},
        {"HISTFAAA AJd4", "character 9 is not base64"},
        {"HISTFAAAAJd4nCWI", "compressed bytes promised"},
        {"HISTFAAAAAAAAAAA", "damaged"},
        {"HISTFAAAAAQBAgME", "damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hist h;
        struct err err = {""};
        assert_int_equal(hist_decode(cases[i].text, &h, &err), -1);
        if (strstr(err.text, cases[i].reason) == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

/* Every prefix, and every character changed: an error or a histogram, never anything else. */
static void no_text_does_harm(void **state)
{
    (void)state;
    char text[sizeof from_java];
    for (size_t i = 0; i < 2 * (sizeof from_java - 1); i++) {
        struct hist h;
        struct err err;
        memcpy(text, from_java, sizeof text);
        text[i / 2] = i % 2 == 0 ? '\0' : (char)(text[i / 2] == 'A' ? 'B' : 'A');
        if (hist_decode(text, &h, &err) == 0)
            hist_deinit(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_java_library_writes),
        cmocka_unit_test(survives_a_round_trip),
        cmocka_unit_test(an_empty_histogram_stays_empty),
        cmocka_unit_test(percentiles_of_a_decoded_one_are_those_of_the_buckets),
        cmocka_unit_test(damaged_text_is_refused_with_the_reason),
        cmocka_unit_test(no_text_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
