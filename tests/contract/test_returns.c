/* SPDX-License-Identifier: MIT */
/* A server that was away and returns with what it held before; and what servers take at most. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcmeta/mcmeta.h>

#include "flaky_proxy.h"
#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define SOON mcm_after(30 * SEC)
#define NODES 2
#define KEYS 40

static struct memcached nodes[NODES];
static struct flaky_proxy away; /* before the first node */
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

static struct mcm_client *new_client(enum mcm_failure_policy policy, unsigned deletes_max)
{
    struct mcm_server servers[2], gutter = {.address = nodes[1].address, .name = "gutter"};
    memset(servers, 0, sizeof(servers));
    servers[0] = (struct mcm_server){.address = away.address, .name = "away"};
    servers[1] = (struct mcm_server){.address = nodes[1].address, .name = "stays"};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = servers;
    config.server_count = policy == MCM_ON_FAILURE_GUTTER ? 1 : 2;
    config.gutter = &gutter;
    config.gutter_count = 1;
    config.on_failure = policy;
    config.failure_deletes_max = deletes_max;
    config.failure_ttl_max = 1000;
    config.connect_timeout = 5 * SEC;
    config.maintenance_thread = false;
    config.dial_backoff = 0; /* who returned is found at once */
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static void expect(enum mcm_outcome got, enum mcm_outcome expected)
{
    assert_string_equal(mcm_outcome_name(got), mcm_outcome_name(expected));
}

static enum mcm_outcome set(struct mcm_client *client, const char *key, const char *value)
{
    struct mcm_result result;
    return mcm_set(client, MCM_KEY(key), MCM_KEY(value), 0, SOON, &result);
}

static enum mcm_outcome get(struct mcm_client *client, const char *key, char value[16])
{
    struct mcm_result result;
    enum mcm_outcome outcome = mcm_get(client, MCM_KEY(key), value, 15, SOON, &result);
    value[outcome == MCM_OK ? result.value.size : 0] = '\0';
    return outcome;
}

static struct mcm_server_stats stats_of(struct mcm_client *client)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_client_stats(client, 0, &stats), 0);
    return stats;
}

/* All keys are "old"; those of the server that goes away are written while it is gone. */
static unsigned write_while_away(struct mcm_client *client, bool in_a_batch)
{
    unsigned missed = 0;
    struct mcm_batch_item items[KEYS];
    memset(items, 0, sizeof(items));
    for (int i = 0; i < KEYS; i++)
        expect(set(client, keys[i], "old"), MCM_OK);
    flaky_proxy_down(&away);
    for (int i = 0; i < KEYS; i++) {
        missed += mcm_client_server_index(client, MCM_KEY(keys[i])) == 0;
        items[i] = (struct mcm_batch_item){.key = MCM_KEY(keys[i]), .value = MCM_KEY("new")};
        if (!in_a_batch)
            set(client, keys[i], "new");
    }
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = SOON;
    if (in_a_batch)
        mcm_multi_set(client, items, KEYS, &options, NULL);
    return missed;
}

static void nobody_reads_what_a_returned_server_missed(void **state)
{
    (void)state;
    need_memcached();
    static const enum mcm_failure_policy policies[] = {MCM_ON_FAILURE_ERROR, MCM_ON_FAILURE_MISS,
                                                       MCM_ON_FAILURE_NEXT, MCM_ON_FAILURE_GUTTER};
    for (size_t p = 0; p < sizeof(policies) / sizeof(policies[0]) * 2; p++) {
        char value[16];
        assert_true(flaky_proxy_start(&away, nodes[0].port));
        struct mcm_client *client = new_client(policies[p / 2], 1000);
        unsigned missed = write_while_away(client, p % 2 != 0);
        assert_int_equal(stats_of(client).deletes_pending, missed);
        flaky_proxy_up(&away);
        for (int i = 0; i < KEYS; i++) {
            bool is_missed = mcm_client_server_index(client, MCM_KEY(keys[i])) == 0;
            enum mcm_outcome outcome = get(client, keys[i], value);
            if (is_missed)
                expect(outcome, MCM_MISS);
            else
                assert_string_equal(value, "new");
        }
        assert_int_equal(stats_of(client).deletes_pending, 0);
        assert_int_equal(stats_of(client).deletes_lost, 0);
        mcm_client_free(client);
        flaky_proxy_stop(&away);
    }
}

static void batches_and_maintenance_settle_too(void **state)
{
    (void)state;
    need_memcached();
    for (int by_batch = 0; by_batch < 2; by_batch++) {
        char value[16];
        assert_true(flaky_proxy_start(&away, nodes[0].port));
        struct mcm_client *client = new_client(MCM_ON_FAILURE_NEXT, 1000);
        write_while_away(client, false);
        mcm_client_maintain(client); /* too early: nothing is lost by it */
        assert_true(stats_of(client).deletes_pending > 0);
        flaky_proxy_up(&away);
        if (by_batch) {
            struct mcm_batch_item items[KEYS];
            struct mcm_arena *arena = mcm_arena_new();
            struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
            options.arena = arena;
            options.deadline = SOON;
            memset(items, 0, sizeof(items));
            for (int i = 0; i < KEYS; i++)
                items[i].key = MCM_KEY(keys[i]);
            assert_int_equal(mcm_multi_get(client, items, KEYS, &options, NULL), MCM_BATCH_OK);
            for (int i = 0; i < KEYS; i++)
                assert_true(items[i].outcome == MCM_MISS ||
                            memcmp(items[i].value.data, "new", 3) == 0);
            mcm_arena_free(arena);
        } else {
            mcm_client_maintain(client);
        }
        assert_int_equal(stats_of(client).deletes_pending, 0);
        for (int i = 0; i < KEYS; i++)
            assert_true(get(client, keys[i], value) == MCM_MISS || strcmp(value, "new") == 0);
        mcm_client_free(client);
        flaky_proxy_stop(&away);
    }
}

static void what_is_remembered_is_bounded_and_the_rest_counted(void **state)
{
    (void)state;
    need_memcached();
    assert_true(flaky_proxy_start(&away, nodes[0].port));
    struct mcm_client *client = new_client(MCM_ON_FAILURE_GUTTER, 7);
    unsigned missed = write_while_away(client, false);
    assert_int_equal(missed, KEYS);
    assert_int_equal(stats_of(client).deletes_pending, 7);
    assert_int_equal(stats_of(client).deletes_lost, KEYS - 7);
    /* The same keys again take no more room. */
    expect(set(client, keys[0], "newer"), MCM_OK);
    assert_int_equal(stats_of(client).deletes_pending, 7);
    mcm_client_free(client);
    flaky_proxy_stop(&away);
}

/* --- Sizes --- */

static struct mcm_client *client_of(const char *address, size_t value_size_max)
{
    struct mcm_server server = {.address = address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.connect_timeout = 5 * SEC;
    config.value_size_max = value_size_max;
    config.maintenance_thread = false;
    config.dial_backoff = 0; /* who returned is found at once */
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static enum mcm_outcome set_size(struct mcm_client *client, const char *block, size_t size)
{
    struct mcm_result result;
    struct mcm_slice value = {block, size};
    return mcm_set(client, MCM_KEY("size"), value, 0, SOON, &result);
}

static enum mcm_outcome set_size_in_a_batch(struct mcm_client *client, const char *block,
                                            size_t size)
{
    struct mcm_batch_item item = {.key = MCM_KEY("size"), .value = {block, size}};
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = SOON;
    mcm_multi_set(client, &item, 1, &options, NULL);
    return item.outcome;
}

static bool is_there(struct mcm_client *client)
{
    struct mcm_result result;
    return mcm_get(client, MCM_KEY("size"), NULL, 0, SOON, &result) == MCM_E_BUFFER;
}

static void the_limit_of_a_server_is_found_out_before_it_harms(void **state)
{
    (void)state;
    need_memcached();
    static const struct {
        const char *option;
        size_t item_size;
    } rows[] = {{"512k", 512 << 10}, {"1m", 1 << 20}, {"2m", 2 << 20}};
    char *block = calloc(1, 3 << 20);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct memcached node = {0};
        char *const options[] = {(char *)"-I", (char *)rows[i].option, NULL};
        assert_true(memcached_start_with(&node, options));
        size_t largest = rows[i].item_size - 59 - 4 - strlen("size");
        for (int way = 0; way < 2; way++) {
            enum mcm_outcome (*store)(struct mcm_client *, const char *, size_t) =
                way == 0 ? set_size : set_size_in_a_batch;
            struct mcm_client *client = client_of(node.address, 0);
            expect(store(client, block, largest), MCM_OK);
            expect(store(client, block, largest + 1), MCM_E_TOO_BIG);
            expect(store(client, block, 3 << 20), MCM_E_TOO_BIG);
            assert_true(is_there(client)); /* the refusals cost nothing */
            mcm_client_free(client);
        }
        memcached_kill(&node);
    }
    free(block);
}

static void a_small_limit_is_learnt_from_the_first_refusal(void **state)
{
    (void)state;
    need_memcached();
    struct memcached node = {0};
    char *const options[] = {(char *)"-I", (char *)"8k", (char *)"-o",
                             (char *)"slab_chunk_max=4096", NULL};
    char *block = calloc(1, 1 << 20);
    assert_true(memcached_start_with(&node, options));
    struct mcm_client *client = client_of(node.address, 0);
    expect(set_size(client, block, 20000), MCM_E_REJECTED);
    expect(set_size(client, block, 8000), MCM_OK);
    expect(set_size(client, block, 20000), MCM_E_TOO_BIG);
    assert_true(is_there(client));
    mcm_client_free(client);
    /* A fixed limit asks nobody. */
    client = client_of(node.address, 100);
    expect(set_size(client, block, 100), MCM_OK);
    expect(set_size(client, block, 101), MCM_E_TOO_BIG);
    mcm_client_free(client);
    memcached_kill(&node);
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_reads_what_a_returned_server_missed),
        cmocka_unit_test(batches_and_maintenance_settle_too),
        cmocka_unit_test(what_is_remembered_is_bounded_and_the_rest_counted),
        cmocka_unit_test(the_limit_of_a_server_is_found_out_before_it_harms),
        cmocka_unit_test(a_small_limit_is_learnt_from_the_first_refusal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
