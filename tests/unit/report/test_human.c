/* SPDX-License-Identifier: MIT */
#include "report/human.h"
#include "report/table.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void durations_have_three_digits(void **state)
{
    (void)state;
    const struct {
        ns_t value;
        const char *text;
    } table[] = {
        {0, "0"},
        {999, "999 ns"},
        {1000, "1.00 µs"},
        {12345, "12.3 µs"},
        {123456, "123 µs"},
        {9994 * NS_PER_US, "9.99 ms"},
        {9996 * NS_PER_US, "10.0 ms"},
        {1500 * NS_PER_MS, "1.50 s"},
        {59900 * NS_PER_MS, "59.9 s"},
        {65 * NS_PER_SEC, "1m 05s"},
        {3600 * NS_PER_SEC, "60m 00s"},
        {NS_NEVER, "never"},
    };
    char buf[HUMAN_SIZE];
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_string_equal(human_ns(table[i].value, false, buf), table[i].text);
    assert_string_equal(human_ns(1000, true, buf), "1.00 us");
}

static void counts_and_rates_are_grouped(void **state)
{
    (void)state;
    char buf[HUMAN_SIZE];
    assert_string_equal(human_count(0, buf), "0");
    assert_string_equal(human_count(999, buf), "999");
    assert_string_equal(human_count(1000, buf), "1,000");
    assert_string_equal(human_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
    assert_string_equal(human_rate(5, 2 * NS_PER_SEC, buf), "2.5");
    assert_string_equal(human_rate(20001, 2 * NS_PER_SEC, buf), "10,001");
    assert_string_equal(human_rate(0, NS_PER_SEC, buf), "0");
    assert_string_equal(human_rate(5, 0, buf), "-");
}

static void columns_align_by_characters_not_bytes(void **state)
{
    (void)state;
    struct table t;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    table_init(&t, "lrl");
    table_cell(&t, "a");
    table_cell(&t, "1 µs");
    table_cell(&t, "x");
    table_cell(&t, "long");
    table_cellf(&t, "%d ms", 12);
    table_cell(&t, "");
    table_print(&t, out, 2);
    table_deinit(&t);
    fclose(out);
    assert_string_equal(text, "  a      1 µs  x\n  long  12 ms\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_three_digits),
        cmocka_unit_test(counts_and_rates_are_grouped),
        cmocka_unit_test(columns_align_by_characters_not_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
