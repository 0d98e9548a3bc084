/* SPDX-License-Identifier: MIT */
/* What is configured holds for the event loop as it does for the blocking client. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "tls_fixture.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC) /* a deadline that only a bug can miss */
#define SLACK (5 * SEC)     /* what a loaded machine may add to a deadline */
#define BIG 1000000

static struct memcached server;

struct fate {
    unsigned calls;
    struct mcm_result result;
};

static void note(void *arg, const struct mcm_result *result)
{
    struct fate *fate = arg;
    fate->calls++;
    fate->result = *result;
}

static struct mcm_client_config config_for(struct mcm_server *list, const char *address)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    *list = (struct mcm_server){.address = address};
    config.servers = list;
    config.server_count = 1;
    config.connect_timeout = 10 * SEC;
    return config;
}

static struct mcm_loop *loop_of(const struct mcm_client_config *config)
{
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_loop *loop = mcm_loop_new(config, error, sizeof(error));
    if (loop == NULL)
        fail_msg("%s", error);
    return loop;
}

static struct mcm_loop_call how(struct fate *fate, mcm_ns span)
{
    memset(fate, 0, sizeof(*fate));
    return (struct mcm_loop_call){.deadline = mcm_after(span), .done = note, .arg = fate};
}

static void assert_outcome(enum mcm_outcome got, enum mcm_outcome expected)
{
    assert_string_equal(mcm_outcome_name(got), mcm_outcome_name(expected));
}

/* Runs what was submitted with `outcome`; how it ended, in a fate that was called once. */
static enum mcm_outcome run(struct mcm_loop *loop, enum mcm_outcome outcome, struct fate *fate)
{
    if (outcome != MCM_OK)
        return outcome;
    assert_int_equal(mcm_loop_run(loop, mcm_after(GENEROUS + SLACK)), 0);
    assert_int_equal(fate->calls, 1);
    return fate->result.outcome;
}

static enum mcm_outcome get(struct mcm_loop *loop, struct mcm_slice key, mcm_ns span,
                            struct fate *fate)
{
    static char buffer[64];
    struct mcm_loop_call call = how(fate, span);
    return run(loop, mcm_loop_get(loop, &call, key, buffer, sizeof(buffer)), fate);
}

static enum mcm_outcome set(struct mcm_loop *loop, struct mcm_slice key, struct mcm_slice value,
                            struct fate *fate)
{
    struct mcm_loop_call call = how(fate, GENEROUS);
    return run(loop, mcm_loop_set(loop, &call, key, value, 0), fate);
}

static enum mcm_outcome get_once(const struct mcm_client_config *config, mcm_ns span)
{
    struct fate fate;
    struct mcm_loop *loop = loop_of(config);
    enum mcm_outcome outcome = get(loop, MCM_KEY("k"), span, &fate);
    mcm_loop_free(loop);
    return outcome;
}

static struct mcm_server_stats stats_of(struct mcm_loop *loop)
{
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    assert_int_equal(mcm_loop_stats(loop, 0, &stats), 0);
    return stats;
}

/* One turn of a loop that has no request. */
static void turn(struct mcm_loop *loop)
{
    struct pollfd polled = {.fd = mcm_loop_fd(loop), .events = POLLIN};
    mcm_ns left = mcm_loop_deadline(loop) - mcm_after(0);
    poll(&polled, 1, left <= 0 ? 0 : left > 20 * MS ? 20 : (int)(left / MS + 1));
    mcm_loop_process(loop);
}

/* --- TLS and logins --- */

/* TLS in the library, and openssl to make certificates. */
static void need_tls(void)
{
    if (!tls_fixture_is_usable())
        skip();
}

static void exchange_values(struct mcm_loop *loop)
{
    static const size_t sizes[] = {0, 1, 100, 16383, 16384, 16385, 100000, BIG};
    static char out[BIG], in[BIG];
    struct fate stored, fetched;
    for (size_t i = 0; i < BIG; i++)
        out[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_outcome(set(loop, MCM_KEY("v"), (struct mcm_slice){out, sizes[i]}, &stored), MCM_OK);
        struct mcm_loop_call call = how(&fetched, GENEROUS);
        enum mcm_outcome outcome = mcm_loop_get(loop, &call, MCM_KEY("v"), in, sizeof(in));
        assert_outcome(run(loop, outcome, &fetched), MCM_OK);
        assert_int_equal(fetched.result.value.size, sizes[i]);
        assert_memory_equal(in, out, sizes[i]);
    }
}

#define MANY 5000

static void exchange_many(struct mcm_loop *loop)
{
    static struct fate fates[MANY];
    static char keys[MANY][16], buffers[MANY][16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            struct mcm_loop_call call = how(&fates[i], GENEROUS);
            snprintf(keys[i], sizeof(keys[i]), "many-%d", i);
            struct mcm_slice key = MCM_KEY(keys[i]);
            assert_outcome(round == 0 ? mcm_loop_set(loop, &call, key, key, 0)
                                      : mcm_loop_get(loop, &call, key, buffers[i], 16),
                           MCM_OK);
        }
        assert_int_equal(mcm_loop_run(loop, mcm_after(GENEROUS)), 0);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(fates[i].calls, 1);
            assert_outcome(fates[i].result.outcome, MCM_OK);
            if (round == 1)
                assert_memory_equal(buffers[i], keys[i], fates[i].result.value.size);
        }
    }
}

static void a_login_over_tls_comes_first_and_everything_passes(void **state)
{
    (void)state;
    struct memcached locked;
    need_tls();
    if (!tls_fixture_start_locked(&locked))
        skip();
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, locked.address);
    struct mcm_tls_config tls = {.ca_file = tls_fixture_file("ca.pem")};
    config.tls = &tls;
    config.user = "user";
    config.password = "secret";
    struct mcm_loop *loop = loop_of(&config);
    exchange_values(loop);
    exchange_many(loop);
    struct mcm_server_stats stats = stats_of(loop);
    assert_int_equal(stats.created, 3); /* two lanes, and that of large values */
    assert_int_equal(stats.destroyed, 0);
    mcm_loop_free(loop);
    config.password = "wrong";
    assert_outcome(get_once(&config, GENEROUS), MCM_E_AUTH);
    memcached_kill(&locked);
}

static void the_example_counts_over_tls(void **state)
{
    (void)state;
    struct memcached locked;
    char command[256];
    const char *example = getenv("EXAMPLE_LOOP");
    need_tls();
    if (example == NULL || !tls_fixture_start_locked(&locked))
        skip();
    snprintf(command, sizeof(command), "'%s' %s %s user secret >/dev/null", example, locked.address,
             tls_fixture_file("ca.pem"));
    assert_int_equal(system(command), 0);
    memcached_kill(&locked);
}

static void a_plain_login_comes_first_too(void **state)
{
    (void)state;
    struct memcached locked;
    if (!tls_fixture_start_plain_locked(&locked))
        skip();
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, locked.address);
    config.user = "user";
    config.password = "secret";
    assert_outcome(get_once(&config, GENEROUS), MCM_MISS);
    config.password = "wrong";
    assert_outcome(get_once(&config, GENEROUS), MCM_E_AUTH);
    config.user = config.password = NULL;
    assert_outcome(get_once(&config, GENEROUS), MCM_E_CLIENT);
    memcached_kill(&locked);
}

static void a_server_must_prove_its_name_in_time(void **state)
{
    (void)state;
    struct memcached good, expired;
    need_tls();
    if (!tls_fixture_start(&good, "server", "") || !tls_fixture_start(&expired, "expired", ""))
        skip();
    const char *ca = tls_fixture_file("ca.pem");
    const struct {
        const struct memcached *node;
        struct mcm_tls_config tls;
        enum mcm_outcome outcome;
    } cases[] = {
        {&good, {.ca_file = ca}, MCM_MISS},
        {&good, {.ca_file = ca, .server_name = "cache.test"}, MCM_MISS},
        {&good, {.ca_file = ca, .server_name = "other.test"}, MCM_E_TLS},
        {&good, {.ca_file = tls_fixture_file("other.pem")}, MCM_E_TLS},
        {&good, {.ca_file = NULL}, MCM_E_TLS},
        {&expired, {.ca_file = ca}, MCM_E_TLS},
        {&expired, {.insecure = true}, MCM_MISS},
        {&server, {.ca_file = ca}, MCM_E_TLS}, /* it does not speak TLS */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcm_server list;
        struct mcm_client_config config = config_for(&list, cases[i].node->address);
        config.tls = &cases[i].tls;
        assert_outcome(get_once(&config, GENEROUS), cases[i].outcome);
    }
    memcached_kill(&good);
    memcached_kill(&expired);
}

static int silent_listener(char address[32])
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(sa);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &size), 0);
    snprintf(address, 32, "127.0.0.1:%d", ntohs(sa.sin_port));
    return listener;
}

static void a_silent_peer_holds_neither_requests_nor_the_loop(void **state)
{
    (void)state;
    char address[32];
    int listener = silent_listener(address);
    struct mcm_server list;
    struct mcm_tls_config tls = {.insecure = true};
    struct mcm_client_config config = config_for(&list, address);
    config.user = "user";
    config.password = "secret";
    for (int i = 0; i < 2; i++) {
        config.tls = i == 1 && mcm_tls_is_supported() ? &tls : NULL;
        config.connect_timeout = 10 * SEC;
        assert_outcome(get_once(&config, 50 * MS), MCM_E_CONNECT_TIMEOUT);
        config.connect_timeout = 50 * MS;
        mcm_ns start = mcm_after(0);
        assert_outcome(get_once(&config, GENEROUS), MCM_E_CONNECT_TIMEOUT);
        assert_true(mcm_after(0) - start < SLACK);
    }
    close(listener);
}

static void a_tls_server_that_dies_hangs_and_returns_is_survived(void **state)
{
    (void)state;
    struct memcached secure;
    need_tls();
    if (!tls_fixture_start(&secure, "server", ""))
        skip();
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, secure.address);
    struct mcm_tls_config tls = {.ca_file = tls_fixture_file("ca.pem")};
    struct fate fate;
    config.tls = &tls;
    struct mcm_loop *loop = loop_of(&config);
    assert_outcome(set(loop, MCM_KEY("k"), MCM_KEY("v"), &fate), MCM_OK);
    memcached_pause(&secure);
    assert_outcome(get(loop, MCM_KEY("k"), 50 * MS, &fate), MCM_E_TIMEOUT_READ);
    memcached_resume(&secure);
    assert_outcome(get(loop, MCM_KEY("k"), GENEROUS, &fate), MCM_OK);
    memcached_kill(&secure);
    assert_outcome(get(loop, MCM_KEY("k"), GENEROUS, &fate), MCM_E_CONNECT_REFUSED);
    assert_true(memcached_restart(&secure));
    assert_outcome(get(loop, MCM_KEY("k"), GENEROUS, &fate), MCM_MISS);
    memcached_kill(&secure);
    mcm_loop_free(loop);
}

/* The handshake ends when the server goes on, though nobody waits for it any more. */
static void a_dial_outlives_the_request_that_began_it(void **state)
{
    (void)state;
    struct memcached secure;
    need_tls();
    if (!tls_fixture_start(&secure, "server", ""))
        skip();
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, secure.address);
    struct mcm_tls_config tls = {.ca_file = tls_fixture_file("ca.pem")};
    struct fate fate;
    config.tls = &tls;
    config.connect_timeout = GENEROUS;
    struct mcm_loop *loop = loop_of(&config);
    memcached_pause(&secure);
    assert_outcome(get(loop, MCM_KEY("k"), 50 * MS, &fate), MCM_E_CONNECT_TIMEOUT);
    assert_int_equal(stats_of(loop).connecting, 1);
    memcached_resume(&secure);
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(loop).active == 0 && mcm_after(0) < end)
        turn(loop);
    assert_outcome(get(loop, MCM_KEY("k"), GENEROUS, &fate), MCM_MISS);
    assert_int_equal(stats_of(loop).created, 1);
    assert_int_equal(stats_of(loop).connect_failures, 0);
    memcached_kill(&secure);
    mcm_loop_free(loop);
}

/* --- Requests --- */

static void keys_follow_the_rule(void **state)
{
    (void)state;
    static const struct {
        enum mcm_key_rule rule;
        const char *key;
        enum mcm_outcome outcome;
    } cases[] = {
        {MCM_KEYS_DEFAULT, "a b", MCM_E_KEY},     {MCM_KEYS_DEFAULT, "\xc3\xa9", MCM_OK},
        {MCM_KEYS_DEFAULT, "\x01", MCM_E_KEY},    {MCM_KEYS_STRICT_ASCII, "\xc3\xa9", MCM_E_KEY},
        {MCM_KEYS_LENIENT, "\x01", MCM_OK},       {MCM_KEYS_LENIENT, "a\nb", MCM_E_KEY},
        {MCM_KEYS_AUTO_BASE64, "a\nb c", MCM_OK}, {MCM_KEYS_AUTO_BASE64, "plain", MCM_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcm_server list;
        struct fate fate;
        struct mcm_client_config config = config_for(&list, server.address);
        config.keys = cases[i].rule;
        struct mcm_loop *loop = loop_of(&config);
        struct mcm_slice key = MCM_KEY(cases[i].key);
        assert_outcome(set(loop, key, MCM_KEY("v"), &fate), cases[i].outcome);
        assert_outcome(get(loop, key, GENEROUS, &fate), cases[i].outcome);
        mcm_loop_free(loop);
    }
}

static void statistics_say_what_went_over(void **state)
{
    (void)state;
    struct mcm_server list;
    struct fate fate;
    struct mcm_increment add = {.delta = 1, .create = true};
    struct mcm_client_config config = config_for(&list, server.address);
    struct mcm_loop *loop = loop_of(&config);
    assert_outcome(set(loop, MCM_KEY("stat"), MCM_KEY("12345"), &fate), MCM_OK);
    assert_outcome(get(loop, MCM_KEY("stat"), GENEROUS, &fate), MCM_OK);
    assert_int_equal(stats_of(loop).hits, 1);
    assert_outcome(get(loop, MCM_KEY("stat"), GENEROUS, &fate), MCM_OK);
    assert_outcome(get(loop, MCM_KEY("absent"), GENEROUS, &fate), MCM_MISS);
    struct mcm_loop_call call = how(&fate, GENEROUS);
    assert_outcome(run(loop, mcm_loop_increment(loop, &call, MCM_KEY("stat-n"), &add), &fate),
                   MCM_OK);
    call = how(&fate, GENEROUS);
    assert_outcome(run(loop, mcm_loop_delete(loop, &call, MCM_KEY("stat")), &fate), MCM_OK);
    struct mcm_server_stats stats = stats_of(loop);
    assert_int_equal(stats.operations[MCM_OPERATION_GET], 3);
    assert_int_equal(stats.operations[MCM_OPERATION_STORE], 1);
    assert_int_equal(stats.operations[MCM_OPERATION_DELETE], 1);
    assert_int_equal(stats.operations[MCM_OPERATION_ARITHMETIC], 1);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.bytes_sent, 5);
    assert_int_equal(stats.bytes_received, 10);
    assert_int_equal(stats.outcomes[MCM_OK], 5);
    assert_int_equal(mcm_loop_stats(loop, 1, &stats), -1);
    mcm_loop_free(loop);
}

static void large_values_leave_the_lanes_to_the_others(void **state)
{
    (void)state;
    static char value[BIG];
    struct mcm_server list;
    struct fate fate;
    struct mcm_client_config config = config_for(&list, server.address);
    config.lanes = 1;
    struct mcm_loop *loop = loop_of(&config);
    assert_outcome(set(loop, MCM_KEY("l"), (struct mcm_slice){value, 8192}, &fate), MCM_OK);
    assert_int_equal(stats_of(loop).created, 1);
    assert_outcome(set(loop, MCM_KEY("l"), (struct mcm_slice){value, 8193}, &fate), MCM_OK);
    assert_int_equal(stats_of(loop).created, 2);
    struct mcm_loop_call call = how(&fate, GENEROUS);
    assert_outcome(run(loop, mcm_loop_get(loop, &call, MCM_KEY("l"), value, BIG), &fate), MCM_OK);
    assert_int_equal(stats_of(loop).created, 2);
    mcm_loop_free(loop);
}

static size_t select_none(const void *key, size_t key_size, size_t count, void *arg)
{
    (void)key;
    (void)key_size;
    (void)arg;
    return count;
}

static void a_selector_may_find_no_server(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_server servers[] = {{.address = "127.0.0.1:1"}, {.address = server.address}};
    struct mcm_client_config config = config_for(&list, NULL);
    config.servers = servers;
    config.server_count = 2;
    config.selector = MCM_SELECTOR_CALLBACK;
    config.select = select_none;
    assert_outcome(get_once(&config, GENEROUS), MCM_E_ARG);
}

static void policies_decide_what_a_dead_server_means(void **state)
{
    (void)state;
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
    struct memcached gutter;
    assert_true(memcached_start(&gutter));
    struct mcm_server servers[] = {{.address = "127.0.0.1:1"}, {.address = server.address}};
    struct mcm_server spare = {.address = gutter.address};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcm_server list;
        struct fate fate;
        char key[16] = "p";
        struct mcm_client_config config = config_for(&list, NULL);
        config.servers = servers;
        config.server_count = 2;
        config.gutter = &spare;
        config.gutter_count = 1;
        config.on_failure = cases[i].policy;
        struct mcm_loop *loop = loop_of(&config);
        struct mcm_client *client = mcm_client_new(&config, NULL, 0);
        for (int k = 0; mcm_client_server_index(client, MCM_KEY(key)) != 0; k++)
            snprintf(key, sizeof(key), "p%d", k);
        mcm_client_free(client);
        assert_outcome(set(loop, MCM_KEY(key), MCM_KEY("v"), &fate), cases[i].set);
        assert_int_equal(fate.result.server, cases[i].server);
        assert_outcome(fate.result.home_outcome, MCM_E_CONNECT_REFUSED);
        assert_outcome(get(loop, MCM_KEY(key), GENEROUS, &fate), cases[i].get);
        assert_int_equal(fate.result.server, cases[i].server);
        mcm_loop_free(loop);
    }
    memcached_kill(&gutter);
}

/* The breaker refuses at submission, and so does the policy. */
static void policies_hold_behind_an_open_breaker(void **state)
{
    (void)state;
    struct mcm_breaker_settings breaker = {.consecutive_failures = 1, .open_ns = 60 * SEC};
    struct mcm_server spare = {.address = server.address};
    struct mcm_server list;
    struct fate fate;
    struct mcm_client_config config = config_for(&list, "127.0.0.1:1");
    config.gutter = &spare;
    config.gutter_count = 1;
    config.breaker = &breaker;
    config.on_failure = MCM_ON_FAILURE_MISS;
    struct mcm_loop *loop = loop_of(&config);
    for (int i = 0; i < 3; i++)
        assert_outcome(get(loop, MCM_KEY("b"), GENEROUS, &fate), MCM_MISS);
    assert_int_equal(stats_of(loop).breaker_rejected, 2);
    mcm_loop_free(loop);
    config.on_failure = MCM_ON_FAILURE_GUTTER;
    loop = loop_of(&config);
    for (int i = 0; i < 3; i++) {
        assert_outcome(set(loop, MCM_KEY("b"), MCM_KEY("v"), &fate), MCM_OK);
        assert_outcome(fate.result.home_outcome,
                       i == 0 ? MCM_E_CONNECT_REFUSED : MCM_E_BREAKER_OPEN);
    }
    mcm_loop_free(loop);
}

/* --- Connections --- */

static void an_unused_connection_is_pinged_and_then_closed(void **state)
{
    (void)state;
    struct mcm_server list;
    struct fate fate;
    struct mcm_client_config config = config_for(&list, server.address);
    config.health_check_period = 10 * MS;
    config.health_timeout = GENEROUS;
    config.idle_max = 100 * MS;
    struct mcm_loop *loop = loop_of(&config);
    assert_outcome(get(loop, MCM_KEY("absent"), GENEROUS, &fate), MCM_MISS);
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(loop).total > 0 && mcm_after(0) < end)
        turn(loop);
    struct mcm_server_stats stats = stats_of(loop);
    assert_int_equal(stats.total, 0);
    assert_int_equal(stats.created, 1);
    assert_true(stats.health_checks > 0);
    assert_int_equal(stats.health_failures, 0);
    assert_int_equal(stats.operations[MCM_OPERATION_OTHER], 0);
    assert_true(mcm_loop_deadline(loop) == MCM_NS_NEVER);
    assert_outcome(get(loop, MCM_KEY("absent"), GENEROUS, &fate), MCM_MISS);
    mcm_loop_free(loop);
}

static void a_connection_whose_ping_fails_is_closed(void **state)
{
    (void)state;
    struct mcm_server list;
    struct fate fate;
    struct mcm_client_config config = config_for(&list, server.address);
    config.health_check_period = config.health_timeout = 10 * MS;
    struct mcm_loop *loop = loop_of(&config);
    assert_outcome(get(loop, MCM_KEY("absent"), GENEROUS, &fate), MCM_MISS);
    memcached_pause(&server);
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(loop).health_failures == 0 && mcm_after(0) < end)
        turn(loop);
    assert_int_equal(stats_of(loop).health_failures, 1);
    assert_int_equal(stats_of(loop).total, 0);
    memcached_resume(&server);
    assert_outcome(get(loop, MCM_KEY("absent"), GENEROUS, &fate), MCM_MISS);
    mcm_loop_free(loop);
}

static void a_lifetime_ends_in_the_middle_of_traffic_without_an_error(void **state)
{
    (void)state;
    struct mcm_server list;
    struct fate fates[64];
    char buffers[64][8];
    struct mcm_client_config config = config_for(&list, server.address);
    config.lanes = 1;
    config.lifetime_max = 5 * MS;
    struct mcm_loop *loop = loop_of(&config);
    mcm_ns end = mcm_after(GENEROUS);
    for (int i = 0; i < 64; i++)
        fates[i].calls = 1;
    /* Never without requests in flight. */
    while (stats_of(loop).created < 5) {
        assert_true(mcm_after(0) < end);
        for (int i = 0; i < 64; i++) {
            if (fates[i].calls == 0)
                continue;
            struct mcm_loop_call call = how(&fates[i], GENEROUS);
            assert_outcome(mcm_loop_get(loop, &call, MCM_KEY("absent"), buffers[i], 8), MCM_OK);
        }
        turn(loop);
        for (int i = 0; i < 64; i++)
            assert_true(fates[i].calls == 0 || fates[i].result.outcome == MCM_MISS);
    }
    assert_int_equal(mcm_loop_run(loop, mcm_after(GENEROUS)), 0);
    mcm_loop_free(loop);
}

static void connections_are_ready_before_the_first_request(void **state)
{
    (void)state;
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, server.address);
    config.lanes = 3;
    config.idle_connections_min = 2;
    config.dials_max = 1;
    config.idle_max = 5 * MS; /* not theirs */
    struct mcm_loop *loop = loop_of(&config);
    mcm_ns end = mcm_after(GENEROUS);
    while (stats_of(loop).active < 2 && mcm_after(0) < end) {
        turn(loop);
        assert_true(stats_of(loop).connecting <= 1);
    }
    for (int i = 0; i < 5; i++)
        turn(loop);
    assert_int_equal(stats_of(loop).created, 2);
    mcm_loop_free(loop);
}

static void no_more_dials_run_than_may(void **state)
{
    (void)state;
    static struct fate fates[300];
    static char buffers[300][8];
    struct mcm_server list;
    struct mcm_client_config config = config_for(&list, server.address);
    config.lanes = 3;
    config.dials_max = 1;
    struct mcm_loop *loop = loop_of(&config);
    for (int i = 0; i < 300; i++) {
        struct mcm_loop_call call = how(&fates[i], GENEROUS);
        assert_outcome(mcm_loop_get(loop, &call, MCM_KEY("absent"), buffers[i], 8), MCM_OK);
    }
    mcm_ns end = mcm_after(GENEROUS);
    while (mcm_loop_pending(loop) > 0 && mcm_after(0) < end) {
        turn(loop);
        assert_true(stats_of(loop).connecting <= 1);
    }
    for (int i = 0; i < 300; i++)
        assert_outcome(fates[i].result.outcome, MCM_MISS);
    assert_int_equal(stats_of(loop).created, 3);
    mcm_loop_free(loop);
}

static void a_back_off_refuses_at_once_or_dials_when_it_ends(void **state)
{
    (void)state;
    struct memcached node;
    struct mcm_server list;
    struct fate fate;
    assert_true(memcached_start(&node));
    struct mcm_client_config config = config_for(&list, node.address);
    config.dial_backoff = 400 * MS;
    config.seed = 3;
    struct mcm_loop *loop = loop_of(&config);
    memcached_kill(&node);
    assert_outcome(get(loop, MCM_KEY("k"), GENEROUS, &fate), MCM_E_CONNECT_REFUSED);
    assert_outcome(get(loop, MCM_KEY("k"), MS, &fate), MCM_E_BACKOFF);
    assert_int_equal(fate.calls, 0);
    assert_true(memcached_restart(&node));
    assert_outcome(get(loop, MCM_KEY("k"), GENEROUS, &fate), MCM_MISS);
    memcached_kill(&node);
    mcm_loop_free(loop);
}

static void waiting_has_its_own_limits(void **state)
{
    (void)state;
    struct mcm_server list;
    struct fate sent, late, kept, refused;
    char buffers[4][8];
    struct mcm_client_config config = config_for(&list, server.address);
    config.lanes = 1;
    config.lane_in_flight_max = 1;
    config.acquire_timeout = 20 * MS;
    config.waiters_max = 1;
    struct mcm_loop *loop = loop_of(&config);
    assert_outcome(get(loop, MCM_KEY("absent"), GENEROUS, &kept), MCM_MISS);
    memcached_pause(&server);
    struct mcm_loop_call call = how(&sent, GENEROUS);
    assert_outcome(mcm_loop_get(loop, &call, MCM_KEY("absent"), buffers[0], 8), MCM_OK);
    mcm_loop_process(loop);
    call = how(&late, GENEROUS);
    assert_outcome(mcm_loop_get(loop, &call, MCM_KEY("absent"), buffers[1], 8), MCM_OK);
    call = how(&refused, GENEROUS);
    assert_outcome(mcm_loop_get(loop, &call, MCM_KEY("absent"), buffers[2], 8), MCM_E_WAITERS);
    mcm_ns end = mcm_after(GENEROUS);
    while (late.calls == 0 && mcm_after(0) < end)
        turn(loop);
    assert_outcome(late.result.outcome, MCM_E_TIMEOUT_POOL);
    assert_int_equal(sent.calls, 0);
    memcached_resume(&server);
    assert_int_equal(mcm_loop_run(loop, mcm_after(GENEROUS)), 0);
    assert_outcome(sent.result.outcome, MCM_MISS);
    assert_int_equal(refused.calls, 0);
    mcm_loop_free(loop);
}

static void lanes_take_turns_when_told(void **state)
{
    (void)state;
    for (int turns = 0; turns < 2; turns++) {
        struct mcm_server list;
        struct fate fate;
        struct mcm_client_config config = config_for(&list, server.address);
        config.lanes = 3;
        config.take_turns = turns;
        struct mcm_loop *loop = loop_of(&config);
        for (int i = 0; i < 6; i++)
            assert_outcome(get(loop, MCM_KEY("absent"), GENEROUS, &fate), MCM_MISS);
        assert_int_equal(stats_of(loop).created, turns ? 3 : 1);
        mcm_loop_free(loop);
    }
}

static void assert_refused(const struct mcm_client_config *config, const char *word)
{
    char error[MCM_ERROR_SIZE] = "";
    assert_null(mcm_loop_new(config, error, sizeof(error)));
    assert_non_null(strstr(error, word));
}

static void what_a_loop_cannot_do_is_said_at_once(void **state)
{
    (void)state;
    struct mcm_server list;
    const struct mcm_tls_config tls = {.ca_file = "/nonexistent"};
    const struct mcm_client_config good = config_for(&list, server.address);
    struct mcm_client_config config = good;
    config.lanes = 0;
    assert_refused(&config, "lanes");
    config.lanes = MCM_LANES_MAX + 1;
    assert_refused(&config, "lanes");
    config = good;
    config.lane_in_flight_max = 0;
    assert_refused(&config, "lane_in_flight_max");
    config = good;
    config.idle_connections_min = config.lanes + 1;
    assert_refused(&config, "ready");
    config = good;
    config.idle_connections_max = 1;
    assert_refused(&config, "idle_connections_max");
    config = good;
    config.tls = &tls;
    assert_refused(&config, "TLS");
    config = good;
    config.size = 0;
    assert_refused(&config, "MCM_CLIENT_CONFIG_DEFAULT");
    config = good;
    config.server_count = 0;
    assert_refused(&config, "server");
}

static int set_up(void **state)
{
    (void)state;
    return tls_fixture_make() && memcached_start(&server) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tls_fixture_remove();
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
        cmocka_unit_test(a_login_over_tls_comes_first_and_everything_passes),
        cmocka_unit_test(the_example_counts_over_tls),
        cmocka_unit_test(a_plain_login_comes_first_too),
        cmocka_unit_test(a_server_must_prove_its_name_in_time),
        cmocka_unit_test(a_silent_peer_holds_neither_requests_nor_the_loop),
        cmocka_unit_test(a_tls_server_that_dies_hangs_and_returns_is_survived),
        cmocka_unit_test(a_dial_outlives_the_request_that_began_it),
        cmocka_unit_test(keys_follow_the_rule),
        cmocka_unit_test(statistics_say_what_went_over),
        cmocka_unit_test(large_values_leave_the_lanes_to_the_others),
        cmocka_unit_test(a_selector_may_find_no_server),
        cmocka_unit_test(policies_decide_what_a_dead_server_means),
        cmocka_unit_test(policies_hold_behind_an_open_breaker),
        cmocka_unit_test(an_unused_connection_is_pinged_and_then_closed),
        cmocka_unit_test(a_connection_whose_ping_fails_is_closed),
        cmocka_unit_test(a_lifetime_ends_in_the_middle_of_traffic_without_an_error),
        cmocka_unit_test(connections_are_ready_before_the_first_request),
        cmocka_unit_test(no_more_dials_run_than_may),
        cmocka_unit_test(a_back_off_refuses_at_once_or_dials_when_it_ends),
        cmocka_unit_test(waiting_has_its_own_limits),
        cmocka_unit_test(lanes_take_turns_when_told),
        cmocka_unit_test(what_a_loop_cannot_do_is_said_at_once),
    };
    return cmocka_run_group_tests_name("mcmeta/loop_options", tests, set_up, tear_down);
}
