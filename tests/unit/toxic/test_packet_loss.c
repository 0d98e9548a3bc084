/* SPDX-License-Identifier: MIT */
/* Loss as TCP shows it: later, never missing. */
#include "rig.h"

#define SEGMENT 1448

static struct toxic *loss(double rate, double correlation)
{
    struct toxic *toxic = rig_toxic("packet_loss", "loss_rate", rate);
    rig_set(toxic, "correlation", correlation);
    return toxic;
}

static void no_loss_changes_nothing(void **state)
{
    (void)state;
    struct toxic *toxic = loss(0, 1);
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 100; i++)
        rig_push(rig, 32768);
    assert_int_equal(rig->received, rig->pushed);
    assert_int_equal(toxic->stats.connections, 0);
    rig_free(rig);
    toxic_free(toxic);
}

static void total_loss_holds_everything_until_it_is_lifted(void **state)
{
    (void)state;
    struct toxic *toxic = loss(1, 0);
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 10; i++)
        rig_push(rig, 1000);
    rig_eof(rig);
    assert_int_equal(chain_deadline(rig->chain), NS_NEVER);
    rig->now = 5000 * MS;
    rig_set(toxic, "loss_rate", 0);
    rig_update(rig, toxic);
    assert_int_equal(rig->received, 10000);
    assert_true(rig->in_sequence);
    assert_int_equal(rig->end, CHAIN_EOF);
    rig_free(rig);
    toxic_free(toxic);
}

/* A lone request that is lost waits for the timer, 200 ms, and twice as long each time after. */
static void lone_segments_wait_for_a_timer_that_doubles(void **state)
{
    (void)state;
    const int n = 20000;
    unsigned by_repeats[4] = {0};
    struct toxic *toxic = loss(0.2, 0);
    struct rig *rig = rig_new(7, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < n; i++) {
        ns_t sent = rig->now;
        rig_push(rig, 100);
        while (rig->received < rig->pushed)
            rig_run(rig, chain_deadline(rig->chain));
        ns_t delay = rig->now - sent;
        static const ns_t expected[4] = {0, 200 * MS, 600 * MS, 1400 * MS};
        for (int k = 0; k < 4; k++)
            by_repeats[k] += delay == expected[k];
    }
    assert_in_range(by_repeats[0], n * 0.79, n * 0.81);
    assert_in_range(by_repeats[1], n * 0.15, n * 0.17);
    assert_in_range(by_repeats[2], n * 0.028, n * 0.036);
    assert_in_range(by_repeats[3], n * 0.005, n * 0.008);
    rig_free(rig);
    toxic_free(toxic);
}

/* Later data shows the sender what is missing: one round trip instead of a timer. */
static void busy_streams_recover_by_fast_retransmit(void **state)
{
    (void)state;
    struct toxic *toxic = loss(0.001, 0);
    struct rig *rig = rig_new(3, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 20000; i++) {
        rig_push(rig, SEGMENT);
        rig_run(rig, rig->now + MS / 10);
    }
    rig_run(rig, rig->now + 10000 * MS);
    assert_int_equal(rig->received, rig->pushed);
    ns_t worst = 0;
    for (int i = 0; i < 20000; i++)
        worst =
            rig->write[i].time - i * (MS / 10) > worst ? rig->write[i].time - i * (MS / 10) : worst;
    /* Three segments later, a tenth of a millisecond each, plus the round trip. */
    assert_int_equal(worst, 3 * (MS / 10) + MS);
    assert_true(toxic->stats.chunks > 100);
    rig_free(rig);
    toxic_free(toxic);
}

/* Everything behind a lost segment waits with it. */
static void later_data_waits_behind_a_loss(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct toxic *toxic = loss(0.3, 0.3);
        struct rig *rig = rig_new(seed, 0);
        rig_add(rig, toxic);
        for (int i = 0; i < 30; i++) {
            rig_push(rig, (size_t)(1 + (i * 997) % 5000));
            rig_run(rig, rig->now + 20 * MS);
        }
        rig_eof(rig);
        /* Fifteen repetitions may have failed, but not with these seeds. */
        while (chain_deadline(rig->chain) != NS_NEVER)
            rig_run(rig, chain_deadline(rig->chain));
        assert_int_equal(rig->received, rig->pushed);
        assert_true(rig->in_sequence);
        assert_int_equal(rig->writes, 30);
        assert_int_equal(rig->end, CHAIN_EOF);
        assert_int_equal(toxic->stats.bytes_dropped, 0);
        rig_free(rig);
        toxic_free(toxic);
    }
}

static unsigned hit_chunks(double rate, double correlation, size_t length)
{
    struct toxic *toxic = loss(rate, correlation);
    struct rig *rig = rig_new(11, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 10000; i++) {
        rig_push(rig, length);
        while (rig->received < rig->pushed)
            rig_run(rig, chain_deadline(rig->chain));
    }
    unsigned chunks = (unsigned)toxic->stats.chunks;
    rig_free(rig);
    toxic_free(toxic);
    return chunks;
}

static void large_chunks_are_hit_as_often_as_their_segments(void **state)
{
    (void)state;
    assert_in_range(hit_chunks(0.01, 0, 100), 70, 130);
    assert_in_range(hit_chunks(0.01, 0, SEGMENT + 1), 160, 240);
    /* 1 - 0.99^23 = 0.206 */
    assert_in_range(hit_chunks(0.01, 0, 32768), 1950, 2170);
}

static void correlation_makes_bursts(void **state)
{
    (void)state;
    /* The share in the long run is p / (1 - c): 0.1 / 0.5. */
    assert_in_range(hit_chunks(0.1, 0.5, 100), 1850, 2150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_loss_changes_nothing),
        cmocka_unit_test(total_loss_holds_everything_until_it_is_lifted),
        cmocka_unit_test(lone_segments_wait_for_a_timer_that_doubles),
        cmocka_unit_test(busy_streams_recover_by_fast_retransmit),
        cmocka_unit_test(later_data_waits_behind_a_loss),
        cmocka_unit_test(large_chunks_are_hit_as_often_as_their_segments),
        cmocka_unit_test(correlation_makes_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
