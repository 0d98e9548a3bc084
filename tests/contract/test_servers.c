/* SPDX-License-Identifier: MIT */
/* Servers that change, fail over and are closed; and the options of the pool, with real servers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
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
#define GENEROUS (20 * SEC)
#define NODES 3
#define WORKERS 4
#define CHANGES 40

static struct memcached nodes[NODES];

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < NODES && memcached_is_installed(); i++) {
        if (!memcached_start(&nodes[i]))
            return -1;
    }
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

static int open_descriptors(void)
{
    DIR *listing = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count;
}

static struct mcm_client_config config_for(const struct mcm_server *servers, size_t count)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = servers;
    config.server_count = count;
    config.connect_timeout = 5 * SEC;
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

static enum mcm_outcome set(struct mcm_client *client, const char *key, struct mcm_result *result)
{
    return mcm_set(client, MCM_KEY(key), MCM_KEY(key), 0, mcm_after(GENEROUS), result);
}

static enum mcm_outcome get(struct mcm_client *client, const char *key, struct mcm_result *result)
{
    static _Thread_local char buffer[64];
    return mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(GENEROUS), result);
}

static void assert_outcome(enum mcm_outcome got, enum mcm_outcome expected)
{
    assert_string_equal(mcm_outcome_name(got), mcm_outcome_name(expected));
}

struct crowd {
    struct mcm_client *client;
    atomic_bool over;
    atomic_ulong calls, failures, wrong;
};

static void *work(void *arg)
{
    struct crowd *crowd = arg;
    for (unsigned i = 0; !atomic_load(&crowd->over); i++) {
        char key[16];
        struct mcm_result result;
        snprintf(key, sizeof(key), "key-%u", i % 100);
        enum mcm_outcome outcome =
            i % 3 == 0 ? set(crowd->client, key, &result) : get(crowd->client, key, &result);
        atomic_fetch_add(&crowd->calls, 1);
        if (outcome != MCM_OK && outcome != MCM_MISS)
            atomic_fetch_add(&crowd->failures, 1);
        else if (i % 3 != 0 && outcome == MCM_OK &&
                 (result.value.size != strlen(key) ||
                  memcmp(result.value.data, key, strlen(key)) != 0))
            atomic_fetch_add(&crowd->wrong, 1);
    }
    return NULL;
}

static void no_call_is_lost_while_the_servers_change(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_server all[NODES];
    for (int i = 0; i < NODES; i++)
        all[i] = (struct mcm_server){.address = nodes[i].address};
    int before = open_descriptors();
    struct mcm_client_config config = config_for(all, NODES);
    struct crowd crowd = {.client = client_of(&config)};
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, work, &crowd);
    for (int i = 0; i < CHANGES; i++) {
        struct mcm_server some[2] = {all[i % NODES], all[(i + 1) % NODES]};
        assert_int_equal(mcm_client_set_servers(crowd.client, some, (size_t)(1 + i % 2),
                                                mcm_after(GENEROUS), NULL, 0),
                         0);
        assert_int_equal(mcm_client_server_count(crowd.client), 1 + i % 2);
        struct timespec pause = {.tv_nsec = 2 * MS};
        nanosleep(&pause, NULL);
    }
    assert_int_equal(mcm_client_set_servers(crowd.client, all, 1, mcm_after(GENEROUS), NULL, 0), 0);
    atomic_store(&crowd.over, true);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.failures, 0);
    assert_int_equal(crowd.wrong, 0);
    assert_true(crowd.calls > CHANGES);
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_client_stats(crowd.client, 0, &stats);
    /* Only the connections of the one server that is left are open. */
    assert_true(open_descriptors() <= before + (int)stats.total);
    mcm_client_free(crowd.client);
    assert_int_equal(open_descriptors(), before);
}

static void a_server_that_stays_keeps_its_connections(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_result result;
    struct mcm_server servers[] = {{.address = nodes[0].address, .name = "a"},
                                   {.address = nodes[1].address, .name = "b"}};
    struct mcm_client_config config = config_for(servers, 1);
    struct mcm_client *client = client_of(&config);
    assert_outcome(set(client, "k", &result), MCM_OK);
    struct mcm_server swapped[] = {servers[1], servers[0]};
    assert_int_equal(mcm_client_set_servers(client, swapped, 2, mcm_after(GENEROUS), NULL, 0), 0);
    assert_string_equal(mcm_client_server_name(client, 0), "b");
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_client_stats(client, 1, &stats);
    assert_int_equal(stats.created, 1);
    assert_int_equal(stats.idle, 1);
    /* The same name at another address is another server, in the same place for all keys. */
    servers[0].address = nodes[2].address;
    assert_int_equal(mcm_client_set_servers(client, servers, 1, mcm_after(GENEROUS), NULL, 0), 0);
    assert_outcome(get(client, "k", &result), MCM_MISS);
    char error[MCM_ERROR_SIZE];
    assert_int_equal(mcm_client_set_servers(client, servers, 0, 0, error, sizeof(error)), -1);
    assert_string_equal(error, "no server is configured");
    mcm_client_free(client);
}

static void *long_call(void *arg)
{
    struct mcm_result result;
    return (void *)(uintptr_t)get(arg, "k", &result);
}

static void await_active(struct mcm_client *client)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    for (int i = 0; i < 5000 && stats.active == 0; i++) {
        struct timespec pause = {.tv_nsec = MS};
        nanosleep(&pause, NULL);
        mcm_client_stats(client, 0, &stats);
    }
    assert_int_equal(stats.active, 1);
}

static void a_call_on_a_removed_server_ends_at_the_deadline_of_the_change(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_server servers[] = {{.address = nodes[0].address}, {.address = nodes[1].address}};
    struct mcm_client_config config = config_for(servers, 1);
    struct mcm_client *client = client_of(&config);
    pthread_t thread;
    void *outcome;
    memcached_pause(&nodes[0]);
    pthread_create(&thread, NULL, long_call, client);
    await_active(client);
    mcm_ns start = mcm_after(0);
    assert_int_equal(mcm_client_set_servers(client, &servers[1], 1, mcm_after(30 * MS), NULL, 0),
                     0);
    assert_true(mcm_after(0) - start < 5 * SEC);
    pthread_join(thread, &outcome);
    memcached_resume(&nodes[0]);
    assert_outcome((enum mcm_outcome)(uintptr_t)outcome, MCM_E_CANCELLED);
    mcm_client_free(client);
}

static void closing_gently_waits_and_then_says_so(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_result result;
    struct mcm_server server = {.address = nodes[0].address};
    struct mcm_client_config config = config_for(&server, 1);
    struct mcm_client *client = client_of(&config);
    pthread_t thread;
    void *outcome;
    memcached_pause(&nodes[0]);
    pthread_create(&thread, NULL, long_call, client);
    await_active(client);
    assert_int_equal(mcm_client_close(client, mcm_after(20 * MS)), -1);
    assert_outcome(get(client, "k", &result), MCM_E_SHUTDOWN);
    memcached_resume(&nodes[0]);
    assert_int_equal(mcm_client_close(client, mcm_after(GENEROUS)), 0);
    pthread_join(thread, &outcome);
    assert_true(mcm_outcome_is_answer((enum mcm_outcome)(uintptr_t)outcome));
    mcm_client_free(client);
}

/* Two servers, the first of which refuses; `key` belongs to it. */
static struct mcm_client *half_dead(enum mcm_failure_policy policy, char key[16])
{
    static struct mcm_server servers[2], gutter;
    servers[0] = (struct mcm_server){.address = "127.0.0.1:1"};
    servers[1] = (struct mcm_server){.address = nodes[0].address};
    gutter = (struct mcm_server){.address = nodes[1].address, .name = "gutter"};
    struct mcm_client_config config = config_for(servers, 2);
    config.on_failure = policy;
    config.gutter = &gutter;
    config.gutter_count = 1;
    struct mcm_client *client = client_of(&config);
    int i = 0;
    do
        snprintf(key, 16, "key-%d", i++);
    while (mcm_client_server_index(client, MCM_KEY(key)) != 0);
    return client;
}

static void policies_decide_what_a_dead_server_means(void **state)
{
    (void)state;
    need_memcached();
    static const struct {
        enum mcm_failure_policy policy;
        enum mcm_outcome set, get;
        unsigned server;
    } cases[] = {
        {MCM_ON_FAILURE_ERROR, MCM_E_CONNECT_REFUSED, MCM_E_CONNECT_REFUSED, 0},
        {MCM_ON_FAILURE_MISS, MCM_E_CONNECT_REFUSED, MCM_MISS, 0},
        {MCM_ON_FAILURE_NEXT, MCM_OK, MCM_OK, 1},
        {MCM_ON_FAILURE_GUTTER, MCM_OK, MCM_OK, 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char key[16];
        struct mcm_result result;
        struct mcm_client *client = half_dead(cases[i].policy, key);
        assert_outcome(set(client, key, &result), cases[i].set);
        assert_int_equal(result.server, cases[i].server);
        assert_outcome(result.home_outcome, MCM_E_CONNECT_REFUSED);
        assert_outcome(get(client, key, &result), cases[i].get);
        assert_int_equal(result.server, cases[i].server);
        if (cases[i].server == 2)
            assert_string_equal(mcm_client_server_name(client, 2), "gutter");
        mcm_client_free(client);
    }
}

static void a_pool_is_warm_before_the_first_call(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_server server = {.address = nodes[0].address};
    struct mcm_client_config config = config_for(&server, 1);
    config.idle_connections_min = 3;
    config.dials_max = 1;
    struct mcm_client *client = client_of(&config);
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    for (int i = 0; i < 5000 && stats.idle < 3; i++) {
        struct timespec pause = {.tv_nsec = MS};
        nanosleep(&pause, NULL);
        mcm_client_stats(client, 0, &stats);
    }
    assert_int_equal(stats.idle, 3);
    mcm_client_free(client);
}

static void a_back_off_refuses_at_once_or_dials_when_it_ends(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_result result;
    struct mcm_server server = {.address = nodes[2].address};
    struct mcm_client_config config = config_for(&server, 1);
    config.dial_backoff = 400 * MS;
    config.maintenance_thread = false;
    config.seed = 3;
    struct mcm_client *client = client_of(&config);
    memcached_kill(&nodes[2]);
    assert_outcome(get(client, "k", &result), MCM_E_CONNECT_REFUSED);
    enum mcm_outcome outcome = mcm_get(client, MCM_KEY("k"), NULL, 0, mcm_after(MS), &result);
    assert_outcome(outcome, MCM_E_BACKOFF);
    assert_true(memcached_restart(&nodes[2]));
    assert_outcome(get(client, "k", &result), MCM_MISS);
    mcm_client_free(client);
}

static void a_wait_for_a_connection_has_its_own_limit(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_result result;
    struct mcm_server server = {.address = nodes[0].address};
    struct mcm_client_config config = config_for(&server, 1);
    config.connections_max = 1;
    config.acquire_timeout = 20 * MS;
    struct mcm_client *client = client_of(&config);
    pthread_t thread;
    memcached_pause(&nodes[0]);
    pthread_create(&thread, NULL, long_call, client);
    await_active(client);
    assert_outcome(get(client, "k", &result), MCM_E_TIMEOUT_POOL);
    assert_true(result.waited_ns < 5 * SEC);
    memcached_resume(&nodes[0]);
    pthread_join(thread, NULL);
    mcm_client_free(client);
}

static size_t always_second(const void *key, size_t key_size, size_t count, void *arg)
{
    (void)key;
    (void)key_size;
    return *(const int *)arg == 0 ? 1 : count;
}

static void the_caller_may_select(void **state)
{
    (void)state;
    need_memcached();
    int none = 0;
    struct mcm_result result;
    struct mcm_server servers[] = {{.address = "127.0.0.1:1"}, {.address = nodes[0].address}};
    struct mcm_client_config config = config_for(servers, 2);
    config.selector = MCM_SELECTOR_CALLBACK;
    config.select = always_second;
    config.select_arg = &none;
    struct mcm_client *client = client_of(&config);
    assert_outcome(set(client, "k", &result), MCM_OK);
    none = 1;
    assert_outcome(set(client, "k", &result), MCM_E_ARG);
    mcm_client_free(client);
}

/* Also after the list has changed. */
static void keys_with_the_same_hash_tag_stay_together(void **state)
{
    (void)state;
    struct mcm_server servers[] = {
        {.address = "127.0.0.1:1"}, {.address = "127.0.0.1:2"}, {.address = "127.0.0.1:3"}};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    char tag[] = "{}", error[200];
    config.servers = servers;
    config.server_count = 3;
    config.hash_tag = tag;
    struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
    assert_non_null(client);
    memset(tag, 'x', 2);
    for (size_t count = 3; count > 1; count--) {
        for (int i = 0; i < 100; i++) {
            char key[32];
            snprintf(key, sizeof(key), "user%d{7}", i);
            assert_int_equal(mcm_client_server_index(client, MCM_KEY(key)),
                             mcm_client_server_index(client, MCM_KEY("7")));
        }
        assert_int_equal(
            mcm_client_set_servers(client, servers, count - 1, MCM_NS_NEVER, error, sizeof(error)),
            0);
    }
    mcm_client_free(client);
    config.hash_tag = "{";
    assert_null(mcm_client_new(&config, error, sizeof(error)));
    assert_string_equal(error, "hash_tag must be two characters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_with_the_same_hash_tag_stay_together),
        cmocka_unit_test(no_call_is_lost_while_the_servers_change),
        cmocka_unit_test(a_server_that_stays_keeps_its_connections),
        cmocka_unit_test(a_call_on_a_removed_server_ends_at_the_deadline_of_the_change),
        cmocka_unit_test(closing_gently_waits_and_then_says_so),
        cmocka_unit_test(policies_decide_what_a_dead_server_means),
        cmocka_unit_test(a_pool_is_warm_before_the_first_call),
        cmocka_unit_test(a_back_off_refuses_at_once_or_dials_when_it_ends),
        cmocka_unit_test(a_wait_for_a_connection_has_its_own_limit),
        cmocka_unit_test(the_caller_may_select),
    };
    return cmocka_run_group_tests_name("mcmeta/servers", tests, set_up, tear_down);
}
