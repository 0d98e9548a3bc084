/* SPDX-License-Identifier: MIT */
/* Breakers of a client whose servers are behind our own proxies: the rules that need more than one
 * server, or a client that looks after them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "flaky_proxy.h"
#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define NODES 3

static struct memcached nodes[NODES];
static struct flaky_proxy proxies[NODES];

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < NODES && memcached_is_installed(); i++) {
        if (!memcached_start(&nodes[i]) || !flaky_proxy_start(&proxies[i], nodes[i].port))
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < NODES && memcached_is_installed(); i++) {
        flaky_proxy_stop(&proxies[i]);
        memcached_kill(&nodes[i]);
    }
    return 0;
}

static struct mcm_client *new_client(int count, const struct mcm_breaker_settings *breaker,
                                     double share_max)
{
    struct mcm_server servers[NODES];
    char error[200];
    for (int i = 0; i < count; i++)
        servers[i] = (struct mcm_server){.address = proxies[i].address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = servers;
    config.server_count = (size_t)count;
    config.connect_timeout = 5 * SEC;
    config.breaker = breaker;
    config.breaker_share_max = share_max;
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    if (client == NULL)
        fail_msg("%s", error);
    return client;
}

static struct mcm_server_stats stats_of(struct mcm_client *client, unsigned index)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_client_stats(client, index, &stats), 0);
    return stats;
}

static const char *fetch(struct mcm_client *client, const char *key)
{
    struct mcm_result result;
    mcm_get(client, mcm_slice_of_string(key), NULL, 0, mcm_after(5 * SEC), &result);
    return mcm_outcome_name(result.outcome);
}

static void held_probes_close_a_breaker_without_any_call(void **state)
{
    (void)state;
    if (!memcached_is_installed())
        skip();
    const struct mcm_breaker_settings breaker = {
        .connect_failures = 1, .open_ns = 20 * MS, .half_open_max = 2, .held_probes = true};
    struct mcm_client *client = new_client(1, &breaker, 0);
    assert_string_equal(fetch(client, "k"), "miss");
    flaky_proxy_down(&proxies[0]);
    while (stats_of(client, 0).breaker_state == MCM_BREAKER_CLOSED)
        fetch(client, "k");
    /* Trials fail meanwhile, and it is never a caller who finds out. */
    for (int i = 0; i < 5000 && stats_of(client, 0).breaker_opened < 3; i++)
        usleep(1000);
    assert_true(stats_of(client, 0).breaker_opened >= 3);
    const char *outcome = fetch(client, "k");
    assert_memory_equal(outcome, "breaker_", 8);
    flaky_proxy_up(&proxies[0]);
    for (int i = 0; i < 5000 && stats_of(client, 0).breaker_state != MCM_BREAKER_CLOSED; i++)
        usleep(1000);
    assert_int_equal(stats_of(client, 0).breaker_state, MCM_BREAKER_CLOSED);
    assert_string_equal(fetch(client, "k"), "miss");
    mcm_client_free(client);
}

static unsigned breakers_away(struct mcm_client *client)
{
    unsigned away = 0;
    for (unsigned i = 0; i < NODES; i++)
        away += stats_of(client, i).breaker_state != MCM_BREAKER_CLOSED;
    return away;
}

static void a_share_of_the_servers_is_always_tried(void **state)
{
    (void)state;
    if (!memcached_is_installed())
        skip();
    const struct mcm_breaker_settings breaker = {.connect_failures = 1, .open_ns = 60 * SEC};
    struct mcm_client *client = new_client(NODES, &breaker, 0.67);
    for (int i = 0; i < NODES; i++)
        flaky_proxy_down(&proxies[i]);
    uint64_t refused = 0;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        assert_string_not_equal(fetch(client, key), "miss");
        assert_true(breakers_away(client) <= 2);
    }
    for (unsigned i = 0; i < NODES; i++)
        refused += stats_of(client, i).breaker_trips_refused;
    assert_int_equal(breakers_away(client), 2);
    assert_true(refused > 0);
    /* The one that was never kept back answers as soon as it is there. */
    for (int i = 0; i < NODES; i++)
        flaky_proxy_up(&proxies[i]);
    unsigned misses = 0;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        misses += fetch(client, key)[0] == 'm';
    }
    assert_true(misses > 0);
    mcm_client_free(client);
}

static void slow_answers_open_a_breaker(void **state)
{
    (void)state;
    if (!memcached_is_installed())
        skip();
    const struct mcm_breaker_settings breaker = {
        .consecutive_failures = 3, .slow_ns = 30 * MS, .open_ns = 60 * SEC};
    struct mcm_client *client = new_client(1, &breaker, 0);
    flaky_proxy_delay(&proxies[0], 60, 0);
    for (int i = 0; i < 3; i++)
        assert_string_equal(fetch(client, "k"), "miss");
    assert_string_equal(fetch(client, "k"), "breaker_open");
    flaky_proxy_delay(&proxies[0], 0, 0);
    mcm_client_free(client);
}

static void limits_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct mcm_breaker_quota quota = {.away_max = 1};
    const struct mcm_breaker_settings breaker = {.quota = &quota};
    const struct mcm_server server = {.address = "127.0.0.1:1"};
    static const struct {
        double share;
        const char *error;
    } cases[] = {{1.5, "breaker_share_max must be between 0 and 1"},
                 {0.5, "breaker_share_max and a quota of the breaker exclude each other"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
        char error[200];
        config.servers = &server;
        config.server_count = 1;
        config.breaker = &breaker;
        config.breaker_share_max = cases[i].share;
        assert_null(mcm_client_new(&config, error, sizeof(error)));
        assert_string_equal(error, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_probes_close_a_breaker_without_any_call),
        cmocka_unit_test(a_share_of_the_servers_is_always_tried),
        cmocka_unit_test(slow_answers_open_a_breaker),
        cmocka_unit_test(limits_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests_name("mcmeta/breaker", tests, set_up, tear_down);
}
