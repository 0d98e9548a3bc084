/* SPDX-License-Identifier: MIT */
/* What becomes of the items of a batch when a server is down, and the options that share work. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define SOON mcm_after(30 * SEC)
#define NODES 3
#define KEYS 60

static struct memcached nodes[NODES];
static char keys[KEYS][16];

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < NODES && memcached_is_installed(); i++) {
        if (!memcached_start(&nodes[i]))
            return -1;
    }
    for (int i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof(keys[i]), "key-%d", i);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++)
        memcached_kill(&nodes[i]);
    return 0;
}

static void need_memcached(void)
{
    if (!memcached_is_installed())
        skip();
}

/* Nobody listens on port 1 of the loopback. */
static struct mcm_client_config half_dead(enum mcm_failure_policy policy)
{
    static struct mcm_server servers[2], gutter;
    servers[0] = (struct mcm_server){.address = "127.0.0.1:1"};
    servers[1] = (struct mcm_server){.address = nodes[0].address};
    gutter = (struct mcm_server){.address = nodes[1].address, .name = "gutter"};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = servers;
    config.server_count = 2;
    config.gutter = &gutter;
    config.gutter_count = 1;
    config.on_failure = policy;
    config.connect_timeout = 5 * SEC;
    config.maintenance_thread = false;
    config.dial_backoff = 0; /* every attempt is one to connect */
    return config;
}

static struct mcm_client *client_of(const struct mcm_client_config *config)
{
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_client *client = mcm_client_new(config, error, sizeof(error));
    if (client == NULL)
        fail_msg("%s", error);
    return client;
}

static struct mcm_batch_item *fresh(struct mcm_batch_item *items)
{
    for (int i = 0; i < KEYS; i++)
        items[i] = (struct mcm_batch_item){.key = MCM_KEY(keys[i]), .value = MCM_KEY(keys[i])};
    return items;
}

static struct mcm_batch_options options_with(struct mcm_arena *arena)
{
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.arena = arena;
    options.deadline = SOON;
    return options;
}

static void expect(enum mcm_outcome got, enum mcm_outcome expected)
{
    assert_string_equal(mcm_outcome_name(got), mcm_outcome_name(expected));
}

static void flush_all_nodes(void)
{
    for (int i = 0; i < NODES; i++) {
        struct mcm_server server = {.address = nodes[i].address};
        struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
        struct mcm_result result;
        config.servers = &server;
        config.server_count = 1;
        config.allow_flush = true;
        struct mcm_client *client = client_of(&config);
        expect(mcm_flush(client, 0, 0, SOON, &result), MCM_OK);
        mcm_client_free(client);
    }
}

struct row {
    enum mcm_failure_policy policy;
    unsigned server; /* where the items of the dead one end up */
};

static void expect_items(const struct mcm_client *client, const struct mcm_batch_item *items,
                         unsigned server)
{
    unsigned dead = 0;
    for (int i = 0; i < KEYS; i++) {
        bool is_dead = mcm_client_server_index(client, items[i].key) == 0;
        dead += is_dead;
        expect(items[i].outcome, MCM_OK);
        assert_int_equal(items[i].server, is_dead ? server : 1);
        expect(items[i].home_outcome, is_dead ? MCM_E_CONNECT_REFUSED : MCM_OK);
    }
    assert_in_range(dead, 1, KEYS - 1);
}

static void go(const struct row *row, bool plain, bool quiet)
{
    struct mcm_batch_item items[KEYS];
    struct mcm_client_config config = half_dead(row->policy);
    struct mcm_client *client = client_of(&config);
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_options options = options_with(arena);
    struct mcm_batch_result result;
    options.plain = plain;
    options.quiet = quiet;
    assert_int_equal(mcm_multi_set(client, fresh(items), KEYS, &options, &result), MCM_BATCH_OK);
    expect_items(client, items, row->server);
    assert_true(result.redirected > 0);
    assert_int_equal(mcm_multi_get(client, fresh(items), KEYS, &options, &result), MCM_BATCH_OK);
    expect_items(client, items, row->server);
    for (int i = 0; i < KEYS; i++) {
        if (items[i].outcome == MCM_OK)
            assert_memory_equal(items[i].value.data, keys[i], strlen(keys[i]));
    }
    mcm_arena_free(arena);
    mcm_client_free(client);
}

static void items_of_a_dead_server_go_to_the_one_that_stands_in(void **state)
{
    (void)state;
    need_memcached();
    static const struct row rows[] = {
        {MCM_ON_FAILURE_NEXT, 1},
        {MCM_ON_FAILURE_GUTTER, 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int way = 0; way < 4; way++)
            go(&rows[i], (way & 1) != 0, (way & 2) != 0);
    }
}

static void without_a_stand_in_items_end_as_errors_or_misses(void **state)
{
    (void)state;
    need_memcached();
    static const struct {
        enum mcm_failure_policy policy;
        enum mcm_outcome get, home;
    } rows[] = {
        {MCM_ON_FAILURE_ERROR, MCM_E_CONNECT_REFUSED, MCM_OK},
        {MCM_ON_FAILURE_MISS, MCM_MISS, MCM_E_CONNECT_REFUSED},
    };
    for (size_t i = 0; i < 2; i++) {
        struct mcm_batch_item items[KEYS];
        struct mcm_client_config config = half_dead(rows[i].policy);
        struct mcm_client *client = client_of(&config);
        struct mcm_arena *arena = mcm_arena_new();
        struct mcm_batch_options options = options_with(arena);
        assert_int_equal(mcm_multi_set(client, fresh(items), KEYS, &options, NULL),
                         MCM_BATCH_PARTIAL);
        assert_int_equal(mcm_multi_get(client, fresh(items), KEYS, &options, NULL),
                         i == 0 ? MCM_BATCH_PARTIAL : MCM_BATCH_OK);
        for (int k = 0; k < KEYS; k++) {
            bool is_dead = mcm_client_server_index(client, items[k].key) == 0;
            expect(items[k].outcome, is_dead ? rows[i].get : MCM_OK);
            expect(items[k].home_outcome, is_dead ? rows[i].home : MCM_OK);
        }
        mcm_arena_free(arena);
        mcm_client_free(client);
    }
}

static void what_a_batch_stores_elsewhere_lives_as_long_as_allowed(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_batch_item items[KEYS];
    struct mcm_client_config config = half_dead(MCM_ON_FAILURE_GUTTER);
    config.failure_ttl_max = 7;
    struct mcm_client *client = client_of(&config);
    struct mcm_batch_options options = options_with(NULL);
    mcm_multi_set(client, fresh(items), KEYS, &options, NULL);
    for (int i = 0; i < KEYS; i++) {
        struct mcm_get_options how = MCM_GET_OPTIONS_DEFAULT;
        struct mcm_result result;
        char buffer[32];
        how.want = MCM_WANT_TTL | MCM_WANT_VALUE;
        expect(mcm_get_with(client, MCM_KEY(keys[i]), buffer, sizeof(buffer), &how, SOON, &result),
               MCM_OK);
        bool is_home = mcm_client_server_index(client, MCM_KEY(keys[i])) == 1;
        assert_true(is_home ? result.ttl_s == -1 : result.ttl_s >= 0 && result.ttl_s <= 7);
    }
    mcm_client_free(client);
}

static void a_rate_limit_spares_the_servers_that_stand_in(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_batch_item items[KEYS];
    struct mcm_client_config config = half_dead(MCM_ON_FAILURE_NEXT);
    config.failure_rate_max = 5;
    struct mcm_client *client = client_of(&config);
    struct mcm_batch_options options = options_with(NULL);
    struct mcm_batch_result result;
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_multi_set(client, fresh(items), KEYS, &options, &result);
    size_t dead = 0, refused = 0;
    for (int i = 0; i < KEYS; i++) {
        dead += mcm_client_server_index(client, MCM_KEY(keys[i])) == 0;
        refused += items[i].outcome == MCM_E_CONNECT_REFUSED;
    }
    /* More than five only if this took many seconds. */
    assert_in_range(result.redirected, 5, dead - 1);
    assert_int_equal(refused, dead - result.redirected);
    assert_int_equal(mcm_client_stats(client, 0, &stats), 0);
    assert_int_equal(stats.failovers, result.redirected);
    assert_int_equal(stats.failovers_refused, refused);
    mcm_client_free(client);
}

static struct mcm_client *client_of_all(unsigned connections)
{
    struct mcm_server servers[NODES];
    memset(servers, 0, sizeof(servers));
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    for (int i = 0; i < NODES; i++)
        servers[i].address = nodes[i].address;
    config.servers = servers;
    config.server_count = NODES;
    config.connections_max = connections;
    config.connect_timeout = 5 * SEC;
    config.maintenance_thread = false;
    return client_of(&config);
}

static uint64_t operations_of(struct mcm_client *client, enum mcm_operation operation)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < NODES; i++) {
        struct mcm_server_stats stats = {.size = sizeof(stats)};
        assert_int_equal(mcm_client_stats(client, i, &stats), 0);
        sum += stats.operations[operation];
    }
    return sum;
}

static void equal_keys_are_sent_once_and_all_get_the_answer(void **state)
{
    (void)state;
    need_memcached();
    enum { COPIES = 3 };
    flush_all_nodes();
    struct mcm_client *client = client_of_all(2);
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_item items[KEYS * COPIES], first[KEYS];
    struct mcm_batch_options options = options_with(arena);
    struct mcm_batch_result result;
    assert_int_equal(mcm_multi_set(client, fresh(first), KEYS / 2, &options, NULL), MCM_BATCH_OK);
    options.dedupe = true;
    for (int plain = 0; plain < 2; plain++) {
        uint64_t before = operations_of(client, MCM_OPERATION_GET);
        char own[KEYS * COPIES][16];
        memset(items, 0, sizeof(items));
        for (int i = 0; i < KEYS * COPIES; i++)
            items[i].key = MCM_KEY(keys[i % KEYS]);
        /* An item with a buffer of its own is always asked for. */
        items[KEYS].buffer = own[0];
        items[KEYS].buffer_size = sizeof(own[0]);
        options.plain = plain != 0;
        assert_int_equal(mcm_multi_get(client, items, KEYS * COPIES, &options, &result),
                         MCM_BATCH_OK);
        assert_int_equal(result.ok, KEYS / 2 * COPIES);
        assert_int_equal(operations_of(client, MCM_OPERATION_GET) - before, KEYS + 1);
        for (int i = 0; i < KEYS * COPIES; i++) {
            expect(items[i].outcome, i % KEYS < KEYS / 2 ? MCM_OK : MCM_MISS);
            if (items[i].outcome == MCM_OK)
                assert_memory_equal(items[i].value.data, keys[i % KEYS], items[i].value.size);
        }
        assert_ptr_equal(items[KEYS].value.data, own[0]);
        assert_ptr_equal(items[KEYS + 1].value.data, items[1].value.data);
    }
    memset(items, 0, sizeof(items));
    for (int i = 0; i < KEYS * COPIES; i++)
        items[i].key = MCM_KEY(keys[i % KEYS]);
    mcm_multi_delete(client, items, KEYS * COPIES, &options, &result);
    for (int i = 0; i < KEYS * COPIES; i++)
        expect(items[i].outcome, i % KEYS < KEYS / 2 ? MCM_OK : MCM_NOT_FOUND);
    mcm_arena_free(arena);
    mcm_client_free(client);
}

static void errors_may_be_hidden_but_are_counted(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_client_config config = half_dead(MCM_ON_FAILURE_ERROR);
    struct mcm_client *client = client_of(&config);
    struct mcm_arena *arena = mcm_arena_new();
    struct mcm_batch_item items[KEYS];
    struct mcm_batch_options options = options_with(arena);
    struct mcm_batch_result result;
    options.errors_as_misses = true;
    fresh(items)[0].key = MCM_KEY("a bad key");
    assert_int_equal(mcm_multi_get(client, items, KEYS, &options, &result), MCM_BATCH_PARTIAL);
    expect(items[0].outcome, MCM_E_KEY);
    size_t hidden = 0;
    for (int i = 1; i < KEYS; i++) {
        bool is_dead = mcm_client_server_index(client, items[i].key) == 0;
        hidden += is_dead;
        assert_true(items[i].outcome == MCM_MISS || items[i].outcome == MCM_OK);
        expect(items[i].home_outcome, is_dead ? MCM_E_CONNECT_REFUSED : MCM_OK);
    }
    assert_int_equal(result.hidden, hidden);
    assert_int_equal(result.servers_failed, 1);
    /* A write that failed is never hidden. */
    assert_int_equal(mcm_multi_set(client, fresh(items), KEYS, &options, &result),
                     MCM_BATCH_PARTIAL);
    assert_int_equal(result.hidden, 0);
    mcm_arena_free(arena);
    mcm_client_free(client);
}

static void a_batch_takes_several_connections_only_when_they_are_free(void **state)
{
    (void)state;
    need_memcached();
    enum { COUNT = 3000 };
    static char many[COUNT][16];
    struct mcm_batch_item *items = calloc(COUNT, sizeof(*items));
    struct mcm_arena *arena = mcm_arena_new();
    for (unsigned connections = 1; connections <= 4; connections += 3) {
        struct mcm_client *client = client_of_all(connections);
        struct mcm_batch_options options = options_with(arena);
        struct mcm_batch_result result;
        options.connections_per_server = 4;
        for (int i = 0; i < COUNT; i++) {
            snprintf(many[i], sizeof(many[i]), "many-%d", i);
            items[i] = (struct mcm_batch_item){.key = MCM_KEY(many[i]), .value = MCM_KEY(many[i])};
        }
        assert_int_equal(mcm_multi_set(client, items, COUNT, &options, &result), MCM_BATCH_OK);
        assert_int_equal(result.servers, NODES);
        assert_int_equal(mcm_multi_get(client, items, COUNT, &options, &result), MCM_BATCH_OK);
        assert_int_equal(result.ok, COUNT);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(items[i].value.size, strlen(many[i]));
            assert_memory_equal(items[i].value.data, many[i], items[i].value.size);
        }
        struct mcm_server_stats stats = {.size = sizeof(stats)};
        assert_int_equal(mcm_client_stats(client, 0, &stats), 0);
        assert_int_equal(stats.active_max, connections);
        mcm_client_free(client);
        mcm_arena_reset(arena);
    }
    mcm_arena_free(arena);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_a_dead_server_go_to_the_one_that_stands_in),
        cmocka_unit_test(without_a_stand_in_items_end_as_errors_or_misses),
        cmocka_unit_test(what_a_batch_stores_elsewhere_lives_as_long_as_allowed),
        cmocka_unit_test(a_rate_limit_spares_the_servers_that_stand_in),
        cmocka_unit_test(equal_keys_are_sent_once_and_all_get_the_answer),
        cmocka_unit_test(errors_may_be_hidden_but_are_counted),
        cmocka_unit_test(a_batch_takes_several_connections_only_when_they_are_free),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
