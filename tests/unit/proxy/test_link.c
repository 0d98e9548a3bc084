/* SPDX-License-Identifier: MIT */
/* A link between real sockets: fast streams through a pipe, and toxics that come in their way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/link.h"

/* Every wait of a test: turns of the loop with nothing to do, a millisecond each. */
#define TURNS_MAX 20000
#define BLOCK_BYTES 65536u
#define STREAM_BYTES (24u * 1024 * 1024)

struct bench {
    struct proxy_env env;
    struct link link;
    struct traffic total;
    struct rate_credit credit;
    struct rate_gate gate;
    int sender;   /* the other end of the link's source */
    int receiver; /* … of its destination */
    uint64_t sent;
    uint64_t received;
    bool ended;
    bool source_failed;
    enum link_status how;
};

/* Byte `at` of the stream: its period is prime to every buffer size. */
static unsigned char pattern(uint64_t at)
{
    return (unsigned char)(at % 251 + at / 251 % 7);
}

static void tcp_pair(int *ours, int *theirs)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t size = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&a, &size);
    *theirs = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*theirs, (struct sockaddr *)&a, sizeof a), 0);
    *ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(*ours >= 0);
    close(listener);
}

static void on_end(struct link *link, enum link_status status)
{
    struct bench *b = (struct bench *)((char *)link - offsetof(struct bench, link));
    b->ended = true;
    b->how = status;
    link_stop(link);
}

static void on_source_failed(struct link *link)
{
    struct bench *b = (struct bench *)((char *)link - offsetof(struct bench, link));
    b->source_failed = true;
    link_stop(link);
}

static void on_paused(struct link *link)
{
    (void)link;
}

static const struct link_events events = {
    .ended = on_end,
    .source_failed = on_source_failed,
    .paused = on_paused,
};

static void set_linger(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static int bench_start(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe_signal, NULL);
    b->env.base = event_base_new();
    assert_int_equal(timers_init(&b->env.timers, b->env.base), 0);
    chunk_pool_init(&b->env.pool, 4);
    pipes_init(&b->env.pipes, 1 << 20);
    rate_credit_init(&b->credit, false);
    rate_gate_init(&b->gate, &b->credit, &b->env.timers);
    b->link =
        (struct link){.env = &b->env, .total = &b->total, .events = &events, .gate = &b->gate};
    tcp_pair(&b->link.source, &b->sender);
    tcp_pair(&b->link.destination, &b->receiver);
    assert_int_equal(link_init(&b->link, rng_seeded(1)), 0);
    link_start(&b->link);
    *state = b;
    return 0;
}

static int bench_stop(void **state)
{
    struct bench *b = *state;
    link_deinit(&b->link);
    close(b->link.source);
    close(b->link.destination);
    close(b->sender);
    close(b->receiver);
    rate_gate_deinit(&b->gate);
    timers_deinit(&b->env.timers);
    chunk_pool_deinit(&b->env.pool);
    pipes_deinit(&b->env.pipes);
    event_base_free(b->env.base);
    free(b);
    return 0;
}

static void turn(struct bench *b)
{
    event_base_loop(b->env.base, EVLOOP_NONBLOCK);
}

/* Sends what fits of the next block; returns whether anything did. */
static bool feed(struct bench *b, uint64_t end)
{
    unsigned char block[BLOCK_BYTES];
    size_t size = end - b->sent < sizeof block ? (size_t)(end - b->sent) : sizeof block;
    for (size_t i = 0; i < size; i++)
        block[i] = pattern(b->sent + i);
    ssize_t n = size > 0 ? send(b->sender, block, size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    b->sent += n > 0 ? (uint64_t)n : 0;
    return n > 0;
}

/* Takes what is there and checks it; returns whether anything was. */
static bool take(struct bench *b)
{
    unsigned char block[BLOCK_BYTES];
    ssize_t n = recv(b->receiver, block, sizeof block, MSG_DONTWAIT);
    for (ssize_t i = 0; i < n; i++)
        if (block[i] != pattern(b->received + (uint64_t)i))
            fail_msg("byte %llu is wrong", (unsigned long long)b->received + (unsigned long long)i);
    b->received += n > 0 ? (uint64_t)n : 0;
    return n > 0;
}

/* Feeds without receiving until nothing moves any more. */
static void stall(struct bench *b)
{
    for (int still = 0, turns = 0; still < 20; turns++) {
        assert_true(turns < TURNS_MAX);
        uint64_t before = b->total.sent_bytes + b->total.received_bytes;
        bool fed = false;
        while (feed(b, UINT64_MAX))
            fed = true;
        turn(b);
        bool moved = fed || b->total.sent_bytes + b->total.received_bytes != before;
        still = moved ? 0 : still + 1;
    }
}

/* Receives until everything has come through. */
static void drain(struct bench *b)
{
    for (int idle = 0; b->received < b->sent && idle < TURNS_MAX; idle++) {
        if (take(b))
            idle = 0;
        else
            usleep(1000);
        turn(b);
    }
    assert_int_equal(b->received, b->sent);
}

/* A fast stream, and then a receiver that stops while bytes are in a pipe. */
static void fill_pipe(struct bench *b)
{
    uint64_t end = b->sent + STREAM_BYTES / 4;
    for (int turns = 0; b->sent < end && turns < TURNS_MAX; turns++) {
        while (feed(b, end))
            ;
        turn(b);
        while (take(b))
            ;
    }
    stall(b);
    assert_non_null(b->link.pipe);
}

static struct toxic *make_toxic(const char *type, int64_t value)
{
    struct err err;
    const struct toxic_ops *ops = toxic_type_find(type);
    struct toxic *t = toxic_new(ops, NULL, "upstream", 1, &err);
    size_t count;
    const struct toxic_attr *attrs = toxic_type_attrs(ops, &count);
    if (count > 0)
        assert_int_equal(toxic_attr_set_int(ops, &t->values, &attrs[0], value, &err), 0);
    return t;
}

static void add(struct bench *b, struct toxic *t)
{
    ns_t now = ns_now();
    assert_int_equal(chain_add(b->link.chain, t, NULL, now), 0);
    assert_int_equal(link_pump(&b->link, now), LINK_GOES_ON);
}

static void take_out(struct bench *b, struct toxic *t)
{
    ns_t now = ns_now();
    chain_remove(b->link.chain, t, now);
    assert_int_equal(link_pump(&b->link, now), LINK_GOES_ON);
}

static void a_stalled_stream_leaves_bytes_in_a_pipe(void **state)
{
    struct bench *b = *state;
    fill_pipe(b);
    assert_true(b->link.pipe->held > 0 && b->link.pipe->held <= PIPE_BYTES_MAX);
    assert_int_equal(b->total.received_bytes - b->total.sent_bytes, b->link.pipe->held);
    drain(b);
    assert_null(b->link.pipe);
    assert_int_equal(b->total.sent_bytes, b->sent);
    assert_in_range(b->env.pipes.spare_count, 1, PIPES_SPARE_MAX);
}

static void a_toxic_that_comes_and_goes_behind_a_full_pipe_changes_no_byte(void **state)
{
    struct bench *b = *state;
    struct toxic *t = make_toxic("latency", 1);
    for (int round = 0; round < 4; round++) {
        fill_pipe(b);
        add(b, t);
        stall(b);
        assert_true(chain_bytes_held(b->link.chain) > 0);
        if (round % 2 > 0)
            take_out(b, t);
        stall(b);
        drain(b);
        if (round % 2 == 0)
            take_out(b, t);
    }
    toxic_free(t);
}

static void no_byte_changes_while_toxics_toggle_under_a_fast_stream(void **state)
{
    struct bench *b = *state;
    struct rng rng = rng_seeded(7);
    struct toxic *t[] = {make_toxic("latency", 0), make_toxic("latency", 1),
                         make_toxic("bandwidth", 1000000), make_toxic("noop", 0)};
    bool in[4] = {false};
    fill_pipe(b);
    uint64_t end = b->sent + STREAM_BYTES;
    int idle = 0;
    while (b->received < end && idle < TURNS_MAX) {
        for (uint64_t n = rng_below(&rng, 24); n > 0; n--)
            feed(b, end);
        turn(b);
        bool took = false;
        for (uint64_t n = rng_below(&rng, 24); n > 0; n--)
            took = take(b) || took;
        idle = took ? 0 : idle + 1;
        if (rng_below(&rng, 20) == 0) {
            uint64_t i = rng_below(&rng, 4);
            if (in[i])
                take_out(b, t[i]);
            else
                add(b, t[i]);
            in[i] = !in[i];
        }
        if (idle > 20)
            usleep(1000);
    }
    assert_int_equal(b->received, end);
    for (int i = 0; i < 4; i++) {
        if (in[i])
            take_out(b, t[i]);
        toxic_free(t[i]);
    }
}

static void the_end_of_the_stream_waits_for_the_pipe(void **state)
{
    struct bench *b = *state;
    fill_pipe(b);
    size_t held = b->link.pipe->held;
    assert_int_equal(link_end_source(&b->link, ns_now()), LINK_GOES_ON);
    uint64_t through = b->total.sent_bytes + held;
    for (int idle = 0; b->received < through && idle < TURNS_MAX; idle++) {
        if (take(b))
            idle = 0;
        turn(b);
    }
    for (int turns = 0; !b->ended && turns < TURNS_MAX; turns++)
        turn(b);
    assert_true(b->ended);
    assert_int_equal(b->how, LINK_EOF);
    assert_int_equal(b->received, through);
}

static void a_lost_receiver_ends_the_link_and_closes_its_pipe(void **state)
{
    struct bench *b = *state;
    fill_pipe(b);
    set_linger(b->receiver);
    close(b->receiver);
    b->receiver = -1;
    for (int turns = 0; !b->ended && turns < TURNS_MAX; turns++)
        turn(b);
    assert_int_equal(b->how, LINK_BROKEN);
    assert_int_equal(b->link.error, ECONNRESET);
    assert_int_equal(b->env.pipes.count, b->env.pipes.spare_count);
}

static void a_reset_sender_is_told_as_such(void **state)
{
    struct bench *b = *state;
    fill_pipe(b);
    set_linger(b->sender);
    close(b->sender);
    b->sender = -1;
    for (int turns = 0; !b->source_failed && turns < TURNS_MAX; turns++) {
        take(b);
        turn(b);
    }
    assert_true(b->source_failed);
    assert_false(b->ended);
    assert_int_equal(b->link.error, ECONNRESET);
}

static void a_close_that_a_toxic_ordered_waits_so_long_for_the_pipe(void **state)
{
    struct bench *b = *state;
    struct toxic *t = make_toxic("timeout", 1);
    fill_pipe(b);
    add(b, t);
    ns_t now = ns_now() + NS_PER_SEC;
    chain_tick(b->link.chain, now);
    assert_int_equal(chain_end(b->link.chain), CHAIN_CLOSE);
    assert_int_equal(link_pump(&b->link, now), LINK_GOES_ON);
    assert_int_equal(link_pump(&b->link, now + CHAIN_CLOSE_GRACE_NS - 1), LINK_GOES_ON);
    assert_int_equal(link_pump(&b->link, now + CHAIN_CLOSE_GRACE_NS), LINK_CLOSED);
    link_deinit(&b->link);
    toxic_free(t);
}

static void a_shared_rate_keeps_the_stream_out_of_the_pipe(void **state)
{
    struct bench *b = *state;
    fill_pipe(b);
    rate_credit_set(&b->credit, 1000000, ns_now());
    drain(b);
    size_t pipes = b->env.pipes.count;
    uint64_t end = b->sent + STREAM_BYTES / 8;
    for (int idle = 0; b->received < end && idle < TURNS_MAX; idle++) {
        while (feed(b, end))
            ;
        turn(b);
        assert_null(b->link.pipe);
        if (take(b))
            idle = 0;
        else
            usleep(1000);
    }
    assert_int_equal(b->received, end);
    assert_int_equal(b->env.pipes.count, pipes);
}

static void a_reset_toxic_does_not_wait_for_the_pipe(void **state)
{
    struct bench *b = *state;
    struct toxic *t = make_toxic("reset_peer", 0);
    fill_pipe(b);
    ns_t now = ns_now();
    assert_int_equal(chain_add(b->link.chain, t, NULL, now), 0);
    enum link_status status = link_pump(&b->link, now);
    for (int turns = 0; status == LINK_GOES_ON && !b->ended && turns < TURNS_MAX; turns++) {
        feed(b, UINT64_MAX);
        turn(b);
    }
    assert_true(status == LINK_RESET || b->how == LINK_RESET);
    link_deinit(&b->link);
    toxic_free(t);
}

static void without_descriptors_for_a_pipe_it_copies(void **state)
{
    struct bench *b = *state;
    b->env.pipes.fd_ceiling = 0;
    stall(b);
    assert_null(b->link.pipe);
    assert_int_equal(b->env.pipes.count, 0);
    drain(b);
}

static void messages_never_take_a_pipe(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 100; i++) {
        feed(b, b->sent + 32);
        for (int turns = 0; b->received < b->sent && turns < TURNS_MAX; turns++) {
            turn(b);
            take(b);
        }
    }
    assert_int_equal(b->received, 3200);
    assert_int_equal(b->env.pipes.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_stop)
    const struct CMUnitTest tests[] = {
        TEST(a_stalled_stream_leaves_bytes_in_a_pipe),
        TEST(a_toxic_that_comes_and_goes_behind_a_full_pipe_changes_no_byte),
        TEST(no_byte_changes_while_toxics_toggle_under_a_fast_stream),
        TEST(the_end_of_the_stream_waits_for_the_pipe),
        TEST(a_lost_receiver_ends_the_link_and_closes_its_pipe),
        TEST(a_reset_sender_is_told_as_such),
        TEST(a_close_that_a_toxic_ordered_waits_so_long_for_the_pipe),
        TEST(a_shared_rate_keeps_the_stream_out_of_the_pipe),
        TEST(a_reset_toxic_does_not_wait_for_the_pipe),
        TEST(without_descriptors_for_a_pipe_it_copies),
        TEST(messages_never_take_a_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
