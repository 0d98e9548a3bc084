/* SPDX-License-Identifier: MIT */
/* Cancelling calls by a token, and what a child process may do with its parent's client. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "base/rng.h"
#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC) /* a deadline that only a bug can miss */
#define SLACK (5 * SEC)     /* what a loaded machine may add */

static struct memcached server;

static void nap(mcm_ns span)
{
    struct timespec pause = {.tv_sec = span / SEC, .tv_nsec = span % SEC};
    nanosleep(&pause, NULL);
}

static struct mcm_client_config config_for(struct mcm_server *list, enum mcm_mode mode)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    *list = (struct mcm_server){.address = server.address};
    config.servers = list;
    config.server_count = 1;
    config.mode = mode;
    config.lanes = 1;
    config.connections_max = 2;
    config.connect_timeout = 5 * SEC;
    return config;
}

static struct mcm_client *new_client(enum mcm_mode mode)
{
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, mode);
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static enum mcm_outcome get(struct mcm_client *client, const char *key, mcm_ns span)
{
    char buffer[64];
    struct mcm_result result;
    return mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(span), &result);
}

static void set_text(struct mcm_client *client, const char *key, const char *value)
{
    struct mcm_result result;
    mcm_set(client, MCM_KEY(key), MCM_KEY(value), 0, mcm_after(GENEROUS), &result);
    assert_string_equal(mcm_outcome_name(result.outcome), "ok");
}

static void expect_text(struct mcm_client *client, const char *key, const char *value)
{
    char buffer[64];
    struct mcm_result result;
    mcm_get(client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(GENEROUS), &result);
    assert_string_equal(mcm_outcome_name(result.outcome), "ok");
    assert_int_equal(result.value.size, strlen(value));
    assert_memory_equal(result.value.data, value, strlen(value));
}

/* A call in a thread of its own, under a token or not. */
struct blocked {
    pthread_t thread;
    struct mcm_client *client;
    struct mcm_cancel *cancel;
    mcm_ns span;
    enum mcm_outcome outcome;
    mcm_ns ended;
};

static void *blocked_get(void *arg)
{
    struct blocked *blocked = arg;
    mcm_cancel_use(blocked->cancel);
    blocked->outcome = get(blocked->client, "blocked", blocked->span);
    blocked->ended = mcm_after(0);
    return NULL;
}

static void start(struct blocked *blocked, struct mcm_client *client, struct mcm_cancel *cancel,
                  mcm_ns span)
{
    *blocked = (struct blocked){.client = client, .cancel = cancel, .span = span};
    assert_int_equal(pthread_create(&blocked->thread, NULL, blocked_get, blocked), 0);
    nap(20 * MS);
}

static void expect_end(struct blocked *blocked, const char *outcome)
{
    pthread_join(blocked->thread, NULL);
    assert_string_equal(mcm_outcome_name(blocked->outcome), outcome);
}

/*
 * Four calls on a server that hangs: some wait for it, some for a connection or for the leader. The
 * two under the token end, the others go on and are answered.
 */
static void cancel_two_of_four(enum mcm_mode mode, bool first)
{
    struct mcm_client *client = new_client(mode);
    struct mcm_cancel *cancel = mcm_cancel_new();
    assert_non_null(cancel);
    set_text(client, "blocked", "x");
    memcached_pause(&server);
    struct blocked blocked[4];
    for (int i = 0; i < 4; i++)
        start(&blocked[i], client, (i < 2) == first ? cancel : NULL, GENEROUS);
    mcm_ns fired = mcm_after(0);
    mcm_cancel_fire(cancel);
    for (int i = 0; i < 4; i++) {
        if ((i < 2) == first) {
            expect_end(&blocked[i], "cancelled");
            assert_true(blocked[i].ended - fired < SLACK);
        }
    }
    memcached_resume(&server);
    for (int i = 0; i < 4; i++) {
        if ((i < 2) != first)
            expect_end(&blocked[i], "ok");
    }
    expect_text(client, "blocked", "x");
    mcm_cancel_free(cancel);
    mcm_client_free(client);
}

static void a_token_ends_the_calls_under_it_and_no_others(void **state)
{
    (void)state;
    cancel_two_of_four(MCM_MODE_EXCLUSIVE, true);
    cancel_two_of_four(MCM_MODE_EXCLUSIVE, false);
    cancel_two_of_four(MCM_MODE_SHARED, true);
    cancel_two_of_four(MCM_MODE_SHARED, false);
}

static void a_fired_token_ends_calls_until_it_is_reset(void **state)
{
    (void)state;
    for (int mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        struct mcm_client *client = new_client(mode);
        struct mcm_cancel *cancel = mcm_cancel_new();
        set_text(client, "t", "x");
        mcm_cancel_use(cancel);
        expect_text(client, "t", "x");
        mcm_cancel_fire(cancel);
        mcm_cancel_fire(cancel);
        assert_true(mcm_cancel_is_fired(cancel));
        assert_string_equal(mcm_outcome_name(get(client, "t", GENEROUS)), "cancelled");
        mcm_cancel_reset(cancel);
        expect_text(client, "t", "x");
        mcm_cancel_fire(cancel);
        mcm_cancel_use(NULL);
        expect_text(client, "t", "x");
        mcm_cancel_free(cancel);
        mcm_client_free(client);
    }
}

static void *cancel_storm(void *arg)
{
    struct mcm_cancel *cancel = arg;
    for (int i = 0; i < 200; i++) {
        nap(MS / 2);
        mcm_cancel_fire(cancel);
    }
    return NULL;
}

struct storm_worker {
    pthread_t thread;
    struct mcm_client *client;
    int id;
    unsigned wrong;
};

static void *storm_work(void *arg)
{
    struct storm_worker *worker = arg;
    struct mcm_cancel *cancel = mcm_cancel_new();
    pthread_t storm;
    char key[16], buffer[64];
    snprintf(key, sizeof(key), "storm-%d", worker->id);
    set_text(worker->client, key, key);
    mcm_cancel_use(cancel);
    pthread_create(&storm, NULL, cancel_storm, cancel);
    for (int i = 0; i < 300; i++) {
        struct mcm_result result;
        mcm_get(worker->client, MCM_KEY(key), buffer, sizeof(buffer), mcm_after(GENEROUS), &result);
        bool right = result.outcome == MCM_OK && result.value.size == strlen(key) &&
                     memcmp(buffer, key, strlen(key)) == 0;
        if (!right && result.outcome != MCM_E_CANCELLED)
            worker->wrong++;
        if (result.outcome == MCM_E_CANCELLED)
            mcm_cancel_reset(cancel);
    }
    pthread_join(storm, NULL);
    mcm_cancel_use(NULL);
    mcm_cancel_free(cancel);
    return NULL;
}

static void a_storm_of_cancellations_never_mixes_answers(void **state)
{
    (void)state;
    for (int mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        struct mcm_client *client = new_client(mode);
        struct storm_worker workers[6] = {0};
        for (int i = 0; i < 6; i++) {
            workers[i].client = client;
            workers[i].id = i;
            pthread_create(&workers[i].thread, NULL, storm_work, &workers[i]);
        }
        for (int i = 0; i < 6; i++) {
            pthread_join(workers[i].thread, NULL);
            assert_int_equal(workers[i].wrong, 0);
        }
        mcm_client_free(client);
    }
}

/* What a child sees of a client of its parent, as its exit status: 0 when all is well. */
static int try_client_in_child(struct mcm_client *client)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    struct mcm_result result;
    if (get(client, "fork", GENEROUS) != MCM_E_FORKED)
        return 1;
    if (mcm_delete(client, MCM_KEY("fork"), mcm_after(GENEROUS), &result) != MCM_E_FORKED ||
        result.sent)
        return 2;
    if (mcm_client_stats(client, 0, &stats) != -1)
        return 3;
    mcm_client_interrupt(client);
    mcm_client_maintain(client);
    mcm_client_free(client);
    /* Without a thread of its own: ThreadSanitizer ends a forked child that starts one. */
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, MCM_MODE_SHARED);
    config.maintenance_thread = false;
    client = mcm_client_new(&config, NULL, 0);
    if (client == NULL || get(client, "fork", GENEROUS) != MCM_OK)
        return 4;
    mcm_client_free(client);
    return 0;
}

static void *churn(void *arg)
{
    for (int i = 0; i < 2000; i++)
        get(arg, "fork", GENEROUS);
    return NULL;
}

static void a_child_gets_clean_errors_and_the_parent_goes_on(void **state)
{
    (void)state;
    for (int mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        struct mcm_client *client = new_client(mode);
        set_text(client, "fork", "x");
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, churn, client);
        for (int i = 0; i < 5; i++) {
            pid_t child = fork();
            if (child == 0) {
                alarm(60);
                _exit(try_client_in_child(client));
            }
            int status;
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_int_equal(status, 0);
        }
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        expect_text(client, "fork", "x");
        struct mcm_server_stats stats = {.size = sizeof(stats)};
        assert_int_equal(mcm_client_stats(client, 0, &stats), 0);
        assert_true(stats.destroyed == 0 && stats.created <= 2);
        mcm_client_free(client);
    }
}

/* A request of a storm in a loop, which its callback submits again. */
struct loop_request {
    struct mcm_loop *loop;
    char key[16], buffer[64];
    uint64_t id;
    unsigned answered, cancelled, wrong, calls, left;
};

static void submit_request(struct loop_request *request);

static void take_answer(void *arg, const struct mcm_result *result)
{
    struct loop_request *request = arg;
    bool is_right = result->outcome == MCM_OK && result->value.size == strlen(request->key) &&
                    memcmp(result->value.data, request->key, result->value.size) == 0;
    request->calls++;
    request->id = 0;
    request->answered += is_right;
    request->cancelled += result->outcome == MCM_E_CANCELLED;
    request->wrong += !is_right && result->outcome != MCM_E_CANCELLED;
    submit_request(request);
}

static void submit_request(struct loop_request *request)
{
    struct mcm_loop_call call = {
        .deadline = mcm_after(GENEROUS), .done = take_answer, .arg = request};
    if (request->left == 0)
        return;
    request->left--;
    memset(request->buffer, 0, sizeof(request->buffer));
    enum mcm_outcome outcome = mcm_loop_get(request->loop, &call, MCM_KEY(request->key),
                                            request->buffer, sizeof(request->buffer));
    request->id = call.id;
    request->wrong += outcome != MCM_OK;
}

/* Any of them is cancelled at any time, also by a callback of another and while it is queued. */
static void a_storm_of_cancellations_in_a_loop_never_mixes_answers(void **state)
{
    (void)state;
    enum { REQUESTS = 16, TURNS = 300 };
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, MCM_MODE_SHARED);
    config.lanes = 2;
    struct mcm_loop *loop = mcm_loop_new(&config, NULL, 0);
    struct mcm_client *client = new_client(MCM_MODE_EXCLUSIVE);
    struct loop_request requests[REQUESTS] = {0};
    struct rng rng = rng_seeded(11);
    for (int i = 0; i < REQUESTS; i++) {
        requests[i].loop = loop;
        requests[i].left = TURNS;
        snprintf(requests[i].key, sizeof(requests[i].key), "lstorm-%d", i);
        set_text(client, requests[i].key, requests[i].key);
        submit_request(&requests[i]);
    }
    mcm_ns end = mcm_after(GENEROUS);
    while (mcm_loop_pending(loop) > 0 && mcm_after(0) < end) {
        mcm_loop_process(loop);
        if (rng_below(&rng, 2) == 0)
            mcm_loop_cancel(loop, requests[rng_below(&rng, REQUESTS)].id);
    }
    unsigned cancelled = 0, answered = 0;
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(requests[i].calls, TURNS);
        assert_int_equal(requests[i].wrong, 0);
        cancelled += requests[i].cancelled;
        answered += requests[i].answered;
    }
    assert_true(cancelled > 0 && answered > 0);
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_loop_stats(loop, 0, &stats);
    assert_int_equal(stats.destroyed, 0); /* no connection pays for it */
    mcm_client_free(client);
    mcm_loop_free(loop);
}

static void never(void *arg, const struct mcm_result *result)
{
    (void)result;
    ++*(unsigned *)arg;
}

static void a_childs_loop_is_dead_and_the_parents_goes_on(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, MCM_MODE_SHARED);
    config.idle_connections_min = 1; /* one that is open, and requests on their way */
    struct mcm_loop *loop = mcm_loop_new(&config, NULL, 0);
    unsigned calls = 0;
    char buffer[8];
    struct mcm_loop_call call = {.deadline = mcm_after(GENEROUS), .done = never, .arg = &calls};
    assert_int_equal(mcm_loop_get(loop, &call, MCM_KEY("fork"), buffer, 8), MCM_OK);
    mcm_loop_process(loop);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        mcm_loop_process(loop);
        struct mcm_server_stats stats = {.size = sizeof(stats)};
        bool well = mcm_loop_get(loop, &call, MCM_KEY("fork"), buffer, 8) == MCM_E_FORKED &&
                    mcm_loop_stats(loop, 0, &stats) == -1 &&
                    mcm_loop_run(loop, mcm_after(GENEROUS)) == 1 && calls == 0;
        mcm_loop_free(loop);
        _exit(!well);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(mcm_loop_run(loop, mcm_after(GENEROUS)), 0);
    assert_int_equal(calls, 1);
    mcm_loop_free(loop);
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
        cmocka_unit_test(a_token_ends_the_calls_under_it_and_no_others),
        cmocka_unit_test(a_fired_token_ends_calls_until_it_is_reset),
        cmocka_unit_test(a_storm_of_cancellations_never_mixes_answers),
        cmocka_unit_test(a_child_gets_clean_errors_and_the_parent_goes_on),
        cmocka_unit_test(a_storm_of_cancellations_in_a_loop_never_mixes_answers),
        cmocka_unit_test(a_childs_loop_is_dead_and_the_parents_goes_on),
    };
    return cmocka_run_group_tests_name("mcmeta/cancel", tests, start_server, stop_server);
}
