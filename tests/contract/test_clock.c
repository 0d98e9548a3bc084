/* SPDX-License-Identifier: MIT */
/*
 * Waiting and deadlines use the monotonic clock only, so that a jump of the wall clock moves
 * nothing. The functions that read other clocks are replaced here and only counted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)

static struct memcached server;
static atomic_bool watching;
static atomic_uint wall_reads;
static atomic_uint monotonic_reads;
static atomic_uint wall_waits;

int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (atomic_load(&watching))
        atomic_fetch_add(id == CLOCK_MONOTONIC ? &monotonic_reads : &wall_reads, 1);
    return (int)syscall(SYS_clock_gettime, id, ts);
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    if (atomic_load(&watching))
        atomic_fetch_add(&wall_reads, 1);
    return (int)syscall(SYS_gettimeofday, tv, zone);
}

time_t time(time_t *seconds)
{
    struct timespec ts;
    if (atomic_load(&watching))
        atomic_fetch_add(&wall_reads, 1);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
    if (seconds != NULL)
        *seconds = ts.tv_sec;
    return ts.tv_sec;
}

/* A condition waits on the wall clock unless this chose another. */
int pthread_cond_init(pthread_cond_t *restrict condition,
                      const pthread_condattr_t *restrict attributes)
{
    int (*real)(pthread_cond_t *, const pthread_condattr_t *);
    clockid_t id = CLOCK_REALTIME;
    if (attributes != NULL)
        pthread_condattr_getclock(attributes, &id);
    if (atomic_load(&watching) && id != CLOCK_MONOTONIC)
        atomic_fetch_add(&wall_waits, 1);
    /* ISO C has no cast from an object pointer to a function pointer. */
    void *symbol = dlsym(RTLD_NEXT, "pthread_cond_init");
    memcpy(&real, &symbol, sizeof(real));
    return real(condition, attributes);
}

static struct mcm_client *new_client(enum mcm_mode mode)
{
    struct mcm_server list = {.address = server.address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &list;
    config.server_count = 1;
    config.mode = mode;
    config.lanes = 1;
    config.connections_max = 2;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static enum mcm_outcome get(struct mcm_client *client, mcm_ns span)
{
    char buffer[64];
    struct mcm_result result;
    return mcm_get(client, MCM_KEY("clock"), buffer, sizeof(buffer), mcm_after(span), &result);
}

static void *get_late(void *client)
{
    return (void *)(uintptr_t)get(client, 60 * MS);
}

/* Every kind of wait: for the server, for a connection or the leader, and for maintenance. */
static void use_client(enum mcm_mode mode)
{
    struct mcm_client *client = new_client(mode);
    pthread_t threads[4];
    assert_int_equal(get(client, 20 * SEC), MCM_MISS);
    memcached_pause(&server);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, get_late, client);
    for (int i = 0; i < 4; i++) {
        void *outcome;
        pthread_join(threads[i], &outcome);
        assert_false(mcm_outcome_is_answer((enum mcm_outcome)(uintptr_t)outcome));
    }
    memcached_resume(&server);
    mcm_client_free(client);
}

static void note(void *arg, const struct mcm_result *result)
{
    *(enum mcm_outcome *)arg = result->outcome;
}

static void use_loop(void)
{
    struct mcm_server list = {.address = server.address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &list;
    config.server_count = 1;
    config.health_check_period = config.health_timeout = 20 * MS;
    config.idle_max = 40 * MS;
    struct mcm_loop *loop = mcm_loop_new(&config, NULL, 0);
    enum mcm_outcome outcome = MCM_OK;
    struct mcm_loop_call call = {.deadline = mcm_after(20 * SEC), .done = note, .arg = &outcome};
    assert_int_equal(mcm_loop_delete(loop, &call, MCM_KEY("clock")), MCM_OK);
    mcm_loop_run(loop, mcm_after(20 * SEC));
    assert_int_equal(outcome, MCM_NOT_FOUND);
    memcached_pause(&server);
    call.deadline = mcm_after(60 * MS);
    assert_int_equal(mcm_loop_delete(loop, &call, MCM_KEY("clock")), MCM_OK);
    mcm_loop_run(loop, mcm_after(20 * SEC));
    assert_int_equal(outcome, MCM_E_TIMEOUT_READ);
    /* What only time ends: a health check, and the connection. */
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_ns end = mcm_after(20 * SEC);
    do {
        mcm_loop_process(loop);
        mcm_loop_stats(loop, 0, &stats);
    } while (stats.total > 0 && mcm_after(0) < end);
    assert_int_equal(stats.total, 0);
    memcached_resume(&server);
    mcm_loop_free(loop);
}

static void only_the_monotonic_clock_is_read_and_waited_on(void **state)
{
    (void)state;
    atomic_store(&watching, true);
    use_client(MCM_MODE_EXCLUSIVE);
    use_client(MCM_MODE_SHARED);
    use_loop();
    atomic_store(&watching, false);
    assert_true(atomic_load(&monotonic_reads) > 0);
    assert_int_equal(atomic_load(&wall_reads), 0);
    assert_int_equal(atomic_load(&wall_waits), 0);
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    if (!memcached_start(&server))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_monotonic_clock_is_read_and_waited_on),
    };
    int failed = cmocka_run_group_tests_name("mcmeta/clock", tests, NULL, NULL);
    memcached_kill(&server);
    return failed;
}
