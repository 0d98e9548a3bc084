/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/number.h"
#include "load/schedule.h"

#define MS NS_PER_MS
#define S NS_PER_SEC

static struct arrival_spec parsed(const char *text, double rate)
{
    struct arrival_spec spec;
    struct err err = {""};
    if (arrival_parse(text, rate, &spec, &err) != 0)
        fail_msg("%s", err.text);
    return spec;
}

static uint64_t count_until(struct arrival *a, ns_t end)
{
    uint64_t count = 0;
    ns_t last = 0;
    for (; arrival_peek(a) < end; count++) {
        ns_t next = arrival_next(a);
        assert_true(next >= last);
        last = next;
    }
    return count;
}

static uint64_t starts(const char *text, double rate, uint64_t seed, ns_t end)
{
    struct arrival_spec spec = parsed(text, rate);
    struct arrival a;
    arrival_init(&a, &spec, seed);
    return count_until(&a, end);
}

static void even_starts_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ns_t starts[6];
    } cases[] = {
        {"constant", {0, 250 * MS, 500 * MS, 750 * MS, S, 1250 * MS}},
        {"constant 10", {0, 100 * MS, 200 * MS, 300 * MS, 400 * MS, 500 * MS}},
        {"burst 2 every 1s", {0, 0, S, S, 2 * S, 2 * S}},
        {"burst every 500ms", {0, 0, 500 * MS, 500 * MS, S, S}},
        {"burst 1 every 1s + constant 2", {0, 0, 500 * MS, S, S, 1500 * MS}},
        {"constant 2 1s, constant 4 500ms, repeat", {0, 500 * MS, S, 1250 * MS, 1500 * MS, 2 * S}},
        {"constant 0 1s, constant 1", {S, 2 * S, 3 * S, 4 * S, 5 * S, 6 * S}},
        {"stairs 1..3 by 1 every 1s", {0, S, 1500 * MS, 2 * S, 2333333333, 2666666667}},
        {"stairs 2..1 by 1 every 1s", {0, 500 * MS, S, 2 * S, 3 * S, 4 * S}},
        {"ramp 0..2 2s", {0, 1414213562, 2 * S, 2500 * MS, 3 * S, 3500 * MS}},
        {"constant 0.00000000001", {0, NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER}},
        {"ramp 1..0 2s", {0, NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arrival_spec spec = parsed(cases[i].text, 4);
        struct arrival a;
        arrival_init(&a, &spec, 1);
        for (int k = 0; k < 6; k++)
            assert_int_equal(arrival_next(&a), cases[i].starts[k]);
    }
}

static void every_shape_gives_what_is_expected_of_it(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "constant 5k",
        "ramp 1k..50k 10s",
        "ramp 50k..1k 10s",
        "stairs 1k..9k by 2k every 2s",
        "burst 500 every 100ms",
        "constant 1k 1s, burst 2k every 500ms 2s, ramp 1k..3k 1s, repeat",
        "constant 2k + burst 500 every 1s + ramp 0..1k 5s",
        "poisson 5k",
        "poisson ramp 1k..50k 10s",
        "poisson stairs 9k..1k by 1k every 1s",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arrival_spec spec = parsed(texts[i], 0);
        double expected = arrival_expected(&spec, 10 * S);
        double got = (double)starts(texts[i], 0, 7, 10 * S);
        double slack = strstr(texts[i], "poisson") ? 4 * sqrt(expected) : spec.source_count + 1;
        assert_true(expected > 1000);
        assert_true(fabs(got - expected) <= slack);
    }
}

static void poisson_gaps_are_exponential(void **state)
{
    (void)state;
    struct arrival_spec spec = parsed("poisson", 1000);
    struct arrival a;
    arrival_init(&a, &spec, 3);
    double sum = 0, squares = 0;
    int above = 0, n = 100000;
    ns_t last = 0;
    for (int i = 0; i < n; i++) {
        ns_t next = arrival_next(&a);
        double gap = (double)(next - last) / (double)MS;
        last = next;
        sum += gap;
        squares += gap * gap;
        above += gap > 1;
    }
    double mean = sum / n;
    assert_true(fabs(mean - 1) < 0.02);
    assert_true(fabs(squares / n - mean * mean - 1) < 0.06); /* variance = mean² */
    assert_true(fabs((double)above / n - exp(-1)) < 0.01);   /* the tail */
}

static void one_seed_gives_one_sequence(void **state)
{
    (void)state;
    struct arrival_spec spec = parsed("poisson 10k + poisson 1k", 0);
    struct arrival a, b, c;
    arrival_init(&a, &spec, 5);
    arrival_init(&b, &spec, 5);
    arrival_init(&c, &spec, 6);
    int same = 0;
    for (int i = 0; i < 10000; i++) {
        ns_t next = arrival_next(&a);
        assert_int_equal(next, arrival_next(&b));
        same += next == arrival_next(&c);
    }
    assert_true(same < 10);
}

static void a_day_at_a_million_loses_nothing(void **state)
{
    (void)state;
    struct arrival_spec spec = parsed("constant 1M", 0);
    struct arrival a;
    arrival_init(&a, &spec, 1);
    a.streams[0].done = 86400e6 - 1; /* as after a day */
    a.streams[0].next_ns = 0;
    arrival_next(&a);
    assert_int_equal(arrival_next(&a), 86400 * S);
    assert_int_equal(arrival_next(&a), 86400 * S + 1000);
}

static void a_closed_loop_has_no_schedule(void **state)
{
    (void)state;
    struct arrival_spec spec = parsed("closed think 10ms", 0);
    assert_true(spec.closed);
    assert_int_equal(spec.think_ns, 10 * MS);
    struct schedule schedule;
    schedule_init(&schedule, &spec, 1, 1000);
    assert_int_equal(schedule_take(&schedule, 77), 77);
    assert_int_equal(schedule_skip(&schedule, S), 0);
    schedule_deinit(&schedule);
    spec = parsed("constant", 0);
    assert_true(spec.closed && spec.think_ns == 0);
}

static void the_schedule_counts_from_its_start(void **state)
{
    (void)state;
    struct arrival_spec spec = parsed("constant", 4);
    struct schedule schedule;
    schedule_init(&schedule, &spec, 1, 1000);
    for (int i = 0; i < 9; i++)
        assert_int_equal(schedule_take(&schedule, 5), 1000 + i * S / 4);
    assert_int_equal(schedule_skip(&schedule, 1000 + 4 * S), 16 - 9);
    assert_int_equal(schedule_take(&schedule, 5), 1000 + 4 * S);
    schedule_deinit(&schedule);
}

static void errors_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"", "ends too early"},
        {"pulse 5", "column 1, \"pulse\""},
        {"constant 5k 3s x", "column 16, \"x\""},
        {"ramp 1k-5k 10s", "column 6, \"1k-5k\": a range"},
        {"ramp 1k..5k", "ends too early: the length of the ramp"},
        {"ramp 1k..5k 1ms", "at least 10ms"},
        {"ramp 1k..99M 5s", "at most 10000000"},
        {"stairs 1k..5k by 0 every 1s", "the height of a step"},
        {"stairs 1k..5k by 9k every 1s", "1 steps: 2 to"},
        {"stairs 1k..5k by 1k each 1s", "column 21, \"each\""},
        {"burst 5", "ends too early: a period"},
        {"burst 5 every 1us", "at least 1ms apart"},
        {"burst every 1s", "at least one operation"},
        {"poisson burst 5 every 1s", "column 9, \"burst\": a rate is needed"},
        {"poisson", "a rate is needed, here or with -rate"},
        {"constant 5k, constant 6k", "part 1 needs a length"},
        {"constant 5k 1s, constant 6k, repeat", "part 2 needs a length"},
        {"constant 0 1s, repeat", "less than one operation"},
        {"constant 0.001 1s, repeat", "less than one operation"},
        {"closed think", "a time to think"},
        {"constant 1 + constant 1 + constant 1 + constant 1 + constant 1", "at most 4"},
        {"constant -5", "column 10, \"-5\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arrival_spec spec;
        struct err err = {""};
        assert_int_equal(arrival_parse(cases[i].text, 0, &spec, &err), -1);
        if (strstr(err.text, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void numbers_are_read_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned unit;
        double value; /* -1: refused */
    } cases[] = {
        {"0", 1000, 0},
        {"20k", 1000, 20000},
        {"1.5M", 1000, 1.5e6},
        {"2G", 1000, 2e9},
        {"64k", 1024, 65536},
        {"1m", 1024, 1048576},
        {"1m", 1000, -1},
        {"", 1000, -1},
        {"k", 1000, -1},
        {"1.", 1000, -1},
        {".5", 1000, -1},
        {"1.2.3", 1000, -1},
        {"5kk", 1000, -1},
        {"-1", 1000, -1},
        {"1e3", 1000, -1},
        {"0x10", 1000, -1},
        {"1234567890123456789", 1000, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = -1;
        int rc = number_parse(cases[i].text, cases[i].unit, &value);
        assert_int_equal(rc, cases[i].value < 0 ? -1 : 0);
        if (rc == 0)
            assert_true(value == cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_starts_are_exact),
        cmocka_unit_test(every_shape_gives_what_is_expected_of_it),
        cmocka_unit_test(poisson_gaps_are_exponential),
        cmocka_unit_test(one_seed_gives_one_sequence),
        cmocka_unit_test(a_day_at_a_million_loses_nothing),
        cmocka_unit_test(a_closed_loop_has_no_schedule),
        cmocka_unit_test(the_schedule_counts_from_its_start),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(numbers_are_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
