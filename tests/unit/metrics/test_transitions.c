/* SPDX-License-Identifier: MIT */
#include "metrics/transitions.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define S NS_PER_SEC
#define CLOSED BREAKER_VIEW_CLOSED
#define OPEN BREAKER_VIEW_OPEN
#define HALF BREAKER_VIEW_HALF_OPEN

static void keeps_order_cause_and_time_in_state(void **state)
{
    (void)state;
    struct transitions *t = transitions_new(2, 8, 0);
    struct transition out[8];
    transitions_add(t, 0, CLOSED, OPEN, "6 consecutive failures", 3 * S);
    transitions_add(t, 0, OPEN, HALF, NULL, 5 * S);
    transitions_add(t, 0, HALF, CLOSED, "probe succeeded", 6 * S);
    transitions_add(t, 7, HALF, CLOSED, "no such node", 6 * S);
    assert_int_equal(transitions_count(t), 3);
    assert_int_equal(transitions_read(t, 1, out, 8), 2);
    assert_int_equal(out[0].to, HALF);
    assert_string_equal(out[0].cause, "");
    assert_string_equal(out[1].cause, "probe succeeded");
    assert_int_equal(transitions_read(t, 3, out, 8), 0);
    assert_int_equal(transitions_time_in(t, 0, CLOSED, 10 * S), 7 * S);
    assert_int_equal(transitions_time_in(t, 0, OPEN, 10 * S), 2 * S);
    assert_int_equal(transitions_time_in(t, 0, HALF, 10 * S), 1 * S);
    assert_int_equal(transitions_time_in(t, 1, CLOSED, 10 * S), 10 * S);
    transitions_free(t);
}

static void finds_the_first_opening_since(void **state)
{
    (void)state;
    struct transitions *t = transitions_new(2, 8, 0);
    transitions_add(t, 0, CLOSED, OPEN, NULL, 1 * S);
    transitions_add(t, 1, CLOSED, OPEN, NULL, 2 * S);
    transitions_add(t, 0, HALF, OPEN, NULL, 4 * S);
    assert_int_equal(transitions_first_open(t, 0, 0), 1 * S);
    assert_int_equal(transitions_first_open(t, 0, 2 * S), 4 * S);
    assert_int_equal(transitions_first_open(t, 0, 5 * S), NS_NEVER);
    transitions_free(t);
}

static void a_full_log_counts_what_it_drops(void **state)
{
    (void)state;
    struct transitions *t = transitions_new(1, 2, 0);
    char cause[200];
    memset(cause, 'x', sizeof(cause) - 1);
    cause[sizeof(cause) - 1] = '\0';
    for (int i = 0; i < 5; i++)
        transitions_add(t, 0, CLOSED, i % 2 ? CLOSED : OPEN, cause, (i + 1) * S);
    assert_int_equal(transitions_count(t), 2);
    assert_int_equal(transitions_dropped(t), 3);
    /* open 1-2, 3-4 and from 5 on */
    assert_int_equal(transitions_time_in(t, 0, OPEN, 6 * S), 3 * S);
    transitions_free(t);
    transitions_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_cause_and_time_in_state),
        cmocka_unit_test(finds_the_first_opening_since),
        cmocka_unit_test(a_full_log_counts_what_it_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
