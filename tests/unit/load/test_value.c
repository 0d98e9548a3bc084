/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "load/value.h"

static char why[200];

static enum outcome check(const void *value, size_t size, const char *key)
{
    why[0] = '\0';
    return value_check(value, size, key, why, sizeof why);
}

static void what_was_written_is_fine(void **state)
{
    (void)state;
    static char buffer[VALUE_OVERHEAD_MAX + 2000];
    char long_key[251];
    memset(long_key, 'k', 250);
    long_key[250] = '\0';
    for (size_t filler = 0; filler < 2000; filler++) {
        const char *key = filler % 2 ? "hot-key-1" : long_key;
        size_t size = value_write(buffer, key, 4294967295u, UINT64_MAX - filler, filler);
        assert_true(size <= sizeof buffer && size > filler);
        assert_int_equal(check(buffer, size, key), OUTCOME_HIT);
        char claimed[32];
        snprintf(claimed, sizeof claimed, " %zu ", size);
        assert_non_null(strstr(buffer, claimed));
    }
}

static void every_damaged_byte_is_seen(void **state)
{
    (void)state;
    char buffer[VALUE_OVERHEAD_MAX + 50];
    size_t size = value_write(buffer, "a-key", 3, 77, 50);
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            buffer[i] = (char)(buffer[i] ^ (1 << bit));
            assert_int_equal(check(buffer, size, "a-key"), OUTCOME_CORRUPT);
            assert_true(why[0] != '\0');
            buffer[i] = (char)(buffer[i] ^ (1 << bit));
        }
    }
}

static void every_truncation_and_extension_is_seen(void **state)
{
    (void)state;
    char buffer[VALUE_OVERHEAD_MAX + 60];
    size_t size = value_write(buffer, "a-key", 3, 77, 50);
    for (size_t length = 0; length < size; length++)
        assert_int_equal(check(buffer, length, "a-key"), OUTCOME_CORRUPT);
    buffer[size] = 'x';
    assert_int_equal(check(buffer, size + 1, "a-key"), OUTCOME_CORRUPT);
}

static void a_value_of_another_key_is_wrong_not_corrupt(void **state)
{
    (void)state;
    char buffer[VALUE_OVERHEAD_MAX];
    size_t size = value_write(buffer, "key-1", 1, 1, 0);
    assert_int_equal(check(buffer, size, "key-2"), OUTCOME_WRONG_VALUE);
    assert_non_null(strstr(why, "\"key-1\""));
    assert_int_equal(check(buffer, size, "key-"), OUTCOME_WRONG_VALUE);
    assert_int_equal(check(buffer, size, "key-12"), OUTCOME_WRONG_VALUE);
}

static void unprintable_garbage_is_quoted_safely(void **state)
{
    (void)state;
    char garbage[300];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)i;
    assert_int_equal(check(garbage, sizeof garbage, "k"), OUTCOME_CORRUPT);
    for (const char *p = why; *p != '\0'; p++)
        assert_true(*p >= 0x20 && *p < 0x7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_fine),
        cmocka_unit_test(every_damaged_byte_is_seen),
        cmocka_unit_test(every_truncation_and_extension_is_seen),
        cmocka_unit_test(a_value_of_another_key_is_wrong_not_corrupt),
        cmocka_unit_test(unprintable_garbage_is_quoted_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
