/* SPDX-License-Identifier: MIT */
#include "metrics/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void names_are_found_again(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        assert_int_equal(outcome_by_name(outcome_name(i)), i);
    for (int i = 0; i < OP_COUNT; i++)
        assert_int_equal(op_by_name(op_name(i)), i);
    assert_int_equal(outcome_by_name("nonsense"), -1);
    assert_int_equal(op_by_name(""), -1);
}

static void every_outcome_is_success_or_failure_or_cancelled(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        int kinds = outcome_is_success(i) + outcome_is_failure(i);
        assert_int_equal(kinds, i == OUTCOME_CANCELLED ? 0 : 1);
    }
}

static void a_miss_is_a_success_and_wrong_data_a_failure(void **state)
{
    (void)state;
    assert_true(outcome_is_success(OUTCOME_MISS));
    assert_true(outcome_is_failure(OUTCOME_BREAKER_OPEN));
    assert_false(outcome_is_wrong_data(OUTCOME_PROTOCOL));
    assert_true(outcome_is_failure(OUTCOME_CORRUPT));
    assert_true(outcome_is_wrong_data(OUTCOME_CORRUPT));
    assert_true(outcome_is_wrong_data(OUTCOME_WRONG_VALUE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_again),
        cmocka_unit_test(every_outcome_is_success_or_failure_or_cancelled),
        cmocka_unit_test(a_miss_is_a_success_and_wrong_data_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
