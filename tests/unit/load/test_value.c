/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "load/value.h"

#define SIZE_MAX_TESTED 70000

static char why[200];
static char filler[VALUE_FILLER_SIZE];
static struct value_id found;

static struct key key_of(const char *text)
{
    struct key key = {.size = (uint32_t)strlen(text)};
    snprintf(key.text, sizeof key.text, "%s", text);
    return key;
}

static enum outcome check(const void *value, size_t size, const struct key *key)
{
    why[0] = '\0';
    enum outcome outcome = value_check(value, size, 1, key, &found, why, sizeof why);
    assert_int_equal(outcome == OUTCOME_HIT, why[0] == '\0');
    return outcome;
}

static void what_was_written_is_fine_and_says_whose_it_is(void **state)
{
    (void)state;
    static char buffer[SIZE_MAX_TESTED];
    char long_text[KEY_SIZE_MAX + 1];
    memset(long_text, 'k', KEY_SIZE_MAX);
    long_text[KEY_SIZE_MAX] = '\0';
    const struct key keys[] = {key_of("hot-key-1"), key_of(long_text), key_of("k")};
    for (size_t size = 1; size < SIZE_MAX_TESTED; size += size < 600 ? 1 : 997) {
        const struct key *key = &keys[size % 3];
        const struct value_id id = {77, UINT32_MAX, UINT64_MAX - size};
        value_write(buffer, size, key, &id, filler);
        assert_int_equal(check(buffer, size, key), OUTCOME_HIT);
        bool whole = size >= VALUE_OVERHEAD + key->size;
        assert_int_equal(found.version, whole ? id.version : 0);
        assert_int_equal(found.writer, whole ? id.writer : 0);
        assert_int_equal(found.run, whole ? 77 : 0);
    }
}

static void every_damaged_byte_is_seen(void **state)
{
    (void)state;
    static const size_t sizes[] = {5, 37, 120};
    struct key key = key_of("a-key");
    for (int k = 0; k < 3; k++) {
        char buffer[120];
        value_write(buffer, sizes[k], &key, &(struct value_id){1, 3, 77}, filler);
        for (size_t i = 0; i < sizes[k] * 8; i++) {
            buffer[i / 8] = (char)(buffer[i / 8] ^ (1 << i % 8));
            assert_true(outcome_is_wrong_data(check(buffer, sizes[k], &key)));
            buffer[i / 8] = (char)(buffer[i / 8] ^ (1 << i % 8));
        }
    }
}

static void a_part_is_truncated_and_more_is_corrupt(void **state)
{
    (void)state;
    char buffer[201];
    struct key key = key_of("a-key");
    value_write(buffer, 200, &key, &(struct value_id){1, 3, 77}, filler);
    for (size_t length = 0; length < 200; length++)
        assert_int_equal(check(buffer, length, &key), OUTCOME_TRUNCATED);
    buffer[200] = 'x';
    assert_int_equal(check(buffer, 201, &key), OUTCOME_CORRUPT);
}

static void nothing_is_a_value_only_where_empty_values_are_written(void **state)
{
    (void)state;
    struct key key = key_of("a-key");
    assert_int_equal(value_check("", 0, 0, &key, &found, why, sizeof why), OUTCOME_HIT);
    assert_int_equal(value_check("", 0, 1, &key, &found, why, sizeof why), OUTCOME_TRUNCATED);
}

static void a_value_of_another_key_is_wrong_not_corrupt(void **state)
{
    (void)state;
    static const char *const others[] = {"key-2", "key-", "key-12"};
    char buffer[100];
    struct key key = key_of("key-1");
    value_write(buffer, 100, &key, &(struct value_id){1, 1, 1}, filler);
    for (int i = 0; i < 3; i++) {
        struct key other = key_of(others[i]);
        assert_int_equal(check(buffer, 100, &other), OUTCOME_WRONG_VALUE);
        assert_non_null(strstr(why, "\"key-1\""));
    }
    value_write(buffer, 20, &key, &(struct value_id){1, 1, 1}, filler);
    struct key other = key_of("key-2");
    assert_int_equal(check(buffer, 20, &other), OUTCOME_CORRUPT); /* too short to say */
}

static void unprintable_garbage_is_quoted_safely(void **state)
{
    (void)state;
    char garbage[300];
    struct key key = key_of("k");
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)i;
    assert_int_equal(check(garbage, sizeof garbage, &key), OUTCOME_CORRUPT);
    for (const char *p = why; *p != '\0'; p++)
        assert_true(*p >= 0x20 && *p < 0x7f);
}

static int make_filler(void **state)
{
    (void)state;
    value_filler(filler);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_fine_and_says_whose_it_is),
        cmocka_unit_test(every_damaged_byte_is_seen),
        cmocka_unit_test(a_part_is_truncated_and_more_is_corrupt),
        cmocka_unit_test(nothing_is_a_value_only_where_empty_values_are_written),
        cmocka_unit_test(a_value_of_another_key_is_wrong_not_corrupt),
        cmocka_unit_test(unprintable_garbage_is_quoted_safely),
    };
    return cmocka_run_group_tests(tests, make_filler, NULL);
}
