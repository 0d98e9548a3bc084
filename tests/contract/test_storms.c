/* SPDX-License-Identifier: MIT */
/*
 * Many threads on a client while the way to its servers misbehaves. Whatever happens: no value of
 * another key, no call beyond its deadline, and when the trouble ends the same client works again,
 * without a descriptor lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "base/rng.h"
#include "flaky_proxy.h"
#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define NODES 3
#define WORKERS 8
#define KEYS 60
#define PADDING_MAX 500
#define BATCH_MAX 20
#define LARGE (1000 * 1000)
#define SLACK (3 * SEC) /* of a busy machine, on top of a deadline */
#define STORM_MS 700

static struct memcached nodes[NODES];
static struct flaky_proxy proxies[NODES];

struct storm;
typedef void (*step_fn)(struct storm *storm, struct rng *rng);

struct storm {
    struct mcm_client *client;
    mcm_ns span; /* of each call */
    step_fn step;
    atomic_bool over;
    atomic_ulong calls, errors, cancelled, wrong, overdue;
    atomic_ulong added, perhaps_added; /* to the counter */
    atomic_ulong errors_by_server[NODES];
    pthread_t threads[WORKERS];
};

struct worker {
    struct storm *storm;
    struct rng rng;
};

static struct worker workers[WORKERS];

/* All but pipes: the client has none, and the proxies keep some of theirs for later. */
static int open_descriptors(void)
{
    DIR *listing = opendir("/proc/self/fd");
    const struct dirent *entry;
    int count = 0;
    while ((entry = readdir(listing)) != NULL) {
        char target[8] = "";
        ssize_t size = readlinkat(dirfd(listing), entry->d_name, target, sizeof(target) - 1);
        count += size > 0 && strncmp(target, "pipe:", 5) != 0;
    }
    closedir(listing);
    return count;
}

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

/* --- Calls that know what is right --- */

/* key|aaaa..., with the size and the letter told by the key's own bytes and `salt`. */
static size_t make_value(const char *key, uint64_t salt, char *value)
{
    int head = snprintf(value, 64, "%s|%llu|", key, (unsigned long long)salt);
    size_t padding = (size_t)(salt % PADDING_MAX);
    memset(value + head, 'a' + (int)(salt % 26), padding);
    return (size_t)head + padding;
}

static bool is_right(const char *key, struct mcm_slice got)
{
    char head[64], expected[64 + PADDING_MAX];
    unsigned long long salt;
    if (got.size >= sizeof(expected))
        return false;
    snprintf(head, sizeof(head), "%.*s", got.size < 63 ? (int)got.size : 63,
             (const char *)got.data);
    const char *bar = strchr(head, '|');
    if (bar == NULL || sscanf(bar, "|%llu|", &salt) != 1)
        return false;
    return make_value(key, salt, expected) == got.size && memcmp(expected, got.data, got.size) == 0;
}

static void record(struct storm *storm, enum mcm_outcome outcome, unsigned server, mcm_ns start)
{
    atomic_fetch_add(&storm->calls, 1);
    if (mcm_after(0) - start > storm->span + SLACK)
        atomic_fetch_add(&storm->overdue, 1);
    if (outcome == MCM_E_CANCELLED) {
        atomic_fetch_add(&storm->cancelled, 1);
    } else if (!mcm_outcome_is_answer(outcome)) {
        atomic_fetch_add(&storm->errors, 1);
        atomic_fetch_add(&storm->errors_by_server[server], 1);
    }
}

/* Item i of a batch belongs to key i, whatever happens to the others. */
static void batch_call(struct storm *storm, struct rng *rng)
{
    static _Thread_local char keys[BATCH_MAX][16], values[BATCH_MAX][64 + PADDING_MAX];
    struct mcm_batch_item items[BATCH_MAX] = {{.ttl = 0}};
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    size_t count = 1 + (size_t)rng_below(rng, BATCH_MAX);
    bool stores = rng_below(rng, 2) == 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%u", (unsigned)rng_below(rng, KEYS));
        items[i].key = MCM_KEY(keys[i]);
        items[i].buffer = values[i];
        items[i].buffer_size = sizeof(values[i]);
        if (stores)
            items[i].value = (struct mcm_slice){
                values[i], make_value(keys[i], rng_below(rng, 1000000), values[i])};
    }
    mcm_ns start = mcm_after(0);
    options.deadline = mcm_after(storm->span);
    if (stores)
        mcm_multi_set(storm->client, items, count, &options, NULL);
    else
        mcm_multi_get(storm->client, items, count, &options, NULL);
    for (size_t i = 0; i < count; i++) {
        record(storm, items[i].outcome, items[i].server, start);
        if (!stores && items[i].outcome == MCM_OK && !is_right(keys[i], items[i].value))
            atomic_fetch_add(&storm->wrong, 1);
    }
}

static void one_call(struct storm *storm, struct rng *rng)
{
    char key[16], value[64 + PADDING_MAX];
    struct mcm_result result;
    uint64_t dice = rng_below(rng, 11);
    if (dice == 10) {
        batch_call(storm, rng);
        return;
    }
    snprintf(key, sizeof(key), "k%u", (unsigned)rng_below(rng, KEYS));
    mcm_ns start = mcm_after(0), deadline = mcm_after(storm->span);
    if (dice < 4) {
        struct mcm_slice slice = {value, make_value(key, rng_below(rng, 1000000), value)};
        mcm_set(storm->client, MCM_KEY(key), slice, 0, deadline, &result);
    } else if (dice < 5) {
        mcm_delete(storm->client, MCM_KEY(key), deadline, &result);
    } else {
        mcm_get(storm->client, MCM_KEY(key), value, sizeof(value), deadline, &result);
        if (result.outcome == MCM_OK && !is_right(key, result.value))
            atomic_fetch_add(&storm->wrong, 1);
    }
    record(storm, result.outcome, result.server, start);
}

/* A value of a megabyte, of one letter and its key. */
static void large_call(struct storm *storm, struct rng *rng)
{
    static _Thread_local char value[LARGE];
    char key[16];
    struct mcm_result result;
    char letter = (char)('a' + rng_below(rng, 26));
    snprintf(key, sizeof(key), "large%u", (unsigned)rng_below(rng, 4));
    mcm_ns start = mcm_after(0), deadline = mcm_after(storm->span);
    if (rng_below(rng, 2) == 0) {
        memset(value, letter, sizeof(value));
        memcpy(value, key, strlen(key));
        mcm_set(storm->client, MCM_KEY(key), (struct mcm_slice){value, sizeof(value)}, 0, deadline,
                &result);
    } else {
        mcm_get(storm->client, MCM_KEY(key), value, sizeof(value), deadline, &result);
        size_t rest = strlen(key);
        if (result.outcome == MCM_OK &&
            (result.value.size != LARGE || memcmp(value, key, rest) != 0 ||
             memcmp(value + rest, value + rest + 1, LARGE - rest - 1) != 0))
            atomic_fetch_add(&storm->wrong, 1);
    }
    record(storm, result.outcome, result.server, start);
}

/* What was certainly sent and acknowledged counts once; what failed counts at most once. */
static void counter_call(struct storm *storm, struct rng *rng)
{
    struct mcm_increment change = {.delta = 1 + rng_below(rng, 10)};
    struct mcm_result result;
    mcm_ns start = mcm_after(0);
    mcm_increment(storm->client, MCM_KEY("counter"), &change, mcm_after(storm->span), &result);
    if (result.outcome == MCM_OK)
        atomic_fetch_add(&storm->added, change.delta);
    else
        atomic_fetch_add(&storm->perhaps_added, change.delta);
    record(storm, result.outcome, result.server, start);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    while (!atomic_load(&worker->storm->over)) {
        worker->storm->step(worker->storm, &worker->rng);
        usleep(200);
    }
    return NULL;
}

/* --- Storms --- */

static struct mcm_client *new_client(int count, enum mcm_mode mode)
{
    struct mcm_server servers[NODES];
    struct mcm_breaker_settings breaker;
    mcm_breaker_preset_get(MCM_BREAKER_FAST, &breaker);
    breaker.open_ns = 50 * MS;
    for (int i = 0; i < count; i++)
        servers[i] = (struct mcm_server){.address = proxies[i].address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.connect_timeout = 5 * SEC; /* a busy machine is no failure */
    config.servers = servers;
    config.server_count = (size_t)count;
    config.mode = mode;
    config.connections_max = 4;
    config.lanes = 2;
    config.breaker = &breaker;
    config.seed = 11;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static void storm_begin(struct storm *storm, struct mcm_client *client, mcm_ns span, step_fn step)
{
    *storm = (struct storm){.client = client, .span = span, .step = step};
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){storm, rng_seeded((uint64_t)i)};
        assert_int_equal(pthread_create(&storm->threads[i], NULL, work, &workers[i]), 0);
    }
}

static void storm_end(struct storm *storm)
{
    atomic_store(&storm->over, true);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(storm->threads[i], NULL);
    assert_int_equal(storm->wrong, 0);
    assert_int_equal(storm->overdue, 0);
    assert_true(storm->calls > WORKERS);
}

static void run_storm(struct storm *storm, struct mcm_client *client, mcm_ns span)
{
    storm_begin(storm, client, span, one_call);
    usleep(STORM_MS * 1000);
    storm_end(storm);
}

/* Trouble that the dice make comes sooner or later. */
static void await_errors(const struct storm *storm)
{
    for (int i = 0; i < 20000 && storm->errors == 0; i++)
        usleep(1000);
}

/* The same client serves all keys again, soon. */
static void expect_recovery(struct mcm_client *client)
{
    mcm_ns end = mcm_after(5 * SEC);
    for (unsigned well = 0; well < KEYS;) {
        char key[16];
        struct mcm_result result;
        snprintf(key, sizeof(key), "k%u", well);
        mcm_get(client, MCM_KEY(key), NULL, 0, mcm_after(SEC), &result);
        bool answered = mcm_outcome_is_answer(result.outcome) || result.outcome == MCM_E_BUFFER;
        well = answered ? well + 1 : 0;
        if (!answered && mcm_after(0) > end)
            fail_msg("no recovery: %s", mcm_outcome_name(result.outcome));
        if (!answered)
            usleep(5000);
    }
}

static void calm(void)
{
    for (int i = 0; i < NODES; i++) {
        flaky_proxy_kill(&proxies[i], 0);
        flaky_proxy_delay(&proxies[i], 0, 0);
        flaky_proxy_hang(&proxies[i], false);
    }
}

static void end_client(struct mcm_client *client, int descriptors)
{
    mcm_client_free(client);
    for (int i = 0; i < 3000 && open_descriptors() > descriptors; i++)
        usleep(1000); /* the proxies close their ends */
    assert_int_equal(open_descriptors(), descriptors);
}

/* Runs `trouble` with a client of `count` servers in each mode. */
static void in_both_modes(int count, void (*trouble)(struct mcm_client *client))
{
    if (!memcached_is_installed())
        skip();
    for (enum mcm_mode mode = MCM_MODE_EXCLUSIVE; mode <= MCM_MODE_SHARED; mode++) {
        int descriptors = open_descriptors();
        struct mcm_client *client = new_client(count, mode);
        trouble(client);
        calm();
        expect_recovery(client);
        end_client(client, descriptors);
    }
}

static void flaky(struct mcm_client *client)
{
    struct storm storm;
    uint64_t killed = flaky_proxy_killed(&proxies[0]);
    flaky_proxy_kill(&proxies[0], 20);
    storm_begin(&storm, client, 500 * MS, one_call);
    usleep(STORM_MS * 1000);
    await_errors(&storm);
    storm_end(&storm);
    assert_true(storm.errors > 0);
    assert_true(flaky_proxy_killed(&proxies[0]) > killed);
}

static void connections_cut_in_the_middle_never_give_wrong_data(void **state)
{
    (void)state;
    in_both_modes(1, flaky);
}

static void slow(struct mcm_client *client)
{
    struct storm storm;
    flaky_proxy_delay(&proxies[0], 6, 2);
    run_storm(&storm, client, 20 * SEC);
    assert_int_equal(storm.errors, 0);
}

static void a_slow_network_makes_no_error(void **state)
{
    (void)state;
    in_both_modes(1, slow);
}

static void slow_and_large(struct mcm_client *client)
{
    struct storm storm;
    flaky_proxy_delay(&proxies[0], 6, 2);
    storm_begin(&storm, client, 20 * SEC, large_call);
    usleep(STORM_MS * 1000);
    storm_end(&storm);
    assert_int_equal(storm.errors, 0);
}

static void large_values_survive_a_slow_network(void **state)
{
    (void)state;
    in_both_modes(1, slow_and_large);
}

static void counting(struct mcm_client *client)
{
    struct storm storm;
    struct mcm_result result;
    mcm_set(client, MCM_KEY("counter"), MCM_KEY("0"), 0, mcm_after(5 * SEC), &result);
    assert_int_equal(result.outcome, MCM_OK);
    flaky_proxy_kill(&proxies[0], 20);
    storm_begin(&storm, client, 500 * MS, counter_call);
    usleep(STORM_MS * 1000);
    await_errors(&storm);
    storm_end(&storm);
    assert_true(storm.perhaps_added > 0);
    flaky_proxy_kill(&proxies[0], 0);
    expect_recovery(client);
    struct mcm_increment none = {.delta = 0};
    mcm_increment(client, MCM_KEY("counter"), &none, mcm_after(5 * SEC), &result);
    assert_int_equal(result.outcome, MCM_OK);
    assert_in_range(result.number, storm.added, storm.added + storm.perhaps_added);
}

static void a_counter_loses_and_doubles_nothing_when_connections_are_cut(void **state)
{
    (void)state;
    in_both_modes(1, counting);
}

static void spiky(struct mcm_client *client)
{
    struct storm storm;
    storm_begin(&storm, client, 50 * MS, one_call);
    for (int i = 0; i < 6; i++) {
        flaky_proxy_delay(&proxies[0], i % 2 == 0 ? 150 : 1, 0);
        usleep(120 * 1000);
    }
    storm_end(&storm);
    assert_true(storm.errors > 0);
}

static void late_answers_reach_nobody_else(void **state)
{
    (void)state;
    in_both_modes(1, spiky);
}

static void out(struct mcm_client *client)
{
    struct storm storm;
    storm_begin(&storm, client, 200 * MS, one_call);
    usleep(100 * 1000);
    flaky_proxy_down(&proxies[0]);
    usleep(300 * 1000);
    flaky_proxy_up(&proxies[0]);
    usleep(100 * 1000);
    storm_end(&storm);
    assert_true(storm.errors > 0);
}

static void an_outage_ends_for_the_same_client(void **state)
{
    (void)state;
    in_both_modes(1, out);
}

static void hung(struct mcm_client *client)
{
    struct storm storm;
    flaky_proxy_hang(&proxies[0], true);
    run_storm(&storm, client, 100 * MS);
    assert_int_equal(storm.errors, storm.calls);
}

static void a_hung_server_holds_no_call_beyond_its_deadline(void **state)
{
    (void)state;
    in_both_modes(1, hung);
}

static void partly_down(struct mcm_client *client)
{
    struct storm storm;
    flaky_proxy_hang(&proxies[0], true);
    flaky_proxy_down(&proxies[1]);
    storm_begin(&storm, client, SEC, one_call);
    /* Workers are held for a second by the one that hangs before they come to the others. */
    for (int i = 0; i < 20000 && (storm.errors_by_server[0] == 0 || storm.errors_by_server[1] == 0);
         i++)
        usleep(1000);
    storm_end(&storm);
    flaky_proxy_up(&proxies[1]);
    assert_true(storm.errors_by_server[0] > 0);
    assert_true(storm.errors_by_server[1] > 0);
    assert_int_equal(storm.errors_by_server[2], 0);
}

static void one_hung_and_one_dead_server_leave_the_third_alone(void **state)
{
    (void)state;
    in_both_modes(3, partly_down);
}

static void interrupted(struct mcm_client *client)
{
    struct storm storm;
    flaky_proxy_delay(&proxies[0], 2, 0);
    storm_begin(&storm, client, 5 * SEC, one_call);
    for (int i = 0; i < 60; i++) {
        usleep(5000);
        mcm_client_interrupt(client);
        mcm_client_resume(client);
    }
    storm_end(&storm);
    assert_true(storm.cancelled > 0);
    assert_int_equal(storm.errors, 0);
}

static void a_storm_of_cancelling_leaves_no_trace(void **state)
{
    (void)state;
    in_both_modes(1, interrupted);
}

/* As a server with idle_timeout does: all connections are closed while nobody uses them. */
static void hung_up_on(struct mcm_client *client)
{
    for (int i = 0; i < 10; i++) {
        struct mcm_result result;
        expect_recovery(client);
        flaky_proxy_cut(&proxies[0]);
        for (int wait = 0; wait < 2000 && flaky_proxy_connections(&proxies[0]) > 0; wait++)
            usleep(1000);
        mcm_get(client, MCM_KEY("none"), NULL, 0, mcm_after(5 * SEC), &result);
        assert_string_equal(mcm_outcome_name(result.outcome), "miss");
    }
}

static void idle_connections_closed_by_the_server_cost_no_fetch(void **state)
{
    (void)state;
    in_both_modes(1, hung_up_on);
}

#define CONNECTIONS 40
#define CONNECTIONS_LEFT 4

/* Takes all connections of a server but CONNECTIONS_LEFT. */
static void crowd_out(const struct memcached *server, int *crowd)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < CONNECTIONS - CONNECTIONS_LEFT; i++) {
        crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(crowd[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
    }
}

static void a_server_out_of_connections_gives_errors_and_right_answers_only(void **state)
{
    (void)state;
    if (!memcached_is_installed())
        skip();
    struct memcached small;
    int crowd[CONNECTIONS];
    char limit[8];
    snprintf(limit, sizeof(limit), "%d", CONNECTIONS);
    char *const options[] = {(char *)"-c", limit, NULL};
    if (!memcached_start_with(&small, options))
        skip();
    crowd_out(&small, crowd);
    int descriptors = open_descriptors();
    struct mcm_server server = {.address = small.address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.connections_max = WORKERS;
    config.dials_max = 0; /* all at once, again and again */
    config.dial_backoff = 0;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    struct storm storm;
    run_storm(&storm, client, SEC);
    assert_true(storm.errors > 0);
    for (int i = 0; i < CONNECTIONS - CONNECTIONS_LEFT; i++)
        close(crowd[i]);
    expect_recovery(client);
    end_client(client, descriptors - (CONNECTIONS - CONNECTIONS_LEFT));
    memcached_kill(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_cut_in_the_middle_never_give_wrong_data),
        cmocka_unit_test(a_slow_network_makes_no_error),
        cmocka_unit_test(large_values_survive_a_slow_network),
        cmocka_unit_test(a_counter_loses_and_doubles_nothing_when_connections_are_cut),
        cmocka_unit_test(late_answers_reach_nobody_else),
        cmocka_unit_test(an_outage_ends_for_the_same_client),
        cmocka_unit_test(a_hung_server_holds_no_call_beyond_its_deadline),
        cmocka_unit_test(one_hung_and_one_dead_server_leave_the_third_alone),
        cmocka_unit_test(a_storm_of_cancelling_leaves_no_trace),
        cmocka_unit_test(idle_connections_closed_by_the_server_cost_no_fetch),
        cmocka_unit_test(a_server_out_of_connections_gives_errors_and_right_answers_only),
    };
    return cmocka_run_group_tests_name("mcmeta/storms", tests, set_up, tear_down);
}
