/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/suggest.h"

static const char *const names[] = {"scenario",    "duration",     "concurrency", "list",
                                    "packet-loss", "packet-delay", "q",           NULL};

static void finds_the_name_that_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *best;
    } rows[] = {
        {"scenaro", "scenario"},         {"scenraio", "scenario"},  {"Scenario", "scenario"},
        {"duraton", "duration"},         {"durationn", "duration"}, {"packet-los", "packet-loss"},
        {"paket-delay", "packet-delay"}, {"lsit", "list"},          {"concurency", "concurrency"},
        {"scenario", "scenario"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(suggest_best(rows[i].word, names), rows[i].best);
}

static void keeps_silent_about_unrelated_words(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",        "x",
        "workers", "verbose",
        "li",      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_null(suggest_best(rows[i], names));
}

static void prefers_the_closest_and_then_the_first(void **state)
{
    (void)state;
    struct suggest s = suggest_start("latancy");
    suggest_offer(&s, "latency-x");
    suggest_offer(&s, "latency");
    suggest_offer(&s, "latancx");
    assert_string_equal(s.best, "latency");
    assert_int_equal(s.distance, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_name_that_was_meant),
        cmocka_unit_test(keeps_silent_about_unrelated_words),
        cmocka_unit_test(prefers_the_closest_and_then_the_first),
    };
    return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
