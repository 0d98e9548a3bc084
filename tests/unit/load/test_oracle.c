/* SPDX-License-Identifier: MIT */
/*
 * The oracle on histories made by hand, on random legal ones from a simulated cache, which it must
 * never report, and on the same with one lie in them, which it must. Times are virtual.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "load/oracle.h"

/* ---- by hand ---- */

/*
 * One event per time step: "w1" write 1 begins, "a1" it is acknowledged, "u1" its outcome is
 * unknown, "n1" it was never sent; "d1", "e1" a delete begins and is acknowledged; "r1" read 1
 * begins, "=1:2" it returns version 2.
 */
struct history {
    const char *events;
    enum outcome outcome; /* of the last read */
};

static const struct history histories[] = {
    /* What may be. */
    {"w1 a1 r1 =1:1", OUTCOME_HIT},
    {"w1 r1 a1 =1:1", OUTCOME_HIT},
    {"w1 r1 =1:1", OUTCOME_HIT},          /* still in flight */
    {"w1 u1 r1 =1:1", OUTCOME_HIT},       /* timed out, and stored nevertheless */
    {"w1 u1 w2 a2 r1 =1:1", OUTCOME_HIT}, /* it arrived after the second one */
    {"w1 a1 w2 u2 r1 =1:1", OUTCOME_HIT}, /* the second one never arrived */
    {"w1 a1 w2 r1 a2 =1:1", OUTCOME_HIT}, /* acknowledged only after the read began */
    {"w1 w2 a2 a1 r1 =1:1", OUTCOME_HIT}, /* concurrent: either may be the last */
    {"w1 w2 a2 a1 r1 =1:2", OUTCOME_HIT},
    {"w1 w2 a1 a2 r1 =1:1", OUTCOME_HIT},
    {"w1 a1 d1 r1 e1 =1:1", OUTCOME_HIT}, /* deleted while it was read */
    {"w1 a1 d1 r1 =1:1", OUTCOME_HIT},    /* a delete nobody knows about */
    {"w1 d1 e1 a1 r1 =1:1", OUTCOME_HIT}, /* written after the delete, or before */
    {"d1 w1 a1 e1 r1 =1:1", OUTCOME_HIT},
    {"w1 u1 d1 e1 r1 =1:1", OUTCOME_HIT}, /* arrives after the delete */
    {"w1 a1 d1 e1 w2 a2 r1 =1:2", OUTCOME_HIT},
    {"w1 a1 w2 n2 r1 =1:1", OUTCOME_HIT}, /* the second one was never sent */
    {"r1 w1 a1 w2 a2 =1:1", OUTCOME_HIT}, /* a long read sees any of them */
    {"w1 a1 r1 w2 a2 w3 a3 =1:1", OUTCOME_HIT},
    /* What may not. */
    {"w1 a1 w2 a2 r1 =1:1", OUTCOME_STALE},
    {"w1 a1 w2 a2 w3 u3 r1 =1:1", OUTCOME_STALE},
    {"w1 a1 w2 w3 a3 r1 a2 =1:1", OUTCOME_STALE},
    {"w1 a1 d1 e1 r1 =1:1", OUTCOME_RESURRECTED},
    {"w1 a1 w2 a2 d1 e1 r1 =1:2", OUTCOME_RESURRECTED},
    {"w1 a1 w2 u2 d1 e1 r1 =1:1", OUTCOME_RESURRECTED},
    {"w1 a1 d1 e1 w2 a2 r1 =1:1", OUTCOME_STALE},
    {"w1 a1 r1 =1:2", OUTCOME_FUTURE},
    {"r1 =1:1", OUTCOME_FUTURE},
    {"w1 a1 r1 =1:0", OUTCOME_FUTURE},
};

struct player {
    struct oracle *oracle;
    ns_t begins[128];
    struct oracle_read reads[128];
    ns_t now;
};

static enum outcome play_event(struct player *p, const char *event)
{
    unsigned n = 0, version = 0;
    sscanf(event + 1, "%u:%u", &n, &version);
    p->now++;
    switch (event[0]) {
    case 'w':
        p->begins[n] = p->now;
        assert_int_equal(oracle_write_begin(p->oracle, 0), n);
        break;
    case 'a': oracle_write_end(p->oracle, 0, n, p->begins[n], p->now, WRITE_ACKNOWLEDGED); break;
    case 'u': oracle_write_end(p->oracle, 0, n, p->begins[n], p->now, WRITE_UNKNOWN); break;
    case 'n': oracle_write_end(p->oracle, 0, n, p->begins[n], p->now, WRITE_UNSENT); break;
    case 'd': p->begins[64 + n] = p->now; break;
    case 'e': oracle_deleted(p->oracle, 0, p->begins[64 + n], p->now); break;
    case 'r': p->reads[n] = oracle_read_begin(p->oracle, 0); break;
    case '=': return oracle_read_end(p->oracle, 0, &p->reads[n], version);
    default: fail();
    }
    return OUTCOME_HIT;
}

static enum outcome play(const char *events)
{
    struct player p = {.oracle = oracle_new(1)};
    enum outcome outcome = OUTCOME_HIT;
    char text[200];
    assert_non_null(p.oracle);
    snprintf(text, sizeof text, "%s", events);
    char *rest = NULL;
    for (char *event = strtok_r(text, " ", &rest); event; event = strtok_r(NULL, " ", &rest))
        outcome = play_event(&p, event);
    oracle_free(p.oracle);
    return outcome;
}

static void histories_made_by_hand_are_judged_rightly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof histories / sizeof histories[0]; i++) {
        enum outcome outcome = play(histories[i].events);
        if (outcome != histories[i].outcome)
            fail_msg("%s: %s", histories[i].events, outcome_name(outcome));
    }
}

/* A write of each kind long ago, then many acknowledged ones. */
static enum outcome read_old(enum write_end how, unsigned others_unknown)
{
    struct oracle *o = oracle_new(1);
    ns_t now = 0;
    for (unsigned i = 0; i < 1 + others_unknown + 100; i++) {
        ns_t begin = ++now;
        uint64_t version = oracle_write_begin(o, 0);
        enum write_end end = i == 0                ? how
                             : i <= others_unknown ? WRITE_UNKNOWN
                                                   : WRITE_ACKNOWLEDGED;
        oracle_write_end(o, 0, version, begin, ++now, end);
    }
    struct oracle_read read = oracle_read_begin(o, 0);
    enum outcome outcome = oracle_read_end(o, 0, &read, 1);
    oracle_free(o);
    return outcome;
}

static void what_had_to_be_forgotten_is_never_reported(void **state)
{
    (void)state;
    assert_int_equal(read_old(WRITE_ACKNOWLEDGED, 0), OUTCOME_STALE);
    assert_int_equal(read_old(WRITE_UNKNOWN, 0), OUTCOME_HIT);
    assert_int_equal(read_old(WRITE_ACKNOWLEDGED, ORACLE_UNKNOWN_KEPT), OUTCOME_STALE);
    assert_int_equal(read_old(WRITE_UNKNOWN, ORACLE_UNKNOWN_KEPT - 1), OUTCOME_HIT);
    /* More unknown ones than are kept: nothing can be said about that time any more. */
    assert_int_equal(read_old(WRITE_UNKNOWN, 3 * ORACLE_UNKNOWN_KEPT), OUTCOME_HIT);
    assert_int_equal(read_old(WRITE_ACKNOWLEDGED, 3 * ORACLE_UNKNOWN_KEPT), OUTCOME_HIT);
}

static void memory_does_not_depend_on_the_length_of_the_history(void **state)
{
    (void)state;
    struct oracle *o = oracle_new(1000);
    size_t bytes = oracle_bytes(o);
    assert_true(bytes < 1000 * 256 + 100 * 1024);
    for (int i = 0; i < 300000; i++)
        oracle_write_begin(o, (uint32_t)i % 1000);
    assert_int_equal(oracle_bytes(o), bytes);
    oracle_free(o);
}

/* ---- a simulated cache ---- */

#define CLIENTS 12
#define STEPS 4000
#define NOTHING 0

enum kind { KIND_READ, KIND_WRITE, KIND_DELETE };

/* What one client has in flight. */
struct flight {
    bool busy, applied;
    enum kind kind;
    ns_t begin;
    uint64_t version; /* written, or read: NOTHING = a miss */
    struct oracle_read read;
};

struct sim {
    struct rng rng;
    struct oracle *oracle;
    struct flight flights[CLIENTS];
    struct flight lost[64]; /* timed out, not applied: may arrive at any time */
    uint64_t stored;
    ns_t now;
    uint64_t reads, reported;
};

static bool chance(struct sim *s, unsigned one_in)
{
    return rng_below(&s->rng, one_in) == 0;
}

static void sim_apply(struct sim *s, struct flight *f)
{
    f->applied = true;
    if (f->kind == KIND_WRITE)
        s->stored = f->version;
    else if (f->kind == KIND_DELETE)
        s->stored = NOTHING;
    else
        f->version = s->stored;
}

static void sim_begin(struct sim *s, struct flight *f)
{
    *f = (struct flight){.busy = true, .begin = s->now};
    f->kind = chance(s, 8) ? KIND_DELETE : chance(s, 3) ? KIND_WRITE : KIND_READ;
    if (f->kind == KIND_WRITE)
        f->version = oracle_write_begin(s->oracle, 0);
    if (f->kind == KIND_READ)
        f->read = oracle_read_begin(s->oracle, 0);
}

/* The client gives up on a request: it may have been applied, or be later, or never. */
static void sim_time_out(struct sim *s, struct flight *f)
{
    if (f->kind == KIND_WRITE)
        oracle_write_end(s->oracle, 0, f->version, f->begin, s->now, WRITE_UNKNOWN);
    if (!f->applied && f->kind != KIND_READ)
        s->lost[rng_below(&s->rng, 64)] = *f; /* what was there is lost for ever */
    f->busy = false;
}

static void sim_answer(struct sim *s, struct flight *f)
{
    if (!f->applied)
        sim_apply(s, f);
    f->busy = false;
    if (f->kind == KIND_WRITE) {
        oracle_write_end(s->oracle, 0, f->version, f->begin, s->now, WRITE_ACKNOWLEDGED);
    } else if (f->kind == KIND_DELETE) {
        oracle_deleted(s->oracle, 0, f->begin, s->now);
    } else if (f->version != NOTHING) {
        s->reads++;
        s->reported += oracle_read_end(s->oracle, 0, &f->read, f->version) != OUTCOME_HIT;
    }
}

static void sim_step(struct sim *s)
{
    struct flight *f = &s->flights[rng_below(&s->rng, CLIENTS)];
    struct flight *lost = &s->lost[rng_below(&s->rng, 64)];
    s->now += (ns_t)rng_below(&s->rng, 3); /* some things happen at the same instant */
    if (chance(s, 40))
        s->stored = NOTHING; /* expired, evicted, restarted */
    if (lost->busy && chance(s, 4)) {
        sim_apply(s, lost);
        lost->busy = false;
    }
    if (!f->busy)
        sim_begin(s, f);
    else if (!f->applied && chance(s, 2))
        sim_apply(s, f);
    else if (chance(s, 12))
        sim_time_out(s, f);
    else
        sim_answer(s, f);
}

static void sim_init(struct sim *s, uint64_t seed)
{
    *s = (struct sim){.rng = rng_seeded(seed), .oracle = oracle_new(1), .now = 1};
    assert_non_null(s->oracle);
}

static void legal_histories_are_never_reported(void **state)
{
    (void)state;
    uint64_t reads = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sim s;
        sim_init(&s, seed);
        for (int i = 0; i < STEPS; i++)
            sim_step(&s);
        if (s.reported > 0)
            fail_msg("seed %llu: %llu false reports", (unsigned long long)seed,
                     (unsigned long long)s.reported);
        reads += s.reads;
        oracle_free(s.oracle);
    }
    assert_true(reads > 50000); /* the histories are not empty */
}

/* An acknowledged write when nothing else is under way: returns its version. */
static uint64_t write_alone(struct sim *s)
{
    uint64_t version = oracle_write_begin(s->oracle, 0);
    ns_t begin = ++s->now;
    oracle_write_end(s->oracle, 0, version, begin, ++s->now, WRITE_ACKNOWLEDGED);
    s->now++;
    return version;
}

static enum outcome read_version(struct sim *s, uint64_t version)
{
    struct oracle_read read = oracle_read_begin(s->oracle, 0);
    s->now++;
    return oracle_read_end(s->oracle, 0, &read, version);
}

static void one_lie_in_a_legal_history_is_reported(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sim s;
        sim_init(&s, seed);
        for (int i = 0; i < STEPS / 4; i++)
            sim_step(&s);
        for (int i = 0; i < CLIENTS; i++)
            if (s.flights[i].busy)
                sim_answer(&s, &s.flights[i]);
        s.now++;
        uint64_t old = write_alone(&s);
        assert_int_equal(read_version(&s, old), OUTCOME_HIT);
        uint64_t last = old;
        for (uint64_t i = 0; i <= seed % 20; i++)
            last = write_alone(&s);
        assert_int_equal(read_version(&s, last), OUTCOME_HIT);
        assert_int_equal(read_version(&s, old), OUTCOME_STALE);
        assert_int_equal(read_version(&s, last + 1), OUTCOME_FUTURE);
        oracle_deleted(s.oracle, 0, s.now, s.now + 1);
        assert_int_equal(read_version(&s, last), OUTCOME_RESURRECTED);
        oracle_free(s.oracle);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_made_by_hand_are_judged_rightly),
        cmocka_unit_test(what_had_to_be_forgotten_is_never_reported),
        cmocka_unit_test(memory_does_not_depend_on_the_length_of_the_history),
        cmocka_unit_test(legal_histories_are_never_reported),
        cmocka_unit_test(one_lie_in_a_legal_history_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
