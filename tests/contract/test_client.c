/* SPDX-License-Identifier: MIT */
/* The client against a real memcached: what it stores, and what its death and silence do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC) /* a deadline that only a bug can miss */

static struct memcached server;

static struct mcm_client_config config_for(struct mcm_server *list, unsigned connections)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    *list = (struct mcm_server){.address = server.address};
    config.servers = list;
    config.server_count = 1;
    config.connections_max = connections;
    config.connect_timeout = 5 * SEC;
    config.seed = 42;
    return config;
}

static struct mcm_client *client_with(unsigned connections)
{
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, connections);
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    if (client == NULL)
        fail_msg("%s", error);
    return client;
}

static struct mcm_server_stats stats_of(struct mcm_client *client)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_client_stats(client, 0, &stats), 0);
    return stats;
}

static void set_text(struct mcm_client *client, const char *key, const char *value)
{
    struct mcm_result result;
    enum mcm_outcome outcome =
        mcm_set(client, MCM_KEY(key), MCM_KEY(value), 0, mcm_after(GENEROUS), &result);
    assert_string_equal(mcm_outcome_name(outcome), "ok");
}

static void expect_text(struct mcm_client *client, const char *key, const char *value)
{
    char buffer[256];
    struct mcm_result result;
    enum mcm_outcome outcome =
        mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(GENEROUS), &result);
    assert_string_equal(mcm_outcome_name(outcome), "ok");
    assert_int_equal(result.value.size, strlen(value));
    assert_memory_equal(result.value.data, value, result.value.size);
}

static enum mcm_outcome get_within(struct mcm_client *client, const char *key, mcm_ns span)
{
    char buffer[256];
    struct mcm_result result;
    return mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(span), &result);
}

static void stores_reads_and_deletes(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(2);
    struct mcm_result result;
    assert_int_equal(get_within(client, "absent", GENEROUS), MCM_MISS);
    set_text(client, "a", "first");
    expect_text(client, "a", "first");
    set_text(client, "a", "second");
    expect_text(client, "a", "second");
    assert_int_equal(mcm_delete(client, MCM_KEY("a"), mcm_after(GENEROUS), &result), MCM_OK);
    assert_int_equal(mcm_delete(client, MCM_KEY("a"), mcm_after(GENEROUS), &result), MCM_NOT_FOUND);
    assert_int_equal(get_within(client, "a", GENEROUS), MCM_MISS);
    struct mcm_server_stats stats = stats_of(client);
    assert_int_equal(stats.created, 1);
    assert_int_equal(stats.outcomes[MCM_MISS], 2);
    assert_int_equal(stats.idle, 1);
    assert_int_equal(stats.active, 0);
    mcm_client_free(client);
}

static void values_of_every_size_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 4095, 4096, 4097, 65536, 1000000};
    struct mcm_client *client = client_with(1);
    char *value = malloc(1000000), *buffer = malloc(1000000);
    for (size_t i = 0; i < 1000000; i++)
        value[i] = (char)(i * 31 + i / 257);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct mcm_result result;
        struct mcm_slice slice = {value, sizes[i]};
        assert_int_equal(mcm_set(client, MCM_KEY("sized"), slice, 0, mcm_after(GENEROUS), &result),
                         MCM_OK);
        memset(buffer, 0, 1000000);
        assert_int_equal(
            mcm_get(client, MCM_KEY("sized"), buffer, sizes[i], mcm_after(GENEROUS), &result),
            MCM_OK);
        assert_int_equal(result.value.size, sizes[i]);
        assert_memory_equal(buffer, value, sizes[i]);
    }
    assert_int_equal(stats_of(client).created, 1);
    free(value);
    free(buffer);
    mcm_client_free(client);
}

static void too_large_values_keep_the_connection(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 1);
    config.value_size_max = 1048576;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    char *value = calloc(1, 1048577);
    struct mcm_result result;
    struct mcm_slice over_our_limit = {value, 1048577}, over_its_limit = {value, 1048576};
    assert_int_equal(
        mcm_set(client, MCM_KEY("big"), over_our_limit, 0, mcm_after(GENEROUS), &result),
        MCM_E_TOO_BIG);
    assert_false(result.sent);
    assert_int_equal(
        mcm_set(client, MCM_KEY("big"), over_its_limit, 0, mcm_after(GENEROUS), &result),
        MCM_E_REJECTED);
    assert_string_equal(result.text, "SERVER_ERROR object too large for cache");
    struct mcm_slice fits = {value, 100000};
    assert_int_equal(mcm_set(client, MCM_KEY("big"), fits, 0, mcm_after(GENEROUS), &result),
                     MCM_OK);
    char small[10];
    assert_int_equal(
        mcm_get(client, MCM_KEY("big"), small, sizeof(small), mcm_after(GENEROUS), &result),
        MCM_E_BUFFER);
    assert_int_equal(result.value_size, 100000);
    assert_int_equal(result.value.size, 0);
    assert_int_equal(get_within(client, "absent", GENEROUS), MCM_MISS);
    assert_int_equal(stats_of(client).created, 1);
    free(value);
    mcm_client_free(client);
}

static void keys_of_250_bytes_work_and_bad_keys_never_leave(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(1);
    char key[252];
    memset(key, 'k', 251);
    key[251] = '\0';
    assert_int_equal(get_within(client, key, GENEROUS), MCM_E_KEY);
    key[250] = '\0';
    set_text(client, key, "long");
    expect_text(client, key, "long");
    assert_int_equal(get_within(client, "", GENEROUS), MCM_E_KEY);
    assert_int_equal(get_within(client, "a\r\nflush_all", GENEROUS), MCM_E_KEY);
    assert_int_equal(get_within(client, "a b", GENEROUS), MCM_E_KEY);
    mcm_client_free(client);
}

static void counts_in_64_bits(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(1);
    struct mcm_result result;
    struct mcm_increment add = {.delta = 1};
    assert_int_equal(mcm_increment(client, MCM_KEY("n"), &add, mcm_after(GENEROUS), &result),
                     MCM_NOT_FOUND);
    struct mcm_increment create = {.delta = 5, .create = true, .initial = UINT64_MAX - 1};
    assert_int_equal(mcm_increment(client, MCM_KEY("n"), &create, mcm_after(GENEROUS), &result),
                     MCM_OK);
    assert_true(result.number == UINT64_MAX - 1);
    mcm_increment(client, MCM_KEY("n"), &add, mcm_after(GENEROUS), &result);
    assert_true(result.number == UINT64_MAX);
    mcm_increment(client, MCM_KEY("n"), &add, mcm_after(GENEROUS), &result);
    assert_true(result.outcome == MCM_OK && result.number == 0);
    set_text(client, "n", "100");
    struct mcm_increment subtract = {.delta = 1, .decrement = true};
    mcm_increment(client, MCM_KEY("n"), &subtract, mcm_after(GENEROUS), &result);
    assert_int_equal(result.number, 99);
    set_text(client, "n", "text");
    assert_int_equal(mcm_increment(client, MCM_KEY("n"), &add, mcm_after(GENEROUS), &result),
                     MCM_E_CLIENT);
    assert_true(strncmp(result.text, "CLIENT_ERROR ", 13) == 0);
    assert_int_equal(stats_of(client).created, 1);
    mcm_client_free(client);
}

static void works_over_a_unix_socket(void **state)
{
    (void)state;
    struct memcached over_unix;
    assert_true(memcached_start_unix(&over_unix));
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 2);
    list.address = over_unix.address;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    set_text(client, "u", "over unix");
    expect_text(client, "u", "over unix");
    mcm_client_free(client);
    memcached_kill(&over_unix);
}

/* One of many threads that work on the same client. */
struct worker {
    pthread_t thread;
    struct mcm_client *client;
    unsigned id;
    unsigned operations;
    mcm_ns span; /* of each call */
    unsigned counts[MCM_OUTCOME_COUNT];
    unsigned foreign; /* values that belong to another key */
    mcm_ns slowest;
};

static mcm_ns now(void)
{
    return mcm_after(0);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    unsigned seed = worker->id;
    for (unsigned i = 0; i < worker->operations; i++) {
        char key[32], value[64], buffer[64];
        struct mcm_result result;
        int key_size = snprintf(key, sizeof(key), "w-%u", rand_r(&seed) % 50);
        int size = snprintf(value, sizeof(value), "%s|%u", key, worker->id);
        mcm_ns start = now();
        if (rand_r(&seed) % 2 == 0)
            mcm_set(worker->client, MCM_KEY(key), (struct mcm_slice){value, (size_t)size}, 0,
                    mcm_after(worker->span), &result);
        else
            mcm_get(worker->client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(worker->span),
                    &result);
        mcm_ns took = now() - start;
        worker->slowest = took > worker->slowest ? took : worker->slowest;
        worker->counts[result.outcome]++;
        if (result.value.size > 0 &&
            (memcmp(buffer, key, (size_t)key_size) != 0 || buffer[key_size] != '|'))
            worker->foreign++;
    }
    return NULL;
}

static void start_workers(struct worker *workers, unsigned count, struct mcm_client *client,
                          unsigned operations, mcm_ns span)
{
    for (unsigned i = 0; i < count; i++) {
        workers[i] =
            (struct worker){.client = client, .id = i, .operations = operations, .span = span};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

/* Joins all and adds their numbers up in the first. */
static struct worker join_workers(struct worker *workers, unsigned count)
{
    struct worker sum = {0};
    for (unsigned i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        for (int o = 0; o < MCM_OUTCOME_COUNT; o++)
            sum.counts[o] += workers[i].counts[o];
        sum.foreign += workers[i].foreign;
        sum.slowest = sum.slowest > workers[i].slowest ? sum.slowest : workers[i].slowest;
    }
    return sum;
}

static void sixteen_threads_share_four_connections(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(4);
    struct worker workers[16];
    start_workers(workers, 16, client, 300, GENEROUS);
    struct worker sum = join_workers(workers, 16);
    assert_int_equal(sum.counts[MCM_OK] + sum.counts[MCM_MISS], 16 * 300);
    assert_int_equal(sum.foreign, 0);
    struct mcm_server_stats stats = stats_of(client);
    assert_true(stats.total_max <= 4 && stats.active_max <= 4);
    assert_true(stats.waiting_max <= 12);
    assert_int_equal(stats.acquired, 16 * 300);
    assert_int_equal(stats.active + stats.waiting + stats.connecting, 0);
    assert_int_equal(stats.outcomes[MCM_OK] + stats.outcomes[MCM_MISS], 16 * 300);
    mcm_client_free(client);
}

static void connections_churn_without_a_visible_error(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 4);
    config.lifetime_max = 20 * MS;
    config.idle_max = 10 * MS;
    config.health_check_period = 5 * MS;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    struct worker workers[8];
    mcm_ns end = mcm_after(GENEROUS);
    do {
        start_workers(workers, 8, client, 100, GENEROUS);
        struct worker sum = join_workers(workers, 8);
        assert_int_equal(sum.counts[MCM_OK] + sum.counts[MCM_MISS], 8 * 100);
        assert_int_equal(sum.foreign, 0);
    } while (stats_of(client).destroyed < 20 && now() < end);
    assert_true(stats_of(client).destroyed >= 20);
    mcm_client_free(client);
}

static void maintenance_pings_and_then_closes_unused_connections(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 2);
    config.idle_max = 200 * MS;
    config.health_check_period = 20 * MS;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    set_text(client, "m", "x");
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(client).total > 0 && now() < end) {
        struct timespec pause = {.tv_nsec = 5 * MS};
        nanosleep(&pause, NULL);
    }
    struct mcm_server_stats stats = stats_of(client);
    assert_int_equal(stats.total, 0);
    assert_int_equal(stats.destroyed, 1);
    assert_true(stats.health_checks > 0);
    assert_int_equal(stats.health_failures, 0);
    mcm_client_free(client);
}

static void a_killed_server_refuses_and_a_restarted_one_serves(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(4);
    set_text(client, "r", "before");
    memcached_kill(&server);
    /* The kept connection is found dead, the new one is refused. */
    assert_string_equal(mcm_outcome_name(get_within(client, "r", GENEROUS)), "connect_refused");
    assert_string_equal(mcm_outcome_name(get_within(client, "r", GENEROUS)), "connect_refused");
    assert_true(stats_of(client).connect_failures >= 2);
    assert_int_equal(stats_of(client).total, 0);
    assert_true(memcached_restart(&server));
    assert_int_equal(get_within(client, "r", GENEROUS), MCM_MISS);
    set_text(client, "r", "after");
    expect_text(client, "r", "after");
    mcm_client_free(client);
}

static void a_get_survives_a_restart_between_two_calls(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(4);
    struct worker workers[8];
    start_workers(workers, 8, client, 50, GENEROUS);
    join_workers(workers, 8);
    memcached_kill(&server);
    assert_true(memcached_restart(&server));
    for (int i = 0; i < 8; i++)
        assert_int_equal(get_within(client, "absent", GENEROUS), MCM_MISS);
    mcm_client_free(client);
}

static void a_hung_server_delays_nobody_beyond_the_deadline(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(4);
    struct worker workers[16];
    start_workers(workers, 16, client, 50, GENEROUS);
    join_workers(workers, 16);
    memcached_pause(&server);
    start_workers(workers, 16, client, 4, 60 * MS);
    struct worker sum = join_workers(workers, 16);
    memcached_resume(&server);
    assert_int_equal(sum.counts[MCM_OK] + sum.counts[MCM_MISS], 0);
    assert_int_equal(sum.counts[MCM_E_TIMEOUT_READ] + sum.counts[MCM_E_TIMEOUT_POOL] +
                         sum.counts[MCM_E_CONNECT_TIMEOUT],
                     16 * 4);
    assert_true(sum.counts[MCM_E_TIMEOUT_READ] >= 4);
    assert_true(sum.slowest < 3 * SEC);
    start_workers(workers, 16, client, 200, GENEROUS);
    sum = join_workers(workers, 16);
    assert_int_equal(sum.counts[MCM_OK] + sum.counts[MCM_MISS], 16 * 200);
    assert_int_equal(sum.foreign, 0);
    mcm_client_free(client);
}

static void late_answers_never_reach_another_call(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(1);
    set_text(client, "late-1", "one");
    set_text(client, "late-2", "two");
    for (int i = 0; i < 5; i++) {
        memcached_pause(&server);
        assert_string_equal(mcm_outcome_name(get_within(client, "late-1", 100 * MS)),
                            "timeout_read");
        memcached_resume(&server);
        expect_text(client, "late-2", "two");
    }
    assert_int_equal(stats_of(client).created, 6);
    mcm_client_free(client);
}

static void *blocked_get(void *arg)
{
    return (void *)(uintptr_t)get_within(arg, "blocked", GENEROUS);
}

/* Waits until `active` calls hold a connection and `waiting` queue for one. */
static void await_blocked(struct mcm_client *client, unsigned active, unsigned waiting)
{
    mcm_ns end = mcm_after(GENEROUS);
    struct mcm_server_stats stats;
    do {
        struct timespec pause = {.tv_nsec = MS};
        nanosleep(&pause, NULL);
        stats = stats_of(client);
    } while ((stats.active != active || stats.waiting != waiting) && now() < end);
    assert_true(stats.active == active && stats.waiting == waiting);
}

/* Five calls on two connections to a hung server, interrupted. */
static void interrupt_five(struct mcm_client *client, bool resume_at_once)
{
    pthread_t threads[5];
    memcached_pause(&server);
    for (int i = 0; i < 5; i++)
        pthread_create(&threads[i], NULL, blocked_get, client);
    await_blocked(client, 2, 3);
    mcm_ns start = now();
    mcm_client_interrupt(client);
    if (resume_at_once)
        mcm_client_resume(client);
    for (int i = 0; i < 5; i++) {
        void *outcome;
        pthread_join(threads[i], &outcome);
        assert_string_equal(mcm_outcome_name((enum mcm_outcome)(uintptr_t)outcome), "cancelled");
    }
    assert_true(now() - start < 5 * SEC);
    memcached_resume(&server);
}

static void interruption_ends_blocked_calls_at_once(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(2);
    set_text(client, "blocked", "x");
    interrupt_five(client, false);
    assert_int_equal(get_within(client, "blocked", GENEROUS), MCM_E_CANCELLED);
    mcm_client_resume(client);
    expect_text(client, "blocked", "x");
    interrupt_five(client, true);
    expect_text(client, "blocked", "x");
    mcm_client_free(client);
}

static void freeing_ends_blocked_calls(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(1);
    set_text(client, "blocked", "x");
    memcached_pause(&server);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, blocked_get, client);
    await_blocked(client, 1, 1);
    mcm_client_free(client);
    memcached_resume(&server);
    for (int i = 0; i < 2; i++) {
        void *outcome;
        pthread_join(threads[i], &outcome);
        assert_string_equal(mcm_outcome_name((enum mcm_outcome)(uintptr_t)outcome), "shutdown");
    }
}

struct events {
    unsigned count;
    struct mcm_breaker_event list[16];
    struct mcm_client *client;
};

static void note_event(void *arg, const struct mcm_breaker_event *event)
{
    struct events *events = arg;
    if (events->count < 16)
        events->list[events->count++] = *event;
    /* No lock may be held here. */
    stats_of(events->client);
}

static void the_breaker_opens_reports_and_closes_again(void **state)
{
    (void)state;
    struct events events = {0};
    struct mcm_breaker_settings breaker = {.consecutive_failures = 3, .open_ns = 50 * MS};
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 2);
    config.breaker = &breaker;
    config.on_breaker = note_event;
    config.on_breaker_arg = &events;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    events.client = client;
    memcached_kill(&server);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get_within(client, "b", GENEROUS), MCM_E_CONNECT_REFUSED);
    assert_int_equal(events.count, 1);
    assert_int_equal(events.list[0].to, MCM_BREAKER_OPEN);
    assert_int_equal(events.list[0].outcome, MCM_E_CONNECT_REFUSED);
    assert_true(memcached_restart(&server));
    mcm_ns end = mcm_after(GENEROUS);
    while (get_within(client, "b", GENEROUS) != MCM_MISS && now() < end)
        continue;
    struct mcm_server_stats stats = stats_of(client);
    assert_int_equal(stats.breaker_state, MCM_BREAKER_CLOSED);
    assert_int_equal(stats.breaker_opened, 1);
    assert_int_equal(events.count, 3);
    assert_int_equal(events.list[2].to, MCM_BREAKER_CLOSED);
    assert_true(events.list[0].at <= events.list[1].at && events.list[1].at <= events.list[2].at);
    mcm_client_free(client);
}

static void own_shortage_and_cancelling_do_not_count_for_the_breaker(void **state)
{
    (void)state;
    struct mcm_breaker_settings breaker = {.consecutive_failures = 1, .open_ns = 50 * MS};
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 1);
    config.breaker = &breaker;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    set_text(client, "blocked", "x");
    memcached_pause(&server);
    pthread_t thread;
    pthread_create(&thread, NULL, blocked_get, client);
    await_blocked(client, 1, 0);
    for (int i = 0; i < 3; i++)
        assert_string_equal(mcm_outcome_name(get_within(client, "x", 10 * MS)), "timeout_pool");
    assert_true(stats_of(client).wait_ns >= 30 * MS);
    mcm_client_interrupt(client);
    pthread_join(thread, NULL);
    mcm_client_resume(client);
    assert_int_equal(stats_of(client).breaker_state, MCM_BREAKER_CLOSED);
    assert_string_equal(mcm_outcome_name(get_within(client, "x", 100 * MS)), "timeout_read");
    assert_int_equal(stats_of(client).breaker_state, MCM_BREAKER_OPEN);
    assert_string_equal(mcm_outcome_name(get_within(client, "x", GENEROUS)), "breaker_open");
    assert_int_equal(stats_of(client).breaker_rejected, 1);
    memcached_resume(&server);
    mcm_client_free(client);
}

struct timed_get {
    struct mcm_client *client;
    mcm_ns deadline;
    enum mcm_outcome outcome;
};

static void *run_timed_get(void *arg)
{
    struct timed_get *get = arg;
    struct mcm_result result;
    get->outcome = mcm_get(get->client, MCM_KEY("k"), NULL, 0, get->deadline, &result);
    return NULL;
}

static void a_timeout_after_a_long_wait_for_a_connection_does_not_count(void **state)
{
    (void)state;
    struct mcm_breaker_settings breaker = {.consecutive_failures = 2, .open_ns = GENEROUS};
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 1);
    config.breaker = &breaker;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    memcached_pause(&server);
    /* The second gets the only connection when the first has timed out, with little time left. */
    struct timed_get first = {.client = client, .deadline = mcm_after(2000 * MS)};
    struct timed_get second = {.client = client, .deadline = first.deadline + 900 * MS};
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, run_timed_get, &first);
    await_blocked(client, 1, 0);
    pthread_create(&threads[1], NULL, run_timed_get, &second);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_string_equal(mcm_outcome_name(first.outcome), "timeout_read");
    assert_string_equal(mcm_outcome_name(second.outcome), "timeout_read");
    assert_int_equal(stats_of(client).breaker_state, MCM_BREAKER_CLOSED);
    assert_string_equal(mcm_outcome_name(get_within(client, "k", 100 * MS)), "timeout_read");
    assert_int_equal(stats_of(client).breaker_state, MCM_BREAKER_OPEN);
    memcached_resume(&server);
    mcm_client_free(client);
}

static void tells_what_the_server_knows_about_an_item(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(1);
    char buffer[16];
    struct mcm_result result;
    mcm_set(client, MCM_KEY("cas"), MCM_KEY("v"), 100, mcm_after(GENEROUS), &result);
    uint64_t cas = result.cas;
    assert_true(result.outcome == MCM_OK && result.sent && cas != 0);
    mcm_get(client, MCM_KEY("cas"), buffer, sizeof(buffer), mcm_after(GENEROUS), &result);
    assert_true(result.cas == cas && result.client_flags == 0);
    assert_int_equal(
        mcm_set(client, MCM_KEY("cas"), MCM_KEY("v"), UINT32_MAX, mcm_after(GENEROUS), &result),
        MCM_E_ARG);
    mcm_client_free(client);
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
        cmocka_unit_test(stores_reads_and_deletes),
        cmocka_unit_test(values_of_every_size_come_back),
        cmocka_unit_test(too_large_values_keep_the_connection),
        cmocka_unit_test(keys_of_250_bytes_work_and_bad_keys_never_leave),
        cmocka_unit_test(counts_in_64_bits),
        cmocka_unit_test(works_over_a_unix_socket),
        cmocka_unit_test(sixteen_threads_share_four_connections),
        cmocka_unit_test(connections_churn_without_a_visible_error),
        cmocka_unit_test(maintenance_pings_and_then_closes_unused_connections),
        cmocka_unit_test(a_killed_server_refuses_and_a_restarted_one_serves),
        cmocka_unit_test(a_get_survives_a_restart_between_two_calls),
        cmocka_unit_test(a_hung_server_delays_nobody_beyond_the_deadline),
        cmocka_unit_test(late_answers_never_reach_another_call),
        cmocka_unit_test(interruption_ends_blocked_calls_at_once),
        cmocka_unit_test(freeing_ends_blocked_calls),
        cmocka_unit_test(the_breaker_opens_reports_and_closes_again),
        cmocka_unit_test(own_shortage_and_cancelling_do_not_count_for_the_breaker),
        cmocka_unit_test(a_timeout_after_a_long_wait_for_a_connection_does_not_count),
        cmocka_unit_test(tells_what_the_server_knows_about_an_item),
    };
    return cmocka_run_group_tests_name("mcmeta/client", tests, start_server, stop_server);
}
