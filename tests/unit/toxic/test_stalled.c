/* SPDX-License-Identifier: MIT */
/* A receiver that takes nothing: times of what it holds up, and the close that it cannot. */
#include "rig.h"

#define GRACE CHAIN_CLOSE_GRACE_NS

static struct rig *stalled_rig(struct toxic *toxic)
{
    struct rig *rig = rig_new(1, 0);
    rig_add(rig, toxic);
    rig->stalled = true;
    return rig;
}

static void finish(struct rig *rig, struct toxic *toxic)
{
    rig_free(rig);
    toxic_free(toxic);
}

static void close_comes_a_grace_after_the_receiver_stopped(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("limit_data", "bytes", 1000);
    struct rig *rig = stalled_rig(toxic);
    rig_push(rig, 500);
    /* What it did before the close was ordered does not matter. */
    rig_run(rig, 3 * GRACE);
    assert_int_equal(chain_deadline(rig->chain), NS_NEVER);
    rig_push(rig, 5000);
    rig_run(rig, 4 * GRACE - 1);
    assert_int_equal(rig->end, CHAIN_OPEN);
    rig_run(rig, 4 * GRACE);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    assert_null(chain_output(rig->chain));
    assert_int_equal(chain_bytes_held(rig->chain), 0);
    assert_int_equal(chain_deadline(rig->chain), NS_NEVER);
    rig_push(rig, 100);
    assert_int_equal(chain_bytes_held(rig->chain), 0);
    finish(rig, toxic);
}

static void close_waits_for_a_receiver_that_is_slow(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("limit_data", "bytes", 1000);
    struct rig *rig = stalled_rig(toxic);
    rig_push(rig, 2000);
    for (int i = 1; i < 10; i++) {
        rig_run(rig, i * (GRACE - 1));
        rig_write(rig, 100);
        assert_int_equal(chain_end(rig->chain), CHAIN_OPEN);
    }
    rig_run(rig, rig->now + GRACE - 1);
    rig_write(rig, 100);
    assert_int_equal(chain_end(rig->chain), CHAIN_CLOSE);
    assert_int_equal(rig->received, 1000);
    finish(rig, toxic);
}

/* The close is still behind data that has no room in the output. */
static void close_comes_also_when_toxics_are_full(void **state)
{
    (void)state;
    struct toxic *limit = rig_toxic("limit_data", "bytes", 1000000);
    struct toxic *latency = rig_toxic("latency", "latency", 10);
    struct rig *rig = stalled_rig(limit);
    rig_add(rig, latency);
    while (rig->pushed < 1000000)
        rig_push(rig, 32768);
    rig_run(rig, 10 * GRACE);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    assert_int_equal(rig->end_time, GRACE + 10 * MS);
    assert_int_equal(chain_bytes_held(rig->chain), 0);
    rig_free(rig);
    toxic_free(limit);
    toxic_free(latency);
}

static void removing_a_timeout_closes_a_stalled_receiver_too(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("timeout", "timeout", 0);
    struct rig *rig = rig_new(1, 0);
    rig->stalled = true;
    rig_push(rig, 10);
    rig_add(rig, toxic);
    rig_push(rig, 10);
    rig_remove(rig, toxic);
    assert_int_equal(rig->end, CHAIN_OPEN);
    rig_run(rig, 2 * GRACE);
    assert_int_equal(rig->end, CHAIN_CLOSE);
    assert_int_equal(rig->end_time, GRACE);
    finish(rig, toxic);
}

/* Behind a toxic with something in it a reset waits for its turn, but not for ever. */
static void reset_that_data_is_in_front_of_comes_after_the_grace(void **state)
{
    (void)state;
    struct toxic *reset = rig_toxic("reset", "timeout", 100);
    struct toxic *slicer = rig_toxic("slicer", "average_size", 10);
    struct rig *rig = stalled_rig(reset);
    rig_add(rig, slicer);
    while (rig->pushed < 500000)
        rig_push(rig, 32768);
    rig_run(rig, 10 * GRACE);
    assert_int_equal(rig->end, CHAIN_RESET);
    assert_int_equal(rig->end_time, GRACE + 100 * MS);
    assert_int_equal(chain_bytes_held(rig->chain), 0);
    rig_free(rig);
    toxic_free(reset);
    toxic_free(slicer);
}

static void eof_waits_for_the_receiver_as_long_as_it_takes(void **state)
{
    (void)state;
    struct toxic *toxic = rig_toxic("latency", "latency", 10);
    struct rig *rig = stalled_rig(toxic);
    rig_push(rig, 1000);
    rig_eof(rig);
    rig_run(rig, 1000 * GRACE);
    assert_int_equal(rig->end, CHAIN_OPEN);
    rig->stalled = false;
    rig_settle(rig);
    assert_int_equal(rig->end, CHAIN_EOF);
    assert_int_equal(rig->received, 1000);
    finish(rig, toxic);
}

/* Pushes three chunks through `first` into a delay of a second that has room for two of them. */
static void expect_third_write(struct toxic *first, ns_t expected)
{
    struct toxic *latency = rig_toxic("latency", "latency", 1000);
    struct rig *rig = rig_new(1, 2 * CHUNK_BYTES_MAX);
    rig_add(rig, first);
    rig_add(rig, latency);
    for (int i = 0; i < 3; i++)
        rig_push(rig, CHUNK_BYTES_MAX);
    rig_run(rig, 10000 * MS);
    assert_int_equal(rig->writes, 3);
    assert_int_equal(rig->write[2].time, expected);
    assert_true(rig->in_sequence);
    rig_free(rig);
    toxic_free(latency);
    toxic_free(first);
}

/* What had to wait for room left when there was some, so the toxic behind counts from then. */
static void chunks_held_up_leave_bandwidth_late(void **state)
{
    (void)state;
    /* The first leaves the line at 32.768 ms and the delay a second later. */
    expect_third_write(rig_toxic("bandwidth", "rate", 1000), 2032768000);
}

static void chunks_held_up_leave_the_slicer_late(void **state)
{
    (void)state;
    expect_third_write(rig_toxic("slicer", NULL, 0), 2000 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_comes_a_grace_after_the_receiver_stopped),
        cmocka_unit_test(close_waits_for_a_receiver_that_is_slow),
        cmocka_unit_test(close_comes_also_when_toxics_are_full),
        cmocka_unit_test(removing_a_timeout_closes_a_stalled_receiver_too),
        cmocka_unit_test(reset_that_data_is_in_front_of_comes_after_the_grace),
        cmocka_unit_test(eof_waits_for_the_receiver_as_long_as_it_takes),
        cmocka_unit_test(chunks_held_up_leave_bandwidth_late),
        cmocka_unit_test(chunks_held_up_leave_the_slicer_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
