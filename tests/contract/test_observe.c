/* SPDX-License-Identifier: MIT */
/* What statistics and hooks tell about calls on a real server. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define SOON mcm_after(30 * SEC)
#define WORKERS 4
#define CALLS 300

static struct memcached node;

static int set_up(void **state)
{
    (void)state;
    return memcached_is_installed() && !memcached_start(&node) ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    memcached_kill(&node);
    return 0;
}

static void need_memcached(void)
{
    if (!memcached_is_installed())
        skip();
}

/* --- Hooks that check as they count --- */

struct seen {
    struct mcm_client *client; /* used by the hooks: no lock may be held */
    atomic_uint begun, ended, connected, refused, closed, batches, items;
};

static void *on_call_begin(void *arg, const struct mcm_call_event *event)
{
    struct seen *seen = arg;
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    atomic_fetch_add(&seen->begun, 1);
    assert_string_equal(event->server_name, "one \"quoted\"");
    if (seen->client != NULL)
        assert_int_equal(mcm_client_stats(seen->client, 0, &stats), 0);
    return malloc(1);
}

static void on_call_end(void *arg, const struct mcm_call_event *event)
{
    struct seen *seen = arg;
    atomic_fetch_add(&seen->ended, 1);
    if (event->kind == MCM_MEASURE_BATCH) {
        atomic_fetch_add(&seen->batches, 1);
        atomic_fetch_add(&seen->items, (unsigned)event->items);
        assert_int_equal(event->key.size, 0);
    } else {
        assert_int_equal(event->items, 1);
        assert_memory_equal(event->key.data, "key", 3);
    }
    assert_true(event->began <= event->ended);
    free(event->span);
}

static void on_connect(void *arg, const struct mcm_connect_event *event)
{
    struct seen *seen = arg;
    assert_true(event->began <= event->ended);
    atomic_fetch_add(event->outcome == MCM_OK ? &seen->connected : &seen->refused, 1);
}

static void on_close(void *arg, const struct mcm_close_event *event)
{
    atomic_fetch_add(&((struct seen *)arg)->closed, event->connections);
}

static struct mcm_client *new_client(const char *address, enum mcm_mode mode, struct seen *seen)
{
    struct mcm_server server = {.address = address, .name = "one \"quoted\""};
    struct mcm_hooks hooks = {.size = sizeof(hooks),
                              .arg = seen,
                              .on_call_begin = on_call_begin,
                              .on_call_end = on_call_end,
                              .on_connect = on_connect,
                              .on_close = on_close};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.mode = mode;
    config.connections_max = 3;
    config.connect_timeout = 5 * SEC;
    config.maintenance_thread = false;
    config.hooks = seen != NULL ? &hooks : NULL;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    if (seen != NULL)
        seen->client = client;
    return client;
}

static uint64_t measured(struct mcm_client *client, enum mcm_measure measure)
{
    struct mcm_histogram histogram;
    assert_int_equal(mcm_client_histogram(client, 0, measure, &histogram), 0);
    return histogram.count;
}

static struct mcm_server_stats stats_of(struct mcm_client *client)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_client_stats(client, 0, &stats), 0);
    return stats;
}

static void *work(void *arg)
{
    char buffer[16];
    struct mcm_result result;
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(mcm_set(arg, MCM_KEY("key"), MCM_KEY("value"), 0, SOON, &result), MCM_OK);
        assert_int_equal(mcm_get(arg, MCM_KEY("key"), buffer, sizeof(buffer), SOON, &result),
                         MCM_OK);
    }
    return NULL;
}

static void hooks_see_begin_and_end_of_everything(void **state)
{
    (void)state;
    need_memcached();
    for (int mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        struct seen seen = {0};
        pthread_t threads[WORKERS];
        struct mcm_client *client = new_client(node.address, (enum mcm_mode)mode, &seen);
        for (int i = 0; i < WORKERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, work, client), 0);
        for (int i = 0; i < WORKERS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(seen.begun, WORKERS * CALLS * 2);
        assert_int_equal(seen.ended, seen.begun);
        assert_int_equal(seen.connected, stats_of(client).created);
        assert_int_equal(measured(client, MCM_MEASURE_DIAL), seen.connected);
        assert_int_equal(measured(client, MCM_MEASURE_GET), WORKERS * CALLS);
        assert_int_equal(measured(client, MCM_MEASURE_STORE), WORKERS * CALLS);
        mcm_client_free(client);
        assert_int_equal(seen.closed, seen.connected);
        assert_int_equal(seen.refused, 0);
    }
}

static void hooks_see_what_fails(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct mcm_client *client = new_client("127.0.0.1:1", MCM_MODE_EXCLUSIVE, &seen);
    struct mcm_result result;
    assert_int_equal(mcm_delete(client, MCM_KEY("key"), SOON, &result), MCM_E_CONNECT_REFUSED);
    /* Refused before it begins. */
    assert_int_equal(mcm_delete(client, MCM_KEY("a key"), SOON, &result), MCM_E_KEY);
    assert_int_equal(seen.begun, 1);
    assert_int_equal(seen.ended, 1);
    assert_int_equal(seen.refused, 1);
    assert_int_equal(measured(client, MCM_MEASURE_DIAL), 0);
    assert_int_equal(stats_of(client).results[MCM_OPERATION_DELETE][MCM_E_CONNECT_REFUSED], 1);
    mcm_client_free(client);
    assert_int_equal(seen.closed, 0);
}

static void a_call_costs_a_send_and_a_receive(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_client *client = new_client(node.address, MCM_MODE_EXCLUSIVE, NULL);
    char buffer[16];
    struct mcm_result result;
    for (int i = 0; i < 50; i++)
        mcm_get(client, MCM_KEY("no such key"), NULL, 0, SOON, &result);
    for (int i = 0; i < 50; i++)
        mcm_get(client, MCM_KEY("key-none"), buffer, sizeof(buffer), SOON, &result);
    struct mcm_server_stats stats = stats_of(client);
    assert_int_equal(stats.sends, 50);
    /* More than one when the answer was not there yet. */
    assert_in_range(stats.receives, 50, 200);
    assert_int_equal(stats.results[MCM_OPERATION_GET][MCM_MISS], 50);
    assert_int_equal(measured(client, MCM_MEASURE_WAIT), 0);
    mcm_client_free(client);
}

static void a_batch_is_one_event_and_its_items_are_counted(void **state)
{
    (void)state;
    need_memcached();
    enum { COUNT = 100 };
    struct seen seen = {0};
    struct mcm_client *client = new_client(node.address, MCM_MODE_EXCLUSIVE, &seen);
    char keys[COUNT][16];
    struct mcm_batch_item items[COUNT];
    memset(items, 0, sizeof(items));
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "item-%d", i);
        items[i].key = items[i].value = MCM_KEY(keys[i]);
    }
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = SOON;
    options.in_flight_max = 32;
    assert_int_equal(mcm_multi_set(client, items, COUNT, &options, NULL), MCM_BATCH_OK);
    assert_int_equal(seen.batches, 1);
    assert_int_equal(seen.items, COUNT);
    struct mcm_server_stats stats = stats_of(client);
    struct mcm_histogram depth;
    assert_int_equal(stats.results[MCM_OPERATION_STORE][MCM_OK], COUNT);
    assert_true(stats.sends < COUNT);
    assert_int_equal(measured(client, MCM_MEASURE_BATCH), 1);
    mcm_client_histogram(client, 0, MCM_MEASURE_DEPTH, &depth);
    assert_in_range(mcm_histogram_quantile(&depth, 1), 17, 35);
    mcm_client_free(client);
    assert_int_equal(seen.begun, seen.ended);
}

static void append(void *arg, const char *text, size_t size)
{
    char **end = arg;
    memcpy(*end, text, size);
    *end += size;
    **end = '\0';
}

static void prometheus_text_has_each_family_once(void **state)
{
    (void)state;
    need_memcached();
    struct mcm_client *client = new_client(node.address, MCM_MODE_EXCLUSIVE, NULL);
    struct mcm_result result;
    char *text = malloc(1 << 20), *end = text;
    mcm_set(client, MCM_KEY("key"), MCM_KEY("v"), 0, SOON, &result);
    mcm_client_prometheus(client, append, &end);
    static const char *const wanted[] = {
        "mcmeta_connections{server=\"one \\\"quoted\\\"\",state=\"idle\"} 1\n",
        "quoted\\\"\",operation=\"store\",outcome=\"ok\"} 1\n",
        "kind=\"store\",le=\"+Inf\"} 1\n",
        "mcmeta_duration_seconds_count{server=\"one \\\"quoted\\\"\",kind=\"dial\"} 1\n",
        "# TYPE mcmeta_depth_requests histogram\n",
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("no %s in:\n%s", wanted[i], text);
    }
    for (char *type = text; (type = strstr(type, "# TYPE ")) != NULL; type++) {
        char line[128];
        snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(type, "\n"), type);
        assert_null(strstr(type + 1, line));
    }
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        assert_true(strncmp(line, "# ", 2) == 0 || strncmp(line, "mcmeta_", 7) == 0);
    free(text);
    mcm_client_free(client);
}

/* --- What a breaker keeps back never reaches the network --- */

static struct mcm_client *guarded_client(const char *address)
{
    static struct mcm_breaker_settings breaker;
    struct mcm_server server = {.address = address};
    mcm_breaker_preset_get(MCM_BREAKER_GOBREAKER, &breaker);
    breaker.open_ns = MS; /* then half-open, for one call */
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.connections_max = 5;
    config.connect_timeout = 20 * SEC;
    config.maintenance_thread = false;
    config.breaker = &breaker;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

/* Calls of all kinds; every one must be kept back, and nothing be sent or connected. */
static void expect_kept_back(struct mcm_client *client, enum mcm_outcome expected)
{
    struct mcm_server_stats before = stats_of(client);
    for (int i = 0; i < 50; i++) {
        struct mcm_result result;
        struct mcm_batch_item item = {.key = MCM_KEY("key"), .value = MCM_KEY("v")};
        assert_int_equal(mcm_delete(client, MCM_KEY("key"), SOON, &result), expected);
        assert_false(result.sent);
        mcm_multi_set(client, &item, 1, NULL, NULL);
        assert_int_equal(item.outcome, expected);
        assert_false(item.sent);
    }
    struct mcm_server_stats after = stats_of(client);
    assert_int_equal(after.sends, before.sends);
    assert_int_equal(after.created, before.created);
    assert_int_equal(after.connect_failures, before.connect_failures);
    assert_int_equal(after.breaker_rejected, before.breaker_rejected + 100);
}

static void *probe(void *arg)
{
    struct mcm_result result;
    mcm_get(arg, MCM_KEY("none"), NULL, 0, mcm_after(60 * SEC), &result);
    return (void *)(uintptr_t)result.outcome;
}

static void half_open_lets_one_probe_out_and_nothing_else(void **state)
{
    (void)state;
    need_memcached();
    pthread_t thread;
    void *outcome;
    struct mcm_result result;
    struct mcm_client *client = guarded_client(node.address);
    memcached_pause(&node);
    while (stats_of(client).breaker_opened == 0)
        mcm_get(client, MCM_KEY("none"), NULL, 0, mcm_after(20 * MS), &result);
    mcm_ns open_until = mcm_after(2 * MS);
    while (mcm_after(0) < open_until)
        continue;
    assert_int_equal(pthread_create(&thread, NULL, probe, client), 0);
    while (stats_of(client).breaker_requests == 0)
        sched_yield();
    while (stats_of(client).active == 0)
        sched_yield();
    expect_kept_back(client, MCM_E_BREAKER_BUSY);
    memcached_resume(&node);
    pthread_join(thread, &outcome);
    assert_int_equal((enum mcm_outcome)(uintptr_t)outcome, MCM_MISS);
    assert_int_equal(stats_of(client).breaker_state, MCM_BREAKER_CLOSED);
    mcm_client_free(client);
}

static void an_open_breaker_lets_nothing_out(void **state)
{
    (void)state;
    static struct mcm_breaker_settings breaker;
    struct mcm_server server = {.address = "127.0.0.1:1"};
    mcm_breaker_preset_get(MCM_BREAKER_GOBREAKER, &breaker); /* open for a minute */
    for (int mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
        struct mcm_result result;
        config.servers = &server;
        config.server_count = 1;
        config.mode = (enum mcm_mode)mode;
        config.breaker = &breaker;
        config.maintenance_thread = false;
        struct mcm_client *client = mcm_client_new(&config, NULL, 0);
        assert_non_null(client);
        for (int i = 0; i < 6; i++)
            assert_int_equal(mcm_delete(client, MCM_KEY("key"), SOON, &result),
                             MCM_E_CONNECT_REFUSED);
        expect_kept_back(client, MCM_E_BREAKER_OPEN);
        mcm_client_free(client);
    }
}

static void wrong_hooks_are_refused(void **state)
{
    (void)state;
    struct mcm_server server = {.address = "127.0.0.1:1"};
    struct mcm_hooks hooks = {0};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    char error[MCM_ERROR_SIZE];
    config.servers = &server;
    config.server_count = 1;
    config.hooks = &hooks;
    assert_null(mcm_client_new(&config, error, sizeof(error)));
    assert_non_null(strstr(error, "hooks"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hooks_see_begin_and_end_of_everything),
        cmocka_unit_test(hooks_see_what_fails),
        cmocka_unit_test(a_call_costs_a_send_and_a_receive),
        cmocka_unit_test(a_batch_is_one_event_and_its_items_are_counted),
        cmocka_unit_test(prometheus_text_has_each_family_once),
        cmocka_unit_test(an_open_breaker_lets_nothing_out),
        cmocka_unit_test(half_open_lets_one_probe_out_and_nothing_else),
        cmocka_unit_test(wrong_hooks_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
