/* SPDX-License-Identifier: MIT */
#include "metrics/flight.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct op_record make(unsigned worker, ns_t start, uint32_t connection)
{
    struct op_record r = {.start_ns = start,
                          .duration_ns = 10,
                          .worker = worker,
                          .connection = connection,
                          .node = 1,
                          .items = 1};
    op_record_key_set(&r, "a-key", 5);
    return r;
}

static void keeps_the_last_operations_of_each_worker(void **state)
{
    (void)state;
    struct flight *f = flight_new(2, 4, NULL);
    size_t count;
    for (int i = 1; i <= 10; i++) {
        struct op_record r = make(0, i, 0);
        flight_end(f, &r);
    }
    struct op_record one = make(1, 3, 0);
    flight_end(f, &one);
    struct op_record *list = flight_snapshot(f, &count);
    assert_int_equal(count, 5);
    assert_int_equal(list[0].worker, 1);
    for (int i = 1; i < 5; i++)
        assert_int_equal(list[i].start_ns, 6 + i);
    assert_memory_equal(list[4].key, "a-key", 5);
    free(list);
    flight_free(f);
    flight_free(NULL);
}

static void keeps_those_of_a_connection_that_its_workers_have_forgotten(void **state)
{
    (void)state;
    struct flight *f = flight_new(1, 4, NULL);
    size_t count, over_seven = 0;
    for (int i = 1; i <= 100; i++) {
        struct op_record r = make(0, i, i <= 10 ? 7 : 8);
        flight_end(f, &r);
    }
    struct op_record *list = flight_snapshot(f, &count);
    for (size_t i = 0; i < count; i++)
        over_seven += list[i].connection == 7;
    assert_int_equal(over_seven, 10);
    /* The latest four are in both rings, and told once. */
    assert_int_equal(count, 10 + FLIGHT_CONNECTION_RING);
    free(list);
    flight_free(f);
}

static void shows_what_is_in_flight_until_it_has_ended(void **state)
{
    (void)state;
    struct flight *f = flight_new(1, 4, NULL);
    struct op_record r = make(0, 50, 0);
    size_t count;
    r.duration_ns = OP_RECORD_IN_FLIGHT;
    flight_begin(f, &r);
    struct op_record *list = flight_snapshot(f, &count);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].duration_ns, OP_RECORD_IN_FLIGHT);
    free(list);
    /* An operation on two nodes ends twice. */
    r.duration_ns = 5;
    flight_end(f, &r);
    r.node = 2;
    flight_end(f, &r);
    list = flight_snapshot(f, &count);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].duration_ns, 5);
    assert_int_equal(list[1].duration_ns, 5);
    free(list);
    flight_free(f);
}

struct writer {
    struct flight *flight;
    unsigned worker;
    atomic_bool *stop;
};

/* Every field of a record says the same, so that a mixture of two is seen. */
static void *write_many(void *arg)
{
    struct writer *w = arg;
    for (uint32_t i = 1; i < 100000 || !atomic_load(w->stop); i++) {
        struct op_record r = {.start_ns = i, .duration_ns = i, .late_ns = i, .worker = w->worker};
        r.connection = 1 + i % 3;
        r.bytes = r.key_hash = i;
        flight_end(w->flight, &r);
    }
    return NULL;
}

static void a_snapshot_has_only_whole_records_while_workers_write(void **state)
{
    (void)state;
    pthread_t threads[3];
    atomic_bool stop = false;
    struct flight *f = flight_new(3, 8, NULL);
    struct writer writers[3];
    for (unsigned i = 0; i < 3; i++) {
        writers[i] = (struct writer){f, i, &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        size_t count;
        struct op_record *list = flight_snapshot(f, &count);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(list[k].duration_ns, list[k].start_ns);
            assert_int_equal(list[k].late_ns, list[k].start_ns);
            assert_int_equal(list[k].bytes, list[k].start_ns);
            assert_int_equal(list[k].key_hash, list[k].start_ns);
        }
        free(list);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    flight_free(f);
}

static void rings_get_shorter_with_many_workers(void **state)
{
    (void)state;
    struct flight *f = flight_new(20000, FLIGHT_RING_MAX, NULL);
    assert_non_null(f);
    for (int i = 0; i < 1000; i++) {
        struct op_record r = make(19999, i, 0);
        flight_end(f, &r);
    }
    size_t count;
    struct op_record *list = flight_snapshot(f, &count);
    assert_in_range(count, 1, FLIGHT_BYTES_MAX / 80 / 20000);
    free(list);
    flight_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_last_operations_of_each_worker),
        cmocka_unit_test(keeps_those_of_a_connection_that_its_workers_have_forgotten),
        cmocka_unit_test(shows_what_is_in_flight_until_it_has_ended),
        cmocka_unit_test(a_snapshot_has_only_whole_records_while_workers_write),
        cmocka_unit_test(rings_get_shorter_with_many_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
