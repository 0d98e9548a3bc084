/* SPDX-License-Identifier: MIT */
/*
 * Many threads against a real memcached for a second or two each. Every value begins with its own
 * key, so an answer that reached the wrong caller is seen at once: that is never allowed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <mcmeta/mcmeta.h>

#include "base/rng.h"
#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define SOON mcm_after(20 * SEC)
#define DURATION (1500 * MS)
#define THREADS 8
#define VALUE_MAX 600
#define COUNTERS 5
#define BATCH_MAX 50

static struct memcached server;

struct job {
    struct mcm_client *client;
    void (*step)(struct job *job);
    struct rng rng;
    mcm_ns end;
    uint64_t operations, errors, foreign, poisoned;
    uint64_t sums[COUNTERS];
    pthread_t thread;
};

static void *work(void *arg)
{
    struct job *job = arg;
    while (mcm_after(0) < job->end)
        job->step(job);
    return NULL;
}

/* Runs `step` on all threads; the sums are in the result. */
static struct job run(struct mcm_client *client, void (*step)(struct job *))
{
    static struct job jobs[THREADS];
    struct job sum = {0};
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.client = client,
                               .step = step,
                               .rng = rng_fork(7, (uint64_t)i),
                               .end = mcm_after(DURATION)};
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(jobs[i].thread, NULL);
        sum.operations += jobs[i].operations;
        sum.errors += jobs[i].errors;
        sum.foreign += jobs[i].foreign;
        sum.poisoned += jobs[i].poisoned;
        for (int c = 0; c < COUNTERS; c++)
            sum.sums[c] += jobs[i].sums[c];
    }
    return sum;
}

static struct mcm_client_config config_for(struct mcm_server *list, unsigned connections)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    *list = (struct mcm_server){.address = server.address};
    config.servers = list;
    config.server_count = 1;
    config.connections_max = connections;
    config.connect_timeout = 5 * SEC;
    return config;
}

static struct mcm_client *client_with(unsigned connections)
{
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, connections);
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* The key of `number`, and a value that begins with it. */
static struct mcm_slice make_key(char *key, uint64_t number)
{
    int size = snprintf(key, 32, "key-%u", (unsigned)number);
    return (struct mcm_slice){key, (size_t)size};
}

static struct mcm_slice make_value(struct job *job, char *value, struct mcm_slice key)
{
    memcpy(value, key.data, key.size);
    value[key.size] = '|';
    size_t padding = (size_t)rng_below(&job->rng, 512);
    memset(value + key.size + 1, 'x', padding);
    return (struct mcm_slice){value, key.size + 1 + padding};
}

static void judge(struct job *job, struct mcm_slice key, enum mcm_outcome outcome,
                  struct mcm_slice value)
{
    const char *bytes = value.data;
    job->operations++;
    if (!mcm_outcome_is_answer(outcome))
        job->errors++;
    else if (outcome == MCM_OK && bytes != NULL &&
             (value.size <= key.size || memcmp(bytes, key.data, key.size) != 0 ||
              bytes[key.size] != '|'))
        job->foreign++;
}

static void mixed_step(struct job *job)
{
    char name[32], buffer[VALUE_MAX], text[VALUE_MAX];
    struct mcm_result result;
    struct mcm_slice key = make_key(name, rng_below(&job->rng, 200));
    unsigned dice = (unsigned)rng_below(&job->rng, 10);
    struct mcm_raw_request raw = {.command = MCM_RAW_GET, .key = key, .flags = "v t"};
    if (dice < 4)
        mcm_get(job->client, key, buffer, sizeof(buffer), SOON, &result);
    else if (dice < 7)
        mcm_set(job->client, key, make_value(job, text, key), 0, SOON, &result);
    else if (dice < 8)
        mcm_delete(job->client, key, SOON, &result);
    else if (dice < 9)
        mcm_add(job->client, key, make_value(job, text, key), 0, SOON, &result);
    else
        mcm_raw(job->client, &raw, buffer, sizeof(buffer), SOON, &result);
    judge(job, key, result.outcome, result.value);
}

static void mixed_workload_has_no_foreign_value_and_no_error(void **state)
{
    (void)state;
    for (int mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        struct mcm_server list;
        struct mcm_client_config config = config_for(&list, 8);
        config.mode = (enum mcm_mode)mode;
        struct mcm_client *client = mcm_client_new(&config, NULL, 0);
        assert_non_null(client);
        struct job sum = run(client, mixed_step);
        assert_int_equal(sum.foreign, 0);
        assert_int_equal(sum.errors, 0);
        assert_true(sum.operations > 1000);
        struct mcm_server_stats stats = {.size = sizeof(stats)};
        mcm_client_stats(client, 0, &stats);
        uint64_t counted = 0;
        for (int i = 0; i < MCM_OPERATION_COUNT; i++)
            counted += stats.operations[i];
        assert_int_equal(counted, sum.operations);
        mcm_client_free(client);
    }
}

static void batch_step(struct job *job)
{
    char names[BATCH_MAX][32], text[BATCH_MAX][VALUE_MAX], buffers[BATCH_MAX][VALUE_MAX];
    struct mcm_batch_item items[BATCH_MAX] = {0};
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    size_t count = 1 + (size_t)rng_below(&job->rng, BATCH_MAX);
    bool stores = rng_below(&job->rng, 2);
    options.plain = rng_below(&job->rng, 2);
    options.quiet = rng_below(&job->rng, 2);
    options.deadline = SOON;
    for (size_t i = 0; i < count; i++) {
        items[i].key = make_key(names[i], rng_below(&job->rng, 500));
        items[i].value = make_value(job, text[i], items[i].key);
        items[i].buffer = buffers[i];
        items[i].buffer_size = VALUE_MAX;
    }
    if (stores)
        mcm_multi_set(job->client, items, count, &options, NULL);
    else
        mcm_multi_get(job->client, items, count, &options, NULL);
    for (size_t i = 0; i < count; i++) {
        struct mcm_slice nothing = {NULL, 0};
        judge(job, items[i].key, items[i].outcome, stores ? nothing : items[i].value);
    }
}

static void batch_workload_answers_every_position(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(4);
    struct job sum = run(client, batch_step);
    assert_int_equal(sum.foreign, 0);
    assert_int_equal(sum.errors, 0);
    assert_true(sum.operations > 1000);
    mcm_client_free(client);
}

static void poison_step(struct job *job)
{
    struct mcm_result result;
    struct mcm_increment one = {.delta = 1};
    unsigned dice = (unsigned)rng_below(&job->rng, 10);
    if (dice < 8) {
        mixed_step(job);
        return;
    }
    /* A text is no number; or the caller's own flags are nonsense, which costs a connection. */
    struct mcm_raw_request raw = {
        .command = MCM_RAW_ARITHMETIC, .key = MCM_KEY("poison"), .flags = "v D-1"};
    if (dice < 9)
        mcm_increment(job->client, MCM_KEY("poison"), &one, SOON, &result);
    else
        mcm_raw(job->client, &raw, NULL, 0, SOON, &result);
    job->poisoned++;
    if (result.outcome != MCM_E_CLIENT)
        job->errors++;
}

static void injected_errors_hit_only_those_who_caused_them(void **state)
{
    (void)state;
    struct mcm_client *client = client_with(4);
    struct mcm_result result;
    mcm_set(client, MCM_KEY("poison"), MCM_KEY("text"), 0, SOON, &result);
    struct job sum = run(client, poison_step);
    assert_int_equal(sum.foreign, 0);
    assert_int_equal(sum.errors, 0);
    assert_true(sum.poisoned > 100);
    mcm_client_free(client);
}

static void churn_step(struct job *job)
{
    if (rng_below(&job->rng, 4) == 0)
        batch_step(job);
    else
        mixed_step(job);
}

static void connection_churn_is_invisible_and_leaks_nothing(void **state)
{
    (void)state;
    unsigned before = open_descriptors();
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 4);
    config.lifetime_max = 100 * MS;
    config.idle_max = 50 * MS;
    config.health_check_period = 20 * MS;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    struct job sum = run(client, churn_step);
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_client_stats(client, 0, &stats);
    assert_int_equal(sum.foreign, 0);
    assert_int_equal(sum.errors, 0);
    assert_true(stats.destroyed > 10);
    mcm_client_free(client);
    assert_int_equal(open_descriptors(), before);
}

static void counter_step(struct job *job)
{
    char name[32];
    struct mcm_result result;
    unsigned counter = (unsigned)rng_below(&job->rng, COUNTERS);
    struct mcm_increment change = {.delta = 1 + rng_below(&job->rng, 10)};
    snprintf(name, sizeof(name), "counter-%u", counter);
    mcm_increment(job->client, MCM_KEY(name), &change, SOON, &result);
    job->operations++;
    if (result.outcome == MCM_OK)
        job->sums[counter] += change.delta;
    else
        job->errors++;
}

static void counters_lose_and_double_nothing(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, 4);
    config.lifetime_max = 50 * MS;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    struct mcm_result result;
    char name[32];
    for (int c = 0; c < COUNTERS; c++) {
        snprintf(name, sizeof(name), "counter-%d", c);
        assert_int_equal(mcm_set(client, MCM_KEY(name), MCM_KEY("0"), 0, SOON, &result), MCM_OK);
    }
    struct job sum = run(client, counter_step);
    assert_int_equal(sum.errors, 0);
    for (int c = 0; c < COUNTERS; c++) {
        snprintf(name, sizeof(name), "counter-%d", c);
        assert_int_equal(mcm_counter(client, MCM_KEY(name), SOON, &result), MCM_OK);
        assert_true(result.number == sum.sums[c]);
    }
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
        cmocka_unit_test(mixed_workload_has_no_foreign_value_and_no_error),
        cmocka_unit_test(batch_workload_answers_every_position),
        cmocka_unit_test(injected_errors_hit_only_those_who_caused_them),
        cmocka_unit_test(connection_churn_is_invisible_and_leaks_nothing),
        cmocka_unit_test(counters_lose_and_double_nothing),
    };
    return cmocka_run_group_tests_name("mcmeta/stress", tests, start_server, stop_server);
}
