/* SPDX-License-Identifier: MIT */
/* The toxics that Toxiproxy does not have. */
#include "rig.h"

static void finish(struct rig *rig, struct toxic *toxic)
{
    rig_free(rig);
    toxic_free(toxic);
}

static void blackhole_keeps_everything_and_delivers_it_on_removal(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("blackhole", NULL, 0);
    struct rig *rig = rig_new(1, 0);
    rig_push(rig, 10);
    rig_add(rig, toxic);
    for (int i = 0; i < 100; i++)
        rig_push(rig, 1000);
    rig_eof(rig);
    rig_run(rig, 2000 * MS);
    assert_int_equal(rig->received, 10);
    assert_int_equal(rig->end, CHAIN_OPEN);
    assert_int_equal(chain_deadline(rig->chain), NS_NEVER);
    rig_update(rig, toxic);
    assert_int_equal(rig->received, 10);
    rig_remove(rig, toxic);
    assert_int_equal(rig->received, 100010);
    assert_true(rig->in_sequence);
    assert_int_equal(rig->end, CHAIN_EOF);
    assert_int_equal(toxic->stats.connections, 1);
    assert_int_equal(toxic->stats.chunks, 100);
    assert_int_equal(toxic->stats.delay_ns, 100 * 2000 * MS);
    assert_int_equal(toxic->stats.bytes_dropped, 0);
    finish(rig, toxic);
}

static void blackhole_stops_reading_at_the_bound(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("blackhole", NULL, 0);
    struct rig *rig = rig_new(1, 1024 * 1024);
    rig_add(rig, toxic);
    while (chain_wants_input(rig->chain))
        rig_push(rig, 32768);
    assert_in_range(chain_bytes_held(rig->chain), 1024 * 1024, 1024 * 1024 + 40000);
    finish(rig, toxic);
}

static void slow_open_delays_only_the_first_data(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("slow_open", "delay", 500);
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    rig_run(rig, 100 * MS);
    rig_push(rig, 10);
    rig_push(rig, 10);
    rig_run(rig, 599 * MS);
    assert_int_equal(rig->received, 0);
    rig_run(rig, 600 * MS);
    assert_int_equal(rig->received, 20);
    rig_push(rig, 10);
    assert_int_equal(rig->received, 30);
    assert_int_equal(toxic->stats.chunks, 1);
    assert_int_equal(toxic->stats.delay_ns, 500 * MS);
    finish(rig, toxic);
}

static void slow_open_leaves_open_connections_alone(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("slow_open", "delay", 500);
    struct rig *rig = rig_new(1, 0);
    rig_push(rig, 10);
    rig_add(rig, toxic);
    rig_push(rig, 10);
    assert_int_equal(rig->received, 20);
    assert_int_equal(toxic->stats.connections, 0);
    rig_free(rig);
    rig = rig_new(1, 0);
    chain_bypass(rig->chain);
    rig_add(rig, toxic);
    rig_push(rig, 10);
    assert_int_equal(rig->received, 10);
    finish(rig, toxic);
}

static void limit_time_lets_data_pass_and_closes_on_time(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("limit_time", "time", 1000);
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 20; i++) {
        rig_run(rig, i * 100 * MS);
        rig_push(rig, 10);
        rig_update(rig, toxic);
    }
    assert_int_equal(rig->received, 100);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    assert_int_equal(rig->end_time, 1000 * MS);
    assert_int_equal(toxic->stats.closes, 1);
    finish(rig, toxic);
}

static void reset_hits_idle_connections(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("reset", NULL, 0);
    struct rig *rig = rig_new(1, 0);
    rig_push(rig, 10);
    rig_run(rig, 100 * MS);
    rig_add(rig, toxic);
    assert_int_equal(rig->end, CHAIN_RESET);
    assert_int_equal(rig->end_time, 100 * MS);
    assert_int_equal(toxic->stats.resets, 1);
    rig_free(rig);
    rig_set(toxic, "timeout", 50);
    rig = rig_new(1, 0);
    rig_add(rig, toxic);
    rig_push(rig, 10);
    assert_int_equal(rig->received, 10);
    rig_run(rig, 100 * MS);
    assert_int_equal(rig->end, CHAIN_RESET);
    assert_int_equal(rig->end_time, 50 * MS);
    finish(rig, toxic);
}

static unsigned wrong_bits(struct rig *rig)
{
    unsigned wrong = 0;
    const struct chunk_queue *queue = chain_output_queue(rig->chain);
    uint64_t position = rig->received;
    for (struct chunk *chunk = queue->head; chunk; chunk = chunk->next) {
        for (size_t i = 0; i < chunk->length; i++) {
            unsigned diff = chunk_bytes(chunk)[i] ^ rig_byte(position++);
            wrong += (unsigned)__builtin_popcount(diff);
        }
    }
    return wrong;
}

static void corrupt_flips_exactly_its_bits(void **state)
{
    (void)state;
    static const struct {
        int bits;
        size_t length;
        unsigned expected;
    } cases[] = {{0, 100, 1}, {1, 100, 1}, {17, 100, 17}, {100, 5, 40}, {8, 1, 8}};
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct toxic *toxic = rig_toxic("corrupt", "rate", 1);
        rig_set(toxic, "bits", cases[c].bits);
        struct rig *rig = rig_new(c, 0);
        rig->stalled = true;
        rig_add(rig, toxic);
        rig_push(rig, cases[c].length);
        assert_int_equal(wrong_bits(rig), cases[c].expected);
        finish(rig, toxic);
    }
}

static void corrupt_hits_its_share_of_the_chunks(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("corrupt", "rate", 0.1);
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 10000; i++)
        rig_push(rig, 100);
    assert_in_range(toxic->stats.chunks, 900, 1100);
    assert_int_equal(rig->received, 1000000);
    assert_false(rig->in_sequence);
    finish(rig, toxic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blackhole_keeps_everything_and_delivers_it_on_removal),
        cmocka_unit_test(blackhole_stops_reading_at_the_bound),
        cmocka_unit_test(slow_open_delays_only_the_first_data),
        cmocka_unit_test(slow_open_leaves_open_connections_alone),
        cmocka_unit_test(limit_time_lets_data_pass_and_closes_on_time),
        cmocka_unit_test(reset_hits_idle_connections),
        cmocka_unit_test(corrupt_flips_exactly_its_bits),
        cmocka_unit_test(corrupt_hits_its_share_of_the_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
