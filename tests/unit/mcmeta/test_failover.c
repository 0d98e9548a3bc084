/* SPDX-License-Identifier: MIT */
/* How often requests may be tried elsewhere, and what they look like there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "base/time.h"
#include "mcmeta/failover.h"

static unsigned take_all(struct mcm_rate *rate, ns_t now)
{
    unsigned taken = 0;
    while (taken < 1000 && mcm_rate_take(rate, now))
        taken++;
    return taken;
}

static void a_rate_grants_a_seconds_worth_at_once_and_then_its_share(void **state)
{
    (void)state;
    struct mcm_rate rate;
    ns_t now = 5 * NS_PER_SEC;
    mcm_rate_init(&rate, 10);
    assert_int_equal(take_all(&rate, now), 10);
    assert_int_equal(take_all(&rate, now + NS_PER_SEC / 10 - 1), 0);
    assert_int_equal(take_all(&rate, now + NS_PER_SEC / 10), 1);
    assert_int_equal(take_all(&rate, now + NS_PER_SEC / 2), 4);
    /* A long pause saves up no more than a second. */
    assert_int_equal(take_all(&rate, now + 100 * NS_PER_SEC), 10);
}

static void no_rate_is_no_limit(void **state)
{
    (void)state;
    struct mcm_rate rate;
    mcm_rate_init(&rate, 0);
    assert_int_equal(take_all(&rate, 0), 1000);
}

static void what_is_stored_elsewhere_never_outlives_the_cap(void **state)
{
    (void)state;
    uint32_t now = (uint32_t)time(NULL);
    const struct {
        uint32_t flags, ttl, max, expected;
    } rows[] = {
        {0, 0, 10, 10}, /* for ever */
        {MCM_REQUEST_TTL, 0, 10, 10},
        {MCM_REQUEST_TTL, 5, 10, 5},
        {MCM_REQUEST_TTL, 60, 10, 10},
        {MCM_REQUEST_TTL, 60, 0, 60},
        {MCM_REQUEST_TTL, now + 5000, 10, 10},
        {MCM_REQUEST_TTL, now - 5000, 10, now - 5000}, /* in the past stays there */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mcm_request request = {
            .command = MCM_COMMAND_SET, .flags = rows[i].flags, .ttl = rows[i].ttl};
        request = mcm_failover_request(&request, rows[i].max);
        assert_int_equal(request.ttl, rows[i].expected);
        assert_true(request.flags & MCM_REQUEST_TTL);
    }
    struct mcm_request get = {.command = MCM_COMMAND_GET};
    assert_int_equal(mcm_failover_request(&get, 10).flags, 0);
}

static void only_a_server_that_got_nothing_is_down(void **state)
{
    (void)state;
    for (int i = 0; i < MCM_OUTCOME_COUNT; i++) {
        enum mcm_class domain = mcm_outcome_class((enum mcm_outcome)i);
        assert_int_equal(mcm_outcome_is_down((enum mcm_outcome)i),
                         domain == MCM_CLASS_REFUSED || domain == MCM_CLASS_CONNECT);
    }
    assert_false(mcm_outcome_is_down(MCM_E_RESET));
    assert_false(mcm_outcome_is_down(MCM_E_TIMEOUT_READ));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_grants_a_seconds_worth_at_once_and_then_its_share),
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(what_is_stored_elsewhere_never_outlives_the_cap),
        cmocka_unit_test(only_a_server_that_got_nothing_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
