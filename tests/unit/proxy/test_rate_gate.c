/* SPDX-License-Identifier: MIT */
/* The arithmetic of a shared rate, in virtual time; how links wait for it is tested end to end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "proxy/rate_gate.h"

static const struct {
    int64_t kb_per_s;
    ns_t span;
    ns_t step;
    size_t want; /* bytes that must have passed after the span */
} table[] = {
    {1, 1000 * NS_PER_MS, NS_PER_MS, 1000},
    {1, 1000 * NS_PER_MS, 7 * NS_PER_US, 999},
    {100, 1000 * NS_PER_MS, NS_PER_MS, 100000},
    {100, 1000 * NS_PER_MS, 333 * NS_PER_US, 99999},
    {1000000, 100 * NS_PER_MS, NS_PER_MS, 100000000},
    {RATE_GATE_KB_PER_S_MAX, 10 * NS_PER_MS, NS_PER_US, 10000000000},
};

static struct rate_waiter nobody;

static void ignore(struct rate_waiter *waiter, ns_t now)
{
    (void)waiter;
    (void)now;
}

static size_t take_all(struct rate_gate *g, ns_t now)
{
    size_t sum = 0;
    for (;;) {
        size_t share = rate_gate_share(g, &nobody, SIZE_MAX, now);
        if (share == 0)
            return sum;
        rate_gate_take(g, &nobody, share);
        sum += share;
    }
}

static void passes_exactly_the_rate(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct timers timers = {.fd = -1};
        struct rate_credit credit;
        struct rate_gate g;
        size_t sum = 0;
        rate_credit_init(&credit, false);
        rate_gate_init(&g, &credit, &timers);
        rate_credit_set(&credit, table[i].kb_per_s, 0);
        for (ns_t now = 0; now <= table[i].span; now += table[i].step)
            sum += take_all(&g, now);
        assert_int_equal(sum, table[i].want);
        rate_gate_deinit(&g);
        rate_credit_deinit(&credit);
    }
}

static void saves_up_no_more_than_one_burst(void **state)
{
    (void)state;
    struct timers timers = {.fd = -1};
    struct rate_credit credit;
    struct rate_gate g;
    rate_credit_init(&credit, false);
    rate_gate_init(&g, &credit, &timers);
    rate_credit_set(&credit, 1000, 0);
    assert_int_equal(take_all(&g, 3600 * NS_PER_SEC), 5000);
    assert_int_equal(take_all(&g, 3600 * NS_PER_SEC), 0);
    /* However low the rate, one byte can be saved up. */
    rate_credit_set(&credit, 1, 3600 * NS_PER_SEC);
    assert_int_equal(take_all(&g, 3600 * NS_PER_SEC + NS_PER_MS - 1), 0);
    assert_int_equal(take_all(&g, 3600 * NS_PER_SEC + NS_PER_MS), 1);
    rate_gate_deinit(&g);
    rate_credit_deinit(&credit);
}

static void lets_everything_pass_without_a_rate(void **state)
{
    (void)state;
    struct timers timers = {.fd = -1};
    struct rate_credit credit;
    struct rate_gate g;
    rate_credit_init(&credit, false);
    rate_gate_init(&g, &credit, &timers);
    assert_true(rate_gate_is_open(&g));
    assert_int_equal(rate_gate_share(&g, &nobody, 32768, 5), 32768);
    rate_credit_set(&credit, 10, 5);
    assert_false(rate_gate_is_open(&g));
    assert_int_equal(rate_gate_share(&g, &nobody, 32768, 5), 0);
    rate_credit_set(&credit, 0, 6);
    assert_int_equal(rate_gate_share(&g, &nobody, 32768, 6), 32768);
    rate_gate_deinit(&g);
    rate_credit_deinit(&credit);
}

static void a_clock_that_stands_or_goes_back_gives_nothing(void **state)
{
    (void)state;
    struct timers timers = {.fd = -1};
    struct rate_credit credit;
    struct rate_gate g;
    rate_credit_init(&credit, false);
    rate_gate_init(&g, &credit, &timers);
    rate_credit_set(&credit, 1000, 10 * NS_PER_MS);
    assert_int_equal(take_all(&g, 10 * NS_PER_MS), 0);
    assert_int_equal(take_all(&g, 0), 0);
    assert_int_equal(take_all(&g, 11 * NS_PER_MS), 1000);
    rate_gate_deinit(&g);
    rate_credit_deinit(&credit);
}

struct pair {
    struct timers timers;
    struct rate_credit credit;
    struct rate_gate gates[2];
    struct rate_waiter waiters[2];
};

/* A link waits at each of two gates for a burst of 5000 bytes. */
static void let_two_wait(struct pair *p)
{
    *p = (struct pair){.timers = {.fd = -1}};
    rate_credit_init(&p->credit, true);
    rate_credit_set(&p->credit, 1000, 0);
    for (int i = 0; i < 2; i++) {
        p->waiters[i].wake = ignore;
        rate_gate_init(&p->gates[i], &p->credit, &p->timers);
        assert_int_equal(rate_gate_wait(&p->gates[i], &p->waiters[i]), 0);
    }
}

static void end_pair(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        rate_gate_leave(&p->gates[i], &p->waiters[i]);
        rate_gate_deinit(&p->gates[i]);
    }
    assert_int_equal(p->credit.waiting + p->credit.claims, 0);
    rate_credit_deinit(&p->credit);
    free(p->timers.heap);
}

static size_t share_at(struct pair *p, int i, ns_t now)
{
    return rate_gate_share(&p->gates[i], &p->waiters[i], SIZE_MAX, now);
}

/* Those of the other gate are of the crowd, though nobody has woken them yet. */
static void gates_of_two_threads_share_one_credit(void **state)
{
    (void)state;
    const ns_t now = 5 * NS_PER_MS;
    struct pair p;
    let_two_wait(&p);
    for (int i = 0; i < 2; i++) {
        p.gates[i].timer.fire(&p.gates[i].timer, now + i);
        assert_false(p.waiters[i].waiting);
        assert_int_equal(share_at(&p, i, now), 2500);
        rate_gate_take(&p.gates[i], &p.waiters[i], 2500);
    }
    assert_int_equal(share_at(&p, 0, now), 0);
    /* What was taken beyond, because two were promised the same, is paid back. */
    rate_gate_take(&p.gates[0], &p.waiters[0], 1000);
    assert_int_equal(share_at(&p, 1, 6 * NS_PER_MS), 0);
    assert_int_equal(share_at(&p, 1, 7 * NS_PER_MS), 1000);
    end_pair(&p);
}

static void a_late_thread_finds_its_share(void **state)
{
    (void)state;
    ns_t now = 5 * NS_PER_MS;
    struct pair p;
    let_two_wait(&p);
    p.gates[0].timer.fire(&p.gates[0].timer, now);
    assert_int_equal(share_at(&p, 0, now), 2500);
    rate_gate_take(&p.gates[0], &p.waiters[0], 2500);
    /* The other one has not been woken: the rest is for it. */
    assert_int_equal(share_at(&p, 0, now), 0);
    p.gates[1].timer.fire(&p.gates[1].timer, now);
    assert_int_equal(share_at(&p, 0, now), 0);
    assert_int_equal(share_at(&p, 1, now), 2500);
    /* It ends instead of taking it. */
    rate_gate_leave(&p.gates[1], &p.waiters[1]);
    assert_int_equal(share_at(&p, 0, now), 2500);
    end_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_exactly_the_rate),
        cmocka_unit_test(saves_up_no_more_than_one_burst),
        cmocka_unit_test(lets_everything_pass_without_a_rate),
        cmocka_unit_test(a_clock_that_stands_or_goes_back_gives_nothing),
        cmocka_unit_test(gates_of_two_threads_share_one_credit),
        cmocka_unit_test(a_late_thread_finds_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
