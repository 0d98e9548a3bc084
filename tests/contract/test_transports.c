/* SPDX-License-Identifier: MIT */
/* TLS and authentication against a real memcached, and deadlines of both against a silent peer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "tls_fixture.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC)
#define BIG 1000000

static int set_up(void **state)
{
    (void)state;
    return tls_fixture_make() ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tls_fixture_remove();
    return 0;
}

static void need_tls(void)
{
    if (!tls_fixture_is_usable()) {
        print_message("the library has no TLS, or openssl is not installed\n");
        skip();
    }
}

static void start_tls(struct memcached *server, const char *name, const char *more)
{
    need_tls();
    if (!tls_fixture_start(server, name, more)) {
        print_message("this memcached has no TLS\n");
        skip();
    }
}

static struct mcm_client_config config_for(const struct mcm_server *server)
{
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = server;
    config.server_count = 1;
    config.connect_timeout = 10 * SEC;
    return config;
}

static enum mcm_outcome get_once(const struct mcm_client_config *config, mcm_ns span)
{
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_result result;
    struct mcm_client *client = mcm_client_new(config, error, sizeof(error));
    if (client == NULL)
        fail_msg("%s", error);
    enum mcm_outcome outcome = mcm_get(client, MCM_KEY("k"), NULL, 0, mcm_after(span), &result);
    mcm_client_free(client);
    return outcome;
}

static void assert_outcome(enum mcm_outcome got, enum mcm_outcome expected)
{
    assert_string_equal(mcm_outcome_name(got), mcm_outcome_name(expected));
}

/* Values of every size come back as they went, over the same connection. */
static void exchange_values(struct mcm_client *client)
{
    static const size_t sizes[] = {0, 1, 100, 16383, 16384, 16385, 100000, BIG};
    static char out[BIG], in[BIG];
    for (size_t i = 0; i < BIG; i++)
        out[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct mcm_result result;
        struct mcm_slice value = {out, sizes[i]};
        assert_outcome(mcm_set(client, MCM_KEY("v"), value, 0, mcm_after(GENEROUS), &result),
                       MCM_OK);
        assert_outcome(mcm_get(client, MCM_KEY("v"), in, sizeof(in), mcm_after(GENEROUS), &result),
                       MCM_OK);
        assert_int_equal(result.value.size, sizes[i]);
        assert_memory_equal(in, out, sizes[i]);
    }
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_client_stats(client, 0, &stats);
    /* A lane does not carry the question after the server's limit for values. */
    assert_in_range(stats.created, 1, 2);
}

static void values_of_every_size_pass_through_tls(void **state)
{
    (void)state;
    struct memcached memcached;
    start_tls(&memcached, "server", "");
    struct mcm_server server = {.address = memcached.address};
    struct mcm_tls_config tls = {.ca_file = tls_fixture_file("ca.pem")};
    struct mcm_client_config config = config_for(&server);
    config.tls = &tls;
    config.idle_check = 0;
    config.lanes = 1;
    config.value_size_max = BIG; /* known: no second connection to ask for it */
    config.lane_store_max = config.lane_fetch_max = SIZE_MAX;
    config.value_size_max = BIG; /* nobody has to ask for it */
    for (config.mode = MCM_MODE_EXCLUSIVE; config.mode <= MCM_MODE_SHARED; config.mode++) {
        struct mcm_client *client = mcm_client_new(&config, NULL, 0);
        assert_non_null(client);
        exchange_values(client);
        mcm_client_free(client);
    }
    memcached_kill(&memcached);
}

static void a_server_must_prove_its_name(void **state)
{
    (void)state;
    struct memcached memcached;
    start_tls(&memcached, "server", "");
    struct mcm_server server = {.address = memcached.address};
    struct mcm_client_config config = config_for(&server);
    const struct {
        struct mcm_tls_config tls;
        enum mcm_outcome outcome;
    } cases[] = {
        {{.ca_file = tls_fixture_file("ca.pem")}, MCM_MISS},
        {{.ca_file = tls_fixture_file("ca.pem"), .server_name = "cache.test"}, MCM_MISS},
        {{.ca_file = tls_fixture_file("ca.pem"), .server_name = "other.test"}, MCM_E_TLS},
        {{.ca_file = tls_fixture_file("ca.pem"), .server_name = "127.0.0.2"}, MCM_E_TLS},
        {{.ca_file = tls_fixture_file("other.pem")}, MCM_E_TLS},
        {{.ca_file = NULL}, MCM_E_TLS},
        {{.insecure = true}, MCM_MISS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        config.tls = &cases[i].tls;
        assert_outcome(get_once(&config, GENEROUS), cases[i].outcome);
    }
    memcached_kill(&memcached);
    start_tls(&memcached, "expired", "");
    server.address = memcached.address;
    config.tls = &cases[0].tls;
    assert_outcome(get_once(&config, GENEROUS), MCM_E_TLS);
    memcached_kill(&memcached);
}

static void a_client_proves_its_name_when_asked(void **state)
{
    (void)state;
    struct memcached memcached;
    start_tls(&memcached, "server", ",ssl_verify_mode=2");
    struct mcm_server server = {.address = memcached.address};
    struct mcm_client_config config = config_for(&server);
    struct mcm_tls_config tls = {.ca_file = tls_fixture_file("ca.pem")};
    config.tls = &tls;
    enum mcm_outcome outcome = get_once(&config, GENEROUS);
    assert_false(mcm_outcome_is_answer(outcome));
    tls.certificate_file = tls_fixture_file("client.pem");
    tls.key_file = tls_fixture_file("client.key");
    assert_outcome(get_once(&config, GENEROUS), MCM_MISS);
    memcached_kill(&memcached);
}

static void a_tls_server_that_dies_hangs_and_returns_is_survived(void **state)
{
    (void)state;
    struct memcached memcached;
    struct mcm_result result;
    start_tls(&memcached, "server", "");
    struct mcm_server server = {.address = memcached.address};
    struct mcm_tls_config tls = {.ca_file = tls_fixture_file("ca.pem")};
    struct mcm_client_config config = config_for(&server);
    config.tls = &tls;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_outcome(mcm_set(client, MCM_KEY("k"), MCM_KEY("v"), 0, mcm_after(GENEROUS), &result),
                   MCM_OK);
    memcached_pause(&memcached);
    mcm_ns start = mcm_after(0);
    assert_outcome(mcm_get(client, MCM_KEY("k"), NULL, 0, mcm_after(60 * MS), &result),
                   MCM_E_TIMEOUT_READ);
    assert_outcome(mcm_get(client, MCM_KEY("k"), NULL, 0, mcm_after(60 * MS), &result),
                   MCM_E_CONNECT_TIMEOUT);
    assert_true(mcm_after(0) - start < 2 * SEC);
    memcached_resume(&memcached);
    assert_outcome(mcm_get(client, MCM_KEY("k"), NULL, 0, mcm_after(GENEROUS), &result),
                   MCM_E_BUFFER);
    memcached_kill(&memcached);
    assert_outcome(mcm_get(client, MCM_KEY("k"), NULL, 0, mcm_after(GENEROUS), &result),
                   MCM_E_CONNECT_REFUSED);
    assert_true(memcached_restart(&memcached));
    assert_outcome(mcm_get(client, MCM_KEY("k"), NULL, 0, mcm_after(GENEROUS), &result), MCM_MISS);
    mcm_client_free(client);
    memcached_kill(&memcached);
}

static void what_tls_cannot_do_is_said_at_once(void **state)
{
    (void)state;
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_server server = {.address = "127.0.0.1:1"};
    struct mcm_tls_config tls = {.ca_file = "/nonexistent"};
    struct mcm_client_config config = config_for(&server);
    config.tls = &tls;
    assert_null(mcm_client_new(&config, error, sizeof(error)));
    assert_non_null(strstr(error, "TLS"));
}

static void the_example_stores_over_tls(void **state)
{
    (void)state;
    struct memcached memcached;
    char command[256];
    const char *example = getenv("EXAMPLE_TLS");
    if (example == NULL)
        skip();
    start_tls(&memcached, "server", "");
    snprintf(command, sizeof(command), "%s %s %s >/dev/null", example, memcached.address,
             tls_fixture_file("ca.pem"));
    assert_int_equal(system(command), 0);
    memcached_kill(&memcached);
}

static void a_silent_peer_cannot_hold_a_handshake_or_a_login(void **state)
{
    (void)state;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(sa);
    char address[32];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &size), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(sa.sin_port));
    struct mcm_server server = {.address = address};
    struct mcm_tls_config tls = {.insecure = true};
    struct mcm_client_config config = config_for(&server);
    config.user = "user";
    config.password = "secret";
    assert_outcome(get_once(&config, 50 * MS), MCM_E_CONNECT_TIMEOUT);
    config.tls = mcm_tls_is_supported() ? &tls : NULL;
    assert_outcome(get_once(&config, 50 * MS), MCM_E_CONNECT_TIMEOUT);
    close(listener);
}

static void a_login_comes_first_on_every_connection(void **state)
{
    (void)state;
    struct memcached memcached;
    if (!tls_fixture_start_plain_locked(&memcached))
        skip();
    struct mcm_server server = {.address = memcached.address};
    struct mcm_client_config config = config_for(&server);
    config.user = "user";
    config.password = "secret";
    assert_outcome(get_once(&config, GENEROUS), MCM_MISS);
    config.mode = MCM_MODE_SHARED;
    assert_outcome(get_once(&config, GENEROUS), MCM_MISS);
    config.mode = MCM_MODE_EXCLUSIVE;
    config.password = "wrong";
    assert_outcome(get_once(&config, GENEROUS), MCM_E_AUTH);
    config.user = config.password = NULL;
    assert_outcome(get_once(&config, GENEROUS), MCM_E_CLIENT);
    config.user = "user";
    assert_null(mcm_client_new(&config, NULL, 0));
    memcached_kill(&memcached);
}

static void version_6_of_ip_works(void **state)
{
    (void)state;
    struct memcached memcached;
    char *const arguments[] = {(char *)"-l", (char *)"::1", NULL};
    if (!memcached_is_installed() || !memcached_start_with(&memcached, arguments))
        skip();
    char address[32];
    snprintf(address, sizeof(address), "[::1]:%d", memcached.port);
    struct mcm_server server = {.address = address};
    struct mcm_client_config config = config_for(&server);
    assert_outcome(get_once(&config, GENEROUS), MCM_MISS);
    /* A name is tried at all its addresses, where this system knows it by this one. */
    struct addrinfo hints = {.ai_family = AF_INET6}, *found = NULL;
    if (getaddrinfo("localhost", NULL, &hints, &found) == 0) {
        freeaddrinfo(found);
        snprintf(address, sizeof(address), "localhost:%d", memcached.port);
        assert_outcome(get_once(&config, GENEROUS), MCM_MISS);
    }
    memcached_kill(&memcached);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_size_pass_through_tls),
        cmocka_unit_test(a_server_must_prove_its_name),
        cmocka_unit_test(a_client_proves_its_name_when_asked),
        cmocka_unit_test(a_tls_server_that_dies_hangs_and_returns_is_survived),
        cmocka_unit_test(what_tls_cannot_do_is_said_at_once),
        cmocka_unit_test(the_example_stores_over_tls),
        cmocka_unit_test(a_silent_peer_cannot_hold_a_handshake_or_a_login),
        cmocka_unit_test(a_login_comes_first_on_every_connection),
        cmocka_unit_test(version_6_of_ip_works),
    };
    return cmocka_run_group_tests_name("mcmeta/transports", tests, set_up, tear_down);
}
