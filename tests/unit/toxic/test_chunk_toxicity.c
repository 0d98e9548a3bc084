/* SPDX-License-Identifier: MIT */
/* Toxics that act on a share of the chunks: which ones, and that the others never overtake. */
#include <math.h>

#include "rig.h"

static struct toxic *sharing(const char *type, const char *name, double value, double share)
{
    struct toxic *toxic = rig_toxic(type, name, value);
    assert_int_equal(toxic_set_chunk_toxicity(toxic, share, NULL), 0);
    return toxic;
}

static void finish(struct rig *rig, struct toxic *toxic)
{
    rig_free(rig);
    toxic_free(toxic);
}

static void share_is_from_0_to_1_and_1_unless_asked_for(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", NULL, 0);
    assert_true(toxic->chunk_toxicity == 1);
    assert_false(toxic_has_chunk_toxicity(toxic));
    static const double good[] = {0, 0.25, 1};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(toxic_set_chunk_toxicity(toxic, good[i], NULL), 0);
        assert_true(toxic->chunk_toxicity == (float)good[i]);
        assert_int_equal(toxic_has_chunk_toxicity(toxic), good[i] < 1);
    }
    const double bad[] = {-0.001, 1.001, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < 5; i++) {
        struct err err;
        assert_int_equal(toxic_set_chunk_toxicity(toxic, bad[i], &err), -1);
        assert_non_null(strstr(err.text, "chunk_toxicity must be between 0 and 1"));
        assert_true(toxic->chunk_toxicity == 1);
    }
    toxic_free(toxic);
}

/* The dice that the only toxic of a rig with this seed will have, after the roll for the link. */
static struct rng dice_of(uint64_t seed)
{
    struct rng chain = rng_seeded(seed);
    struct rng stage = rng_seeded(rng_u64(&chain));
    (void)rng_double(&stage);
    return stage;
}

/* Chunks 10 ms apart in a delay of 25 ms: each leaves when the dice and its predecessors say. */
static void chunks_that_are_spared_wait_behind_those_that_are_not(void **state)
{
    (void)state;
    static const double shares[] = {0, 0.1, 0.5, 0.9};
    for (size_t s = 0; s < 4; s++) {
        struct toxic *toxic = sharing("latency", "latency", 25, shares[s]);
        struct rig *rig = rig_new(s, 0);
        struct rng dice = dice_of(s);
        rig_add(rig, toxic);
        unsigned chosen = 0;
        ns_t expected[1000];
        ns_t before = 0;
        for (int i = 0; i < 1000; i++) {
            bool hit = rng_double(&dice) < (double)(float)shares[s];
            chosen += hit;
            expected[i] = before = ns_max(before, rig->now + (hit ? 25 * MS : 0));
            rig_push(rig, 50);
            rig_run(rig, rig->now + 10 * MS);
        }
        rig_run(rig, rig->now + 100 * MS);
        assert_int_equal(rig->writes, 1000);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(rig->write[i].time, expected[i]);
        assert_true(rig->in_sequence);
        assert_int_equal(toxic->stats.chunks, chosen);
        assert_in_range(chosen, 1000 * shares[s] - 50 * (s > 0), 1000 * shares[s] + 50);
        finish(rig, toxic);
    }
}

static void share_zero_leaves_every_chunk_alone(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        const char *name;
        double value;
    } cases[] = {
        {"latency", "latency", 1000},    {"bandwidth", "rate", 0},   {"slicer", "average_size", 1},
        {"packet_loss", "loss_rate", 1}, {"blackhole", NULL, 0},     {"timeout", "timeout", 0},
        {"corrupt", "rate", 1},          {"limit_data", "bytes", 5}, {"slow_open", "delay", 1000},
        {"reset_peer", "timeout", 0},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct toxic *toxic = sharing(cases[c].type, cases[c].name, cases[c].value, 0);
        struct rig *rig = rig_new(c, 0);
        rig_add(rig, toxic);
        for (int i = 1; i <= 20; i++) {
            rig_push(rig, 3000);
            assert_int_equal(rig->writes, i);
        }
        assert_int_equal(rig->received, rig->pushed);
        assert_true(rig->in_sequence);
        assert_int_equal(toxic->stats.connections, 0);
        assert_int_equal(rig->end, CHAIN_OPEN);
        finish(rig, toxic);
    }
}

static void timeout_discards_only_its_share(void **state)
{
    (void)state;
    struct toxic *toxic = sharing("timeout", "timeout", 0, 0.25);
    struct rig *rig = rig_new(5, 0);
    struct rng dice = dice_of(5);
    rig_add(rig, toxic);
    unsigned dropped = 0;
    for (int i = 0; i < 1000; i++) {
        dropped += rng_double(&dice) < 0.25;
        rig_push(rig, 10);
    }
    assert_in_range(dropped, 200, 300);
    assert_int_equal(toxic->stats.bytes_dropped, 10 * dropped);
    assert_int_equal(rig->received, 10 * (1000 - dropped));
    finish(rig, toxic);
}

/* What counts for limit_data are the bytes of its share. */
static void limit_data_counts_only_its_share(void **state)
{
    (void)state;
    struct toxic *toxic = sharing("limit_data", "bytes", 1000, 0.5);
    struct rig *rig = rig_new(5, 0);
    struct rng dice = dice_of(5);
    rig_add(rig, toxic);
    unsigned counted = 0;
    unsigned pushed = 0;
    while (counted < 10) {
        counted += rng_double(&dice) < 0.5;
        pushed++;
        assert_int_equal(rig->end, CHAIN_OPEN);
        rig_push(rig, 100);
    }
    assert_int_equal(rig->end, CHAIN_CLOSE);
    assert_int_equal(rig->received, 100 * pushed);
    finish(rig, toxic);
}

/* A blackhole that begins with some chunk: those before it pass, all behind it wait. */
static void blackhole_keeps_everything_from_its_first_chunk_on(void **state)
{
    (void)state;
    struct toxic *toxic = sharing("blackhole", NULL, 0, 0.2);
    struct rig *rig = rig_new(11, 0);
    struct rng dice = dice_of(11);
    rig_add(rig, toxic);
    unsigned before = 0;
    unsigned hits = 0;
    for (int i = 0; i < 100; i++) {
        hits += rng_double(&dice) < 0.2;
        before += hits == 0;
        rig_push(rig, 10);
    }
    assert_in_range(before, 1, 99);
    assert_int_equal(rig->received, 10 * before);
    assert_int_equal(toxic->stats.chunks, hits);
    rig_run(rig, 5 * MS);
    rig_remove(rig, toxic);
    assert_int_equal(toxic->stats.delay_ns, 5 * MS * hits);
    assert_int_equal(rig->received, rig->pushed);
    assert_true(rig->in_sequence);
    finish(rig, toxic);
}

static void slow_open_is_over_when_a_spared_chunk_has_passed(void **state)
{
    (void)state;
    unsigned delayed = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct toxic *toxic = sharing("slow_open", "delay", 100, 0.5);
        struct rig *rig = rig_new(seed, 0);
        struct rng dice = dice_of(seed);
        bool first = rng_double(&dice) < 0.5;
        rig_add(rig, toxic);
        for (int i = 0; i < 5; i++)
            rig_push(rig, 10);
        assert_int_equal(rig->received, first ? 0 : 50);
        delayed += first;
        finish(rig, toxic);
    }
    assert_in_range(delayed, 75, 125);
}

/* Sparing a chunk does not let it pass a receiver that takes nothing. */
static void spared_chunks_hold_the_sender_back(void **state)
{
    (void)state;
    struct toxic *toxic = sharing("bandwidth", "rate", 1, 0);
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    rig->stalled = true;
    while (chain_wants_input(rig->chain))
        rig_push(rig, 32768);
    assert_in_range(chain_bytes_held(rig->chain), 2 * CHAIN_OUTPUT_BYTES_MAX,
                    2 * CHAIN_OUTPUT_BYTES_MAX + 3 * CHUNK_BYTES_MAX);
    rig_eof(rig);
    rig->stalled = false;
    rig_settle(rig);
    assert_int_equal(rig->received, rig->pushed);
    assert_true(rig->in_sequence);
    assert_int_equal(rig->end, CHAIN_EOF);
    finish(rig, toxic);
}

/* The end is held from when the last chunk has passed, and counted once. */
static void slow_close_waits_for_spared_chunks(void **state)
{
    (void)state;
    struct toxic *toxic = sharing("slow_close", "delay", 100, 0);
    struct rig *rig = rig_new(1, 0);
    rig->stalled = true;
    while (chain_wants_input(rig->chain))
        rig_push(rig, 32768);
    rig_add(rig, toxic);
    rig_push(rig, 10);
    rig_eof(rig);
    rig_run(rig, 1000 * MS);
    chain_tick(rig->chain, rig->now);
    rig->stalled = false;
    rig_settle(rig);
    rig_run(rig, 2000 * MS);
    assert_int_equal(rig->end, CHAIN_EOF);
    assert_int_equal(rig->end_time, 1100 * MS);
    assert_int_equal(toxic->stats.delay_ns, 100 * MS);
    finish(rig, toxic);
}

/* A new share holds for the chunks that come; those that wait keep their lot. */
static void update_changes_the_share(void **state)
{
    (void)state;
    struct toxic *toxic = sharing("latency", "latency", 100, 1);
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    rig_push(rig, 1);
    rig_push(rig, 1);
    rig_run(rig, 10 * MS);
    assert_int_equal(toxic_set_chunk_toxicity(toxic, 0, NULL), 0);
    rig_update(rig, toxic);
    rig_push(rig, 1);
    assert_int_equal(rig->received, 1);
    rig_run(rig, 200 * MS);
    assert_int_equal(rig->writes, 3);
    assert_int_equal(rig->write[1].time, 100 * MS);
    assert_int_equal(rig->write[2].time, 100 * MS);
    rig_push(rig, 1);
    assert_int_equal(rig->received, 4);
    finish(rig, toxic);
}

/* Removal passes on all that wait, in order, and counts as delayed only those the toxic held. */
static void removal_counts_only_the_chosen(void **state)
{
    (void)state;
    struct toxic *toxic = sharing("latency", "latency", 1000, 0.5);
    struct rig *rig = rig_new(2, 0);
    struct rng dice = dice_of(2);
    rig_add(rig, toxic);
    unsigned chosen = 0;
    for (int i = 0; i < 100; i++) {
        chosen += rng_double(&dice) < 0.5;
        rig_push(rig, 10);
    }
    assert_in_range(rig->received, 0, 900);
    rig_run(rig, 5 * MS);
    rig_remove(rig, toxic);
    assert_int_equal(rig->received, rig->pushed);
    assert_true(rig->in_sequence);
    assert_int_equal(toxic->stats.chunks, chosen);
    assert_int_equal(toxic->stats.delay_ns, 5 * MS * chosen);
    finish(rig, toxic);
}

/* Behind another toxic the times still add up: a spared chunk leaves when it may, not when seen. */
static void spared_chunks_keep_their_times(void **state)
{
    (void)state;
    struct toxic *first = sharing("latency", "latency", 50, 0.5);
    struct toxic *second = rig_toxic("latency", "latency", 70);
    struct rig *rig = rig_new(3, 0);
    struct rng dice = dice_of(3);
    rig_add(rig, first);
    rig_add(rig, second);
    ns_t expected[200];
    ns_t before = 0;
    for (int i = 0; i < 200; i++) {
        bool hit = rng_double(&dice) < 0.5;
        before = ns_max(before, rig->now + (hit ? 50 * MS : 0));
        expected[i] = before + 70 * MS;
        rig_push(rig, 20);
        rig_run(rig, rig->now + 7 * MS);
    }
    rig_run(rig, rig->now + 1000 * MS);
    for (int i = 0; i < 200; i++)
        assert_int_equal(rig->write[i].time, expected[i]);
    assert_int_equal(second->stats.delay_ns, 200 * 70 * MS);
    rig_free(rig);
    toxic_free(first);
    toxic_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(share_is_from_0_to_1_and_1_unless_asked_for),
        cmocka_unit_test(chunks_that_are_spared_wait_behind_those_that_are_not),
        cmocka_unit_test(share_zero_leaves_every_chunk_alone),
        cmocka_unit_test(timeout_discards_only_its_share),
        cmocka_unit_test(limit_data_counts_only_its_share),
        cmocka_unit_test(blackhole_keeps_everything_from_its_first_chunk_on),
        cmocka_unit_test(slow_open_is_over_when_a_spared_chunk_has_passed),
        cmocka_unit_test(spared_chunks_hold_the_sender_back),
        cmocka_unit_test(slow_close_waits_for_spared_chunks),
        cmocka_unit_test(update_changes_the_share),
        cmocka_unit_test(removal_counts_only_the_chosen),
        cmocka_unit_test(spared_chunks_keep_their_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
