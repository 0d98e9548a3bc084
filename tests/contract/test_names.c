/* SPDX-License-Identifier: MIT */
/*
 * Host names that come to mean other addresses, and a resolver that hangs, against real servers.
 * The resolver is the test's own: it answers for one name, with the port of the server that is
 * meant to have it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#include "memcached.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC) /* a deadline that only a bug can miss */
#define SLACK (5 * SEC)     /* what a loaded machine may add to a deadline */

static struct memcached nodes[2];

/* The resolver. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    int port;        /* of the server that the name means; 0: it means none */
    int silent_port; /* of an address that comes before; 0: there is none */
    bool hangs;
    unsigned asked, hanging;
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);

static int resolve_port(int port, const struct addrinfo *hints, struct addrinfo **found)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", port);
    return __real_getaddrinfo("127.0.0.1", text, hints, found);
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    if (strcmp(node, "cache.test") != 0)
        return __real_getaddrinfo(node, service, hints, found);
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    pthread_mutex_lock(&names.lock);
    names.asked++;
    names.hanging++;
    pthread_cond_broadcast(&names.change);
    while (names.hangs)
        pthread_cond_wait(&names.change, &names.lock);
    names.hanging--;
    pthread_cond_broadcast(&names.change);
    int port = names.port, silent_port = names.silent_port;
    pthread_mutex_unlock(&names.lock);
    if (port == 0)
        return EAI_AGAIN;
    int error = resolve_port(port, hints, found);
    if (error == 0 && silent_port != 0) {
        struct addrinfo *second = *found;
        error = resolve_port(silent_port, hints, found);
        (*found)->ai_next = second;
    }
    return error;
}

static void name_means(int port)
{
    pthread_mutex_lock(&names.lock);
    names.port = port;
    pthread_mutex_unlock(&names.lock);
}

/* When it goes on, until nobody is in it any more. */
static void set_hanging(bool hangs)
{
    pthread_mutex_lock(&names.lock);
    names.hangs = hangs;
    pthread_cond_broadcast(&names.change);
    while (!hangs && names.hanging > 0)
        pthread_cond_wait(&names.change, &names.lock);
    pthread_mutex_unlock(&names.lock);
}

static bool is_hanging(void)
{
    pthread_mutex_lock(&names.lock);
    bool is = names.hanging > 0;
    pthread_mutex_unlock(&names.lock);
    return is;
}

static unsigned asked(void)
{
    pthread_mutex_lock(&names.lock);
    unsigned count = names.asked;
    pthread_mutex_unlock(&names.lock);
    return count;
}

/* Whoever makes the calls: a blocking client in one of its modes, or a loop. */
enum kind { EXCLUSIVE, SHARED, LOOP, KIND_COUNT };

struct user {
    struct mcm_client *client;
    struct mcm_loop *loop;
    enum mcm_outcome outcome;
    char value[64];
};

static struct user user_with(enum kind kind, mcm_ns resolve_period, mcm_ns connect_timeout)
{
    char error[MCM_ERROR_SIZE] = "";
    struct mcm_server server = {.address = "cache.test:11211"};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.connect_timeout = connect_timeout;
    config.resolve_period = resolve_period;
    config.mode = kind == SHARED ? MCM_MODE_SHARED : MCM_MODE_EXCLUSIVE;
    struct user user = {.outcome = MCM_OK};
    if (kind == LOOP)
        user.loop = mcm_loop_new(&config, error, sizeof(error));
    else
        user.client = mcm_client_new(&config, error, sizeof(error));
    if (user.loop == NULL && user.client == NULL)
        fail_msg("%s", error);
    return user;
}

static struct user user_of(enum kind kind, mcm_ns resolve_period)
{
    return user_with(kind, resolve_period, 5 * SEC);
}

static void user_free(struct user *user)
{
    mcm_loop_free(user->loop);
    mcm_client_free(user->client);
}

static void note(void *arg, const struct mcm_result *result)
{
    struct user *user = arg;
    user->outcome = result->outcome;
}

/* Gets "who", which every server holds with its own name. */
static enum mcm_outcome ask(struct user *user, mcm_ns span)
{
    memset(user->value, 0, sizeof(user->value));
    if (user->client != NULL) {
        struct mcm_result result;
        return mcm_get(user->client, MCM_KEY("who"), user->value, sizeof(user->value),
                       mcm_after(span), &result);
    }
    struct mcm_loop_call call = {.deadline = mcm_after(span), .done = note, .arg = user};
    enum mcm_outcome outcome =
        mcm_loop_get(user->loop, &call, MCM_KEY("who"), user->value, sizeof(user->value));
    if (outcome != MCM_OK)
        return outcome;
    assert_int_equal(mcm_loop_run(user->loop, mcm_after(span + SLACK)), 0);
    return user->outcome;
}

static void assert_outcome(enum mcm_outcome got, enum mcm_outcome expected)
{
    assert_string_equal(mcm_outcome_name(got), mcm_outcome_name(expected));
}

static void write_name_into(const struct memcached *node, const char *name)
{
    struct mcm_server server = {.address = node->address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    struct mcm_result result;
    config.servers = &server;
    config.server_count = 1;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_outcome(mcm_set(client, MCM_KEY("who"), MCM_KEY(name), 0, mcm_after(GENEROUS), &result),
                   MCM_OK);
    mcm_client_free(client);
}

static void nap(void)
{
    struct timespec pause = {.tv_nsec = MS};
    nanosleep(&pause, NULL);
}

/* Every request on the way from one answer to the other must be answered. */
static void follow_the_name(struct user *user, const char *name)
{
    mcm_ns end = mcm_after(GENEROUS);
    while (strcmp(user->value, name) != 0) {
        assert_true(mcm_after(0) < end);
        assert_outcome(ask(user, GENEROUS), MCM_OK);
        nap();
    }
}

static void traffic_follows_the_name_and_no_request_is_lost(void **state)
{
    (void)state;
    for (enum kind kind = EXCLUSIVE; kind < KIND_COUNT; kind++) {
        name_means(nodes[0].port);
        struct user user = user_of(kind, 20 * MS);
        follow_the_name(&user, "first");
        name_means(nodes[1].port);
        follow_the_name(&user, "second");
        /* A resolver that knows nothing for a while changes nothing. */
        name_means(0);
        unsigned before = asked();
        mcm_ns end = mcm_after(GENEROUS);
        while (asked() < before + 3 && mcm_after(0) < end)
            assert_outcome(ask(&user, GENEROUS), MCM_OK);
        assert_true(asked() >= before + 3);
        assert_string_equal(user.value, "second");
        user_free(&user);
    }
}

/* The name still means the old address, among others: connections stay. */
static void connections_stay_while_the_name_keeps_their_address(void **state)
{
    (void)state;
    for (enum kind kind = EXCLUSIVE; kind < KIND_COUNT; kind++) {
        name_means(nodes[0].port);
        struct user user = user_of(kind, 5 * MS);
        unsigned before = asked();
        mcm_ns end = mcm_after(GENEROUS);
        while (asked() < before + 5 && mcm_after(0) < end)
            assert_outcome(ask(&user, GENEROUS), MCM_OK);
        assert_true(asked() >= before + 5);
        struct mcm_server_stats stats = {.size = sizeof(stats)};
        if (kind == LOOP)
            mcm_loop_stats(user.loop, 0, &stats);
        else
            mcm_client_stats(user.client, 0, &stats);
        assert_int_equal(stats.created, 1);
        user_free(&user);
    }
}

static void a_hanging_resolver_holds_neither_calls_nor_the_end(void **state)
{
    (void)state;
    for (enum kind kind = EXCLUSIVE; kind < KIND_COUNT; kind++) {
        name_means(nodes[0].port);
        struct user user = user_of(kind, 10 * MS);
        set_hanging(true);
        /* The maintenance of a client asks by itself, a loop when it is called. */
        mcm_ns end = mcm_after(GENEROUS);
        while (!is_hanging() && mcm_after(0) < end) {
            assert_outcome(ask(&user, GENEROUS), MCM_OK);
            nap();
        }
        assert_true(is_hanging());
        assert_outcome(ask(&user, GENEROUS), MCM_OK);
        memcached_pause(&nodes[0]);
        mcm_ns start = mcm_after(0);
        for (int i = 0; i < 3; i++)
            assert_outcome(ask(&user, 30 * MS), MCM_E_TIMEOUT_READ);
        assert_true(mcm_after(0) - start < 90 * MS + SLACK);
        memcached_resume(&nodes[0]);
        assert_outcome(ask(&user, GENEROUS), MCM_OK);
        user_free(&user); /* would wait for ever for the resolver */
        set_hanging(false);
    }
}

static void a_name_that_moved_away_from_a_dead_server_is_found_soon(void **state)
{
    (void)state;
    for (enum kind kind = EXCLUSIVE; kind < KIND_COUNT; kind++) {
        name_means(nodes[0].port);
        struct user user = user_of(kind, 3600 * SEC);
        assert_outcome(ask(&user, GENEROUS), MCM_OK);
        assert_string_equal(user.value, "first");
        memcached_kill(&nodes[0]);
        name_means(nodes[1].port);
        mcm_ns end = mcm_after(GENEROUS);
        enum mcm_outcome outcome;
        while ((outcome = ask(&user, GENEROUS)) != MCM_OK && mcm_after(0) < end) {
            assert_outcome(outcome, MCM_E_CONNECT_REFUSED);
            nap();
        }
        assert_string_equal(user.value, "second");
        user_free(&user);
        assert_true(memcached_restart(&nodes[0]));
        write_name_into(&nodes[0], "first");
    }
}

static void a_name_that_was_unknown_at_first_is_found_later(void **state)
{
    (void)state;
    for (enum kind kind = EXCLUSIVE; kind < KIND_COUNT; kind++) {
        name_means(0);
        struct user user = user_of(kind, 20 * MS);
        assert_outcome(ask(&user, GENEROUS), MCM_E_RESOLVE);
        name_means(nodes[0].port);
        mcm_ns end = mcm_after(GENEROUS);
        enum mcm_outcome outcome;
        while ((outcome = ask(&user, GENEROUS)) != MCM_OK && mcm_after(0) < end) {
            assert_outcome(outcome, MCM_E_RESOLVE);
            nap();
        }
        assert_string_equal(user.value, "first");
        user_free(&user);
    }
}

/* Connects to the first address are never answered: its queue is full. */
static void a_silent_address_leaves_time_for_the_next(void **state)
{
    (void)state;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(sa);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fillers[4];
    assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &size), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&sa, sizeof(sa));
    }
    names.silent_port = ntohs(sa.sin_port);
    name_means(nodes[0].port);
    for (enum kind kind = EXCLUSIVE; kind < KIND_COUNT; kind++) {
        struct user user = user_with(kind, 0, 400 * MS);
        assert_outcome(ask(&user, GENEROUS), MCM_OK);
        assert_string_equal(user.value, "first");
        user_free(&user);
    }
    names.silent_port = 0;
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(listener);
}

static int start_servers(void **state)
{
    (void)state;
    if (!memcached_start(&nodes[0]) || !memcached_start(&nodes[1]))
        return -1;
    write_name_into(&nodes[0], "first");
    write_name_into(&nodes[1], "second");
    return 0;
}

static int stop_servers(void **state)
{
    (void)state;
    memcached_kill(&nodes[0]);
    memcached_kill(&nodes[1]);
    return 0;
}

int main(void)
{
    if (!memcached_is_installed()) {
        puts("skipped: no memcached in PATH");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traffic_follows_the_name_and_no_request_is_lost),
        cmocka_unit_test(connections_stay_while_the_name_keeps_their_address),
        cmocka_unit_test(a_hanging_resolver_holds_neither_calls_nor_the_end),
        cmocka_unit_test(a_name_that_moved_away_from_a_dead_server_is_found_soon),
        cmocka_unit_test(a_silent_address_leaves_time_for_the_next),
        cmocka_unit_test(a_name_that_was_unknown_at_first_is_found_later),
    };
    return cmocka_run_group_tests_name("mcmeta/names", tests, start_servers, stop_servers);
}
