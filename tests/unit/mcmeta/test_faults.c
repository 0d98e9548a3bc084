/* SPDX-License-Identifier: MIT */
/*
 * The client against a scripted peer on loopback: one connection after the other, each with its
 * own misbehaviour, and the outcome the caller must see.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mcmeta/mcmeta.h>

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define GENEROUS (20 * SEC)
#define STEPS_MAX 8

static enum mcm_mode mode; /* of every client; all tests run in each */

/* What the peer does next. */
enum action {
    END,    /* of the script; closes what is open */
    ACCEPT, /* a connection */
    READ,   /* one request line (and the data block of ms) */
    SEND,   /* `text`; `@` stands for the token of the last request */
    CLOSE,  /* with FIN */
    RESET,  /* with RST */
    AWAIT   /* until the other side closes */
};

struct step {
    enum action action;
    const char *text;
};

struct peer {
    int listener;
    int fd;
    char address[32];
    char token[8];
    const struct step *steps;
    pthread_t thread;
};

static void peer_open(struct peer *peer, int backlog)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(sa);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(peer->listener, backlog), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&sa, &size), 0);
    snprintf(peer->address, sizeof(peer->address), "127.0.0.1:%d", ntohs(sa.sin_port));
    peer->fd = -1;
}

static void peer_read(struct peer *peer)
{
    char line[1024];
    size_t used = 0;
    while (used < sizeof(line) - 1 && recv(peer->fd, line + used, 1, 0) == 1)
        if (line[used++] == '\n')
            break;
    line[used] = '\0';
    const char *token = strstr(line, " O");
    if (token != NULL)
        snprintf(peer->token, sizeof(peer->token), "%.5s", token + 2);
    size_t block = 0;
    char byte;
    if (sscanf(line, "ms %*s %zu", &block) == 1)
        for (block += 2; block > 0 && recv(peer->fd, &byte, 1, 0) == 1; block--)
            continue;
}

static void peer_send(struct peer *peer, const char *text)
{
    for (; *text != '\0'; text++) {
        size_t size = *text == '@' ? strlen(peer->token) : 1;
        send(peer->fd, *text == '@' ? peer->token : text, size, MSG_NOSIGNAL);
    }
}

static void peer_close(struct peer *peer, bool reset)
{
    struct linger linger = {.l_onoff = 1};
    if (peer->fd < 0)
        return;
    if (reset)
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(peer->fd);
    peer->fd = -1;
}

static void *peer_run(void *arg)
{
    struct peer *peer = arg;
    char byte;
    for (const struct step *step = peer->steps; step->action != END; step++) {
        switch (step->action) {
        case ACCEPT: peer->fd = accept(peer->listener, NULL, NULL); break;
        case READ: peer_read(peer); break;
        case SEND: peer_send(peer, step->text); break;
        case CLOSE: peer_close(peer, false); break;
        case RESET: peer_close(peer, true); break;
        case AWAIT:
            while (recv(peer->fd, &byte, 1, 0) == 1)
                continue;
            break;
        case END: break;
        }
    }
    peer_close(peer, false);
    return NULL;
}

static struct mcm_client *client_for(const struct peer *peer)
{
    struct mcm_server server = {.address = peer->address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.connect_timeout = 5 * SEC;
    config.maintenance_thread = false;
    config.idle_check = 60 * SEC;
    config.mode = mode;
    config.lanes = 1;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    return client;
}

static enum mcm_outcome get(struct mcm_client *client, mcm_ns span, struct mcm_result *result)
{
    static char buffer[64];
    return mcm_get(client, MCM_KEY("k"), buffer, sizeof(buffer), mcm_after(span), result);
}

static enum mcm_outcome set(struct mcm_client *client, struct mcm_result *result)
{
    return mcm_set(client, MCM_KEY("k"), MCM_KEY("hello"), 0, mcm_after(GENEROUS), result);
}

/* A get on a new connection that the peer treats by the script. */
static void expect_get(const struct step *steps, mcm_ns span, const char *outcome)
{
    struct peer peer = {.steps = steps};
    struct mcm_result result;
    peer_open(&peer, 8);
    pthread_create(&peer.thread, NULL, peer_run, &peer);
    struct mcm_client *client = client_for(&peer);
    get(client, span, &result);
    assert_string_equal(mcm_outcome_name(result.outcome), outcome);
    struct mcm_server_stats stats = {.size = sizeof(stats)};
    mcm_client_stats(client, 0, &stats);
    /* A shared connection goes on for a while after a caller's time was up. */
    bool goes_on = mode == MCM_MODE_SHARED && result.outcome == MCM_E_TIMEOUT_READ;
    assert_int_equal(stats.total, goes_on ? 1 : 0);
    mcm_client_free(client);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
}

static void every_misbehaviour_has_its_outcome_and_costs_the_connection(void **state)
{
    (void)state;
    static const struct {
        struct step steps[STEPS_MAX];
        mcm_ns span;
        const char *outcome;
    } cases[] = {
        {{{ACCEPT, ""}, {READ, ""}, {CLOSE, ""}}, GENEROUS, "closed"},
        {{{ACCEPT, ""}, {READ, ""}, {RESET, ""}}, GENEROUS, "reset"},
        {{{ACCEPT, ""}, {READ, ""}, {SEND, "VA 5 O@\r\nhel"}, {CLOSE, ""}}, GENEROUS, "closed"},
        {{{ACCEPT, ""}, {READ, ""}, {SEND, "VA 5 O@\r\nhello"}, {CLOSE, ""}}, GENEROUS, "closed"},
        {{{ACCEPT, ""}, {READ, ""}, {AWAIT, ""}}, 30 * MS, "timeout_read"},
        {{{ACCEPT, ""}, {READ, ""}, {SEND, "VA 5 O@\r\nhel"}, {AWAIT, ""}},
         200 * MS,
         "timeout_read"},
        {{{ACCEPT, ""}, {READ, ""}, {SEND, "EN O00000\r\n"}, {AWAIT, ""}}, GENEROUS, "protocol"},
        {{{ACCEPT, ""}, {READ, ""}, {SEND, "HTTP/1.1 400 no\r\n"}, {AWAIT, ""}},
         GENEROUS,
         "protocol"},
        {{{ACCEPT, ""}, {SEND, "ERROR Too many open connections\r\n"}, {READ, ""}, {AWAIT, ""}},
         GENEROUS,
         "server_error"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_get(cases[i].steps, cases[i].span, cases[i].outcome);
}

static void a_get_is_sent_again_when_its_kept_connection_had_died(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {ACCEPT, ""}, {READ, ""}, {SEND, "EN O@\r\n"},         {READ, ""},  {CLOSE, ""},
        {ACCEPT, ""}, {READ, ""}, {SEND, "VA 2 O@\r\nhi\r\n"}, {AWAIT, ""}, {END, ""},
    };
    struct peer peer = {.steps = steps};
    struct mcm_result result;
    peer_open(&peer, 8);
    pthread_create(&peer.thread, NULL, peer_run, &peer);
    struct mcm_client *client = client_for(&peer);
    assert_int_equal(get(client, GENEROUS, &result), MCM_MISS);
    assert_false(result.retried);
    assert_string_equal(mcm_outcome_name(get(client, GENEROUS, &result)), "ok");
    assert_true(result.retried);
    assert_int_equal(result.value.size, 2);
    mcm_client_free(client);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
}

static void a_set_that_was_sent_is_never_sent_again(void **state)
{
    (void)state;
    static const struct step steps[] = {{ACCEPT, ""}, {READ, ""},  {SEND, "HD O@\r\n"},
                                        {READ, ""},   {CLOSE, ""}, {END, ""}};
    struct peer peer = {.steps = steps};
    struct mcm_result result;
    peer_open(&peer, 8);
    pthread_create(&peer.thread, NULL, peer_run, &peer);
    struct mcm_client *client = client_for(&peer);
    assert_int_equal(set(client, &result), MCM_OK);
    assert_string_equal(mcm_outcome_name(set(client, &result)), "closed_idle");
    assert_true(result.sent);
    assert_false(result.retried);
    mcm_client_free(client);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
}

/* A batch of three in the meta protocol; the outcomes of its items as words. */
static enum mcm_batch_status batch_of_three(struct mcm_client *client, bool stores,
                                            const char *const expected[3],
                                            struct mcm_batch_result *result)
{
    static char buffers[3][8];
    struct mcm_batch_item items[3];
    struct mcm_batch_options options = MCM_BATCH_OPTIONS_DEFAULT;
    options.deadline = mcm_after(GENEROUS);
    options.plain = true;
    for (int i = 0; i < 3; i++)
        items[i] = (struct mcm_batch_item){.key = MCM_KEY("k"),
                                           .value = MCM_KEY("v"),
                                           .buffer = buffers[i],
                                           .buffer_size = sizeof(buffers[i])};
    if (stores)
        mcm_multi_set(client, items, 3, &options, result);
    else
        mcm_multi_get(client, items, 3, &options, result);
    for (int i = 0; i < 3; i++)
        assert_string_equal(mcm_outcome_name(items[i].outcome), expected[i]);
    return result->status;
}

static void a_batch_keeps_what_was_answered_before_the_connection_broke(void **state)
{
    (void)state;
    static const struct {
        struct step steps[STEPS_MAX];
        const char *expected[3];
    } cases[] = {
        {{{ACCEPT, ""},
          {READ, ""},
          {SEND, "VA 1 O@\r\na\r\n"},
          {READ, ""},
          {READ, ""},
          {CLOSE, ""}},
         {"ok", "closed", "closed"}},
        {{{ACCEPT, ""},
          {READ, ""},
          {SEND, "EN O@\r\n"},
          {READ, ""},
          {READ, ""},
          {SEND, "EN Oxxxxx\r\n"},
          {AWAIT, ""}},
         {"miss", "protocol", "protocol"}},
        {{{ACCEPT, ""}, {READ, ""}, {SEND, "SERVER_ERROR x\r\nMN\r\n"}, {AWAIT, ""}},
         {"server_error", "protocol", "protocol"}},
        {{{ACCEPT, ""}, {SEND, "ERROR Too many open connections\r\n"}, {READ, ""}, {AWAIT, ""}},
         {"server_error", "protocol", "protocol"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer peer = {.steps = cases[i].steps};
        struct mcm_batch_result result;
        peer_open(&peer, 8);
        pthread_create(&peer.thread, NULL, peer_run, &peer);
        struct mcm_client *client = client_for(&peer);
        batch_of_three(client, false, cases[i].expected, &result);
        assert_int_equal(result.servers_failed, 1);
        mcm_client_free(client);
        pthread_join(peer.thread, NULL);
        close(peer.listener);
    }
}

static void stores_of_a_batch_are_not_sent_again_on_a_new_connection(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {ACCEPT, ""},        {READ, ""}, {SEND, "HD O@\r\n"}, {READ, ""},
        {SEND, "HD O@\r\n"}, {READ, ""}, {SEND, "HD O@\r\n"}, {READ, ""},
        {READ, ""},          {READ, ""}, {CLOSE, ""},         {END, ""}};
    static const char *const stored[3] = {"ok", "ok", "ok"};
    static const char *const expected[3] = {"closed_idle", "closed_idle", "closed_idle"};
    struct peer peer = {.steps = steps};
    struct mcm_batch_result result;
    peer_open(&peer, 8);
    pthread_create(&peer.thread, NULL, peer_run, &peer);
    struct mcm_client *client = client_for(&peer);
    assert_int_equal(batch_of_three(client, true, stored, &result), MCM_BATCH_OK);
    assert_int_equal(batch_of_three(client, true, expected, &result), MCM_BATCH_FAILED);
    assert_int_equal(result.retries, 0);
    mcm_client_free(client);
    pthread_join(peer.thread, NULL);
    close(peer.listener);
}

static void a_full_backlog_is_a_connect_timeout(void **state)
{
    (void)state;
    struct peer peer = {0};
    struct mcm_result result;
    peer_open(&peer, 0);
    struct sockaddr_in sa = {0};
    socklen_t size = sizeof(sa);
    getsockname(peer.listener, (struct sockaddr *)&sa, &size);
    int fillers[4];
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&sa, sizeof(sa));
    }
    struct mcm_client *client = client_for(&peer);
    assert_string_equal(mcm_outcome_name(get(client, 50 * MS, &result)), "connect_timeout");
    assert_false(result.sent);
    mcm_client_free(client);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(peer.listener);
}

static void a_value_the_peer_does_not_read_is_a_write_timeout(void **state)
{
    (void)state;
    struct peer peer = {0};
    struct mcm_result result;
    static char big[16 << 20]; /* more than the kernel takes for a peer with a small window */
    peer_open(&peer, 8);
    struct mcm_server server = {.address = peer.address};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    config.servers = &server;
    config.server_count = 1;
    config.value_size_max = 64 << 20;
    config.mode = mode;
    struct mcm_client *client = mcm_client_new(&config, NULL, 0);
    assert_non_null(client);
    int small = 4096;
    setsockopt(peer.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    struct mcm_slice value = {big, sizeof(big)};
    mcm_set(client, MCM_KEY("k"), value, 0, mcm_after(150 * MS), &result);
    assert_string_equal(mcm_outcome_name(result.outcome), "timeout_write");
    assert_true(result.sent);
    mcm_client_free(client);
    close(peer.listener);
}

static void a_past_deadline_touches_nothing(void **state)
{
    (void)state;
    struct peer peer = {0};
    struct mcm_result result;
    peer_open(&peer, 8);
    struct mcm_client *client = client_for(&peer);
    assert_string_equal(mcm_outcome_name(get(client, -1, &result)), "timeout_pool");
    assert_false(result.sent);
    mcm_client_free(client);
    close(peer.listener);
}

static void wrong_configurations_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       ":11211",  "host:0", "host:65536",  "host:x",
                                      "[::1:1", "[::1]x1", "unix:",  "host:123456", "[]:1",
                                      "[::1]:"};
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:1", "[::1]:65535", "::1",
                                       "unix:/tmp/x"};
    struct mcm_server server = {0};
    struct mcm_client_config config = MCM_CLIENT_CONFIG_DEFAULT;
    char error[MCM_ERROR_SIZE];
    assert_null(mcm_client_new(&config, error, sizeof(error)));
    assert_string_equal(error, "no server is configured");
    config.servers = &server;
    config.server_count = 1;
    config.maintenance_thread = false;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        server.address = bad[i];
        assert_null(mcm_client_new(&config, error, sizeof(error)));
        assert_non_null(strstr(error, "is no address"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        server.address = good[i];
        struct mcm_client *client = mcm_client_new(&config, error, sizeof(error));
        assert_non_null(client);
        assert_string_equal(mcm_client_server_name(client, 0), good[i]);
        mcm_client_free(client);
    }
    config.connections_max = 0;
    assert_null(mcm_client_new(&config, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_misbehaviour_has_its_outcome_and_costs_the_connection),
        cmocka_unit_test(a_get_is_sent_again_when_its_kept_connection_had_died),
        cmocka_unit_test(a_set_that_was_sent_is_never_sent_again),
        cmocka_unit_test(a_batch_keeps_what_was_answered_before_the_connection_broke),
        cmocka_unit_test(stores_of_a_batch_are_not_sent_again_on_a_new_connection),
        cmocka_unit_test(a_full_backlog_is_a_connect_timeout),
        cmocka_unit_test(a_value_the_peer_does_not_read_is_a_write_timeout),
        cmocka_unit_test(a_past_deadline_touches_nothing),
        cmocka_unit_test(wrong_configurations_are_refused_with_a_sentence),
    };
    int failed = cmocka_run_group_tests_name("mcmeta/faults exclusive", tests, NULL, NULL);
    mode = MCM_MODE_SHARED;
    return failed + cmocka_run_group_tests_name("mcmeta/faults shared", tests, NULL, NULL);
}
