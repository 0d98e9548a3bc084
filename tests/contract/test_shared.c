/* SPDX-License-Identifier: MIT */
/*
 * Shared connections against a real memcached, by many threads, while it is stopped, killed and
 * started again: no value of another key, no value that was never written, no call beyond its
 * deadline, and full service afterwards.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC) /* a deadline that only a bug can miss */
#define SLACK (5 * SEC)     /* what a loaded machine may add to a deadline */
#define THREADS_MAX 32
#define KEYS 8

static struct memcached server;
static unsigned runs; /* every run of workers has keys of its own */

static void nap(mcm_ns span)
{
    struct timespec pause = {.tv_sec = span / SEC, .tv_nsec = span % SEC};
    nanosleep(&pause, NULL);
}

static struct mcm_client_config shared_config(struct mcm_server *list)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    *list = (struct mcm_server){.address = server.address};
    config.servers = list;
    config.server_count = 1;
    config.connect_timeout = 5 * SEC;
    config.mode = MCM_MODE_SHARED;
    config.seed = 42;
    return config;
}

static struct mcm_client *new_client(const struct mcm_client_config *config)
{
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_client *client = mcm_client_new(config, error, sizeof(error));
    if (client == NULL)
        fail_msg("%s", error);
    return client;
}

static struct mcm_client *client_with_lanes(unsigned lanes)
{
    struct mcm_server list;
    struct mcm_client_config config = shared_config(&list);
    config.lanes = lanes;
    return new_client(&config);
}

static struct mcm_server_stats stats_of(struct mcm_client *client)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_client_stats(client, 0, &stats), 0);
    return stats;
}

static enum mcm_outcome get_within(struct mcm_client *client, const char *key, mcm_ns span)
{
    char buffer[256];
    struct mcm_result result;
    return mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(span), &result);
}

static enum mcm_outcome set_within(struct mcm_client *client, const char *key, const char *value,
                                   mcm_ns span)
{
    struct mcm_result result;
    return mcm_set(client, MCM_KEY(key), MCM_KEY(value), 0, mcm_after(span), &result);
}

static void expect_outcome(enum mcm_outcome outcome, const char *name)
{
    assert_string_equal(mcm_outcome_name(outcome), name);
}

static void expect_text(struct mcm_client *client, const char *key, const char *value)
{
    char buffer[256];
    struct mcm_result result;
    expect_outcome(
        mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(GENEROUS), &result), "ok");
    assert_int_equal(result.value.size, strlen(value));
    assert_memory_equal(result.value.data, value, result.value.size);
}

/*
 * A thread that writes and reads keys of its own. Writes carry a number; a read may find any number
 * from the last confirmed one on, since a write that failed may have happened, or nothing after the
 * server lost its memory.
 */
struct worker {
    pthread_t thread;
    struct mcm_client *client;
    unsigned id, run;
    unsigned calls;
    atomic_bool *stop;
    mcm_ns span;
    unsigned confirmed[KEYS], written[KEYS];
    unsigned counts[MCM_OUTCOME_COUNT];
    unsigned wrong;
    mcm_ns slowest;
};

static void note(struct worker *worker, enum mcm_outcome outcome, mcm_ns start)
{
    mcm_ns took = mcm_after(0) - start;
    worker->counts[outcome]++;
    worker->slowest = took > worker->slowest ? took : worker->slowest;
}

static void write_one(struct worker *worker, unsigned k, struct mcm_slice key)
{
    char value[600];
    struct mcm_result result;
    unsigned number = ++worker->written[k];
    int head =
        snprintf(value, sizeof(value), "%.*s|%u|", (int)key.size, (const char *)key.data, number);
    size_t size = (size_t)head + number % 500;
    memset(value + head, 'x', size - (size_t)head);
    mcm_ns start = mcm_after(0);
    mcm_set(worker->client, key, (struct mcm_slice){value, size}, 0, mcm_after(worker->span),
            &result);
    note(worker, result.outcome, start);
    if (result.outcome == MCM_OK)
        worker->confirmed[k] = number;
}

static void read_one(struct worker *worker, unsigned k, struct mcm_slice key)
{
    char value[1024], expected[64];
    struct mcm_result result;
    mcm_ns start = mcm_after(0);
    mcm_get(worker->client, key, value, sizeof(value) - 1, mcm_after(worker->span), &result);
    note(worker, result.outcome, start);
    if (result.outcome != MCM_OK)
        return;
    value[result.value.size] = '\0';
    unsigned number = 0;
    const char *bar = strchr(value, '|');
    if (bar != NULL)
        number = (unsigned)strtoul(bar + 1, NULL, 10);
    int head = snprintf(expected, sizeof(expected), "%.*s|%u|", (int)key.size,
                        (const char *)key.data, number);
    if (strncmp(value, expected, (size_t)head) != 0 ||
        result.value.size != (size_t)head + number % 500 || number < worker->confirmed[k] ||
        number > worker->written[k])
        worker->wrong++;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    for (unsigned i = 0; i < worker->calls && !atomic_load(worker->stop); i++) {
        char text[32];
        unsigned k = (i * 7 + worker->id) % KEYS;
        snprintf(text, sizeof(text), "w%u-%u-%u", worker->run, worker->id, k);
        if (i % 3 == 0)
            write_one(worker, k, MCM_KEY(text));
        else
            read_one(worker, k, MCM_KEY(text));
    }
    return NULL;
}

static void start_workers(struct worker *workers, unsigned count, struct mcm_client *client,
                          unsigned calls, mcm_ns span, atomic_bool *stop)
{
    memset(workers, 0, count * sizeof(*workers));
    runs++;
    for (unsigned i = 0; i < count; i++) {
        workers[i].client = client;
        workers[i].id = i;
        workers[i].run = runs;
        workers[i].calls = calls;
        workers[i].span = span;
        workers[i].stop = stop;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

/* The sum in one record. */
static struct worker join_workers(struct worker *workers, unsigned count)
{
    struct worker sum = {0};
    for (unsigned i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        for (int j = 0; j < MCM_OUTCOME_COUNT; j++)
            sum.counts[j] += workers[i].counts[j];
        sum.wrong += workers[i].wrong;
        sum.slowest = sum.slowest > workers[i].slowest ? sum.slowest : workers[i].slowest;
    }
    return sum;
}

static struct worker run_workers(struct mcm_client *client, unsigned count, unsigned calls)
{
    struct worker workers[THREADS_MAX];
    atomic_bool stop = false;
    start_workers(workers, count, client, calls, GENEROUS, &stop);
    return join_workers(workers, count);
}

static void expect_only_answers(const struct worker *sum, unsigned total)
{
    assert_int_equal(sum->counts[MCM_OK] + sum->counts[MCM_MISS], total);
    assert_int_equal(sum->wrong, 0);
}

static void one_caller_works_as_with_a_connection_of_its_own(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(1);
    struct mcm_result result;
    struct mcm_increment add = {.delta = 3, .create = true, .initial = 10};
    expect_outcome(get_within(client, "absent", GENEROUS), "miss");
    expect_outcome(set_within(client, "a", "first", GENEROUS), "ok");
    expect_text(client, "a", "first");
    mcm_increment(client, MCM_KEY("n1"), &add, mcm_after(GENEROUS), &result);
    mcm_increment(client, MCM_KEY("n1"), &add, mcm_after(GENEROUS), &result);
    assert_int_equal(result.number, 13);
    assert_int_equal(mcm_delete(client, MCM_KEY("a"), mcm_after(GENEROUS), &result), MCM_OK);
    assert_int_equal(mcm_delete(client, MCM_KEY("a"), mcm_after(GENEROUS), &result), MCM_NOT_FOUND);
    assert_int_equal(stats_of(client).created, 1);
    mcm_client_free(client);
}

static void large_values_have_a_connection_of_their_own(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(1);
    char *value = malloc(300000), *buffer = malloc(300000);
    struct mcm_result result;
    memset(value, 'v', 300000);
    struct mcm_slice large = {value, 300000}, small = {value, 60000};
    assert_int_equal(mcm_set(client, MCM_KEY("l"), large, 0, mcm_after(GENEROUS), &result), MCM_OK);
    assert_int_equal(mcm_set(client, MCM_KEY("s"), small, 0, mcm_after(GENEROUS), &result), MCM_OK);
    assert_int_equal(stats_of(client).created, 1);
    /* Through the lane, in many pieces; then one that does not fit; then by itself. */
    mcm_get(client, MCM_KEY("s"), buffer, 60000, mcm_after(GENEROUS), &result);
    assert_int_equal(result.value.size, 60000);
    assert_memory_equal(buffer, value, 60000);
    mcm_get(client, MCM_KEY("l"), buffer, 60000, mcm_after(GENEROUS), &result);
    assert_int_equal(result.outcome, MCM_E_BUFFER);
    assert_int_equal(result.value_size, 300000);
    mcm_get(client, MCM_KEY("l"), buffer, 300000, mcm_after(GENEROUS), &result);
    assert_int_equal(result.value.size, 300000);
    assert_int_equal(stats_of(client).created, 2);
    free(value);
    free(buffer);
    mcm_client_free(client);
}

static void thirty_two_threads_share_two_connections(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(2);
    struct worker sum = run_workers(client, 32, 300);
    expect_only_answers(&sum, 32 * 300);
    assert_true(stats_of(client).created <= 2);
    mcm_client_free(client);
}

static void callers_beyond_the_limit_in_flight_wait_their_turn(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = shared_config(&list);
    config.lanes = 1;
    config.lane_in_flight_max = 2;
    struct mcm_client *client = new_client(&config);
    struct worker sum = run_workers(client, 16, 200);
    expect_only_answers(&sum, 16 * 200);
    mcm_client_free(client);
}

static void connections_are_renewed_under_load_without_a_visible_error(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = shared_config(&list);
    config.lifetime_max = 20 * MS;
    config.lanes = 1;
    struct mcm_client *client = new_client(&config);
    struct worker workers[16];
    atomic_bool stop = false;
    start_workers(workers, 16, client, 1000000, GENEROUS, &stop);
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(client).created < 5 && mcm_after(0) < end)
        nap(5 * MS);
    atomic_store(&stop, true);
    struct worker sum = join_workers(workers, 16);
    assert_int_equal(sum.wrong, 0);
    for (int i = 0; i < MCM_OUTCOME_COUNT; i++)
        if (i != MCM_OK && i != MCM_MISS && sum.counts[i] > 0)
            fail_msg("%u %s", sum.counts[i], mcm_outcome_name(i));
    assert_true(stats_of(client).created >= 5);
    mcm_client_free(client);
}

static void an_unused_connection_goes_back_to_the_pool(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(1);
    expect_outcome(get_within(client, "absent", GENEROUS), "miss");
    assert_int_equal(stats_of(client).active, 1);
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(client).active > 0 && mcm_after(0) < end) {
        nap(20 * MS);
        mcm_client_maintain(client);
    }
    assert_int_equal(stats_of(client).idle, 1);
    expect_outcome(get_within(client, "absent", GENEROUS), "miss");
    assert_int_equal(stats_of(client).created, 1);
    mcm_client_free(client);
}

static void a_hung_server_delays_nobody_beyond_the_deadline(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(2);
    struct worker workers[24];
    atomic_bool stop = false;
    expect_outcome(get_within(client, "absent", GENEROUS), "miss");
    memcached_pause(&server);
    start_workers(workers, 24, client, 6, 150 * MS, &stop);
    struct worker sum = join_workers(workers, 24);
    memcached_resume(&server);
    assert_int_equal(sum.counts[MCM_OK] + sum.counts[MCM_MISS], 0);
    assert_true(sum.slowest < 150 * MS + SLACK);
    assert_int_equal(sum.wrong, 0);
    sum = run_workers(client, 24, 100);
    expect_only_answers(&sum, 24 * 100);
    mcm_client_free(client);
}

static void a_late_answer_is_swallowed_and_the_connection_goes_on(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(1);
    expect_outcome(set_within(client, "late-1", "one", GENEROUS), "ok");
    expect_outcome(set_within(client, "late-2", "two", GENEROUS), "ok");
    for (int i = 0; i < 5; i++) {
        memcached_pause(&server);
        expect_outcome(get_within(client, "late-1", 30 * MS), "timeout_read");
        expect_outcome(set_within(client, "late-2", "two", 30 * MS), "timeout_read");
        memcached_resume(&server);
        expect_text(client, "late-2", "two");
        expect_text(client, "late-1", "one");
    }
    /* A machine that sleeps for the whole second deadline may have cost one. */
    assert_true(stats_of(client).created <= 3);
    mcm_client_free(client);
}

static void a_silent_connection_is_given_up_after_the_second_deadline(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(1);
    expect_outcome(set_within(client, "silent", "x", GENEROUS), "ok");
    memcached_pause(&server);
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(client).destroyed == 0 && mcm_after(0) < end)
        assert_false(mcm_outcome_is_answer(get_within(client, "silent", 100 * MS)));
    assert_true(stats_of(client).destroyed > 0);
    memcached_resume(&server);
    expect_text(client, "silent", "x");
    mcm_client_free(client);
}

static void a_get_survives_a_restart_between_two_calls(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(1);
    expect_outcome(set_within(client, "r", "x", GENEROUS), "ok");
    memcached_kill(&server);
    assert_true(memcached_restart(&server));
    expect_outcome(get_within(client, "r", GENEROUS), "miss");
    assert_int_equal(stats_of(client).retries, 1);
    memcached_kill(&server);
    expect_outcome(set_within(client, "r", "x", GENEROUS), "closed_idle");
    expect_outcome(set_within(client, "r", "x", GENEROUS), "connect_refused");
    assert_true(memcached_restart(&server));
    expect_outcome(set_within(client, "r", "x", GENEROUS), "ok");
    mcm_client_free(client);
}

/* Stops, kills and restarts the server in turn, under load. */
static void break_server(int round)
{
    if (round % 2 == 0) {
        memcached_pause(&server);
        nap((round % 4 == 0 ? 60 : 700) * MS);
        memcached_resume(&server);
    } else {
        memcached_kill(&server);
        nap(20 * MS);
        assert_true(memcached_restart(&server));
    }
    nap(50 * MS);
}

static void faults_never_yield_wrong_data_and_leave_no_damage(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(2);
    static struct worker workers[24];
    atomic_bool stop = false;
    start_workers(workers, 24, client, 100000000, 100 * MS, &stop);
    for (int round = 0; round < 12; round++)
        break_server(round);
    atomic_store(&stop, true);
    struct worker sum = join_workers(workers, 24);
    assert_int_equal(sum.wrong, 0);
    assert_int_equal(sum.counts[MCM_E_PROTOCOL], 0);
    assert_true(sum.counts[MCM_OK] > 0);
    assert_true(sum.counts[MCM_OK] + sum.counts[MCM_MISS] > sum.counts[MCM_E_TIMEOUT_READ]);
    assert_true(sum.slowest < 100 * MS + SLACK);
    sum = run_workers(client, 24, 100);
    expect_only_answers(&sum, 24 * 100);
    struct mcm_server_stats stats = stats_of(client);
    assert_true(stats.active <= 2);
    assert_int_equal(stats.total, stats.idle + stats.active);
    mcm_client_free(client);
}

static void *blocked_get(void *arg)
{
    return (void *)(uintptr_t)get_within(arg, "blocked", GENEROUS);
}

static void start_blocked(struct mcm_client *client, pthread_t *threads, int count)
{
    expect_outcome(set_within(client, "blocked", "x", GENEROUS), "ok");
    memcached_pause(&server);
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, blocked_get, client);
    nap(30 * MS);
}

static void join_blocked(pthread_t *threads, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        void *outcome;
        pthread_join(threads[i], &outcome);
        expect_outcome((enum mcm_outcome)(uintptr_t)outcome, name);
    }
}

static void interruption_ends_blocked_calls_at_once(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(2);
    pthread_t threads[8];
    for (int round = 0; round < 3; round++) {
        start_blocked(client, threads, 8);
        mcm_ns start = mcm_after(0);
        mcm_client_interrupt(client);
        join_blocked(threads, 8, "cancelled");
        assert_true(mcm_after(0) - start < SLACK);
        memcached_resume(&server);
        expect_outcome(get_within(client, "blocked", GENEROUS), "cancelled");
        mcm_client_resume(client);
        expect_text(client, "blocked", "x");
    }
    mcm_client_interrupt(client);
    mcm_client_resume(client);
    expect_outcome(set_within(client, "blocked", "y", GENEROUS), "ok");
    mcm_client_free(client);
}

static void freeing_ends_blocked_calls(void **state)
{
    (void)state;
    struct mcm_client *client = client_with_lanes(2);
    pthread_t threads[8];
    start_blocked(client, threads, 8);
    mcm_client_free(client);
    memcached_resume(&server);
    join_blocked(threads, 8, "shutdown");
}

static void the_breaker_counts_calls_as_with_connections_of_their_own(void **state)
{
    (void)state;
    struct mcm_breaker_settings breaker = {.consecutive_failures = 3, .open_ns = 50 * MS};
    struct mcm_server list;
    struct mcm_client_config config = shared_config(&list);
    config.breaker = &breaker;
    struct mcm_client *client = new_client(&config);
    memcached_kill(&server);
    for (int i = 0; i < 3; i++)
        expect_outcome(get_within(client, "b", GENEROUS), "connect_refused");
    assert_int_equal(stats_of(client).breaker_opened, 1);
    assert_true(memcached_restart(&server));
    mcm_ns end = mcm_after(GENEROUS);
    while (get_within(client, "b", GENEROUS) != MCM_MISS && mcm_after(0) < end)
        continue;
    assert_int_equal(stats_of(client).breaker_state, MCM_BREAKER_CLOSED);
    mcm_client_free(client);
}

static void configurations_that_cannot_work_are_refused(void **state)
{
    (void)state;
    struct mcm_server list;
    char error[MCM_ERROR_SIZE];
    struct mcm_client_config config = shared_config(&list);
    config.lanes = 0;
    assert_null(mcm_client_new(&config, error, sizeof(error)));
    assert_string_equal(error, "lanes must be 1 to 64");
    config.lanes = config.connections_max;
    assert_null(mcm_client_new(&config, error, sizeof(error)));
    assert_string_equal(error, "connections_max must be larger than lanes");
    config.lanes = 1;
    config.lane_in_flight_max = 0;
    assert_null(mcm_client_new(&config, error, sizeof(error)));
}

static int start_server(void **state)
{
    (void)state;
    return memcached_start(&server) ? 0 : -1;
}

static int stop_server(void **state)
{
    (void)state;
    memcached_kill(&server);
    return 0;
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_caller_works_as_with_a_connection_of_its_own),
        cmocka_unit_test(large_values_have_a_connection_of_their_own),
        cmocka_unit_test(thirty_two_threads_share_two_connections),
        cmocka_unit_test(callers_beyond_the_limit_in_flight_wait_their_turn),
        cmocka_unit_test(connections_are_renewed_under_load_without_a_visible_error),
        cmocka_unit_test(an_unused_connection_goes_back_to_the_pool),
        cmocka_unit_test(a_hung_server_delays_nobody_beyond_the_deadline),
        cmocka_unit_test(a_late_answer_is_swallowed_and_the_connection_goes_on),
        cmocka_unit_test(a_silent_connection_is_given_up_after_the_second_deadline),
        cmocka_unit_test(a_get_survives_a_restart_between_two_calls),
        cmocka_unit_test(faults_never_yield_wrong_data_and_leave_no_damage),
        cmocka_unit_test(interruption_ends_blocked_calls_at_once),
        cmocka_unit_test(freeing_ends_blocked_calls),
        cmocka_unit_test(the_breaker_counts_calls_as_with_connections_of_their_own),
        cmocka_unit_test(configurations_that_cannot_work_are_refused),
    };
    return cmocka_run_group_tests_name("mcmeta/shared", tests, start_server, stop_server);
}
