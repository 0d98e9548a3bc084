/* SPDX-License-Identifier: MIT */
#include "metrics/recorder.h"

#include <pthread.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS NS_PER_MS

static struct recorder *make(unsigned nodes, unsigned phases, unsigned workers)
{
    struct err err;
    struct recorder_config config = {
        .nodes = nodes, .phases = phases, .workers = workers, .overdue_ns = 100 * MS};
    struct recorder *r = recorder_new(&config, &err);
    assert_non_null(r);
    return r;
}

static void record(struct recorder *r, enum outcome outcome, uint32_t node, ns_t start, ns_t end)
{
    struct sample s = {.op = OP_GET,
                       .outcome = outcome,
                       .node = node,
                       .phase = recorder_phase(r),
                       .intended_ns = start - 2 * MS,
                       .start_ns = start,
                       .end_ns = end};
    recorder_record(r, 0, &s);
}

static void refuses_what_it_cannot_measure(void **state)
{
    (void)state;
    const struct recorder_config bad[] = {
        {.nodes = 0, .phases = 1, .workers = 1},
        {.nodes = RECORDER_NODES_MAX + 1, .phases = 1, .workers = 1},
        {.nodes = 1, .phases = 0, .workers = 1},
        {.nodes = 1, .phases = RECORDER_PHASES_MAX + 1, .workers = 1},
        {.nodes = 1, .phases = 1, .workers = 0},
        {.nodes = 1, .phases = 1, .workers = 1, .shards = 3},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {""};
        assert_null(recorder_new(&bad[i], &err));
        assert_true(err.text[0] != '\0');
    }
    recorder_free(NULL);
}

static void counts_by_outcome_node_and_phase(void **state)
{
    (void)state;
    struct recorder *r = make(2, 2, 1);
    recorder_offered(r, 0, 0, 10);
    recorder_dropped(r, 0, 0, 3);
    record(r, OUTCOME_HIT, 0, 10 * MS, 11 * MS);
    record(r, OUTCOME_MISS, 0, 10 * MS, 11 * MS);
    record(r, OUTCOME_CANCELLED, 0, 10 * MS, 11 * MS);
    recorder_phase_set(r, 1);
    record(r, OUTCOME_CORRUPT, 1, 20 * MS, 30 * MS);
    record(r, OUTCOME_REFUSED, RECORDER_NODE_UNKNOWN, 20 * MS, 30 * MS);

    struct recorder_counts all = recorder_counts(r, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL);
    assert_int_equal(all.offered, 10);
    assert_int_equal(all.dropped, 3);
    assert_int_equal(all.attempted, 5);
    assert_int_equal(all.succeeded, 2);
    assert_int_equal(all.failed, 2);
    assert_int_equal(all.wrong, 1);
    assert_int_equal(all.by_outcome[OUTCOME_CANCELLED], 1);

    assert_int_equal(recorder_counts(r, 1, RECORDER_ALL, RECORDER_ALL).offered, 0);
    assert_int_equal(recorder_counts(r, 1, RECORDER_ALL, RECORDER_ALL).failed, 2);
    assert_int_equal(recorder_counts(r, 1, 1, OP_GET).failed, 1);
    assert_int_equal(recorder_counts(r, 1, RECORDER_NODE_UNKNOWN, RECORDER_ALL).failed, 1);
    assert_int_equal(recorder_counts(r, RECORDER_ALL, RECORDER_ALL, OP_SET).attempted, 0);
    assert_int_equal(recorder_live_counts(r, 0).succeeded, 2);
    assert_int_equal(recorder_live_counts(r, 1).failed, 1);
    recorder_free(r);
}

static void response_time_is_from_the_intended_start(void **state)
{
    (void)state;
    struct recorder *r = make(1, 1, 1);
    struct hist service, response;
    assert_int_equal(hist_init(&service, &LATENCY_HIST_CONFIG, NULL), 0);
    assert_int_equal(hist_init(&response, &LATENCY_HIST_CONFIG, NULL), 0);
    record(r, OUTCOME_HIT, 0, 10 * MS, 15 * MS);
    record(r, OUTCOME_RESET, 0, 10 * MS, 60 * MS);
    recorder_service(r, 0, 0, OP_GET, true, &service);
    recorder_response(r, RECORDER_ALL, true, &response);
    assert_int_equal(latency_of(&service).count, 1);
    assert_int_equal(latency_of(&service).max_ns, 5 * MS);
    assert_int_equal(latency_of(&response).count, 1);
    assert_int_equal(latency_of(&response).max_ns, 7 * MS);

    hist_reset(&service);
    recorder_service(r, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL, false, &service);
    assert_int_equal(latency_of(&service).max_ns, 50 * MS);
    hist_reset(&service);
    recorder_live(r, RECORDER_ALL, &service);
    assert_int_equal(hist_count(&service), 1);
    hist_deinit(&service);
    hist_deinit(&response);
    recorder_free(r);
}

static void every_outcome_has_a_histogram_of_its_own(void **state)
{
    (void)state;
    struct recorder *r = make(2, 1, 4);
    struct hist h;
    assert_int_equal(hist_init(&h, &LATENCY_HIST_CONFIG, NULL), 0);
    for (unsigned worker = 0; worker < 4; worker++) {
        struct sample s = {.op = OP_SET, .outcome = OUTCOME_RESET, .node = 1, .end_ns = 3 * MS};
        recorder_record(r, worker, &s);
        s.outcome = OUTCOME_STORED;
        s.end_ns = 2 * MS;
        recorder_record(r, worker, &s);
    }
    recorder_service_of(r, 0, 1, OP_SET, OUTCOME_RESET, &h);
    assert_int_equal(hist_count(&h), 4);
    assert_int_equal(hist_min(&h), 3 * MS);
    assert_int_equal(recorder_count(r, 0, 1, OP_SET, OUTCOME_STORED), 4);
    assert_int_equal(recorder_count(r, 0, 0, OP_SET, OUTCOME_STORED), 0);
    recorder_service_of(r, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL, OUTCOME_STORED, &h);
    assert_int_equal(hist_count(&h), 8);
    assert_int_equal(hist_min(&h), 2 * MS);
    hist_deinit(&h);
    recorder_free(r);
}

static void first_error_is_the_earliest_end_since_arming(void **state)
{
    (void)state;
    struct recorder *r = make(2, 1, 1);
    int watch = recorder_arm_first_error(r, 0, 100 * MS);
    assert_int_equal(recorder_watch_found_ns(r, watch), NS_NEVER);
    record(r, OUTCOME_RESET, 0, 80 * MS, 99 * MS);  /* before */
    record(r, OUTCOME_RESET, 1, 80 * MS, 101 * MS); /* another node */
    record(r, OUTCOME_HIT, 0, 80 * MS, 101 * MS);
    assert_int_equal(recorder_watch_found_ns(r, watch), NS_NEVER);
    record(r, OUTCOME_IO_TIMEOUT, 0, 90 * MS, 140 * MS);
    record(r, OUTCOME_RESET, 0, 90 * MS, 120 * MS); /* recorded later, ended earlier */
    record(r, OUTCOME_RESET, 0, 90 * MS, 150 * MS);
    assert_int_equal(recorder_watch_found_ns(r, watch), 120 * MS);
    recorder_watch_release(r, watch);
    recorder_free(r);
}

static void first_success_needs_a_start_since_arming(void **state)
{
    (void)state;
    struct recorder *r = make(1, 1, 1);
    int watch = recorder_arm_first_success(r, 0, 100 * MS);
    record(r, OUTCOME_HIT, 0, 99 * MS, 130 * MS); /* was in flight */
    record(r, OUTCOME_RESET, 0, 110 * MS, 111 * MS);
    assert_int_equal(recorder_watch_found_ns(r, watch), NS_NEVER);
    record(r, OUTCOME_MISS, 0, 100 * MS, 140 * MS);
    assert_int_equal(recorder_watch_found_ns(r, watch), 140 * MS);
    recorder_watch_release(r, watch);
    assert_int_equal(recorder_watch_found_ns(r, -1), NS_NEVER);
    recorder_watch_release(r, -1);
    recorder_free(r);
}

static void watches_are_bounded_and_reused(void **state)
{
    (void)state;
    struct recorder *r = make(1, 1, 1);
    int watches[RECORDER_WATCHES_MAX];
    for (int i = 0; i < RECORDER_WATCHES_MAX; i++) {
        watches[i] = recorder_arm_first_error(r, 0, i * MS);
        assert_true(watches[i] >= 0);
    }
    assert_int_equal(recorder_arm_first_error(r, 0, 0), -1);
    assert_true(recorder_arm_first_success(r, 0, 0) >= 0);
    record(r, OUTCOME_RESET, 0, 0, 3 * MS);
    assert_int_equal(recorder_watch_found_ns(r, watches[3]), 3 * MS);
    assert_int_equal(recorder_watch_found_ns(r, watches[4]), NS_NEVER);
    recorder_watch_release(r, watches[3]);
    int again = recorder_arm_first_error(r, 0, 50 * MS);
    assert_int_equal(again, watches[3]);
    assert_int_equal(recorder_watch_found_ns(r, again), NS_NEVER);
    recorder_free(r);
}

static void stall_watch_sees_the_oldest_operation(void **state)
{
    (void)state;
    struct recorder *r = make(1, 1, 3);
    assert_int_equal(recorder_oldest_in_flight(r, 50 * MS), 0);
    recorder_op_begin(r, 0, 10 * MS);
    recorder_op_begin(r, 2, 30 * MS);
    assert_int_equal(recorder_in_flight(r), 2);
    assert_int_equal(recorder_oldest_in_flight(r, 50 * MS), 40 * MS);
    assert_int_equal(recorder_overdue(r, 110 * MS), 0);
    assert_int_equal(recorder_overdue(r, 111 * MS), 1);
    assert_int_equal(recorder_oldest_in_flight(r, 200 * MS), 190 * MS);
    recorder_op_end(r, 0);
    assert_int_equal(recorder_oldest_in_flight(r, 60 * MS), 30 * MS);
    assert_int_equal(recorder_longest_op(r), 190 * MS);
    recorder_free(r);
}

static void an_operation_beyond_the_limit_is_overdue(void **state)
{
    (void)state;
    struct recorder *r = make(1, 1, 1);
    record(r, OUTCOME_HIT, 0, 0, 100 * MS);
    record(r, OUTCOME_IO_TIMEOUT, 0, 0, 100 * MS + 1);
    assert_int_equal(recorder_overdue(r, 500 * MS), 1);
    assert_int_equal(recorder_longest_op(r), 100 * MS + 1);
    recorder_free(r);
}

/* ---- all at once: also run under a thread sanitizer ---- */

#define THREADS 4
#define PER_THREAD 5000

struct worker {
    struct recorder *recorder;
    unsigned index;
};

static void *work(void *arg)
{
    const struct worker *w = arg;
    for (int i = 0; i < PER_THREAD; i++) {
        struct sample s = {.op = i % OP_COUNT,
                           .outcome = i % 10 == 0 ? OUTCOME_RESET : OUTCOME_HIT,
                           .node = (uint32_t)i % 2,
                           .phase = recorder_phase(w->recorder),
                           .intended_ns = i * NS_PER_US,
                           .start_ns = i * NS_PER_US,
                           .end_ns = i * NS_PER_US + 5 * NS_PER_US};
        recorder_op_begin(w->recorder, w->index, s.start_ns);
        recorder_offered(w->recorder, w->index, s.phase, 1);
        recorder_record(w->recorder, w->index, &s);
        recorder_op_end(w->recorder, w->index);
    }
    return NULL;
}

static void no_sample_is_lost_between_threads(void **state)
{
    (void)state;
    struct recorder *r = make(2, 2, THREADS);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct hist live;
    assert_int_equal(hist_init(&live, &LATENCY_HIST_CONFIG, NULL), 0);
    int watch = recorder_arm_first_error(r, 0, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){r, i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 20; i++) { /* read while they write */
        hist_reset(&live);
        recorder_live(r, RECORDER_ALL, &live);
        recorder_counts(r, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL);
        recorder_oldest_in_flight(r, NS_PER_SEC);
        recorder_phase_set(r, i % 2);
        recorder_watch_found_ns(r, watch);
        recorder_watch_release(r, recorder_arm_first_success(r, 1, i));
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    struct recorder_counts all = recorder_counts(r, RECORDER_ALL, RECORDER_ALL, RECORDER_ALL);
    assert_int_equal(all.offered, THREADS * PER_THREAD);
    assert_int_equal(all.attempted, THREADS * PER_THREAD);
    assert_int_equal(all.failed, THREADS * PER_THREAD / 10);
    hist_reset(&live);
    recorder_live(r, RECORDER_ALL, &live);
    assert_int_equal(hist_count(&live), all.succeeded);
    assert_int_equal(recorder_watch_found_ns(r, watch), 5 * NS_PER_US);
    assert_int_equal(recorder_in_flight(r), 0);
    hist_deinit(&live);
    recorder_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_it_cannot_measure),
        cmocka_unit_test(counts_by_outcome_node_and_phase),
        cmocka_unit_test(response_time_is_from_the_intended_start),
        cmocka_unit_test(every_outcome_has_a_histogram_of_its_own),
        cmocka_unit_test(first_error_is_the_earliest_end_since_arming),
        cmocka_unit_test(first_success_needs_a_start_since_arming),
        cmocka_unit_test(watches_are_bounded_and_reused),
        cmocka_unit_test(stall_watch_sees_the_oldest_operation),
        cmocka_unit_test(an_operation_beyond_the_limit_is_overdue),
        cmocka_unit_test(no_sample_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
