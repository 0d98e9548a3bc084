/* SPDX-License-Identifier: MIT */
/*
 * What other pools promise and ours must keep too: what a cancelled wish counts as, connections
 * made ahead of demand, and acquires that may not wait. In virtual time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/time.h"
#include "mcmeta/pool.h"

#define MS(n) ((n)*NS_PER_MS)

static int some_conn;

static struct mcm_pool *new_pool(struct mcm_pool_config config)
{
    struct mcm_pool *p = mcm_pool_new(&config, 1);
    assert_non_null(p);
    return p;
}

static struct mcm_pool_stats stats_of(const struct mcm_pool *p)
{
    struct mcm_pool_stats stats;
    mcm_pool_stats_get(p, &stats);
    return stats;
}

static void finish_dial(struct mcm_pool *p, struct mcm_pool_slot *slot, int64_t now)
{
    slot->conn = &some_conn;
    assert_null(mcm_pool_dial_done(p, slot, MCM_POOL_DIAL_OK, now));
}

static struct mcm_pool_slot *take(struct mcm_pool *p, int64_t now)
{
    struct mcm_pool_waiter w = {0};
    enum mcm_pool_verdict verdict = mcm_pool_acquire(p, &w, NS_NEVER, now);
    assert_true(verdict == MCM_POOL_DIAL || verdict == MCM_POOL_GOT);
    if (verdict == MCM_POOL_DIAL)
        finish_dial(p, w.slot, now);
    return w.slot;
}

static void give(struct mcm_pool *p, struct mcm_pool_slot *slot, int64_t now)
{
    assert_false(mcm_pool_release(p, slot, MCM_POOL_KEEP_UNUSED, now).close);
}

/* All connections must be idle. */
static void end_pool(struct mcm_pool *p, int64_t now)
{
    struct mcm_pool_check check;
    mcm_pool_close(p);
    while ((check = mcm_pool_next_check(p, now)).action == MCM_POOL_CHECK_CLOSE)
        mcm_pool_closed(p, check.slot, now);
    assert_true(mcm_pool_is_empty(p));
    mcm_pool_free(p);
}

/* Before it starts, during the dial, and while it waits; each leaves a pool that works. */
static void a_cancelled_wish_counts_once_and_never_as_an_acquire(void **state)
{
    (void)state;
    struct mcm_pool *p = new_pool((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w = {0};
    assert_int_equal(mcm_pool_acquire(p, &w, MS(5), MS(5)), MCM_POOL_REFUSED_DEADLINE);
    assert_int_equal(stats_of(p).refused[MCM_POOL_REFUSED_DEADLINE], 1);
    assert_int_equal(stats_of(p).acquires, 0);

    assert_int_equal(mcm_pool_acquire(p, &w, MS(9), MS(5)), MCM_POOL_DIAL);
    assert_null(mcm_pool_dial_done(p, w.slot, MCM_POOL_DIAL_ABANDONED, MS(6)));
    assert_int_equal(stats_of(p).dials_abandoned, 1);
    assert_int_equal(stats_of(p).acquires, 0);
    assert_int_equal(stats_of(p).total, 0);

    struct mcm_pool_slot *slot = take(p, MS(6));
    assert_int_equal(mcm_pool_acquire(p, &w, MS(9), MS(6)), MCM_POOL_WAIT);
    assert_true(mcm_pool_cancel(p, &w, MS(7)));
    assert_int_equal(stats_of(p).cancelled, 1);
    assert_int_equal(stats_of(p).acquires, 1);
    assert_int_equal(stats_of(p).waiting, 0);
    give(p, slot, MS(8));

    assert_ptr_equal(take(p, MS(8)), slot);
    assert_int_equal(stats_of(p).acquires, 2);
    assert_int_equal(stats_of(p).created, 1);
    give(p, slot, MS(8));
    end_pool(p, MS(9));
}

/* Whoever gave up during a dial that went on leaves an idle connection for others. */
static void a_dial_that_outlives_its_caller_ends_among_the_idle(void **state)
{
    (void)state;
    struct mcm_pool *p = new_pool((struct mcm_pool_config){.max_size = 2});
    struct mcm_pool_waiter gone = {0}, next = {0};
    assert_int_equal(mcm_pool_acquire(p, &gone, MS(2), MS(1)), MCM_POOL_DIAL);
    finish_dial(p, gone.slot, MS(50));
    give(p, gone.slot, MS(50));
    assert_int_equal(stats_of(p).idle, 1);
    assert_int_equal(mcm_pool_acquire(p, &next, MS(60), MS(51)), MCM_POOL_GOT);
    assert_ptr_equal(next.slot, gone.slot);
    give(p, next.slot, MS(51));
    end_pool(p, MS(52));
}

static void connections_ahead_of_demand_respect_size_failure_and_close(void **state)
{
    (void)state;
    struct mcm_pool *p = new_pool((struct mcm_pool_config){.max_size = 2, .min_idle = 2});
    struct mcm_pool_slot *busy = take(p, MS(1));
    struct mcm_pool_check check = mcm_pool_next_check(p, MS(1));
    assert_int_equal(check.action, MCM_POOL_CHECK_DIAL);
    assert_int_equal(mcm_pool_next_check(p, MS(1)).action, MCM_POOL_CHECK_NONE); /* it is full */
    assert_null(mcm_pool_dial_done(p, check.slot, MCM_POOL_DIAL_FAILED, MS(2)));
    assert_int_equal(stats_of(p).dial_failures, 1);
    assert_int_equal(stats_of(p).total, 1);

    check = mcm_pool_next_check(p, MS(3));
    assert_int_equal(check.action, MCM_POOL_CHECK_DIAL);
    finish_dial(p, check.slot, MS(3));
    give(p, check.slot, MS(3));
    assert_int_equal(stats_of(p).idle, 1);
    assert_int_equal(stats_of(p).acquires, 1); /* that of the busy one */

    /* The pool is closed during a dial: what was made is not kept. */
    assert_true(mcm_pool_release(p, busy, MCM_POOL_DESTROY_BROKEN, MS(4)).close);
    assert_null(mcm_pool_closed(p, busy, MS(4)));
    struct mcm_pool_check late = mcm_pool_next_check(p, MS(4));
    assert_int_equal(late.action, MCM_POOL_CHECK_DIAL);
    mcm_pool_close(p);
    finish_dial(p, late.slot, MS(5));
    assert_true(mcm_pool_release(p, late.slot, MCM_POOL_KEEP_UNUSED, MS(5)).close);
    assert_null(mcm_pool_closed(p, late.slot, MS(5)));
    check = mcm_pool_next_check(p, MS(6));
    assert_int_equal(check.action, MCM_POOL_CHECK_CLOSE);
    assert_null(mcm_pool_closed(p, check.slot, MS(6)));
    assert_int_equal(mcm_pool_next_check(p, MS(6)).action, MCM_POOL_CHECK_NONE);
    assert_true(mcm_pool_is_empty(p));
    mcm_pool_free(p);
}

/* An acquire that may not wait takes what is there, may dial, and leaves no trace when neither. */
static void an_acquire_that_may_not_wait_leaves_the_queue_at_once(void **state)
{
    (void)state;
    struct mcm_pool *p = new_pool((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w = {0}, other = {0};
    assert_int_equal(mcm_pool_acquire(p, &w, MS(1) + 1, MS(1)), MCM_POOL_DIAL);
    finish_dial(p, w.slot, MS(1));
    struct mcm_pool_slot *slot = w.slot;
    assert_int_equal(mcm_pool_acquire(p, &other, MS(1) + 1, MS(1)), MCM_POOL_WAIT);
    assert_true(mcm_pool_cancel(p, &other, MS(1)));
    assert_null(mcm_pool_release(p, slot, MCM_POOL_KEEP, MS(2)).wake);
    assert_int_equal(mcm_pool_acquire(p, &other, MS(2) + 1, MS(2)), MCM_POOL_GOT);
    give(p, slot, MS(2));
    mcm_pool_close(p);
    assert_int_equal(mcm_pool_acquire(p, &other, NS_NEVER, MS(3)), MCM_POOL_REFUSED_CLOSED);
    end_pool(p, MS(3));
}

/* Looking after idle connections takes each of them once, and is no use of them. */
static void checks_take_every_idle_connection_once_and_count_as_no_use(void **state)
{
    (void)state;
    struct mcm_pool *p =
        new_pool((struct mcm_pool_config){.max_size = 4, .health_interval_ns = MS(10)});
    struct mcm_pool_slot *slots[4];
    bool seen[4] = {false};
    for (int i = 0; i < 4; i++)
        slots[i] = take(p, MS(1));
    for (int i = 0; i < 3; i++) /* the last one stays in use */
        give(p, slots[i], MS(1));
    struct mcm_pool_stats before = stats_of(p);
    int64_t used_ns = slots[0]->used_ns;
    for (int i = 0; i < 3; i++) {
        struct mcm_pool_check check = mcm_pool_next_check(p, MS(20));
        assert_int_equal(check.action, MCM_POOL_CHECK_PING);
        assert_ptr_not_equal(check.slot, slots[3]);
        assert_false(seen[check.slot->index]);
        seen[check.slot->index] = true;
        give(p, check.slot, MS(20));
    }
    assert_int_equal(mcm_pool_next_check(p, MS(20)).action, MCM_POOL_CHECK_NONE);
    assert_int_equal(stats_of(p).acquires, before.acquires);
    assert_int_equal(stats_of(p).checks, before.checks + 3);
    assert_int_equal(slots[0]->used_ns, used_ns);
    give(p, slots[3], MS(21));
    end_pool(p, MS(22));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_wish_counts_once_and_never_as_an_acquire),
        cmocka_unit_test(a_dial_that_outlives_its_caller_ends_among_the_idle),
        cmocka_unit_test(connections_ahead_of_demand_respect_size_failure_and_close),
        cmocka_unit_test(an_acquire_that_may_not_wait_leaves_the_queue_at_once),
        cmocka_unit_test(checks_take_every_idle_connection_once_and_count_as_no_use),
    };
    return cmocka_run_group_tests_name("mcmeta/pool_promises", tests, NULL, NULL);
}
