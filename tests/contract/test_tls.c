/* SPDX-License-Identifier: MIT */
/* Everything a client does, over TLS against a real memcached; and what never happens without. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "base/rng.h"
#include "flaky_proxy.h"
#include "tls_fixture.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC)
#define SOON mcm_after(GENEROUS)
#define KEY_SIZE 24

static struct memcached server;

static int set_up(void **state)
{
    (void)state;
    if (!tls_fixture_make())
        return -1;
    if (tls_fixture_is_usable())
        tls_fixture_start(&server, "server", "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_fixture_remove();
    memcached_kill(&server);
    return 0;
}

static void need_server(void)
{
    if (server.pid == 0) {
        print_message("no TLS in the library or in memcached, or openssl is not installed\n");
        skip();
    }
}

static struct mcm_client_config config_for(struct mcm_server *list, struct mcm_tls_config *tls,
                                           const char *address)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    *list = (struct mcm_server){.address = address};
    *tls = (struct mcm_tls_config){.ca_file = tls_fixture_file("ca.pem")};
    config.servers = list;
    config.server_count = 1;
    config.tls = tls;
    config.connect_timeout = 10 * SEC;
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

static void assert_outcome(enum mcm_outcome got, enum mcm_outcome expected)
{
    assert_string_equal(mcm_outcome_name(got), mcm_outcome_name(expected));
}

/* --- Batches --- */

struct keys {
    size_t count;
    char (*text)[KEY_SIZE];
    struct mcm_batch_item *items;
};

static struct keys keys_new(size_t count)
{
    struct keys keys = {.count = count};
    keys.text = calloc(count, KEY_SIZE);
    keys.items = calloc(count, sizeof(*keys.items));
    for (size_t i = 0; i < count; i++)
        snprintf(keys.text[i], KEY_SIZE, "tls-%zu", i);
    return keys;
}

static void keys_free(struct keys *keys)
{
    free(keys->text);
    free(keys->items);
}

static struct mcm_batch_item *fresh(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        keys->items[i] =
            (struct mcm_batch_item){.key = MCM_KEY(keys->text[i]), .value = MCM_KEY(keys->text[i])};
    return keys->items;
}

static void go_round(struct mcm_client *client, size_t count, struct mcm_batch_options options)
{
    struct keys keys = keys_new(count);
    struct mcm_batch_result result;
    options.deadline = mcm_after(3 * GENEROUS);
    options.arena = mcm_arena_new();
    assert_int_equal(mcm_multi_set(client, fresh(&keys), count, &options, &result), MCM_BATCH_OK);
    assert_int_equal(result.ok, count);
    assert_int_equal(mcm_multi_get(client, fresh(&keys), count, &options, &result), MCM_BATCH_OK);
    assert_int_equal(result.ok, count);
    for (size_t i = 0; i < count; i++) {
        const struct mcm_slice *value = &keys.items[i].value;
        assert_int_equal(value->size, strlen(keys.text[i]));
        assert_memory_equal(value->data, keys.text[i], value->size);
    }
    assert_int_equal(mcm_multi_delete(client, fresh(&keys), count, &options, &result),
                     MCM_BATCH_OK);
    assert_int_equal(result.ok, count);
    mcm_arena_free(options.arena);
    keys_free(&keys);
}

static void a_hundred_thousand_keys_pass_in_a_batch(void **state)
{
    (void)state;
    need_server();
    struct mcm_server list;
    struct mcm_tls_config tls;
    struct mcm_client_config config = config_for(&list, &tls, server.address);
    struct mcm_client *client = client_of(&config);
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    go_round(client, 100000, options);
    options.in_flight_max = MCM_BATCH_IN_FLIGHT_MAX;
    options.plain = true;
    go_round(client, 100000, options);
    options.quiet = true;
    go_round(client, 100000, options);
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_client_stats(client, 0, &stats);
    assert_int_equal(stats.created, 1);
    mcm_client_free(client);
}

static void large_values_pass_both_ways_in_a_batch(void **state)
{
    (void)state;
    need_server();
    enum { COUNT = 24, SIZE = 900000 };
    struct mcm_server list;
    struct mcm_tls_config tls;
    struct mcm_client_config config = config_for(&list, &tls, server.address);
    struct mcm_client *client = client_of(&config);
    struct keys keys = keys_new(COUNT);
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = SOON;
    options.arena = mcm_arena_new();
    char *value = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        value[i] = (char)(i * 7 + i / 251);
    fresh(&keys);
    for (size_t i = 0; i < COUNT; i++)
        keys.items[i].value = (struct mcm_slice){value + i, SIZE - i};
    assert_int_equal(mcm_multi_set(client, keys.items, COUNT, &options, NULL), MCM_BATCH_OK);
    assert_int_equal(mcm_multi_get(client, fresh(&keys), COUNT, &options, NULL), MCM_BATCH_OK);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(keys.items[i].value.size, SIZE - i);
        assert_memory_equal(keys.items[i].value.data, value + i, SIZE - i);
    }
    free(value);
    mcm_arena_free(options.arena);
    keys_free(&keys);
    mcm_client_free(client);
}

static void a_batch_over_tls_ends_at_its_deadline(void **state)
{
    (void)state;
    need_server();
    struct mcm_server list;
    struct mcm_tls_config tls;
    struct mcm_client_config config = config_for(&list, &tls, server.address);
    struct mcm_client *client = client_of(&config);
    struct keys keys = keys_new(1000);
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    struct mcm_result result;
    options.arena = mcm_arena_new();
    assert_outcome(mcm_get(client, MCM_KEY("k"), NULL, 0, SOON, &result), MCM_MISS);
    memcached_pause(&server);
    options.deadline = mcm_after(50 * MS);
    mcm_ns start = mcm_after(0);
    assert_int_equal(mcm_multi_get(client, fresh(&keys), 1000, &options, NULL), MCM_BATCH_FAILED);
    assert_true(mcm_after(0) - start < 5 * SEC);
    assert_outcome(keys.items[999].outcome, MCM_E_TIMEOUT_READ);
    memcached_resume(&server);
    mcm_arena_free(options.arena);
    keys_free(&keys);
    mcm_client_free(client);
}

/* --- Many threads --- */

#define THREADS 8
#define VALUE_MAX 20000

struct job {
    struct mcm_client *client;
    struct rng rng;
    atomic_bool *over;
    unsigned turns; /* 0: until it is over */
    uint64_t operations, errors, foreign;
    pthread_t thread;
};

/* A value begins with its key; one that does not has come to the wrong caller. */
static void step(struct job *job)
{
    static _Thread_local char value[VALUE_MAX];
    char name[32];
    struct mcm_result result;
    struct mcm_slice key = {
        name, (size_t)snprintf(name, sizeof(name), "job-%u|", (unsigned)rng_below(&job->rng, 50))};
    enum mcm_outcome outcome;
    if (rng_below(&job->rng, 2) == 0) {
        memcpy(value, name, key.size);
        size_t size = key.size + (size_t)rng_below(&job->rng, VALUE_MAX - key.size);
        memset(value + key.size, 'x', size - key.size);
        outcome =
            mcm_set(job->client, key, (struct mcm_slice){value, size}, 0, mcm_after(SEC), &result);
    } else {
        outcome = mcm_get(job->client, key, value, VALUE_MAX, mcm_after(SEC), &result);
        job->foreign += outcome == MCM_OK && (result.value.size < key.size ||
                                              memcmp(result.value.data, name, key.size) != 0);
    }
    job->operations++;
    job->errors += !mcm_outcome_is_answer(outcome);
}

static void *work(void *arg)
{
    struct job *job = arg;
    for (unsigned i = 0; job->turns == 0 ? !atomic_load(job->over) : i < job->turns; i++)
        step(job);
    return NULL;
}

static void start_jobs(struct job *jobs, struct mcm_client *client, unsigned turns,
                       atomic_bool *over)
{
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){
            .client = client, .rng = rng_fork(3, (uint64_t)i), .turns = turns, .over = over};
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
    }
}

static struct job end_jobs(struct job *jobs)
{
    struct job sum = {.operations = 0};
    for (int i = 0; i < THREADS; i++) {
        pthread_join(jobs[i].thread, NULL);
        sum.operations += jobs[i].operations;
        sum.errors += jobs[i].errors;
        sum.foreign += jobs[i].foreign;
    }
    return sum;
}

static void threads_share_lanes_without_an_error(void **state)
{
    (void)state;
    need_server();
    struct mcm_server list;
    struct mcm_tls_config tls;
    struct mcm_client_config config = config_for(&list, &tls, server.address);
    config.mode = MCM_MODE_SHARED;
    config.lane_store_max = config.lane_fetch_max = VALUE_MAX;
    struct mcm_client *client = client_of(&config);
    struct job jobs[THREADS];
    start_jobs(jobs, client, 500, NULL);
    struct job sum = end_jobs(jobs);
    assert_int_equal(sum.operations, 500 * THREADS);
    assert_int_equal(sum.errors, 0);
    assert_int_equal(sum.foreign, 0);
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_client_stats(client, 0, &stats);
    assert_true(stats.created <= 2);
    mcm_client_free(client);
}

/* Connections are cut in the middle of records. */
static void cut_connections_never_mix_answers(void **state)
{
    (void)state;
    need_server();
    struct flaky_proxy proxy;
    assert_true(flaky_proxy_start(&proxy, server.port));
    for (int mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        struct mcm_server list;
        struct mcm_tls_config tls;
        struct mcm_client_config config = config_for(&list, &tls, proxy.address);
        config.mode = mode;
        struct mcm_client *client = client_of(&config);
        struct job jobs[THREADS];
        atomic_bool over = false;
        uint64_t killed = flaky_proxy_killed(&proxy);
        flaky_proxy_kill(&proxy, 20);
        start_jobs(jobs, client, 0, &over);
        mcm_ns end = SOON;
        while (flaky_proxy_killed(&proxy) < killed + 20 && mcm_after(0) < end)
            usleep(1000);
        flaky_proxy_kill(&proxy, 0);
        atomic_store(&over, true);
        struct job sum = end_jobs(jobs);
        assert_true(flaky_proxy_killed(&proxy) >= killed + 20);
        assert_int_equal(sum.foreign, 0);
        struct mcm_result result;
        enum mcm_outcome outcome;
        while ((outcome = mcm_get(client, MCM_KEY("absent"), NULL, 0, SOON, &result)) != MCM_MISS &&
               mcm_after(0) < end)
            usleep(1000);
        assert_outcome(outcome, MCM_MISS);
        mcm_client_free(client);
    }
    flaky_proxy_stop(&proxy);
}

/* --- Sessions --- */

static struct mcm_server_stats stats_of(struct mcm_client *client, struct mcm_loop *loop)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    if (loop != NULL)
        mcm_loop_stats(loop, 0, &stats);
    else
        mcm_client_stats(client, 0, &stats);
    return stats;
}

static void note(void *arg, const struct mcm_result *result)
{
    *(enum mcm_outcome *)arg = result->outcome;
}

static enum mcm_outcome get(struct mcm_client *client, struct mcm_loop *loop)
{
    struct mcm_result result;
    if (loop == NULL)
        return mcm_get(client, MCM_KEY("absent"), NULL, 0, SOON, &result);
    enum mcm_outcome outcome = MCM_OUTCOME_COUNT;
    struct mcm_loop_call call = {.deadline = SOON, .done = note, .arg = &outcome};
    assert_outcome(mcm_loop_get(loop, &call, MCM_KEY("absent"), NULL, 0), MCM_OK);
    mcm_loop_run(loop, SOON);
    return outcome;
}

static void the_next_connection_resumes_the_session(void **state)
{
    (void)state;
    need_server();
    for (int kind = 0; kind < 3; kind++) {
        struct flaky_proxy proxy;
        struct mcm_server list;
        struct mcm_tls_config tls;
        assert_true(flaky_proxy_start(&proxy, server.port));
        struct mcm_client_config config = config_for(&list, &tls, proxy.address);
        config.mode = kind == 1 ? MCM_MODE_SHARED : MCM_MODE_EXCLUSIVE;
        config.idle_check = 0;
        config.lanes = 1;
        struct mcm_loop *loop = kind == 2 ? mcm_loop_new(&config, NULL, 0) : NULL;
        struct mcm_client *client = kind == 2 ? NULL : client_of(&config);
        for (unsigned i = 1; i <= 3; i++) {
            assert_outcome(get(client, loop), MCM_MISS);
            struct mcm_server_stats stats = stats_of(client, loop);
            assert_int_equal(stats.tls_handshakes, i);
            assert_int_equal(stats.tls_resumed, i - 1);
            flaky_proxy_cut(&proxy);
            while (flaky_proxy_connections(&proxy) > 0)
                usleep(1000);
        }
        mcm_loop_free(loop);
        mcm_client_free(client);
        flaky_proxy_stop(&proxy);
    }
}

/* --- Never without --- */

/* Takes connections and notes what they begin with. */
struct recorder {
    int listener;
    char address[32];
    pthread_t thread;
    atomic_bool over;
    atomic_uint records, others;
};

static void *record(void *arg)
{
    struct recorder *recorder = arg;
    while (!atomic_load(&recorder->over)) {
        struct pollfd polled = {.fd = recorder->listener, .events = POLLIN};
        if (poll(&polled, 1, 10) <= 0)
            continue;
        int fd = accept4(recorder->listener, NULL, NULL, SOCK_CLOEXEC);
        unsigned char first = 0;
        struct timeval timeout = {.tv_sec = 5};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        if (recv(fd, &first, 1, 0) == 1)
            atomic_fetch_add(first == 0x16 ? &recorder->records : &recorder->others, 1);
        /* As a plain server would. */
        send(fd, "ERROR\r\n", 7, MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

static void start_recorder(struct recorder *recorder)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(sa);
    *recorder = (struct recorder){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(recorder->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(recorder->listener, 8), 0);
    assert_int_equal(getsockname(recorder->listener, (struct sockaddr *)&sa, &size), 0);
    snprintf(recorder->address, sizeof(recorder->address), "127.0.0.1:%d", ntohs(sa.sin_port));
    assert_int_equal(pthread_create(&recorder->thread, NULL, record, recorder), 0);
}

static void nothing_plain_goes_to_a_server_that_fails_the_handshake(void **state)
{
    (void)state;
    need_server();
    struct recorder recorder;
    start_recorder(&recorder);
    for (int kind = 0; kind < 3; kind++) {
        struct mcm_server list;
        struct mcm_tls_config tls;
        struct mcm_client_config config = config_for(&list, &tls, recorder.address);
        config.user = "user";
        config.password = "secret";
        config.mode = kind == 1 ? MCM_MODE_SHARED : MCM_MODE_EXCLUSIVE;
        struct mcm_loop *loop = kind == 2 ? mcm_loop_new(&config, NULL, 0) : NULL;
        struct mcm_client *client = kind == 2 ? NULL : client_of(&config);
        for (int i = 0; i < 3; i++)
            assert_outcome(get(client, loop), MCM_E_TLS);
        mcm_loop_free(loop);
        mcm_client_free(client);
    }
    atomic_store(&recorder.over, true);
    pthread_join(recorder.thread, NULL);
    close(recorder.listener);
    assert_int_equal(atomic_load(&recorder.others), 0);
    assert_int_equal(atomic_load(&recorder.records), 9);
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_keys_pass_in_a_batch),
        cmocka_unit_test(large_values_pass_both_ways_in_a_batch),
        cmocka_unit_test(a_batch_over_tls_ends_at_its_deadline),
        cmocka_unit_test(threads_share_lanes_without_an_error),
        cmocka_unit_test(cut_connections_never_mix_answers),
        cmocka_unit_test(the_next_connection_resumes_the_session),
        cmocka_unit_test(nothing_plain_goes_to_a_server_that_fails_the_handshake),
    };
    return cmocka_run_group_tests_name("mcmeta/tls", tests, set_up, tear_down);
}
