/* SPDX-License-Identifier: MIT */
/* The pool in virtual time. A connection is a number here; closing it is forgetting it. */
#include "mcmeta/pool.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/time.h"

#define MS(n) ((n)*NS_PER_MS)
#define LATER NS_NEVER

static int some_conn;

struct rig {
    struct mcm_pool *p;
    int64_t now;
};

static struct rig rig_make(struct mcm_pool_config config)
{
    struct rig r = {.now = MS(1000)};
    r.p = mcm_pool_new(&config, 1);
    assert_non_null(r.p);
    return r;
}

static struct mcm_pool_stats rig_stats(struct rig *r)
{
    struct mcm_pool_stats stats;
    mcm_pool_stats_get(r->p, &stats);
    return stats;
}

static enum mcm_pool_verdict rig_acquire(struct rig *r, struct mcm_pool_waiter *w)
{
    return mcm_pool_acquire(r->p, w, LATER, r->now);
}

static struct mcm_pool_waiter *rig_dialled(struct rig *r, struct mcm_pool_slot *slot)
{
    slot->conn = &some_conn;
    return mcm_pool_dial_done(r->p, slot, MCM_POOL_DIAL_OK, r->now);
}

/* An active slot for nobody in particular: idle, or dialled. */
static struct mcm_pool_slot *rig_take(struct rig *r)
{
    struct mcm_pool_waiter w = {0};
    enum mcm_pool_verdict verdict = rig_acquire(r, &w);
    if (verdict == MCM_POOL_DIAL)
        assert_null(rig_dialled(r, w.slot));
    else
        assert_int_equal(verdict, MCM_POOL_GOT);
    return w.slot;
}

static struct mcm_pool_waiter *rig_give(struct rig *r, struct mcm_pool_slot *slot)
{
    struct mcm_pool_released released = mcm_pool_release(r->p, slot, MCM_POOL_KEEP, r->now);
    assert_false(released.close);
    return released.wake;
}

static struct mcm_pool_waiter *rig_destroy(struct rig *r, struct mcm_pool_slot *slot)
{
    struct mcm_pool_released released =
        mcm_pool_release(r->p, slot, MCM_POOL_DESTROY_BROKEN, r->now);
    assert_true(released.close);
    assert_null(released.wake);
    return mcm_pool_closed(r->p, slot, r->now);
}

/* `count` idle connections, released in the order they were taken. */
static void rig_fill(struct rig *r, int count)
{
    struct mcm_pool_slot *slots[16];
    for (int i = 0; i < count; i++)
        slots[i] = rig_take(r);
    for (int i = 0; i < count; i++)
        assert_null(rig_give(r, slots[i]));
}

/* Closes whatever is idle and frees the pool; nothing may be in use. */
static void rig_free(struct rig *r)
{
    struct mcm_pool_check check;
    mcm_pool_close(r->p);
    while ((check = mcm_pool_next_check(r->p, r->now)).action != MCM_POOL_CHECK_NONE)
        mcm_pool_closed(r->p, check.slot, r->now);
    assert_true(mcm_pool_is_empty(r->p));
    mcm_pool_free(r->p);
}

/* --- Acquire and release --- */

static void dials_when_nothing_is_idle_and_reuses_afterwards(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){0});
    struct mcm_pool_waiter w = {0};
    assert_int_equal(rig_acquire(&r, &w), MCM_POOL_DIAL);
    assert_null(w.slot->conn);
    assert_null(rig_dialled(&r, w.slot));
    assert_null(rig_give(&r, w.slot));
    struct mcm_pool_slot *first = w.slot;
    assert_int_equal(rig_acquire(&r, &w), MCM_POOL_GOT);
    assert_ptr_equal(w.slot, first);
    assert_null(rig_give(&r, w.slot));
    assert_int_equal(rig_stats(&r).created, 1);
    assert_int_equal(rig_stats(&r).acquires, 2);
    rig_free(&r);
}

static void one_slot_serves_a_hundred_callers_with_one_connection(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w[100] = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    for (int i = 0; i < 100; i++)
        assert_int_equal(rig_acquire(&r, &w[i]), MCM_POOL_WAIT);
    for (int i = 0; i < 100; i++) {
        assert_ptr_equal(rig_give(&r, slot), &w[i]); /* first in, first out */
        assert_int_equal(w[i].verdict, MCM_POOL_GOT);
        assert_ptr_equal(w[i].slot, slot);
    }
    assert_null(rig_give(&r, slot));
    assert_int_equal(rig_stats(&r).created, 1);
    assert_int_equal(rig_stats(&r).waiting_max, 100);
    rig_free(&r);
}

static void reuses_the_warmest_or_the_coldest_as_told(void **state)
{
    (void)state;
    for (int fifo = 0; fifo < 2; fifo++) {
        struct rig r = rig_make(
            (struct mcm_pool_config){.max_size = 3, .reuse = fifo ? MCM_POOL_FIFO : MCM_POOL_LIFO});
        rig_fill(&r, 3); /* slot 0 was released first */
        struct mcm_pool_slot *slot = rig_take(&r);
        assert_int_equal(slot->index, fifo ? 0 : 2);
        assert_null(rig_give(&r, slot));
        rig_free(&r);
    }
}

static void an_unused_connection_does_not_look_warm(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 3});
    rig_fill(&r, 3);
    r.now += MS(5);
    struct mcm_pool_slot *slot = rig_take(&r);
    assert_int_equal(slot->index, 2);
    struct mcm_pool_released released = mcm_pool_release(r.p, slot, MCM_POOL_KEEP_UNUSED, r.now);
    assert_false(released.close);
    assert_int_equal(slot->used_ns, r.now - MS(5));
    slot = rig_take(&r);
    assert_int_equal(slot->index, 1);
    assert_null(rig_give(&r, slot));
    assert_int_equal(slot->used_ns, r.now);
    rig_free(&r);
}

static void a_late_acquire_does_not_overtake_waiters(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter first = {0}, second = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    assert_int_equal(rig_acquire(&r, &first), MCM_POOL_WAIT);
    assert_ptr_equal(rig_give(&r, slot), &first);
    assert_int_equal(rig_acquire(&r, &second), MCM_POOL_WAIT);
    assert_ptr_equal(rig_give(&r, slot), &second);
    assert_null(rig_give(&r, slot));
    rig_free(&r);
}

static void refuses_when_the_queue_is_full_or_the_deadline_has_passed(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1, .max_waiters = 1});
    struct mcm_pool_waiter w = {0}, queued = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    assert_int_equal(rig_acquire(&r, &queued), MCM_POOL_WAIT);
    assert_int_equal(rig_acquire(&r, &w), MCM_POOL_REFUSED_FULL);
    assert_int_equal(mcm_pool_acquire(r.p, &w, r.now, r.now), MCM_POOL_REFUSED_DEADLINE);
    assert_int_equal(rig_stats(&r).refused[MCM_POOL_REFUSED_FULL], 1);
    assert_int_equal(rig_stats(&r).refused[MCM_POOL_REFUSED_DEADLINE], 1);
    assert_true(mcm_pool_cancel(r.p, &w, r.now));
    assert_true(mcm_pool_cancel(r.p, &queued, r.now));
    assert_null(rig_give(&r, slot));
    rig_free(&r);
}

/* --- Cancellation --- */

static void a_cancelled_waiter_is_passed_over(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w[3] = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    for (int i = 0; i < 3; i++)
        rig_acquire(&r, &w[i]);
    r.now += MS(7);
    assert_true(mcm_pool_cancel(r.p, &w[1], r.now));
    assert_true(mcm_pool_cancel(r.p, &w[1], r.now)); /* harmless */
    assert_ptr_equal(rig_give(&r, slot), &w[0]);
    assert_ptr_equal(rig_give(&r, slot), &w[2]);
    assert_null(rig_give(&r, slot));
    assert_int_equal(rig_stats(&r).cancelled, 1);
    assert_int_equal(rig_stats(&r).waits, 3);
    assert_int_equal(rig_stats(&r).wait_ns, 3 * MS(7));
    assert_int_equal(rig_stats(&r).acquires, 3);
    rig_free(&r);
}

static void a_hand_off_that_came_before_the_cancel_must_be_put_back(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w[2] = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    rig_acquire(&r, &w[0]);
    rig_acquire(&r, &w[1]);
    assert_ptr_equal(rig_give(&r, slot), &w[0]);
    assert_false(mcm_pool_cancel(r.p, &w[0], r.now));
    struct mcm_pool_released back = mcm_pool_release(r.p, w[0].slot, MCM_POOL_KEEP_UNUSED, r.now);
    assert_ptr_equal(back.wake, &w[1]);
    assert_ptr_equal(rig_destroy(&r, w[1].slot), NULL);
    rig_free(&r);
}

static void an_order_to_dial_that_came_before_the_cancel_goes_to_the_next(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w[2] = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    rig_acquire(&r, &w[0]);
    rig_acquire(&r, &w[1]);
    assert_ptr_equal(rig_destroy(&r, slot), &w[0]);
    assert_int_equal(w[0].verdict, MCM_POOL_DIAL);
    assert_false(mcm_pool_cancel(r.p, &w[0], r.now));
    assert_ptr_equal(mcm_pool_dial_done(r.p, w[0].slot, MCM_POOL_DIAL_ABANDONED, r.now), &w[1]);
    assert_int_equal(w[1].verdict, MCM_POOL_DIAL);
    assert_null(rig_dialled(&r, w[1].slot));
    assert_null(rig_give(&r, w[1].slot));
    assert_int_equal(rig_stats(&r).dials_abandoned, 1);
    assert_int_equal(rig_stats(&r).dial_failures, 0);
    rig_free(&r);
}

static void a_waiter_past_its_deadline_gets_nothing(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter brief = {0}, patient = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    assert_int_equal(mcm_pool_acquire(r.p, &brief, r.now + MS(5), r.now), MCM_POOL_WAIT);
    assert_int_equal(rig_acquire(&r, &patient), MCM_POOL_WAIT);
    r.now += MS(5);
    assert_ptr_equal(rig_give(&r, slot), &patient);
    assert_int_equal(brief.verdict, MCM_POOL_REFUSED_DEADLINE);
    assert_true(mcm_pool_cancel(r.p, &brief, r.now));
    assert_int_equal(rig_stats(&r).waiting, 0);
    assert_null(rig_give(&r, slot));
    rig_free(&r);
}

/* --- Freed capacity --- */

static void a_destroyed_connection_wakes_a_waiter_to_dial(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w = {0};
    struct mcm_pool_slot *slot = rig_take(&r);
    rig_acquire(&r, &w);
    /* The slot is not free before the connection is closed. */
    struct mcm_pool_released released = mcm_pool_release(r.p, slot, MCM_POOL_DESTROY_STALE, r.now);
    assert_true(released.close);
    assert_int_equal(w.verdict, MCM_POOL_WAIT);
    assert_int_equal(rig_stats(&r).closing, 1);
    assert_ptr_equal(mcm_pool_closed(r.p, slot, r.now), &w);
    assert_int_equal(w.verdict, MCM_POOL_DIAL);
    assert_null(w.slot->conn);
    assert_null(mcm_pool_dial_done(r.p, w.slot, MCM_POOL_DIAL_ABANDONED, r.now));
    assert_int_equal(rig_stats(&r).destroyed[MCM_POOL_STALE], 1);
    rig_free(&r);
}

static void a_failed_dial_wakes_the_next_waiter(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1});
    struct mcm_pool_waiter w[3] = {0};
    assert_int_equal(rig_acquire(&r, &w[0]), MCM_POOL_DIAL);
    assert_int_equal(rig_acquire(&r, &w[1]), MCM_POOL_WAIT);
    assert_int_equal(rig_acquire(&r, &w[2]), MCM_POOL_WAIT);
    for (int i = 0; i < 2; i++)
        assert_ptr_equal(mcm_pool_dial_done(r.p, w[i].slot, MCM_POOL_DIAL_FAILED, r.now),
                         &w[i + 1]);
    assert_null(mcm_pool_dial_done(r.p, w[2].slot, MCM_POOL_DIAL_FAILED, r.now));
    assert_int_equal(rig_stats(&r).dial_failures, 3);
    assert_int_equal(rig_stats(&r).total, 0);
    assert_int_equal(rig_stats(&r).acquires, 0);
    rig_free(&r);
}

static void dials_no_more_at_once_than_allowed(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 4, .dial_concurrency_max = 1});
    struct mcm_pool_waiter w[3] = {0};
    assert_int_equal(rig_acquire(&r, &w[0]), MCM_POOL_DIAL);
    assert_int_equal(rig_acquire(&r, &w[1]), MCM_POOL_WAIT);
    assert_int_equal(rig_acquire(&r, &w[2]), MCM_POOL_WAIT);
    /* The end of a dial frees the right to dial. */
    assert_ptr_equal(rig_dialled(&r, w[0].slot), &w[1]);
    assert_int_equal(w[1].verdict, MCM_POOL_DIAL);
    /* A release serves the next one while the dial goes on. */
    assert_ptr_equal(rig_give(&r, w[0].slot), &w[2]);
    assert_int_equal(w[2].verdict, MCM_POOL_GOT);
    assert_null(rig_dialled(&r, w[1].slot));
    assert_null(rig_give(&r, w[1].slot));
    assert_null(rig_give(&r, w[2].slot));
    assert_int_equal(rig_stats(&r).total_max, 2);
    rig_free(&r);
}

static void backs_off_after_failed_dials(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){
        .max_size = 2, .backoff_base_ns = MS(100), .backoff_max_ns = MS(1000)});
    struct mcm_pool_waiter w = {0}, brief = {0};
    for (int i = 0; i < 20; i++) {
        assert_int_equal(rig_acquire(&r, &w), MCM_POOL_DIAL);
        assert_null(mcm_pool_dial_done(r.p, w.slot, MCM_POOL_DIAL_FAILED, r.now));
        assert_int_equal(mcm_pool_acquire(r.p, &brief, r.now + 1, r.now), MCM_POOL_REFUSED_BACKOFF);
        assert_int_equal(rig_acquire(&r, &w), MCM_POOL_WAIT);
        int64_t end = mcm_pool_deadline(r.p);
        int64_t cap = i < 4 ? MS(100) << i : MS(1000);
        assert_in_range(end, r.now + 1, r.now + cap);
        assert_null(mcm_pool_tick(r.p, end - 1));
        r.now = end;
        assert_ptr_equal(mcm_pool_tick(r.p, r.now), &w);
        assert_int_equal(w.verdict, MCM_POOL_DIAL);
        assert_null(mcm_pool_dial_done(r.p, w.slot, MCM_POOL_DIAL_ABANDONED, r.now));
    }
    rig_free(&r);
}

/* --- Age --- */

static void a_back_off_refuses_those_who_can_go_elsewhere(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){
        .backoff_base_ns = MS(100), .backoff_refuses = true, .dial_concurrency_max = 1});
    struct mcm_pool_waiter dialer = {0}, queued[2] = {0}, later = {0};
    assert_int_equal(rig_acquire(&r, &dialer), MCM_POOL_DIAL);
    assert_int_equal(mcm_pool_dial_deadline(r.p), NS_NEVER);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rig_acquire(&r, &queued[i]), MCM_POOL_WAIT);
    struct mcm_pool_waiter *woken =
        mcm_pool_dial_done(r.p, dialer.slot, MCM_POOL_DIAL_FAILED, r.now);
    assert_ptr_equal(woken, &queued[0]);
    assert_ptr_equal(mcm_pool_tick(r.p, r.now), &queued[1]);
    assert_null(mcm_pool_tick(r.p, r.now));
    for (int i = 0; i < 2; i++)
        assert_int_equal(queued[i].verdict, MCM_POOL_REFUSED_BACKOFF);
    assert_int_equal(rig_acquire(&r, &later), MCM_POOL_REFUSED_BACKOFF);
    int64_t end = mcm_pool_dial_deadline(r.p);
    assert_true(end > r.now && end < r.now + MS(100));
    r.now = end;
    assert_int_equal(rig_acquire(&r, &later), MCM_POOL_DIAL);
    assert_null(mcm_pool_dial_done(r.p, later.slot, MCM_POOL_DIAL_ABANDONED, r.now));
    rig_free(&r);
}

static void lifetime_is_enforced_at_release_and_on_idle_ones(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 2, .max_lifetime_ns = MS(100)});
    struct mcm_pool_slot *busy = rig_take(&r);
    struct mcm_pool_slot *idle = rig_take(&r);
    assert_null(rig_give(&r, idle));
    assert_int_equal(mcm_pool_next_check_deadline(r.p, r.now), r.now + MS(100) + 1);
    r.now += MS(100);
    assert_int_equal(mcm_pool_next_check(r.p, r.now).action, MCM_POOL_CHECK_NONE);
    r.now += 1;
    struct mcm_pool_check check = mcm_pool_next_check(r.p, r.now);
    assert_int_equal(check.action, MCM_POOL_CHECK_CLOSE);
    assert_ptr_equal(check.slot, idle);
    assert_null(mcm_pool_closed(r.p, idle, r.now));
    assert_true(mcm_pool_release(r.p, busy, MCM_POOL_KEEP, r.now).close);
    assert_null(mcm_pool_closed(r.p, busy, r.now));
    assert_int_equal(rig_stats(&r).destroyed[MCM_POOL_OLD], 2);
    rig_free(&r);
}

static void lifetimes_are_spread_by_the_jitter(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){
        .max_size = 1, .max_lifetime_ns = MS(1000), .lifetime_jitter = 0.1});
    int64_t least = NS_NEVER, most = 0;
    for (int i = 0; i < 1000; i++) {
        struct mcm_pool_slot *slot = rig_take(&r);
        least = ns_min(least, slot->expires_ns - r.now);
        most = ns_max(most, slot->expires_ns - r.now);
        assert_null(rig_destroy(&r, slot));
    }
    assert_in_range(least, MS(900), MS(905));
    assert_in_range(most, MS(1095), MS(1100));
    rig_free(&r);
}

static void an_acquire_replaces_a_connection_that_was_idle_too_long(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 2, .max_idle_time_ns = MS(50)});
    struct mcm_pool_waiter w = {0};
    rig_fill(&r, 2);
    r.now += MS(50) + 1;
    assert_int_equal(rig_acquire(&r, &w), MCM_POOL_DIAL);
    assert_non_null(w.slot->conn); /* to be closed first */
    assert_int_equal(rig_stats(&r).destroyed[MCM_POOL_UNUSED], 1);
    assert_int_equal(rig_stats(&r).total, 2);
    assert_null(rig_dialled(&r, w.slot));
    assert_null(rig_give(&r, w.slot));
    struct mcm_pool_slot *again = rig_take(&r);
    assert_ptr_equal(again, w.slot); /* the fresh one, not the expired one */
    assert_null(rig_give(&r, again));
    rig_free(&r);
}

static void an_overdue_connection_is_better_than_none(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){
        .max_size = 2, .max_idle_time_ns = MS(50), .dial_concurrency_max = 1});
    struct mcm_pool_waiter dialer = {0}, w = {0};
    rig_fill(&r, 1);
    struct mcm_pool_slot *only = rig_take(&r);
    assert_int_equal(rig_acquire(&r, &dialer), MCM_POOL_DIAL);
    assert_null(rig_give(&r, only));
    r.now += MS(50) + 1;
    assert_int_equal(rig_acquire(&r, &w), MCM_POOL_GOT);
    assert_ptr_equal(w.slot, only);
    assert_null(rig_dialled(&r, dialer.slot));
    assert_null(rig_give(&r, dialer.slot));
    assert_null(rig_give(&r, only));
    rig_free(&r);
}

static void surplus_idle_connections_are_closed_at_release(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 3, .max_idle = 1});
    struct mcm_pool_slot *a = rig_take(&r), *b = rig_take(&r);
    assert_null(rig_give(&r, a));
    assert_true(mcm_pool_release(r.p, b, MCM_POOL_KEEP, r.now).close);
    assert_null(mcm_pool_closed(r.p, b, r.now));
    assert_int_equal(rig_stats(&r).destroyed[MCM_POOL_SURPLUS], 1);
    rig_free(&r);
}

/* --- Maintenance --- */

static void health_checks_take_one_connection_at_a_time(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 3, .health_interval_ns = MS(100)});
    rig_fill(&r, 3);
    assert_int_equal(mcm_pool_next_check_deadline(r.p, r.now), r.now + MS(100) + 1);
    r.now += MS(100) + 1;
    for (uint32_t i = 0; i < 3; i++) {
        struct mcm_pool_check check = mcm_pool_next_check(r.p, r.now);
        assert_int_equal(check.action, MCM_POOL_CHECK_PING);
        assert_int_equal(check.slot->index, i); /* the coldest first, and none twice */
        assert_int_equal(mcm_pool_next_check(r.p, r.now).action, MCM_POOL_CHECK_NONE);
        assert_int_equal(rig_stats(&r).idle, i == 2 ? 1 : 2);
        bool ill = i == 1;
        enum mcm_pool_fate fate = ill ? MCM_POOL_DESTROY_UNWELL : MCM_POOL_KEEP_UNUSED;
        assert_int_equal(mcm_pool_release(r.p, check.slot, fate, r.now).close, ill);
        if (ill)
            assert_null(mcm_pool_closed(r.p, check.slot, r.now));
    }
    assert_int_equal(mcm_pool_next_check(r.p, r.now).action, MCM_POOL_CHECK_NONE);
    assert_int_equal(rig_stats(&r).checks, 3);
    assert_int_equal(rig_stats(&r).destroyed[MCM_POOL_UNWELL], 1);
    rig_free(&r);
}

static void a_waiter_gets_the_connection_that_passed_its_health_check(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 1, .health_interval_ns = MS(100)});
    struct mcm_pool_waiter w = {0};
    rig_fill(&r, 1);
    r.now += MS(101);
    struct mcm_pool_check check = mcm_pool_next_check(r.p, r.now);
    assert_int_equal(check.action, MCM_POOL_CHECK_PING);
    assert_int_equal(rig_acquire(&r, &w), MCM_POOL_WAIT);
    assert_ptr_equal(mcm_pool_release(r.p, check.slot, MCM_POOL_KEEP_UNUSED, r.now).wake, &w);
    assert_null(rig_give(&r, w.slot));
    rig_free(&r);
}

static void warms_up_to_the_minimum_of_idle_connections(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 4, .min_idle = 2});
    assert_int_equal(mcm_pool_next_check_deadline(r.p, r.now), r.now);
    for (int i = 0; i < 2; i++) {
        struct mcm_pool_check check = mcm_pool_next_check(r.p, r.now);
        assert_int_equal(check.action, MCM_POOL_CHECK_DIAL);
        assert_null(rig_dialled(&r, check.slot));
        assert_false(mcm_pool_release(r.p, check.slot, MCM_POOL_KEEP_UNUSED, r.now).close);
    }
    assert_int_equal(mcm_pool_next_check(r.p, r.now).action, MCM_POOL_CHECK_NONE);
    assert_true(mcm_pool_next_check_deadline(r.p, r.now) == NS_NEVER);
    assert_int_equal(rig_stats(&r).idle, 2);
    assert_int_equal(rig_stats(&r).created, 2);
    assert_int_equal(rig_stats(&r).acquires, 0);
    rig_free(&r);
}

/* --- Reset and close --- */

static void a_reset_ends_idle_connections_now_and_others_on_return(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 4});
    struct mcm_pool_waiter dialing = {0}, w = {0};
    struct mcm_pool_slot *busy = rig_take(&r), *idle = rig_take(&r);
    assert_int_equal(rig_acquire(&r, &dialing), MCM_POOL_DIAL);
    assert_null(rig_give(&r, idle));
    mcm_pool_reset(r.p);
    assert_int_equal(rig_acquire(&r, &w), MCM_POOL_DIAL); /* never the old idle one */
    assert_ptr_equal(w.slot, idle);
    assert_true(mcm_pool_release(r.p, busy, MCM_POOL_KEEP, r.now).close);
    assert_null(mcm_pool_closed(r.p, busy, r.now));
    assert_null(rig_dialled(&r, dialing.slot)); /* its dial began before the reset */
    assert_true(mcm_pool_release(r.p, dialing.slot, MCM_POOL_KEEP, r.now).close);
    assert_null(mcm_pool_closed(r.p, dialing.slot, r.now));
    assert_null(rig_dialled(&r, w.slot));
    assert_null(rig_give(&r, w.slot));
    assert_int_equal(rig_stats(&r).destroyed[MCM_POOL_RESET], 3);
    assert_int_equal(rig_stats(&r).idle, 1);
    rig_free(&r);
}

static void close_refuses_waiters_and_ends_every_connection(void **state)
{
    (void)state;
    struct rig r = rig_make((struct mcm_pool_config){.max_size = 2});
    struct mcm_pool_waiter w[2] = {0}, late = {0};
    struct mcm_pool_slot *a = rig_take(&r), *b = rig_take(&r);
    rig_acquire(&r, &w[0]);
    rig_acquire(&r, &w[1]);
    mcm_pool_close(r.p);
    mcm_pool_close(r.p);
    assert_true(mcm_pool_deadline(r.p) <= r.now);
    assert_ptr_equal(mcm_pool_tick(r.p, r.now), &w[0]);
    assert_ptr_equal(mcm_pool_tick(r.p, r.now), &w[1]);
    assert_null(mcm_pool_tick(r.p, r.now));
    assert_int_equal(w[1].verdict, MCM_POOL_REFUSED_CLOSED);
    assert_int_equal(rig_acquire(&r, &late), MCM_POOL_REFUSED_CLOSED);
    assert_true(mcm_pool_release(r.p, a, MCM_POOL_KEEP, r.now).close);
    assert_null(mcm_pool_closed(r.p, a, r.now));
    assert_false(mcm_pool_is_empty(r.p));
    assert_true(mcm_pool_release(r.p, b, MCM_POOL_KEEP, r.now).close);
    assert_null(mcm_pool_closed(r.p, b, r.now));
    assert_true(mcm_pool_is_empty(r.p));
    assert_int_equal(rig_stats(&r).destroyed[MCM_POOL_SHUTDOWN], 2);
    mcm_pool_free(r.p);
    mcm_pool_free(NULL);
}

/* --- Misuse --- */

static struct mcm_pool_slot *slot_in(struct rig *r, enum mcm_slot_state state)
{
    struct mcm_pool_waiter w = {0};
    if (state == MCM_SLOT_CHECKING) {
        rig_fill(r, 1);
        r->now += MS(101);
        return mcm_pool_next_check(r->p, r->now).slot;
    }
    if (state == MCM_SLOT_DIALING) {
        rig_acquire(r, &w);
        return w.slot;
    }
    struct mcm_pool_slot *slot = rig_take(r);
    if (state == MCM_SLOT_IDLE)
        rig_give(r, slot);
    if (state == MCM_SLOT_CLOSING)
        mcm_pool_release(r->p, slot, MCM_POOL_DESTROY_BROKEN, r->now);
    if (state == MCM_SLOT_FREE)
        rig_destroy(r, slot);
    return slot;
}

enum operation { RELEASE, DIAL_DONE, CLOSED, OPERATION_COUNT };

/* In a child, since misuse of the pool is a programmer's error that ends the process. */
static bool survives(enum mcm_slot_state state, enum operation operation)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(3);
        struct rig r =
            rig_make((struct mcm_pool_config){.max_size = 1, .health_interval_ns = MS(100)});
        struct mcm_pool_slot *slot = slot_in(&r, state);
        if (slot->state != state)
            _exit(2);
        slot->conn = &some_conn;
        if (operation == RELEASE)
            mcm_pool_release(r.p, slot, MCM_POOL_KEEP, r.now);
        else if (operation == DIAL_DONE)
            mcm_pool_dial_done(r.p, slot, MCM_POOL_DIAL_OK, r.now);
        else
            mcm_pool_closed(r.p, slot, r.now);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static void a_slot_accepts_an_operation_only_in_its_state(void **state)
{
    (void)state;
    static const bool legal[MCM_SLOT_STATE_COUNT][OPERATION_COUNT] = {
        [MCM_SLOT_DIALING] = {[DIAL_DONE] = true},
        [MCM_SLOT_ACTIVE] = {[RELEASE] = true},
        [MCM_SLOT_CHECKING] = {[RELEASE] = true},
        [MCM_SLOT_CLOSING] = {[CLOSED] = true},
    };
    for (int s = 0; s < MCM_SLOT_STATE_COUNT; s++) {
        for (int o = 0; o < OPERATION_COUNT; o++)
            assert_int_equal(survives((enum mcm_slot_state)s, (enum operation)o), legal[s][o]);
    }
}

static void unusable_configs_are_refused_with_a_reason(void **state)
{
    (void)state;
    const struct mcm_pool_config bad[] = {
        {.max_size = MCM_POOL_SIZE_MAX + 1},
        {.min_idle = 11},
        {.max_idle = 1, .min_idle = 2},
        {.lifetime_jitter = 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(mcm_pool_config_error(&bad[i]));
        assert_null(mcm_pool_new(&bad[i], 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dials_when_nothing_is_idle_and_reuses_afterwards),
        cmocka_unit_test(one_slot_serves_a_hundred_callers_with_one_connection),
        cmocka_unit_test(reuses_the_warmest_or_the_coldest_as_told),
        cmocka_unit_test(an_unused_connection_does_not_look_warm),
        cmocka_unit_test(a_late_acquire_does_not_overtake_waiters),
        cmocka_unit_test(refuses_when_the_queue_is_full_or_the_deadline_has_passed),
        cmocka_unit_test(a_cancelled_waiter_is_passed_over),
        cmocka_unit_test(a_hand_off_that_came_before_the_cancel_must_be_put_back),
        cmocka_unit_test(an_order_to_dial_that_came_before_the_cancel_goes_to_the_next),
        cmocka_unit_test(a_waiter_past_its_deadline_gets_nothing),
        cmocka_unit_test(a_destroyed_connection_wakes_a_waiter_to_dial),
        cmocka_unit_test(a_failed_dial_wakes_the_next_waiter),
        cmocka_unit_test(dials_no_more_at_once_than_allowed),
        cmocka_unit_test(backs_off_after_failed_dials),
        cmocka_unit_test(a_back_off_refuses_those_who_can_go_elsewhere),
        cmocka_unit_test(lifetime_is_enforced_at_release_and_on_idle_ones),
        cmocka_unit_test(lifetimes_are_spread_by_the_jitter),
        cmocka_unit_test(an_acquire_replaces_a_connection_that_was_idle_too_long),
        cmocka_unit_test(an_overdue_connection_is_better_than_none),
        cmocka_unit_test(surplus_idle_connections_are_closed_at_release),
        cmocka_unit_test(health_checks_take_one_connection_at_a_time),
        cmocka_unit_test(a_waiter_gets_the_connection_that_passed_its_health_check),
        cmocka_unit_test(warms_up_to_the_minimum_of_idle_connections),
        cmocka_unit_test(a_reset_ends_idle_connections_now_and_others_on_return),
        cmocka_unit_test(close_refuses_waiters_and_ends_every_connection),
        cmocka_unit_test(a_slot_accepts_an_operation_only_in_its_state),
        cmocka_unit_test(unusable_configs_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
