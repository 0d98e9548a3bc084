/* SPDX-License-Identifier: MIT */
/* How long the line of the bandwidth toxic takes, exactly, in virtual time. */
#include "rig.h"

static struct rig *rig_with(struct toxic *toxic)
{
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    return rig;
}

static void finish(struct rig *rig, struct toxic *toxic)
{
    rig_free(rig);
    toxic_free(toxic);
}

static void expect_writes(const struct rig *rig, size_t count, const ns_t *times)
{
    assert_int_equal(rig->writes, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rig->write[i].time, times[i]);
    assert_true(rig->in_sequence);
}

static void expect_end(const struct rig *rig, enum chain_end end, ns_t time)
{
    assert_int_equal(rig->end, end);
    assert_int_equal(rig->end_time, time);
}

static void bandwidth_takes_exactly_the_time_of_its_rate(void **state)
{
    (void)state;
    static const struct {
        int64_t rate;
        size_t bytes;
        ns_t expected;
    } cases[] = {
        {1000, 480000, 480 * MS},       {100, 100000, 1000 * MS}, {1, 1000, 1000 * MS},
        {100000, 100000000, 1000 * MS}, {3, 1000, 333333333},     {7919, 1000000, 126278570},
        {1000000, 320000000, 320 * MS}, {INT64_MAX, 1000000, 1},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct toxic *toxic = rig_toxic("bandwidth", NULL, 0);
        toxic->values.v[0].i = cases[c].rate;
        struct rig *rig = rig_with(toxic);
        size_t left = cases[c].bytes;
        while (left) {
            while (left && chain_wants_input(rig->chain)) {
                size_t length = left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX;
                rig_push(rig, length);
                left -= length;
            }
            if (left)
                rig_run(rig, chain_deadline(rig->chain));
        }
        rig_eof(rig);
        rig_run(rig, 100000 * MS);
        expect_end(rig, CHAIN_EOF, cases[c].expected);
        assert_int_equal(rig->received, cases[c].bytes);
        assert_true(rig->in_sequence);
        finish(rig, toxic);
    }
}

static void bandwidth_sends_pieces_of_100_ms(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("bandwidth", "rate", 100);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 32768);
    rig_run(rig, 1000 * MS);
    expect_writes(rig, 4, (ns_t[]){100 * MS, 200 * MS, 300 * MS, 327680000});
    assert_int_equal(rig->write[0].length, 10000);
    assert_int_equal(rig->write[3].length, 2768);
    finish(rig, toxic);
}

/* A loop 3 ms late each time makes pieces late but does not lower the rate. */
static void bandwidth_credits_a_late_loop(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("bandwidth", "rate", 1000);
    struct rig *rig = rig_with(toxic);
    size_t pushed = 0;
    while (rig->received < 480000) {
        while (pushed < 480000 && chain_wants_input(rig->chain)) {
            rig_push(rig, 16000);
            pushed += 16000;
        }
        rig->now = chain_deadline(rig->chain) + 3 * MS;
        chain_tick(rig->chain, rig->now);
        rig_settle(rig);
    }
    assert_in_range(rig->now, 480 * MS, 486 * MS);
    finish(rig, toxic);
}

/* A sender that hands over the next chunk only when the last has gone, a moment later each time. */
static void bandwidth_does_not_take_a_short_gap_for_idling(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("bandwidth", "rate", 1000);
    struct rig *rig = rig_with(toxic);
    for (int i = 0; i < 48; i++) {
        rig_push(rig, 10000);
        rig_run(rig, chain_deadline(rig->chain));
        if (i < 47)
            rig_run(rig, rig->now + 2 * MS);
    }
    assert_int_equal(rig->received, 480000);
    assert_int_equal(rig->now, 480 * MS);
    finish(rig, toxic);
}

static void bandwidth_gives_no_credit_for_idling(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("bandwidth", "rate", 100);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 1000);
    rig_run(rig, 1000 * MS);
    rig_push(rig, 30000);
    rig_push(rig, 20000);
    rig_run(rig, 9000 * MS);
    assert_int_equal(rig->write[rig->writes - 1].time, 1500 * MS);
    finish(rig, toxic);
}

static void bandwidth_gives_no_credit_for_a_stalled_receiver(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("bandwidth", "rate", 1000);
    struct rig *rig = rig_with(toxic);
    rig->stalled = true;
    for (int i = 0; i < 1000; i++) {
        while (chain_wants_input(rig->chain))
            rig_push(rig, 32768);
        rig_run(rig, i * 10 * MS);
    }
    uint64_t before = rig->pushed;
    assert_in_range(before, 200000, 400000);
    rig->stalled = false;
    rig_settle(rig);
    size_t burst = rig->received;
    assert_in_range(burst, CHAIN_OUTPUT_BYTES_MAX - 32768, CHAIN_OUTPUT_BYTES_MAX + 32768);
    rig_run(rig, rig->now + 50 * MS);
    assert_in_range(rig->received - burst, 0, 50000);
    finish(rig, toxic);
}

static void rate_zero_blocks_until_removed(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("bandwidth", "rate", 0);
    struct rig *rig = rig_with(toxic);
    rig_eof(rig);
    expect_end(rig, CHAIN_EOF, 0);
    rig_free(rig);
    rig = rig_with(toxic);
    while (chain_wants_input(rig->chain))
        rig_push(rig, 32768);
    rig_eof(rig);
    rig_run(rig, 1000000 * MS);
    assert_int_equal(rig->writes, 0);
    assert_int_equal(rig->end, CHAIN_OPEN);
    rig_remove(rig, toxic);
    assert_int_equal(rig->received, rig->pushed);
    assert_true(rig->in_sequence);
    assert_int_equal(rig->end, CHAIN_EOF);
    finish(rig, toxic);
}

static void bandwidth_update_sends_the_rest_of_the_chunk_at_once(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("bandwidth", "rate", 10);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 30000);
    rig_push(rig, 30000);
    rig_run(rig, 250 * MS);
    assert_int_equal(rig->received, 2000);
    rig_set(toxic, "rate", 1000);
    rig_update(rig, toxic);
    assert_int_equal(rig->received, 30000);
    rig_run(rig, 9000 * MS);
    assert_int_equal(rig->write[rig->writes - 1].time, 280 * MS);
    finish(rig, toxic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bandwidth_takes_exactly_the_time_of_its_rate),
        cmocka_unit_test(bandwidth_sends_pieces_of_100_ms),
        cmocka_unit_test(bandwidth_credits_a_late_loop),
        cmocka_unit_test(bandwidth_does_not_take_a_short_gap_for_idling),
        cmocka_unit_test(bandwidth_gives_no_credit_for_idling),
        cmocka_unit_test(bandwidth_gives_no_credit_for_a_stalled_receiver),
        cmocka_unit_test(rate_zero_blocks_until_removed),
        cmocka_unit_test(bandwidth_update_sends_the_rest_of_the_chunk_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
