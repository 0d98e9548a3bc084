/* SPDX-License-Identifier: MIT */
/* Counters: results that can be, also from a cache that forgets, and some that cannot. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "load/tally.h"

#define CLIENTS 10
#define LOST_MAX 32

static uint64_t low, high;

/* An increment with nothing else under way. */
static bool add(struct tally *t, uint64_t delta, uint64_t result)
{
    struct tally_op op = tally_begin(t, 0, delta);
    return tally_end(t, 0, &op, result, &low, &high);
}

static struct tally *tally_at_100(void)
{
    struct tally *t = tally_new(1);
    assert_non_null(t);
    for (uint64_t i = 1; i <= 10; i++)
        assert_true(add(t, 10, 10 * i));
    return t;
}

static void one_after_the_other_gives_exact_bounds(void **state)
{
    (void)state;
    static const struct {
        uint64_t delta, result;
        bool can_be;
    } cases[] = {
        {5, 105, true},  /* as it should be */
        {5, 104, false}, /* one was lost */
        {5, 100, false}, /* its own was lost */
        {5, 106, false}, /* one too many */
        {5, 110, false}, /* added twice */
        {5, 5, true},    /* forgotten, and made anew */
        {5, 6, false},   /* made anew with too much in it */
        {5, 4, false},   /* less than it added */
        {0, 100, true},  /* a read */
        {0, 99, false},  {0, 101, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tally *t = tally_at_100();
        assert_int_equal(add(t, cases[i].delta, cases[i].result), cases[i].can_be);
        tally_free(t);
    }
}

static void a_counter_older_than_the_run_goes_on_from_where_it_is(void **state)
{
    (void)state;
    struct tally *t = tally_new(1);
    assert_true(add(t, 3, 1003));
    assert_true(add(t, 1, 1004));
    assert_false(add(t, 1, 1006));
    assert_int_equal(low, 1005);
    assert_int_equal(high, 1005);
    tally_free(t);
}

static void an_unknown_increment_may_count_at_any_time_or_never(void **state)
{
    (void)state;
    static const uint64_t results[] = {105, 112}; /* without and with the 7 */
    for (int i = 0; i < 2; i++) {
        struct tally *t = tally_at_100();
        tally_begin(t, 0, 7);
        assert_true(add(t, 5, results[i]));
        assert_true(add(t, 5, 117)); /* now it has arrived */
        assert_false(add(t, 5, 130));
        tally_free(t);
    }
}

static void an_increment_that_was_never_sent_does_not_count(void **state)
{
    (void)state;
    struct tally *t = tally_at_100();
    struct tally_op op = tally_begin(t, 0, 7);
    tally_unsent(t, 0, &op);
    assert_false(add(t, 5, 112));
    assert_int_equal(high, 105);
    tally_free(t);
}

/* ---- a simulated cache ---- */

struct flight {
    bool busy, applied;
    uint64_t result;
    struct tally_op op;
};

struct sim {
    struct rng rng;
    struct tally *tally;
    struct flight flights[CLIENTS], lost[LOST_MAX];
    uint64_t stored;
    uint64_t answers, reported;
};

static bool chance(struct sim *s, unsigned one_in)
{
    return rng_below(&s->rng, one_in) == 0;
}

static void sim_apply(struct sim *s, struct flight *f)
{
    s->stored += f->op.delta;
    f->result = s->stored;
    f->applied = true;
}

static void sim_answer(struct sim *s, struct flight *f)
{
    if (!f->applied)
        sim_apply(s, f);
    f->busy = false;
    s->answers++;
    s->reported += !tally_end(s->tally, 0, &f->op, f->result, &low, &high);
}

static void sim_step(struct sim *s)
{
    struct flight *f = &s->flights[rng_below(&s->rng, CLIENTS)];
    struct flight *lost = &s->lost[rng_below(&s->rng, LOST_MAX)];
    if (chance(s, 60))
        s->stored = 0; /* evicted, restarted */
    if (lost->busy && chance(s, 4)) {
        sim_apply(s, lost);
        lost->busy = false;
    }
    if (!f->busy) {
        *f = (struct flight){.busy = true};
        f->op = tally_begin(s->tally, 0, 1 + rng_below(&s->rng, 10));
    } else if (!f->applied && chance(s, 2)) {
        sim_apply(s, f);
    } else if (chance(s, 15)) {
        if (!f->applied)
            *lost = *f;
        f->busy = false;
    } else {
        sim_answer(s, f);
    }
}

static void legal_histories_are_never_reported(void **state)
{
    (void)state;
    uint64_t answers = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sim s = {.rng = rng_seeded(seed), .tally = tally_new(1)};
        for (int i = 0; i < 4000; i++)
            sim_step(&s);
        if (s.reported > 0)
            fail_msg("seed %llu: %llu false reports", (unsigned long long)seed,
                     (unsigned long long)s.reported);
        answers += s.answers;
        tally_free(s.tally);
    }
    assert_true(answers > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other_gives_exact_bounds),
        cmocka_unit_test(a_counter_older_than_the_run_goes_on_from_where_it_is),
        cmocka_unit_test(an_unknown_increment_may_count_at_any_time_or_never),
        cmocka_unit_test(an_increment_that_was_never_sent_does_not_count),
        cmocka_unit_test(legal_histories_are_never_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
