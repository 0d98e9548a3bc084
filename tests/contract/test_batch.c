/* SPDX-License-Identifier: MIT */
/* Batches against real memcached servers: order, partial results, size, deadlines. */
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
#define SOON mcm_after(60 * SEC)
#define SERVERS 3
#define KEY_SIZE 32

static struct memcached servers[SERVERS];

struct keys {
    size_t count;
    char (*text)[KEY_SIZE];
    struct mcm_batch_item *items;
};

static struct keys keys_new(size_t count, const char *prefix)
{
    struct keys keys = {.count = count};
    keys.text = calloc(count, KEY_SIZE);
    keys.items = calloc(count, sizeof(*keys.items));
    for (size_t i = 0; i < count; i++)
        snprintf(keys.text[i], KEY_SIZE, "%.10s-%zu", prefix, i);
    return keys;
}

static void keys_free(struct keys *keys)
{
    free(keys->text);
    free(keys->items);
}

/* Empty items, each with its key as the value to store. */
static struct mcm_batch_item *fresh(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        keys->items[i] =
            (struct mcm_batch_item){.key = MCM_KEY(keys->text[i]), .value = MCM_KEY(keys->text[i])};
    return keys->items;
}

static struct mcm_client *client_of(unsigned count, const char *const addresses[])
{
    struct mcm_server list[SERVERS] = {0};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    for (unsigned i = 0; i < count; i++)
        list[i].address = addresses[i];
    config.servers = list;
    config.server_count = count;
    config.connections_max = 2;
    config.maintenance_thread = false;
    config.connect_timeout = 5 * SEC;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static struct mcm_client *client_of_all(void)
{
    return client_of(
        SERVERS, (const char *const[]){servers[0].address, servers[1].address, servers[2].address});
}

static struct mcm_batch_options options_until(mcm_ns deadline, struct mcm_arena *arena)
{
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = deadline;
    options.arena = arena;
    return options;
}

static void expect_own_values(const struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct mcm_batch_item *item = &keys->items[i];
        if (item->outcome != MCM_OK || item->value.size != strlen(keys->text[i]) ||
            memcmp(item->value.data, keys->text[i], item->value.size) != 0)
            fail_msg("item %zu: %s", i, mcm_outcome_name(item->outcome));
    }
}

/* Sets, gets and deletes all keys in one way. */
static void go_round(struct mcm_client *client, size_t count, bool plain, bool quiet,
                     unsigned window)
{
    struct keys keys = keys_new(count, "round");
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_options options = options_until(SOON, arena);
    struct mcm_batch_result result;
    options.plain = plain;
    options.quiet = quiet;
    options.in_flight_max = window;
    assert_int_equal(mcm_multi_set(client, fresh(&keys), count, &options, &result), MCM_BATCH_OK);
    assert_int_equal(result.ok, count);
    assert_int_equal(mcm_multi_get(client, fresh(&keys), count, &options, &result), MCM_BATCH_OK);
    assert_int_equal(result.ok, count);
    expect_own_values(&keys);
    assert_int_equal(mcm_multi_delete(client, fresh(&keys), count, &options, &result),
                     MCM_BATCH_OK);
    assert_int_equal(result.ok, count);
    assert_int_equal(mcm_multi_get(client, fresh(&keys), count, &options, &result), MCM_BATCH_OK);
    assert_int_equal(result.ok, 0);
    assert_int_equal(result.answered, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(keys.items[i].outcome, MCM_MISS);
    mcm_arena_free(arena);
    keys_free(&keys);
}

static void every_way_and_window_gives_each_key_its_own_value(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 20, 99, 100, 101, 1000};
    static const unsigned windows[] = {1, 2, 3, 64, 512};
    struct mcm_client *client = client_of_all();
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
            go_round(client, counts[c], false, false, windows[w]);
            go_round(client, counts[c], true, false, windows[w]);
            go_round(client, counts[c], true, true, windows[w]);
        }
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        struct mcm_server_stats stats = {.size = sizeof(stats)};
        mcm_client_stats(client, i, &stats);
        assert_int_equal(stats.created, 1);
        assert_int_equal(stats.active, 0);
        assert_true(stats.hits > 0 && stats.misses > 0);
    }
    mcm_client_free(client);
}

static void a_hundred_thousand_keys_pass_through_a_unix_socket(void **state)
{
    (void)state;
    struct memcached local;
    assert_true(memcached_start_unix(&local));
    struct mcm_client *client = client_of(1, (const char *const[]){local.address});
    go_round(client, 100000, false, false, 512);
    go_round(client, 100000, true, false, 4096);
    go_round(client, 100000, true, true, 4096);
    mcm_client_free(client);
    memcached_kill(&local);
}

static void large_values_pass_both_ways_at_once(void **state)
{
    (void)state;
    enum { COUNT = 200, SIZE = 200000 };
    struct mcm_client *client = client_of_all();
    struct keys keys = keys_new(COUNT, "large");
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_options options = options_until(SOON, arena);
    char *value = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        value[i] = (char)(i * 7 + i / 251);
    fresh(&keys);
    for (size_t i = 0; i < COUNT; i++)
        keys.items[i].value = (struct mcm_slice){value, SIZE - i};
    assert_int_equal(mcm_multi_set(client, keys.items, COUNT, &options, NULL), MCM_BATCH_OK);
    for (int plain = 0; plain < 2; plain++) {
        options.plain = plain;
        assert_int_equal(mcm_multi_get(client, fresh(&keys), COUNT, &options, NULL), MCM_BATCH_OK);
        for (size_t i = 0; i < COUNT; i++) {
            if (keys.items[i].outcome == MCM_MISS)
                continue; /* 64 MB were not enough */
            assert_int_equal(keys.items[i].value.size, SIZE - i);
            assert_memory_equal(keys.items[i].value.data, value, SIZE - i);
        }
        mcm_arena_reset(arena);
    }
    free(value);
    mcm_arena_free(arena);
    keys_free(&keys);
    mcm_client_free(client);
}

static void bad_items_end_alone(void **state)
{
    (void)state;
    struct mcm_client *client = client_of_all();
    char small[4];
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_options options = options_until(SOON, arena);
    struct mcm_batch_result result;
    struct mcm_batch_item stores[] = {
        {.key = MCM_KEY("good"), .value = MCM_KEY("12345"), .client_flags = 9},
        {.key = MCM_KEY("bad key"), .value = MCM_KEY("x")},
        {.key = MCM_KEY("huge"), .value = {small, (size_t)1 << 24}},
        {.key = MCM_KEY("ttl"), .value = MCM_KEY("x"), .ttl = UINT32_MAX},
    };
    assert_int_equal(mcm_multi_set(client, stores, 4, &options, &result), MCM_BATCH_PARTIAL);
    assert_int_equal(stores[0].outcome, MCM_OK);
    assert_int_equal(stores[1].outcome, MCM_E_KEY);
    assert_int_equal(stores[2].outcome, MCM_E_TOO_BIG);
    assert_int_equal(stores[3].outcome, MCM_E_ARG);
    assert_int_equal(result.outcome, MCM_E_KEY);
    assert_true(result.ok == 1 && result.failed == 3 && result.servers_failed == 0);
    for (int plain = 0; plain < 2; plain++) {
        struct mcm_batch_item gets[] = {
            {.key = MCM_KEY("good"), .buffer = small, .buffer_size = sizeof(small)},
            {.key = MCM_KEY("good")},
            {.key = MCM_KEY("")},
            {.key = MCM_KEY("absent")},
            {.key = MCM_KEY("good")},
        };
        options.plain = plain;
        options.want_cas = true;
        mcm_multi_get(client, gets, 5, &options, &result);
        assert_int_equal(gets[0].outcome, MCM_E_BUFFER);
        assert_int_equal(gets[0].value_size, 5);
        assert_int_equal(gets[1].outcome, MCM_OK);
        assert_int_equal(gets[1].client_flags, 9);
        assert_true(gets[1].cas != 0 && gets[1].cas == gets[4].cas);
        assert_int_equal(gets[2].outcome, MCM_E_KEY);
        assert_int_equal(gets[3].outcome, MCM_MISS);
        assert_memory_equal(gets[4].value.data, "12345", 5);
    }
    assert_int_equal(mcm_multi_set(client, stores, 4, NULL, NULL), MCM_BATCH_PARTIAL);
    options.in_flight_max = 0;
    assert_int_equal(mcm_multi_set(client, stores, 4, &options, &result), MCM_BATCH_FAILED);
    assert_int_equal(stores[0].outcome, MCM_E_ARG);
    mcm_arena_free(arena);
    mcm_client_free(client);
}

static void conditions_hold_for_each_item(void **state)
{
    (void)state;
    struct mcm_client *client = client_of_all();
    struct mcm_batch_options options = options_until(SOON, NULL);
    for (int quiet = 0; quiet < 2; quiet++) {
        struct mcm_result one;
        mcm_delete(client, MCM_KEY("new"), SOON, &one);
        mcm_set(client, MCM_KEY("there"), MCM_KEY("v"), 0, SOON, &one);
        struct mcm_batch_item adds[] = {{.key = MCM_KEY("new")}, {.key = MCM_KEY("there")}};
        options.mode = MCM_STORE_ADD;
        options.quiet = quiet;
        assert_int_equal(mcm_multi_set(client, adds, 2, &options, NULL), MCM_BATCH_OK);
        assert_int_equal(adds[0].outcome, MCM_OK);
        assert_int_equal(adds[1].outcome, MCM_NOT_STORED);
        struct mcm_batch_item deletes[] = {{.key = MCM_KEY("there"), .cas = one.cas + 1000},
                                           {.key = MCM_KEY("absent")},
                                           {.key = MCM_KEY("new")},
                                           {.key = MCM_KEY("there"), .cas = one.cas}};
        assert_int_equal(mcm_multi_delete(client, deletes, 4, &options, NULL), MCM_BATCH_OK);
        assert_int_equal(deletes[0].outcome, MCM_EXISTS);
        assert_int_equal(deletes[1].outcome, MCM_NOT_FOUND);
        assert_int_equal(deletes[2].outcome, MCM_OK);
        assert_int_equal(deletes[3].outcome, MCM_OK);
    }
    mcm_client_free(client);
}

/* Gets 300 keys while server 1 does not answer, and looks at every item. */
static void expect_only_server_1_fails(struct mcm_client *client, struct keys *keys, mcm_ns span,
                                       bool plain, const char *expected)
{
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_options options = options_until(mcm_after(span), arena);
    struct mcm_batch_result result;
    options.plain = plain;
    assert_int_equal(mcm_multi_get(client, fresh(keys), keys->count, &options, &result),
                     MCM_BATCH_PARTIAL);
    for (size_t i = 0; i < keys->count; i++)
        assert_string_equal(mcm_outcome_name(keys->items[i].outcome),
                            keys->items[i].server == 1 ? expected : "ok");
    assert_true(result.servers == 3 && result.servers_failed == 1);
    assert_int_equal(result.ok + result.failed, keys->count);
    mcm_arena_free(arena);
}

static void a_dead_or_hung_server_fails_its_own_keys_only(void **state)
{
    (void)state;
    struct mcm_client *client = client_of_all();
    struct keys keys = keys_new(300, "partial");
    struct mcm_batch_options options = options_until(SOON, NULL);
    assert_int_equal(mcm_multi_set(client, fresh(&keys), 300, &options, NULL), MCM_BATCH_OK);
    for (int plain = 0; plain < 2; plain++) {
        memcached_pause(&servers[1]);
        expect_only_server_1_fails(client, &keys, 500 * MS, plain, "timeout_read");
        memcached_resume(&servers[1]);
    }
    options.progress_timeout = 200 * MS;
    memcached_pause(&servers[1]);
    assert_int_equal(mcm_multi_set(client, fresh(&keys), 300, &options, NULL), MCM_BATCH_PARTIAL);
    memcached_resume(&servers[1]);
    options.deadline = SOON;
    assert_int_equal(mcm_multi_set(client, fresh(&keys), 300, &options, NULL), MCM_BATCH_OK);
    memcached_kill(&servers[1]);
    expect_only_server_1_fails(client, &keys, 60 * SEC, false, "connect_refused");
    expect_only_server_1_fails(client, &keys, 60 * SEC, true, "connect_refused");
    assert_true(memcached_restart(&servers[1]));
    assert_int_equal(mcm_multi_set(client, fresh(&keys), 300, &options, NULL), MCM_BATCH_OK);
    keys_free(&keys);
    mcm_client_free(client);
}

static void a_restart_between_two_batches_is_not_seen_by_reads(void **state)
{
    (void)state;
    struct mcm_client *client = client_of_all();
    struct keys keys = keys_new(300, "restart");
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_options options = options_until(SOON, arena);
    struct mcm_batch_result result;
    for (int plain = 0; plain < 2; plain++) {
        options.plain = plain;
        assert_int_equal(mcm_multi_set(client, fresh(&keys), 300, &options, NULL), MCM_BATCH_OK);
        memcached_kill(&servers[2]);
        assert_true(memcached_restart(&servers[2]));
        assert_int_equal(mcm_multi_get(client, fresh(&keys), 300, &options, &result), MCM_BATCH_OK);
        assert_int_equal(result.retries, 1);
    }
    mcm_arena_free(arena);
    keys_free(&keys);
    mcm_client_free(client);
}

static void *interrupt_soon(void *client)
{
    struct timespec pause = {.tv_nsec = 50 * MS};
    nanosleep(&pause, NULL);
    mcm_client_interrupt(client);
    return NULL;
}

static void interruption_ends_a_batch(void **state)
{
    (void)state;
    struct mcm_client *client = client_of_all();
    struct keys keys = keys_new(100, "stop");
    struct mcm_batch_options options = options_until(SOON, NULL);
    memcached_pause(&servers[0]);
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_soon, client);
    mcm_multi_set(client, fresh(&keys), 100, &options, NULL);
    pthread_join(thread, NULL);
    memcached_resume(&servers[0]);
    for (size_t i = 0; i < keys.count; i++) {
        if (keys.items[i].server == 0)
            assert_string_equal(mcm_outcome_name(keys.items[i].outcome), "cancelled");
    }
    mcm_client_resume(client);
    options.deadline = SOON;
    assert_int_equal(mcm_multi_set(client, fresh(&keys), 100, &options, NULL), MCM_BATCH_OK);
    keys_free(&keys);
    mcm_client_free(client);
}

static void count_item(void *arg, struct mcm_batch_item *items, size_t index)
{
    unsigned *calls = arg;
    assert_true(items[index].outcome != MCM_OUTCOME_COUNT);
    calls[index]++;
}

static void each_item_is_told_once(void **state)
{
    (void)state;
    unsigned calls[200] = {0};
    struct mcm_client *client = client_of_all();
    struct keys keys = keys_new(200, "tell");
    struct mcm_batch_options options = options_until(SOON, NULL);
    options.on_item = count_item;
    options.on_item_arg = calls;
    fresh(&keys);
    keys.items[13].key = MCM_KEY("");
    mcm_multi_set(client, keys.items, 200, &options, NULL);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(calls[i], 1);
    keys_free(&keys);
    mcm_client_free(client);
}

static int start_servers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SERVERS; i++) {
        if (!memcached_start(&servers[i]))
            return -1;
    }
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SERVERS; i++)
        memcached_kill(&servers[i]);
    return 0;
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_and_window_gives_each_key_its_own_value),
        cmocka_unit_test(a_hundred_thousand_keys_pass_through_a_unix_socket),
        cmocka_unit_test(large_values_pass_both_ways_at_once),
        cmocka_unit_test(bad_items_end_alone),
        cmocka_unit_test(conditions_hold_for_each_item),
        cmocka_unit_test(a_dead_or_hung_server_fails_its_own_keys_only),
        cmocka_unit_test(a_restart_between_two_batches_is_not_seen_by_reads),
        cmocka_unit_test(interruption_ends_a_batch),
        cmocka_unit_test(each_item_is_told_once),
    };
    return cmocka_run_group_tests_name("mcmeta/batch", tests, start_servers, stop_servers);
}
