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

/* The delay of a lone lost segment, in whole milliseconds, or 0. */
static int lone_delay_ms(struct rig *rig, size_t length)
{
    rig_run(rig, rig->now + 10 * MS);
    ns_t sent = rig->now;
    rig_push(rig, length);
    while (rig->received < rig->pushed)
        rig_run(rig, chain_deadline(rig->chain));
    return (int)((rig->now - sent) / MS);
}

/* A probe after 201 ms, then the timer, then twice as long each time; all at ticks of 4 ms. */
static void lone_segments_wait_for_a_timer_that_doubles(void **state)
{
    (void)state;
    static const int least[] = {0, 204, 408, 812, 1616};
    const int n = 20000;
    unsigned by_repeats[5] = {0};
    struct toxic *toxic = loss(0.2, 0);
    struct rig *rig = rig_new(7, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < n; i++) {
        int delay = lone_delay_ms(rig, 100);
        int k = 0;
        while (k < 4 && delay >= least[k + 1])
            k++;
        by_repeats[k]++;
        if (k < 4)
            assert_in_range(delay, least[k], least[k] + (k ? 4 * k : 0));
    }
    assert_in_range(by_repeats[0], n * 0.79, n * 0.81);
    assert_in_range(by_repeats[1], n * 0.15, n * 0.17);
    assert_in_range(by_repeats[2], n * 0.028, n * 0.036);
    assert_in_range(by_repeats[3], n * 0.005, n * 0.008);
    rig_free(rig);
    toxic_free(toxic);
}

/* Of two segments only the second is lost: a probe after a short timer, 2 ms and two round trips.
 */
static void short_tails_are_probed_soon(void **state)
{
    (void)state;
    unsigned at_once = 0;
    unsigned soon = 0;
    unsigned later = 0;
    struct toxic *toxic = loss(0.05, 0);
    struct rig *rig = rig_new(7, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 20000; i++) {
        int delay = lone_delay_ms(rig, 2 * SEGMENT);
        at_once += delay == 0;
        /*
         * The first lost: 2 ms of doubt, which is 4 to 8, and a round trip. The second: a probe
         * after 4 ms, which is 8 to 12. Both: that and a round trip.
         */
        soon += delay >= 5 && delay <= 13;
        later += delay >= 204;
    }
    assert_int_equal(at_once + soon + later, 20000);
    assert_in_range(at_once, 20000 * 0.895, 20000 * 0.91);
    /* A loss whose repetition is lost: 2 p². */
    assert_in_range(later, 20000 * 0.0035, 20000 * 0.0065);
    rig_free(rig);
    toxic_free(toxic);
}

/*
 * The first two of three segments are acknowledged at once, so that the sender knows of one segment
 * out there and waits long for it.
 */
static void odd_tails_wait_as_if_they_were_alone(void **state)
{
    (void)state;
    unsigned later = 0;
    struct toxic *toxic = loss(0.05, 0);
    struct rig *rig = rig_new(7, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 20000; i++)
        later += lone_delay_ms(rig, 3 * SEGMENT) >= 204;
    /* p (1-p)², and 3 p² for lost repetitions. */
    assert_in_range(later, 20000 * 0.049, 20000 * 0.056);
    rig_free(rig);
    toxic_free(toxic);
}

/* The round trip is what a repeated segment takes, and part of every timer. */
static void rtt_lengthens_every_repair(void **state)
{
    (void)state;
    struct toxic *toxic = loss(0.2, 0);
    rig_set(toxic, "rtt", 100);
    struct rig *rig = rig_new(7, 0);
    rig_add(rig, toxic);
    int least = INT32_MAX;
    for (int i = 0; i < 200; i++) {
        rig_run(rig, rig->now + 1000 * MS);
        int delay = lone_delay_ms(rig, 100);
        if (delay && delay < least)
            least = delay;
    }
    assert_in_range(least, 304, 308);
    rig_free(rig);
    toxic_free(toxic);
}

/* Which of the last two segments are lost decides how many round trips it takes. */
static void losses_are_repaired_one_round_trip_after_they_are_known(void **state)
{
    (void)state;
    unsigned known = 0;
    unsigned both = 0;
    unsigned probed = 0;
    struct toxic *toxic = loss(0.2, 0);
    rig_set(toxic, "rtt", 102);
    struct rig *rig = rig_new(7, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 20000; i++) {
        rig_run(rig, rig->now + 1000 * MS);
        int delay = lone_delay_ms(rig, 3 * SEGMENT);
        known += delay >= 106 && delay < 111;
        both += delay >= 208 && delay < 213;
        probed += delay >= 310 && delay < 315;
    }
    /* The first or the second, or both, and not the third: 0.8 (1 - 0.8²), repeated well. */
    assert_in_range(known, 20000 * 0.22, 20000 * 0.24);
    /* The first and the third: the repeated first shows that the third is missing. */
    assert_in_range(both, 20000 * 0.017, 20000 * 0.024);
    /* The second and the third, or all: the probe shows that more is missing. */
    assert_in_range(probed, 20000 * 0.021, 20000 * 0.028);
    rig_free(rig);
    toxic_free(toxic);
}

/* The share of chunks sent `gap` apart that come 200 ms late or later, and exactly `exact` late. */
static double late_share(struct toxic *toxic, ns_t gap, ns_t exact, double *exact_share)
{
    enum { COUNT = 20000 };
    unsigned late = 0;
    unsigned hit = 0;
    struct rig *rig = rig_new(5, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < COUNT; i++) {
        rig_run(rig, i * gap);
        rig_push(rig, 100);
    }
    rig_run(rig, COUNT * gap + 1000000 * MS);
    assert_int_equal(rig->writes, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ns_t delay = rig->write[i].time - i * gap;
        late += delay >= 200 * MS;
        hit += delay == exact;
    }
    rig_free(rig);
    toxic_free(toxic);
    *exact_share = (double)hit / COUNT;
    return (double)late / COUNT;
}

static void data_that_follows_shows_a_loss_at_once(void **state)
{
    (void)state;
    double exact;
    /* 5 ms and a round trip of 1 ms later; only lost repetitions and what waits behind them are
     * late. */
    double late = late_share(loss(0.02, 0), 5 * MS, 6 * MS, &exact);
    assert_true(exact > 0.017 && exact < 0.021);
    assert_true(late < 0.002);
}

/* When one is lost all are: each probe for the second of two also saves the first. */
static void two_lost_chunks_are_probed_soon(void **state)
{
    (void)state;
    double exact;
    double late = late_share(loss(0.0001, 0.9999), 20 * MS, 0, &exact);
    assert_true(exact < 0.8);
    assert_true(late < 0.01);
}

/* Two segments within a round trip: the sender waits for the acknowledgements of both. */
static void a_chunk_close_behind_another_is_not_alone(void **state)
{
    (void)state;
    unsigned late = 0;
    struct toxic *toxic = loss(0.05, 0);
    struct rig *rig = rig_new(5, 0);
    rig_add(rig, toxic);
    for (int i = 0; i < 20000; i++) {
        rig_run(rig, rig->now + 10 * MS);
        rig_push(rig, 100);
        rig_run(rig, rig->now + MS / 2);
        ns_t sent = rig->now;
        rig_push(rig, 100);
        while (rig->received < rig->pushed)
            rig_run(rig, chain_deadline(rig->chain));
        late += rig->now - sent > 190 * MS;
    }
    /* Lost repetitions only: 2 p². */
    assert_in_range(late, 20000 * 0.0035, 20000 * 0.0065);
    rig_free(rig);
    toxic_free(toxic);
}

/* Two chunks, the first of them lost, and an update that loses nearly all; how it goes on. */
static bool second_comes_soon(struct rig *rig, struct toxic *toxic)
{
    rig_set(toxic, "loss_rate", 0.9);
    rig_update(rig, toxic);
    assert_true(rig->received >= 100);
    for (int i = 0; i < 30; i++) {
        rig_run(rig, rig->now + MS);
        rig_push(rig, 100);
    }
    rig_run(rig, 100 * MS);
    return rig->received >= 200;
}

/* What is known of the losses before an update does not count for the new judgement. */
static void update_forgets_the_losses_of_before(void **state)
{
    (void)state;
    unsigned tried = 0;
    unsigned soon = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct toxic *toxic = loss(0.6, 0);
        struct rig *rig = rig_new(seed, 0);
        rig_add(rig, toxic);
        rig_push(rig, 100);
        rig_push(rig, 100);
        if (rig->received == 0) {
            tried++;
            soon += second_comes_soon(rig, toxic);
        }
        rig_free(rig);
        toxic_free(toxic);
    }
    assert_in_range(tried, 1140, 1260);
    /* Not lost, or lost and the repetition not: 0.1 + 0.9 · 0.1. */
    assert_in_range(soon, tried * 0.16, tried * 0.22);
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
    assert_in_range(hit_chunks(0.1, 0.5, 100), 1800, 2200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_loss_changes_nothing),
        cmocka_unit_test(total_loss_holds_everything_until_it_is_lifted),
        cmocka_unit_test(lone_segments_wait_for_a_timer_that_doubles),
        cmocka_unit_test(short_tails_are_probed_soon),
        cmocka_unit_test(odd_tails_wait_as_if_they_were_alone),
        cmocka_unit_test(rtt_lengthens_every_repair),
        cmocka_unit_test(losses_are_repaired_one_round_trip_after_they_are_known),
        cmocka_unit_test(data_that_follows_shows_a_loss_at_once),
        cmocka_unit_test(two_lost_chunks_are_probed_soon),
        cmocka_unit_test(a_chunk_close_behind_another_is_not_alone),
        cmocka_unit_test(update_forgets_the_losses_of_before),
        cmocka_unit_test(busy_streams_recover_by_fast_retransmit),
        cmocka_unit_test(later_data_waits_behind_a_loss),
        cmocka_unit_test(large_chunks_are_hit_as_often_as_their_segments),
        cmocka_unit_test(correlation_makes_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
