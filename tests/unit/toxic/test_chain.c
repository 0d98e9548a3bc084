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
    static const char *const types[] = {"slow_close", "timeout", "reset_peer", "latency"};
    for (size_t i = 0; i < 4; i++) {
        struct rig *rig = rig_new(1, 0);
        struct toxic *toxic = rig_toxic(types[i], NULL, 0);
        rig_push(rig, 10);
        rig_eof(rig);
        rig_add(rig, toxic);
        rig_update(rig, toxic);
        rig_remove(rig, toxic);
        assert_int_equal(rig->end, CHAIN_EOF);
        assert_int_equal(chain_deadline(rig->chain), NS_NEVER);
        rig_free(rig);
        toxic_free(toxic);
    }
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

/* ---- any order of anything ---- */

static const char *const lossless[] = {"noop",   "latency",     "bandwidth", "slow_close",
                                       "slicer", "packet_loss", "reset_peer"};
static const char *const all[] = {"noop",        "latency", "bandwidth",  "slow_close", "slicer",
                                  "packet_loss", "timeout", "reset_peer", "limit_data"};

static void randomize(struct rng *rng, struct toxic *toxic)
{
    size_t count;
    const struct toxic_attr *attrs = toxic_type_attrs(toxic->ops, &count);
    for (size_t i = 0; i < count; i++) {
        if (attrs[i].kind == TOXIC_ATTR_FLOAT)
            toxic->values.v[i].f = rng_double(rng) * 0.3;
        else
            toxic->values.v[i].i = (int64_t)rng_below(rng, 3000);
    }
    toxic->toxicity = rng_below(rng, 4) ? 1.0f : 0.5f;
    /* So far off that it never fires: what is tested here loses nothing. */
    if (strcmp(toxic_type_name(toxic->ops), "reset_peer") == 0)
        toxic->values.v[0].i = INT64_MAX;
}

static void random_step(struct rng *rng, struct rig *rig, struct toxic **toxics, bool *on)
{
    size_t which = (size_t)rng_below(rng, 7);
    switch (rng_below(rng, 10)) {
    case 0:
    case 1:
        if (on[which])
            rig_remove(rig, toxics[which]);
        else
            rig_add(rig, toxics[which]);
        on[which] = !on[which];
        return;
    case 2:
        randomize(rng, toxics[which]);
        if (on[which])
            rig_update(rig, toxics[which]);
        return;
    case 3:
        rig->stalled = !rig->stalled;
        rig_settle(rig);
        return;
    case 4: rig_run(rig, rig->now + (ns_t)rng_below(rng, 2000 * MS)); return;
    case 5:
        if (chain_output(rig->chain))
            rig_write(rig, (size_t)rng_below(rng, 40000));
        return;
    default:
        if (chain_wants_input(rig->chain))
            rig_push(rig, rng_below(rng, 3) ? (size_t)rng_below(rng, 200)
                                            : (size_t)rng_below(rng, CHUNK_BYTES_MAX + 1));
    }
}

static void no_order_of_changes_loses_or_reorders_a_byte(void **state)
{
    (void)state;
    const size_t bound = 256 * 1024;
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct rng rng = rng_seeded(seed);
        struct rig *rig = rig_new(seed, bound);
        struct toxic *toxics[7];
        bool on[7] = {false};
        for (int i = 0; i < 7; i++) {
            toxics[i] = rig_toxic(lossless[i], NULL, 0);
            randomize(&rng, toxics[i]);
        }
        for (int step = 0; step < 400; step++) {
            random_step(&rng, rig, toxics, on);
            assert_true(rig->in_sequence);
            assert_int_equal(chain_end(rig->chain), CHAIN_OPEN);
            assert_in_range(chain_bytes_held(rig->chain), 0, 4 * bound);
        }
        rig_eof(rig);
        rig->stalled = false;
        for (int i = 0; i < 7; i++) {
            if (on[i])
                rig_remove(rig, toxics[i]);
        }
        rig_settle(rig);
        if (rig->received != rig->pushed)
            print_error("seed %d\n", (int)seed);
        assert_int_equal(rig->received, rig->pushed);
        assert_int_equal(rig->end, CHAIN_EOF);
        for (int i = 0; i < 7; i++) {
            assert_int_equal(toxics[i]->stats.bytes_dropped, 0);
            toxic_free(toxics[i]);
        }
        rig_free(rig);
    }
}

/* Values at the ends of their ranges are served: no crash, no endless loop, nothing invented. */
static void extreme_values_are_served(void **state)
{
    (void)state;
    static const int64_t extremes[] = {
        INT64_MIN,     INT64_MIN + 1, -1, 0, 1, 2, 32767, 32768, INT64_MAX / NS_PER_MS,
        INT64_MAX - 1, INT64_MAX};
    enum { COUNT = sizeof(extremes) / sizeof(extremes[0]) };
    for (size_t t = 0; t < sizeof(all) / sizeof(all[0]); t++) {
        for (size_t n = 0; n < COUNT * COUNT * COUNT; n++) {
            size_t pick[3] = {n % COUNT, n / COUNT % COUNT, n / COUNT / COUNT};
            struct toxic *toxic = rig_toxic(all[t], NULL, 0);
            size_t count;
            const struct toxic_attr *attrs = toxic_type_attrs(toxic->ops, &count);
            if (n >= COUNT && count < 2)
                pick[0] = 0, n = COUNT * COUNT * COUNT;
            for (size_t a = 0; a < count && a < 3; a++) {
                if (attrs[a].kind == TOXIC_ATTR_FLOAT)
                    toxic->values.v[a].f = (double)(pick[a] % 3) / 2;
                else
                    toxic_attr_set_int(toxic->ops, &toxic->values, &attrs[a], extremes[pick[a]],
                                       NULL);
            }
            struct rig *rig = rig_new(n, 0);
            rig_add(rig, toxic);
            rig_push(rig, 1);
            rig_push(rig, 300);
            rig_run(rig, 10 * MS);
            rig_update(rig, toxic);
            rig_push(rig, 2);
            rig_eof(rig);
            for (int i = 0; i < 10 && chain_deadline(rig->chain) != NS_NEVER; i++)
                rig_run(rig, chain_deadline(rig->chain));
            rig_remove(rig, toxic);
            assert_true(rig->in_sequence);
            assert_true(rig->end != CHAIN_OPEN);
            rig_free(rig);
            toxic_free(toxic);
        }
    }
}

static uint64_t trace(uint64_t seed)
{
    struct rig *rig = rig_new(seed, 0);
    struct toxic *latency = rig_toxic("latency", "latency", 50);
    rig_set(latency, "jitter", 50);
    latency->toxicity = 0.7f;
    struct toxic *slicer = rig_toxic("slicer", "average_size", 100);
    rig_set(slicer, "size_variation", 50);
    struct toxic *loss = rig_toxic("packet_loss", "loss_rate", 0.1);
    rig_add(rig, latency);
    rig_add(rig, slicer);
    rig_add(rig, loss);
    for (int i = 0; i < 100; i++) {
        rig_push(rig, 700);
        rig_run(rig, rig->now + 10 * MS);
    }
    rig_run(rig, rig->now + 1000000 * MS);
    uint64_t hash = rig->writes;
    for (size_t i = 0; i < rig->writes && i < RIG_WRITES_MAX; i++)
        hash = (hash ^ (uint64_t)rig->write[i].time ^ rig->write[i].length) * 0x9e3779b97f4a7c15u;
    assert_int_equal(rig->received, rig->pushed);
    rig_free(rig);
    toxic_free(latency);
    toxic_free(slicer);
    toxic_free(loss);
    return hash;
}

static void a_seed_decides_everything(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        assert_true(trace(seed) == trace(seed));
        assert_true(trace(seed) != trace(seed + 1));
    }
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
        cmocka_unit_test(nothing_follows_an_end_that_is_held),
        cmocka_unit_test(no_order_of_changes_loses_or_reorders_a_byte),
        cmocka_unit_test(extreme_values_are_served),
        cmocka_unit_test(a_seed_decides_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
