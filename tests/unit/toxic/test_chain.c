/* SPDX-License-Identifier: MIT */
/* What holds for any toxics: nothing lost, nothing reordered, everything bounded. */
#include "rig.h"

static void chain_without_toxics_passes_everything(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    assert_true(chain_is_transparent(rig->chain));
    assert_true(chain_wants_input(rig->chain));
    rig_push(rig, 10);
    rig_push(rig, 0);
    rig_push(rig, 20);
    assert_int_equal(rig->writes, 2);
    assert_true(chain_is_transparent(rig->chain));
    rig_eof(rig);
    rig_eof(rig);
    assert_int_equal(rig->end, CHAIN_EOF);
    assert_false(chain_wants_input(rig->chain));
    assert_true(rig->in_sequence);
    rig_push(rig, 5);
    assert_int_equal(rig->received, 30);
    rig_free(rig);
    chain_free(NULL);
}

static void transparency_ends_with_an_active_toxic_or_waiting_bytes(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *noop = rig_toxic("noop", NULL, 0);
    struct toxic *spared = rig_toxic("latency", "latency", 10);
    spared->toxicity = 0;
    struct toxic *latency = rig_toxic("latency", "latency", 10);
    rig_add(rig, noop);
    rig_add(rig, spared);
    assert_true(chain_is_transparent(rig->chain));
    rig_add(rig, latency);
    assert_false(chain_is_transparent(rig->chain));
    rig_push(rig, 1);
    rig->stalled = true;
    rig_remove(rig, latency);
    assert_false(chain_is_transparent(rig->chain));
    rig->stalled = false;
    rig_settle(rig);
    assert_true(chain_is_transparent(rig->chain));
    rig_free(rig);
    toxic_free(noop);
    toxic_free(spared);
    toxic_free(latency);
}

static void partial_writes_keep_the_rest(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    rig->stalled = true;
    rig_push(rig, 100);
    rig_push(rig, 100);
    for (int i = 0; i < 200; i += 10) {
        assert_int_equal(chain_end(rig->chain), CHAIN_OPEN);
        rig_write(rig, 10);
    }
    assert_null(chain_output(rig->chain));
    assert_true(rig->in_sequence);
    rig_free(rig);
}

static void eof_is_told_only_behind_the_data(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    rig->stalled = true;
    rig_push(rig, 100);
    rig_eof(rig);
    assert_int_equal(chain_end(rig->chain), CHAIN_OPEN);
    rig_write(rig, 100);
    assert_int_equal(chain_end(rig->chain), CHAIN_EOF);
    rig_free(rig);
}

/* 65535 two-byte values while a latency of a second is added and removed all the time. */
static void no_data_is_dropped_while_a_toxic_comes_and_goes(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *toxic = rig_toxic("latency", "latency", 1000);
    for (int i = 0; i < 65535; i++) {
        rig_push(rig, 2);
        if (i % 7 == 0)
            rig_add(rig, toxic);
        else if (i % 7 == 5)
            rig_remove(rig, toxic);
        rig_run(rig, rig->now + 1000);
    }
    rig_eof(rig);
    rig_run(rig, rig->now + 2000 * MS);
    assert_int_equal(rig->received, 2 * 65535);
    assert_int_equal(rig->writes, 65535);
    assert_true(rig->in_sequence);
    assert_int_equal(rig->end, CHAIN_EOF);
    rig_free(rig);
    toxic_free(toxic);
}

static void toxicity_is_rolled_again_by_an_update(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *toxic = rig_toxic("timeout", "timeout", 100);
    toxic->toxicity = 0;
    rig_add(rig, toxic);
    rig_push(rig, 10);
    assert_int_equal(rig->received, 10);
    assert_int_equal(toxic->stats.connections, 0);
    toxic->toxicity = 1;
    rig_update(rig, toxic);
    rig_push(rig, 10);
    rig_run(rig, 1000 * MS);
    assert_int_equal(rig->received, 10);
    assert_int_equal(rig->end_time, 100 * MS);
    assert_int_equal(toxic->stats.connections, 1);
    rig_free(rig);
    toxic_free(toxic);
}

static void toxicity_is_a_share_of_the_links(void **state)
{
    (void)state;
    struct chunk_pool pool;
    chunk_pool_init(&pool, 4);
    struct toxic *toxic = rig_toxic("latency", "latency", 10);
    toxic->toxicity = 0.3f;
    unsigned hit = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        struct chain_config config = {.rng = rng_fork(42, i), .pool = &pool};
        struct chain *chain = chain_new(&config);
        assert_int_equal(chain_add(chain, toxic, NULL, 0), 0);
        hit += !chain_is_transparent(chain);
        chain_free(chain);
    }
    assert_in_range(hit, 2850, 3150);
    static const float never[] = {0, -1, -1e30f};
    for (size_t i = 0; i < 3; i++) {
        toxic->toxicity = never[i];
        struct chain *chain = chain_new(&(struct chain_config){.rng = rng_seeded(i)});
        assert_int_equal(chain_add(chain, toxic, NULL, 0), 0);
        assert_true(chain_is_transparent(chain));
        chain_free(chain);
    }
    toxic_free(toxic);
    chunk_pool_deinit(&pool);
}

/* Adding and removing another toxic does not roll the dice of this one. */
static void dice_of_others_stay(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct rig *rig = rig_new(seed, 0);
        struct toxic *half = rig_toxic("latency", "latency", 10);
        struct toxic *noop = rig_toxic("noop", NULL, 0);
        half->toxicity = 0.5f;
        rig_add(rig, half);
        bool before = chain_is_transparent(rig->chain);
        for (int i = 0; i < 10; i++) {
            rig_add(rig, noop);
            rig_remove(rig, noop);
            assert_int_equal(chain_is_transparent(rig->chain), before);
        }
        rig_free(rig);
        toxic_free(half);
        toxic_free(noop);
    }
}

static void input_stops_at_the_bound(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 100, 9000, 32768};
    const size_t bound = 1024 * 1024;
    for (size_t i = 0; i < 4; i++) {
        struct rig *rig = rig_new(1, bound);
        struct toxic *toxic = rig_toxic("latency", "latency", 60000);
        rig_add(rig, toxic);
        while (chain_wants_input(rig->chain))
            rig_push(rig, sizes[i]);
        assert_in_range(chain_bytes_held(rig->chain), bound, bound + 2 * CHUNK_BYTES_MAX);
        rig_run(rig, 60000 * MS);
        assert_true(chain_wants_input(rig->chain));
        assert_int_equal(rig->received, rig->pushed);
        rig_free(rig);
        toxic_free(toxic);
    }
}

/* A stalled receiver and someone who toggles a toxic cannot pile up memory. */
static void toggling_does_not_raise_the_bound(void **state)
{
    (void)state;
    const size_t bound = 1024 * 1024;
    struct rig *rig = rig_new(1, bound);
    struct toxic *toxic = rig_toxic("latency", "latency", 1000);
    rig->stalled = true;
    for (int i = 0; i < 100; i++) {
        rig_add(rig, toxic);
        while (chain_wants_input(rig->chain))
            rig_push(rig, 32768);
        rig_remove(rig, toxic);
        assert_in_range(chain_bytes_held(rig->chain), 0, bound + 2 * CHUNK_BYTES_MAX);
    }
    rig->stalled = false;
    rig_settle(rig);
    assert_int_equal(rig->received, rig->pushed);
    assert_true(rig->in_sequence);
    rig_free(rig);
    toxic_free(toxic);
}

/* Single bytes cost far more than they weigh: the stage behind a slicer has its own bound. */
static void slicing_does_not_break_the_bound(void **state)
{
    (void)state;
    const size_t bound = 1024 * 1024;
    struct rig *rig = rig_new(1, bound);
    struct toxic *before = rig_toxic("latency", "latency", 1000);
    struct toxic *slicer = rig_toxic("slicer", "average_size", 1);
    struct toxic *after = rig_toxic("latency", "latency", 1000);
    rig_add(rig, before);
    rig_add(rig, slicer);
    rig_add(rig, after);
    while (chain_wants_input(rig->chain))
        rig_push(rig, 32768);
    while (chain_deadline(rig->chain) != NS_NEVER) {
        rig_run(rig, chain_deadline(rig->chain));
        assert_in_range(chain_bytes_held(rig->chain), 0, 2 * bound + 3 * CHUNK_BYTES_MAX);
    }
    assert_int_equal(rig->received, rig->pushed);
    assert_true(rig->in_sequence);
    rig_free(rig);
    toxic_free(before);
    toxic_free(slicer);
    toxic_free(after);
}

static void toxics_without_a_buffer_hold_the_sender_back(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *reset = rig_toxic("reset_peer", "timeout", 1000);
    rig_add(rig, reset);
    rig_push(rig, 10);
    assert_false(chain_wants_input(rig->chain));
    rig_remove(rig, reset);
    rig->stalled = true;
    while (chain_wants_input(rig->chain))
        rig_push(rig, 32768);
    assert_in_range(chain_bytes_held(rig->chain), CHAIN_OUTPUT_BYTES_MAX,
                    CHAIN_OUTPUT_BYTES_MAX + 2 * CHUNK_BYTES_MAX);
    rig_free(rig);
    toxic_free(reset);
}

static void removing_blocked_toxics_behind_each_other_returns(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *a = rig_toxic("bandwidth", "rate", 0);
    struct toxic *b = rig_toxic("bandwidth", "rate", 0);
    rig->stalled = true;
    rig_add(rig, a);
    rig_add(rig, b);
    while (chain_wants_input(rig->chain))
        rig_push(rig, 32768);
    rig_remove(rig, a);
    rig_remove(rig, b);
    rig->stalled = false;
    rig_settle(rig);
    assert_int_equal(rig->received, rig->pushed);
    assert_true(rig->in_sequence);
    rig_free(rig);
    toxic_free(a);
    toxic_free(b);
}

static void removing_latency_before_a_timeout_does_not_hang(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *latency = rig_toxic("latency", "latency", 10);
    struct toxic *timeout = rig_toxic("timeout", "timeout", 0);
    rig_add(rig, latency);
    rig_add(rig, timeout);
    for (int i = 0; i < 100; i++)
        rig_push(rig, 100);
    rig_remove(rig, latency);
    assert_int_equal(timeout->stats.bytes_dropped, 10000);
    rig_remove(rig, timeout);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    rig_free(rig);
    toxic_free(latency);
    toxic_free(timeout);
}

static void toxic_added_behind_the_end_leaves_it_alone(void **state)
{
    (void)state;
    static const char *const types[] = {"slow_close", "timeout", "reset_peer", "reset",
                                        "limit_time"};
    for (size_t i = 0; i < 5; i++) {
        struct rig *rig = rig_new(1, 0);
        struct toxic *toxic = rig_toxic(types[i], NULL, 0);
        toxic->values.v[0].i = 100;
        rig_push(rig, 10);
        rig_eof(rig);
        rig_add(rig, toxic);
        assert_int_equal(chain_deadline(rig->chain), NS_NEVER);
        rig_update(rig, toxic);
        rig_run(rig, 1000 * MS);
        rig_remove(rig, toxic);
        assert_int_equal(rig->end, CHAIN_EOF);
        assert_int_equal(toxic->stats.connections, 0);
        rig_free(rig);
        toxic_free(toxic);
    }
}

/* The close of a removed timeout is final, also for what still waits in front of it. */
static void what_waits_before_a_close_is_discarded(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *latency = rig_toxic("latency", "latency", 100);
    struct toxic *timeout = rig_toxic("timeout", "timeout", 0);
    rig_add(rig, latency);
    rig_add(rig, timeout);
    rig_push(rig, 100);
    rig_remove(rig, timeout);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    rig_run(rig, 1000 * MS);
    assert_int_equal(rig->received, 0);
    assert_int_equal(latency->stats.bytes_dropped, 100);
    rig_free(rig);
    toxic_free(latency);
    toxic_free(timeout);
}

/* limit_data closes, slow_close holds that, and then limit_data goes: the close still comes, no
 * data. */
static void nothing_follows_an_end_that_is_held(void **state)
{
    (void)state;
    struct rig *rig = rig_new(1, 0);
    struct toxic *limit = rig_toxic("limit_data", "bytes", 10);
    struct toxic *slow = rig_toxic("slow_close", "delay", 100);
    rig_add(rig, limit);
    rig_add(rig, slow);
    rig_push(rig, 30);
    rig_remove(rig, limit);
    rig_push(rig, 30);
    assert_int_equal(rig->received, 10);
    rig_run(rig, 200 * MS);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    assert_int_equal(rig->end_time, 100 * MS);
    rig_free(rig);
    toxic_free(limit);
    toxic_free(slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_without_toxics_passes_everything),
        cmocka_unit_test(transparency_ends_with_an_active_toxic_or_waiting_bytes),
        cmocka_unit_test(partial_writes_keep_the_rest),
        cmocka_unit_test(eof_is_told_only_behind_the_data),
        cmocka_unit_test(no_data_is_dropped_while_a_toxic_comes_and_goes),
        cmocka_unit_test(toxicity_is_rolled_again_by_an_update),
        cmocka_unit_test(toxicity_is_a_share_of_the_links),
        cmocka_unit_test(dice_of_others_stay),
        cmocka_unit_test(input_stops_at_the_bound),
        cmocka_unit_test(toggling_does_not_raise_the_bound),
        cmocka_unit_test(slicing_does_not_break_the_bound),
        cmocka_unit_test(toxics_without_a_buffer_hold_the_sender_back),
        cmocka_unit_test(removing_blocked_toxics_behind_each_other_returns),
        cmocka_unit_test(removing_latency_before_a_timeout_does_not_hang),
        cmocka_unit_test(toxic_added_behind_the_end_leaves_it_alone),
        cmocka_unit_test(what_waits_before_a_close_is_discarded),
        cmocka_unit_test(nothing_follows_an_end_that_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
