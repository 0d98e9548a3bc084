/* SPDX-License-Identifier: MIT */
/* When each toxic lets go of what, exactly, in virtual time. */
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

static void latency_delays_from_the_receive_time_and_keeps_spacing(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", "latency", 100);
    struct rig *rig = rig_with(toxic);
    for (int i = 0; i < 3; i++) {
        rig_run(rig, i * 30 * MS);
        rig_push(rig, 10);
    }
    rig_run(rig, 1000 * MS);
    expect_writes(rig, 3, (ns_t[]){100 * MS, 130 * MS, 160 * MS});
    assert_int_equal(toxic->stats.connections, 1);
    assert_int_equal(toxic->stats.chunks, 3);
    assert_int_equal(toxic->stats.bytes, 30);
    assert_int_equal(toxic->stats.delay_ns, 300 * MS);
    finish(rig, toxic);
}

static void chained_latencies_add_up_for_every_chunk(void **state)
{
    (void)state;
    struct toxic *a = rig_toxic("latency", "latency", 500);
    struct toxic *b = rig_toxic("latency", "latency", 500);
    struct rig *rig = rig_with(a);
    rig_add(rig, b);
    ns_t expected[10];
    for (int i = 0; i < 10; i++) {
        rig_run(rig, i * 50 * MS);
        rig_push(rig, 1);
        expected[i] = (1000 + i * 50) * MS;
    }
    rig_run(rig, 5000 * MS);
    expect_writes(rig, 10, expected);
    toxic_free(b);
    finish(rig, a);
}

/* A loop that comes late must not make the second toxic later still. */
static void late_ticks_do_not_add_up(void **state)
{
    (void)state;
    struct toxic *a = rig_toxic("latency", "latency", 100);
    struct toxic *b = rig_toxic("latency", "latency", 100);
    struct rig *rig = rig_with(a);
    rig_add(rig, b);
    rig_push(rig, 1);
    rig->now = 140 * MS;
    chain_tick(rig->chain, rig->now);
    assert_int_equal(chain_deadline(rig->chain), 200 * MS);
    toxic_free(b);
    finish(rig, a);
}

static void jitter_stays_in_range_and_never_reorders(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", "latency", 100);
    rig_set(toxic, "jitter", 40);
    struct rig *rig = rig_with(toxic);
    ns_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        rig_run(rig, i * 200 * MS);
        rig_push(rig, 1);
    }
    rig_run(rig, 1000 * 200 * MS);
    assert_int_equal(rig->writes, 1000);
    for (int i = 0; i < 1000; i++) {
        ns_t delay = rig->write[i].time - i * 200 * MS;
        assert_in_range(delay, 60 * MS, 140 * MS - 1);
        sum += delay;
    }
    assert_in_range(sum / 1000, 97 * MS, 103 * MS);
    finish(rig, toxic);
}

static void latency_passes_eof_at_once_or_right_behind_the_data(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", "latency", 100);
    struct rig *rig = rig_with(toxic);
    rig_eof(rig);
    expect_end(rig, CHAIN_EOF, 0);
    rig_free(rig);
    rig = rig_with(toxic);
    rig_push(rig, 5);
    rig_run(rig, 10 * MS);
    rig_eof(rig);
    rig_run(rig, 1000 * MS);
    expect_end(rig, CHAIN_EOF, 100 * MS);
    finish(rig, toxic);
}

static void latency_update_releases_the_head_and_rejudges_the_rest(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", "latency", 1000);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 1);
    rig_run(rig, 100 * MS);
    rig_push(rig, 1);
    rig_run(rig, 200 * MS);
    rig_push(rig, 1);
    rig_set(toxic, "latency", 300);
    rig_update(rig, toxic);
    rig_run(rig, 5000 * MS);
    expect_writes(rig, 3, (ns_t[]){200 * MS, 400 * MS, 500 * MS});
    finish(rig, toxic);
}

static void removal_passes_on_everything_at_once(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", "latency", 1000);
    struct rig *rig = rig_with(toxic);
    for (int i = 0; i < 5; i++)
        rig_push(rig, 100);
    rig_eof(rig);
    rig_run(rig, 300 * MS);
    rig_remove(rig, toxic);
    assert_int_equal(rig->received, 500);
    expect_end(rig, CHAIN_EOF, 300 * MS);
    finish(rig, toxic);
}

static void other_toxics_do_not_disturb_the_one_that_waits(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", "latency", 500);
    struct toxic *noop = rig_toxic("noop", NULL, 0);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 1);
    for (int i = 1; i < 50; i++) {
        rig_run(rig, i * MS);
        rig_add(rig, noop);
        rig_remove(rig, noop);
    }
    rig_run(rig, 1000 * MS);
    expect_writes(rig, 1, (ns_t[]){500 * MS});
    toxic_free(noop);
    finish(rig, toxic);
}

static void slow_close_holds_only_the_end(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("slow_close", "delay", 200);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 10);
    assert_int_equal(rig->received, 10);
    rig_run(rig, 50 * MS);
    rig_eof(rig);
    rig_run(rig, 1000 * MS);
    expect_end(rig, CHAIN_EOF, 250 * MS);
    assert_int_equal(toxic->stats.connections, 1);
    assert_int_equal(toxic->stats.delay_ns, 200 * MS);
    finish(rig, toxic);
}

static void slow_close_update_starts_anew_and_removal_closes(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("slow_close", "delay", 1000);
    struct rig *rig = rig_with(toxic);
    rig_eof(rig);
    rig_run(rig, 200 * MS);
    rig_set(toxic, "delay", 300);
    rig_update(rig, toxic);
    rig_run(rig, 499 * MS);
    assert_int_equal(rig->end, CHAIN_OPEN);
    rig_run(rig, 500 * MS);
    expect_end(rig, CHAIN_EOF, 500 * MS);
    rig_free(rig);
    rig = rig_with(toxic);
    rig_eof(rig);
    rig_run(rig, 100 * MS);
    rig_remove(rig, toxic);
    expect_end(rig, CHAIN_EOF, 100 * MS);
    finish(rig, toxic);
}

static void timeout_discards_and_closes_after_silence(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("timeout", "timeout", 300);
    struct rig *rig = rig_with(toxic);
    for (int i = 0; i < 5; i++) {
        rig_run(rig, i * 200 * MS);
        rig_push(rig, 10);
    }
    rig_run(rig, 5000 * MS);
    assert_int_equal(rig->received, 0);
    expect_end(rig, CHAIN_CLOSE, 1100 * MS);
    assert_int_equal(toxic->stats.bytes_dropped, 50);
    assert_int_equal(toxic->stats.closes, 1);
    finish(rig, toxic);
}

static void timeout_runs_from_the_start_and_from_an_update(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("timeout", "timeout", 300);
    struct rig *rig = rig_with(toxic);
    rig_run(rig, 200 * MS);
    rig_set(toxic, "timeout", 400);
    rig_update(rig, toxic);
    rig_run(rig, 5000 * MS);
    expect_end(rig, CHAIN_CLOSE, 600 * MS);
    finish(rig, toxic);
}

static void timeout_zero_swallows_for_ever_but_passes_eof(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("timeout", "timeout", 0);
    struct rig *rig = rig_with(toxic);
    for (int i = 0; i < 1000; i++) {
        assert_true(chain_wants_input(rig->chain));
        rig_push(rig, 32768);
    }
    assert_int_equal(chain_bytes_held(rig->chain), 0);
    assert_int_equal(chain_deadline(rig->chain), NS_NEVER);
    rig_eof(rig);
    expect_end(rig, CHAIN_EOF, 0);
    finish(rig, toxic);
}

static void removing_a_timeout_closes_whatever_the_dice_said(void **state)
{
    (void)state;
    for (int toxicity = 0; toxicity <= 1; toxicity++) {
        struct toxic *toxic = rig_toxic("timeout", "timeout", 0);
        toxic->toxicity = (float)toxicity;
        struct rig *rig = rig_with(toxic);
        rig_push(rig, 10);
        assert_int_equal(rig->received, toxicity ? 0 : 10);
        rig_update(rig, toxic);
        assert_int_equal(rig->end, CHAIN_OPEN);
        rig_run(rig, 10 * MS);
        rig_remove(rig, toxic);
        expect_end(rig, CHAIN_CLOSE, 10 * MS);
        finish(rig, toxic);
    }
}

static void reset_peer_waits_for_data_then_for_its_timeout(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("reset_peer", "timeout", 100);
    struct rig *rig = rig_with(toxic);
    rig_run(rig, 60000 * MS);
    assert_int_equal(rig->end, CHAIN_OPEN);
    rig_push(rig, 10);
    rig_push(rig, 10);
    rig_run(rig, 70000 * MS);
    assert_int_equal(rig->received, 0);
    expect_end(rig, CHAIN_RESET, 60100 * MS);
    assert_int_equal(toxic->stats.resets, 1);
    assert_int_equal(toxic->stats.bytes_dropped, 20);
    finish(rig, toxic);
}

static void reset_peer_without_timeout_resets_at_once_also_on_eof(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("reset_peer", "timeout", 0);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 1);
    expect_end(rig, CHAIN_RESET, 0);
    rig_free(rig);
    rig = rig_with(toxic);
    rig_run(rig, 5 * MS);
    rig_eof(rig);
    expect_end(rig, CHAIN_RESET, 5 * MS);
    finish(rig, toxic);
}

static void reset_is_told_even_to_a_stalled_receiver(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("reset_peer", "timeout", 0);
    struct rig *rig = rig_new(1, 0);
    rig->stalled = true;
    rig_push(rig, 10);
    rig_add(rig, toxic);
    rig_push(rig, 10);
    assert_int_equal(chain_end(rig->chain), CHAIN_RESET);
    finish(rig, toxic);
}

static void reset_peer_removed_in_time_lets_the_data_through(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("reset_peer", "timeout", 1000);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 10);
    rig_run(rig, 500 * MS);
    rig_remove(rig, toxic);
    assert_int_equal(rig->received, 10);
    rig_run(rig, 5000 * MS);
    assert_int_equal(rig->end, CHAIN_OPEN);
    finish(rig, toxic);
}

static void slicer_halves_down_to_the_average(void **state)
{
    (void)state;
    static const struct {
        size_t bytes;
        int64_t average;
        size_t pieces, min, max;
    } cases[] = {
        {100, 10, 16, 6, 7},      {24, 1, 24, 1, 1},         {1, 1, 1, 1, 1},
        {10, 10, 1, 10, 10},      {11, 10, 2, 5, 6},         {32768, 1, 32768, 1, 1},
        {1000, 0, 1, 1000, 1000}, {1000, -5, 1, 1000, 1000}, {1000, INT64_MAX, 1, 1000, 1000},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct toxic *toxic = rig_toxic("slicer", NULL, 0);
        toxic->values.v[0].i = cases[c].average;
        struct rig *rig = rig_with(toxic);
        rig_push(rig, cases[c].bytes);
        assert_int_equal(rig->writes, cases[c].pieces);
        for (size_t i = 0; i < rig->writes; i++)
            assert_in_range(rig->write[i].length, cases[c].min, cases[c].max);
        assert_true(rig->in_sequence);
        assert_int_equal(rig->received, cases[c].bytes);
        finish(rig, toxic);
    }
}

static void slicer_pauses_after_every_piece(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("slicer", "average_size", 1);
    rig_set(toxic, "delay", 500);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 3);
    rig_push(rig, 1);
    rig_eof(rig);
    rig_run(rig, 1000 * MS);
    expect_writes(rig, 4, (ns_t[]){0, 500000, 1000000, 1500000});
    expect_end(rig, CHAIN_EOF, 2 * MS);
    finish(rig, toxic);
}

static void slicer_varies_as_upstream_expects(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("slicer", "average_size", 1024);
    rig_set(toxic, "size_variation", 512);
    rig_set(toxic, "delay", 10);
    struct rig *rig = rig_with(toxic);
    for (size_t left = 480000; left;) {
        size_t length = left < 32768 ? left : 32768;
        rig_push(rig, length);
        left -= length;
        rig_run(rig, rig->now + 10 * MS);
    }
    assert_in_range(rig->writes, 240, 720);
    assert_int_equal(rig->received, 480000);
    assert_true(rig->in_sequence);
    finish(rig, toxic);
}

static void slicer_update_sends_the_rest_as_one_piece(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("slicer", "average_size", 10);
    rig_set(toxic, "delay", 1000000);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 100);
    rig_run(rig, 1500 * MS);
    assert_int_equal(rig->writes, 2);
    rig_update(rig, toxic);
    assert_int_equal(rig->writes, 3);
    assert_int_equal(rig->received, 100);
    finish(rig, toxic);
}

static void limit_data_cuts_at_the_limit(void **state)
{
    (void)state;
    static const struct {
        int64_t limit;
        size_t chunks[3];
        size_t received;
        bool closed;
    } cases[] = {
        {100, {100, 0, 0}, 100, true},   {100, {150, 0, 0}, 100, true},
        {100, {50, 49, 0}, 99, false},   {100, {50, 50, 0}, 100, true},
        {100, {50, 70, 20}, 100, true},  {0, {10, 0, 0}, 0, true},
        {-7, {10, 0, 0}, 0, true},       {INT64_MAX, {10, 10, 10}, 30, false},
        {INT64_MIN, {1, 0, 0}, 0, true},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct toxic *toxic = rig_toxic("limit_data", NULL, 0);
        toxic->values.v[0].i = cases[c].limit;
        struct rig *rig = rig_with(toxic);
        assert_int_equal(rig->end, CHAIN_OPEN);
        for (int i = 0; i < 3 && cases[c].chunks[i]; i++)
            rig_push(rig, cases[c].chunks[i]);
        assert_int_equal(rig->received, cases[c].received);
        assert_int_equal(rig->end, cases[c].closed ? CHAIN_CLOSE : CHAIN_OPEN);
        assert_true(rig->in_sequence);
        assert_int_equal(toxic->stats.closes, cases[c].closed);
        finish(rig, toxic);
    }
}

static void limit_data_keeps_its_count_over_updates(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("limit_data", "bytes", 100);
    struct rig *rig = rig_with(toxic);
    rig_push(rig, 60);
    rig_update(rig, toxic);
    rig_set(toxic, "bytes", 50);
    rig_update(rig, toxic);
    assert_int_equal(rig->end, CHAIN_OPEN);
    rig_push(rig, 10);
    assert_int_equal(rig->received, 60);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    finish(rig, toxic);
}

static void limit_data_passes_eof(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("limit_data", "bytes", 0);
    struct rig *rig = rig_with(toxic);
    rig_eof(rig);
    expect_end(rig, CHAIN_EOF, 0);
    finish(rig, toxic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latency_delays_from_the_receive_time_and_keeps_spacing),
        cmocka_unit_test(chained_latencies_add_up_for_every_chunk),
        cmocka_unit_test(late_ticks_do_not_add_up),
        cmocka_unit_test(jitter_stays_in_range_and_never_reorders),
        cmocka_unit_test(latency_passes_eof_at_once_or_right_behind_the_data),
        cmocka_unit_test(latency_update_releases_the_head_and_rejudges_the_rest),
        cmocka_unit_test(removal_passes_on_everything_at_once),
        cmocka_unit_test(other_toxics_do_not_disturb_the_one_that_waits),
        cmocka_unit_test(slow_close_holds_only_the_end),
        cmocka_unit_test(slow_close_update_starts_anew_and_removal_closes),
        cmocka_unit_test(timeout_discards_and_closes_after_silence),
        cmocka_unit_test(timeout_runs_from_the_start_and_from_an_update),
        cmocka_unit_test(timeout_zero_swallows_for_ever_but_passes_eof),
        cmocka_unit_test(removing_a_timeout_closes_whatever_the_dice_said),
        cmocka_unit_test(reset_peer_waits_for_data_then_for_its_timeout),
        cmocka_unit_test(reset_peer_without_timeout_resets_at_once_also_on_eof),
        cmocka_unit_test(reset_is_told_even_to_a_stalled_receiver),
        cmocka_unit_test(reset_peer_removed_in_time_lets_the_data_through),
        cmocka_unit_test(slicer_halves_down_to_the_average),
        cmocka_unit_test(slicer_pauses_after_every_piece),
        cmocka_unit_test(slicer_varies_as_upstream_expects),
        cmocka_unit_test(slicer_update_sends_the_rest_as_one_piece),
        cmocka_unit_test(limit_data_cuts_at_the_limit),
        cmocka_unit_test(limit_data_keeps_its_count_over_updates),
        cmocka_unit_test(limit_data_passes_eof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
