/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "scenario/target.h"

static void reads_and_writes_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum target_kind kind;
    } cases[] = {
        {"all", TARGET_ALL},           {"one", TARGET_ONE},         {"minority", TARGET_MINORITY},
        {"majority", TARGET_MAJORITY}, {"hottest", TARGET_HOTTEST}, {"random 2", TARGET_RANDOM},
        {"node 64", TARGET_NODES},     {"nodes 1 3", TARGET_NODES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct target target;
        struct err err;
        char text[TARGET_TEXT_SIZE];
        assert_int_equal(target_parse(cases[i].text, &target, &err), 0);
        assert_int_equal(target.kind, cases[i].kind);
        assert_string_equal(target_text(&target, text), cases[i].text);
    }
}

static void refuses_the_rest_and_names_the_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "must be all"},
        {"node", "\"node N\""},
        {"node 0", "counted from 1"},
        {"node 65", "counted from 1"},
        {"node 1 2", "\"node N\""},
        {"nodes", "\"nodes N M\""},
        {"nodes 1,2", "\"nodes N M\""},
        {"node 1x", "\"node N\""},
        {"random", "\"random COUNT\""},
        {"random 0", "\"random COUNT\""},
        {"random 1 2", "\"random COUNT\""},
        {"majorty", "did you mean \"majority\""},
        {"hotest", "did you mean \"hottest\""},
        {"nod 1", "did you mean \"node\""},
        {"all 1", "must be all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct target target;
        struct err err = {""};
        if (target_parse(cases[i].text, &target, &err) != -1 ||
            strstr(err.text, cases[i].words) == NULL)
            fail_msg("\"%s\": \"%s\"", cases[i].text, err.text);
    }
}

/* Resolves `text` for `nodes`; the result as a set, and how many. */
static uint64_t resolve(const char *text, size_t nodes, uint64_t seed, size_t *count)
{
    struct target target;
    struct err err = {""};
    struct rng rng = rng_seeded(seed);
    size_t out[TARGET_NODES_MAX];
    uint64_t set = 0;
    assert_int_equal(target_parse(text, &target, &err), 0);
    *count = target_resolve(&target, nodes, NULL, &rng, out, &err);
    assert_true(*count > 0 || err.text[0] != '\0');
    for (size_t i = 0; i < *count; i++) {
        assert_true(out[i] < nodes && !(set & (UINT64_C(1) << out[i])));
        set |= UINT64_C(1) << out[i];
    }
    return set;
}

static void draws_as_many_as_the_word_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t nodes, count;
    } cases[] = {
        {"one", 1, 1},      {"one", 64, 1},        {"minority", 2, 0}, {"minority", 3, 1},
        {"minority", 4, 1}, {"minority", 5, 2},    {"majority", 1, 1}, {"majority", 2, 2},
        {"majority", 3, 2}, {"majority", 4, 3},    {"all", 64, 64},    {"random 2", 3, 2},
        {"random 3", 3, 3}, {"random 4", 3, 0},    {"node 3", 3, 1},   {"node 4", 3, 0},
        {"hottest", 3, 0},  {"nodes 1 64", 64, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count;
        resolve(cases[i].text, cases[i].nodes, i, &count);
        if (count != cases[i].count)
            fail_msg("%s of %zu: %zu", cases[i].text, cases[i].nodes, count);
    }
}

static void every_node_is_drawn_at_times_and_the_same_seed_draws_the_same(void **state)
{
    (void)state;
    uint64_t seen = 0;
    size_t count;
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t set = resolve("one", 5, seed, &count);
        assert_int_equal(set, resolve("one", 5, seed, &count));
        seen |= set;
    }
    assert_int_equal(seen, 31);
}

static void the_hottest_node_has_the_largest_share(void **state)
{
    (void)state;
    static const double shares[] = {0.2, 0.5, 0.3};
    static const double unknown[] = {0, 0, 0};
    struct target target = {.kind = TARGET_HOTTEST};
    struct rng rng = rng_seeded(1);
    size_t out[TARGET_NODES_MAX];
    struct err err;
    assert_int_equal(target_resolve(&target, 3, shares, &rng, out, &err), 1);
    assert_int_equal(out[0], 1);
    assert_int_equal(target_resolve(&target, 3, unknown, &rng, out, &err), 0);
    assert_non_null(strstr(err.text, "no hottest node"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_every_form),
        cmocka_unit_test(refuses_the_rest_and_names_the_nearest),
        cmocka_unit_test(draws_as_many_as_the_word_says),
        cmocka_unit_test(every_node_is_drawn_at_times_and_the_same_seed_draws_the_same),
        cmocka_unit_test(the_hottest_node_has_the_largest_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
