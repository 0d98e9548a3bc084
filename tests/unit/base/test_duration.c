/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/duration.h"
#include "base/rng.h"

static void reads_what_go_reads(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ns_t value;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"+0", 0},
        {"0s", 0},
        {"5s", 5 * NS_PER_SEC},
        {"30s", 30 * NS_PER_SEC},
        {"1478s", 1478 * NS_PER_SEC},
        {"-5s", -5 * NS_PER_SEC},
        {"+5s", 5 * NS_PER_SEC},
        {"5.0s", 5 * NS_PER_SEC},
        {"5.6s", 5600 * NS_PER_MS},
        {"5.s", 5 * NS_PER_SEC},
        {".5s", 500 * NS_PER_MS},
        {"1.004s", 1004 * NS_PER_MS},
        {"100.00100s", 100001 * NS_PER_MS},
        {"10ns", 10},
        {"11us", 11 * NS_PER_US},
        {"12µs", 12 * NS_PER_US},
        {"12μs", 12 * NS_PER_US},
        {"13ms", 13 * NS_PER_MS},
        {"15m", 900 * NS_PER_SEC},
        {"1.5h", 5400 * NS_PER_SEC},
        {"3h30m", 12600 * NS_PER_SEC},
        {"1m30s", 90 * NS_PER_SEC},
        {"10.5s4m", 250 * NS_PER_SEC + 500 * NS_PER_MS},
        {"1h2m3s4ms5us6ns", 3723 * NS_PER_SEC + 4005006},
        {"52763797000ns", 52763797000},
        {"0.3333333333333333333h", 1200 * NS_PER_SEC - 1},
        {"0.830103483285477580700h", 2988372539827},
        {"9223372036854775806ns", INT64_MAX - 1},
        {"9223372036s", 9223372036 * NS_PER_SEC},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ns_t value = -1;
        struct err err = {""};
        if (duration_parse(rows[i].text, &value, &err) != 0)
            fail_msg("%s: %s", rows[i].text, err.text);
        /* Fractions are cut after 15 digits, which costs at most one nanosecond. */
        if (value < rows[i].value - 1 || value > rows[i].value + 1)
            fail_msg("%s: read as %lld", rows[i].text, (long long)value);
    }
}

static void refuses_everything_else(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "-",
        "+",
        "s",
        ".",
        "-.",
        ".s",
        "+.s",
        "3",
        "-3",
        "1.5",
        "1x",
        "1 s",
        " 1s",
        "1s ",
        "--1s",
        "1s-",
        "1e3s",
        "0x1s",
        "1s30",
        "abc",
        "1S",
        "1sec",
        "9223372036854775807ns",
        "1.2.3s",
        "9223372036854775808ns",
        "9223372037s",
        "3000000h",
        "99999999999999999999s",
        "9000000000s9000000000s",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ns_t value = 42;
        struct err err = {""};
        if (duration_parse(rows[i], &value, &err) == 0)
            fail_msg("\"%s\" was read as %lld", rows[i], (long long)value);
        assert_int_equal(value, 42);
        assert_non_null(strstr(err.text, rows[i]));
    }
}

static void says_when_only_the_unit_is_missing(void **state)
{
    (void)state;
    ns_t value;
    struct err err;
    assert_int_equal(duration_parse("30", &value, &err), -1);
    assert_string_equal(err.text, "\"30\" has no unit; write one like 250ms, 10s or 1m30s");
}

static void writes_the_short_form(void **state)
{
    (void)state;
    static const struct {
        ns_t value;
        const char *text;
    } rows[] = {
        {0, "0s"},
        {1, "1ns"},
        {999, "999ns"},
        {1000, "1us"},
        {1100, "1.1us"},
        {2200000, "2.2ms"},
        {250 * NS_PER_MS, "250ms"},
        {3300 * NS_PER_MS, "3.3s"},
        {60 * NS_PER_SEC, "1m"},
        {90 * NS_PER_SEC, "1m30s"},
        {3600 * NS_PER_SEC, "1h"},
        {3601 * NS_PER_SEC, "1h1s"},
        {245 * NS_PER_SEC + 1, "4m5.000000001s"},
        {-1, "-1ns"},
        {-90 * NS_PER_SEC, "-1m30s"},
        {INT64_MAX - 1, "2562047h47m16.854775806s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
        {NS_NEVER, "never"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char buf[DURATION_TEXT_SIZE];
        assert_string_equal(duration_text(rows[i].value, buf), rows[i].text);
    }
}

static void reads_back_what_it_wrote(void **state)
{
    (void)state;
    struct rng rng = rng_seeded(1);
    for (int i = 0; i < 20000; i++) {
        ns_t value = (ns_t)(rng_u64(&rng) >> (1 + rng_below(&rng, 63)));
        char buf[DURATION_TEXT_SIZE];
        ns_t back = -1;
        if (value == NS_NEVER)
            continue;
        assert_int_equal(duration_parse(duration_text(value, buf), &back, NULL), 0);
        assert_int_equal(back, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_go_reads),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(says_when_only_the_unit_is_missing),
        cmocka_unit_test(writes_the_short_form),
        cmocka_unit_test(reads_back_what_it_wrote),
    };
    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
