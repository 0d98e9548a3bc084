/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/keyspace.h"
#include "load/load.h"
#include "load/value_sizes.h"
#include "load/workload.h"

#define DRAWS 200000

static struct keyspace space(const char *text, unsigned workers)
{
    struct keyspace_spec spec;
    struct keyspace keys;
    struct err err = {""};
    if (keyspace_parse(text, &spec, &err) != 0)
        fail_msg("%s", err.text);
    keyspace_init(&keys, &spec, "", workers);
    return keys;
}

static void names_follow_from_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *space;
        uint32_t id;
        const char *name;
    } cases[] = {
        {"100", 99, "key-99"},
        {"100", 100, "absent-0"},
        {"100 hot 10 30%", 9, "hot-key-9"},
        {"100 hot 10 30%", 10, "key-0"},
        {"100 per worker", 305, "key-worker3-5"},
        {"1k per worker hot 10 30%", 10 + 2000, "key-worker2-0"},
        {"100 size 50", 7, "key-7-............................................"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct keyspace keys = space(cases[i].space, 4);
        struct key key;
        keyspace_key(&keys, cases[i].id, &key);
        assert_string_equal(key.text, cases[i].name);
        assert_int_equal(key.size, strlen(cases[i].name));
        assert_int_equal(key.id, cases[i].id);
    }
}

/* How often each id is chosen by worker 1 of 4. */
static uint32_t *draw(const struct keyspace *keys)
{
    uint32_t *counts = calloc(keys->stored, sizeof *counts);
    struct rng rng = rng_seeded(3);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t id = keyspace_choose(keys, &rng, 1);
        assert_true(id < keys->stored);
        counts[id]++;
    }
    return counts;
}

static void a_uniform_space_uses_all_keys_alike(void **state)
{
    (void)state;
    struct keyspace keys = space("100", 4);
    uint32_t *counts = draw(&keys);
    for (int i = 0; i < 100; i++)
        assert_in_range(counts[i], 1770, 2230); /* five standard deviations */
    free(counts);
}

static void hot_keys_get_their_share_and_workers_keep_to_their_own(void **state)
{
    (void)state;
    struct keyspace keys = space("50 per worker hot 10 30%", 4);
    uint32_t *counts = draw(&keys);
    uint32_t hot = 0, own = 0;
    assert_int_equal(keys.stored, 210);
    for (int i = 0; i < 10; i++)
        hot += counts[i];
    for (int i = 60; i < 110; i++)
        own += counts[i];
    assert_in_range(hot, DRAWS * 29 / 100, DRAWS * 31 / 100);
    assert_int_equal(hot + own, DRAWS);
    free(counts);
}

static void zipf_ranks_fall_as_the_law_says(void **state)
{
    (void)state;
    static const char *const texts[] = {"1000 zipf 0.5", "1000 zipf 0.99", "1000 zipf 1",
                                        "1000 zipf 2"};
    for (int t = 0; t < 4; t++) {
        struct keyspace keys = space(texts[t], 4);
        double s = keys.spec.zipf, norm = 0;
        uint32_t *counts = draw(&keys);
        for (int k = 1; k <= 1000; k++)
            norm += pow(k, -s);
        for (int k = 1; k <= 1000; k = k * 2) {
            double expected = DRAWS * pow(k, -s) / norm;
            assert_true(fabs(counts[k - 1] - expected) < 5 * sqrt(expected) + 1);
        }
        free(counts);
    }
}

static void a_universe_is_never_larger_than_its_bound(void **state)
{
    (void)state;
    struct keyspace keys = space("1k per worker hot 10 30%", 10000);
    assert_true(keys.stored <= KEYSPACE_KEYS_MAX);
    assert_int_equal(keys.spec.count, 499);
}

static void sizes_stay_in_their_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t min, max;
    } cases[] = {{"100", 100, 100},
                 {"0", 0, 0},
                 {"64..4k", 64, 4096},
                 {"boundaries", 0, VALUE_SIZE_MAX},
                 {"1000k", 1024000, 1024000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct value_sizes sizes;
        struct rng rng = rng_seeded(1);
        size_t least = SIZE_MAX, most = 0;
        assert_int_equal(value_sizes_parse(cases[i].text, &sizes, NULL), 0);
        for (int n = 0; n < 100000; n++) {
            size_t size = value_sizes_choose(&sizes, &rng);
            least = size < least ? size : least;
            most = size > most ? size : most;
        }
        assert_int_equal(least, cases[i].min);
        assert_int_equal(most, cases[i].max);
    }
}

static void a_realistic_mix_is_mostly_small_with_a_long_tail(void **state)
{
    (void)state;
    struct value_sizes sizes;
    struct rng rng = rng_seeded(1);
    int small = 0, large = 0;
    double sum = 0;
    assert_int_equal(value_sizes_parse("cache", &sizes, NULL), 0);
    for (int n = 0; n < DRAWS; n++) {
        size_t size = value_sizes_choose(&sizes, &rng);
        assert_in_range(size, sizes.min, sizes.max);
        small += size <= 256;
        large += size > 16384;
        sum += (double)size;
    }
    assert_in_range(small, DRAWS * 64 / 100, DRAWS * 66 / 100);
    assert_in_range(large, DRAWS * 8 / 1000, DRAWS * 12 / 1000);
    assert_true(sum / DRAWS > 1300 && sum / DRAWS < 2200);
}

static void errors_name_the_part_and_the_place(void **state)
{
    (void)state;
    static const struct {
        struct load_text text;
        const char *words;
    } cases[] = {
        {{.keys = "0"}, "keys: \"0\", column 1"},
        {{.keys = "9M"}, "1 to 5000000"},
        {{.keys = "10 zipf"}, "keys: \"10 zipf\" ends too early"},
        {{.keys = "10 zipf 9"}, "exponent up to 5"},
        {{.keys = "10 hot 5"}, "share of operations"},
        {{.keys = "10 hot 5 130%"}, "column 10"},
        {{.keys = "10 size 300"}, "48 to 250"},
        {{.keys = "10 per cent"}, "per worker is meant"},
        {{.keys = "10 uniformly"}, "column 4, \"uniformly\""},
        {{.values = "5..1"}, "value-size: "},
        {{.values = "2M"}, "0 to 1047552 bytes"},
        {{.values = "huge"}, "column 1, \"huge\""},
        {{.values = "1k 2k"}, "column 4"},
        {{.hit_ratio = "0.9"}, "hit-ratio: "},
        {{.prefill = "maybe"}, "prefill: \"maybe\""},
        {{.rate = "fast"}, "rate: "},
        {{.rate = "11M"}, "up to 10000000"},
        {{.arrival = "poison"}, "arrival: \"poison\", column 1"},
        {{.workload = "mixd"}, "did you mean \"mixed\"?"},
        {{.workload = "zzzzzzzzzzzz"}, "see memchaos -list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct load_spec spec;
        struct err err = {""};
        assert_int_equal(load_spec_parse(&cases[i].text, &spec, &err), -1);
        if (strstr(err.text, cases[i].words) == NULL)
            fail_msg("%zu: %s", i, err.text);
    }
}

static void a_workload_brings_its_own_and_yields_to_what_is_given(void **state)
{
    (void)state;
    struct load_spec spec;
    assert_int_equal(load_spec_parse(&(struct load_text){.workload = "burst"}, &spec, NULL), 0);
    assert_int_equal(spec.arrival.sources[0].parts[0].shape, ARRIVAL_BURST);
    assert_true(spec.prefill);
    struct load_text given = {
        .workload = "burst", .arrival = "poisson", .rate = "3k", .keys = "7", .prefill = "off"};
    assert_int_equal(load_spec_parse(&given, &spec, NULL), 0);
    assert_true(spec.arrival.sources[0].parts[0].poisson && !spec.prefill);
    assert_int_equal(spec.keys.count, 7);
    assert_string_equal(spec.text.values, workload_burst.values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_from_numbers),
        cmocka_unit_test(a_uniform_space_uses_all_keys_alike),
        cmocka_unit_test(hot_keys_get_their_share_and_workers_keep_to_their_own),
        cmocka_unit_test(zipf_ranks_fall_as_the_law_says),
        cmocka_unit_test(a_universe_is_never_larger_than_its_bound),
        cmocka_unit_test(sizes_stay_in_their_range),
        cmocka_unit_test(a_realistic_mix_is_mostly_small_with_a_long_tail),
        cmocka_unit_test(errors_name_the_part_and_the_place),
        cmocka_unit_test(a_workload_brings_its_own_and_yields_to_what_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
