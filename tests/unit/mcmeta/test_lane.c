/* SPDX-License-Identifier: MIT */
/*
 * The lane in virtual time: a script of answers to a batch of requests, cut at every place, with
 * callers that leave at every place. `@` in an answer stands for the token of its request.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcmeta/lane.h"
#include "mcmeta/stream.h"

#define CALLS_MAX 8
#define MS INT64_C(1000000)

static const struct mcm_request get_request = {
    .command = MCM_COMMAND_GET, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE};
static const struct mcm_request set_request = {
    .command = MCM_COMMAND_SET, .key = {"k", 1}, .value = {"hello", 5}};
static const struct mcm_request arith_request = {
    .command = MCM_COMMAND_ARITH, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE | MCM_REQUEST_DELTA};

struct game {
    struct mcm_lane lane;
    struct mcm_conn conn;
    struct mcm_lane_call calls[CALLS_MAX];
    struct mcm_op ops[CALLS_MAX];
    char values[CALLS_MAX][16];
    unsigned count;
    char script[1024];
    size_t script_size;
};

static void start(struct game *game, unsigned in_flight_max)
{
    memset(game, 0, sizeof(*game));
    mcm_lane_init(&game->lane, in_flight_max);
}

static void connect_lane(struct game *game, bool used)
{
    mcm_conn_init(&game->conn, true, 77);
    mcm_lane_open(&game->lane, &game->conn, used);
}

static struct mcm_lane_call *add(struct game *game, const struct mcm_request *request)
{
    unsigned i = game->count++;
    mcm_op_init(&game->ops[i], request, game->values[i], sizeof(game->values[i]));
    game->calls[i].op = &game->ops[i];
    game->calls[i].request = request;
    mcm_lane_add(&game->lane, &game->calls[i]);
    return &game->calls[i];
}

static size_t unsent(const struct game *game)
{
    size_t size;
    mcm_lane_out(&game->lane, &size);
    return size;
}

static void send_all(struct game *game)
{
    mcm_lane_commit(&game->lane);
    mcm_lane_sent(&game->lane, unsent(game));
}

static void script(struct game *game, const struct mcm_op *op, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '@') {
            memcpy(game->script + game->script_size, op->opaque, MCM_OPAQUE_SIZE);
            game->script_size += MCM_OPAQUE_SIZE;
        } else {
            game->script[game->script_size++] = *text;
        }
    }
}

static unsigned drain(struct game *game)
{
    unsigned count = 0;
    while (mcm_lane_next_done(&game->lane) != NULL)
        count++;
    return count;
}

/* Ends whatever is left. */
static void finish(struct game *game)
{
    if (game->lane.conn != NULL) {
        mcm_lane_fail(&game->lane, MCM_E_RESET, 0);
        drain(game);
        mcm_lane_close(&game->lane);
    }
    while (game->lane.queued != NULL)
        mcm_lane_refuse(&game->lane, game->lane.queued, MCM_E_SHUTDOWN, 0);
    assert_int_equal(game->lane.queued_count, 0);
    assert_int_equal(game->lane.in_flight, 0);
    assert_null(game->lane.tombs.first);
    mcm_lane_deinit(&game->lane);
}

/* Four requests with their answers in the script. */
static void start_four(struct game *game)
{
    start(game, 512);
    connect_lane(game, true);
    add(game, &get_request);
    add(game, &set_request);
    add(game, &arith_request);
    add(game, &get_request);
    send_all(game);
    script(game, &game->ops[0], "VA 9 O@\r\n\r\nVA 5\r\n.\r\n");
    script(game, &game->ops[1], "HD O@\r\n");
    script(game, &game->ops[2], "VA 3 O@\r\n99 \r\n");
    script(game, &game->ops[3], "EN O@\r\n");
}

static void expect_answer(const struct game *game, unsigned i)
{
    static const enum mcm_outcome outcomes[] = {MCM_OK, MCM_OK, MCM_OK, MCM_MISS};
    assert_int_equal(game->ops[i].outcome, outcomes[i]);
    if (i == 0)
        assert_memory_equal(game->values[0], "\r\nVA 5\r\n.", 9);
    if (i == 2)
        assert_int_equal(game->ops[2].number, 99);
}

static void a_batch_goes_out_together_and_is_answered_at_every_cut(void **state)
{
    (void)state;
    struct game game;
    start_four(&game);
    size_t size = game.script_size;
    finish(&game);
    for (size_t cut = 0; cut <= size; cut++) {
        start_four(&game);
        mcm_lane_feed(&game.lane, game.script, cut);
        unsigned done = drain(&game);
        mcm_lane_feed(&game.lane, game.script + cut, size - cut);
        assert_int_equal(done + drain(&game), 4);
        for (unsigned i = 0; i < 4; i++)
            expect_answer(&game, i);
        assert_false(game.conn.broken);
        assert_int_equal(game.lane.in_flight, 0);
        finish(&game);
    }
}

/* Caller `leaver` leaves after `cut` bytes; its memory is wiped to show that nobody needs it. */
static void leave_at(unsigned leaver, size_t cut)
{
    struct game game;
    start_four(&game);
    mcm_lane_feed(&game.lane, game.script, cut);
    drain(&game);
    bool left = game.ops[leaver].outcome == MCM_OUTCOME_COUNT;
    if (left) {
        assert_true(mcm_lane_abandon(&game.lane, &game.calls[leaver], 5 * MS));
        assert_int_equal(game.ops[leaver].outcome, MCM_E_TIMEOUT_READ);
        assert_int_equal(mcm_lane_deadline(&game.lane), 5 * MS + MCM_LANE_DRAIN_NS);
        memset(&game.ops[leaver], 0xa5, sizeof(game.ops[leaver]));
        memset(&game.calls[leaver], 0xa5, sizeof(game.calls[leaver]));
        memset(game.values[leaver], 0x5a, sizeof(game.values[leaver]));
    }
    mcm_lane_feed(&game.lane, game.script + cut, game.script_size - cut);
    drain(&game);
    for (unsigned i = 0; i < 4; i++) {
        if (i != leaver || !left)
            expect_answer(&game, i);
    }
    if (left) {
        assert_int_equal(game.values[leaver][0], 0x5a);
        assert_int_equal(game.values[leaver][15], 0x5a);
    }
    assert_false(game.conn.broken);
    assert_int_equal(mcm_lane_deadline(&game.lane), MCM_NS_NEVER);
    finish(&game);
}

static void a_caller_may_leave_at_any_byte_and_the_others_are_answered(void **state)
{
    (void)state;
    struct game game;
    start_four(&game);
    size_t size = game.script_size;
    finish(&game);
    for (unsigned leaver = 0; leaver < 4; leaver++) {
        for (size_t cut = 0; cut <= size; cut++)
            leave_at(leaver, cut);
    }
}

static void bytes_committed_by_a_caller_who_left_are_still_sent(void **state)
{
    (void)state;
    struct game game;
    start(&game, 512);
    connect_lane(&game, true);
    struct mcm_lane_call *set = add(&game, &set_request);
    mcm_lane_commit(&game.lane);
    size_t size = unsent(&game);
    mcm_lane_sent(&game.lane, 3);
    assert_true(mcm_lane_abandon(&game.lane, set, 0));
    memset(&game.ops[0], 0, sizeof(game.ops[0]));
    assert_int_equal(unsent(&game), size - 3);
    const char *rest = mcm_lane_out(&game.lane, &size);
    assert_memory_equal(rest + size - 7, "hello\r\n", 7);
    finish(&game);
}

static void what_a_queued_caller_waited_for_is_its_outcome(void **state)
{
    (void)state;
    struct game game;
    start(&game, 1);
    struct mcm_lane_call *call = add(&game, &get_request);
    assert_true(mcm_lane_abandon(&game.lane, call, 0));
    assert_int_equal(call->op->outcome, MCM_E_CONNECT_TIMEOUT);
    connect_lane(&game, false);
    call = add(&game, &get_request);
    assert_true(mcm_lane_abandon(&game.lane, call, 0));
    assert_int_equal(call->op->outcome, MCM_E_TIMEOUT_POOL);
    add(&game, &get_request);
    call = add(&game, &get_request);
    assert_true(mcm_lane_commit(&game.lane));
    game.lane.in_flight_max = 2;
    assert_true(mcm_lane_abandon(&game.lane, call, 0));
    assert_int_equal(call->op->outcome, MCM_E_TIMEOUT_WRITE);
    game.lane.in_flight_max = 1;
    call = add(&game, &get_request);
    assert_false(mcm_lane_commit(&game.lane));
    assert_true(mcm_lane_abandon(&game.lane, call, 0));
    assert_int_equal(call->op->outcome, MCM_E_TIMEOUT_POOL);
    assert_int_equal(call->op->bytes_sent, 0);
    finish(&game);
}

static void no_more_than_the_limit_is_in_flight(void **state)
{
    (void)state;
    struct game game;
    start(&game, 2);
    connect_lane(&game, true);
    for (int i = 0; i < 5; i++)
        add(&game, &get_request);
    send_all(&game);
    assert_int_equal(game.lane.in_flight, 2);
    assert_int_equal(game.lane.queued_count, 3);
    /* A tombstone still fills its place: the server has not answered it. */
    assert_true(mcm_lane_abandon(&game.lane, &game.calls[0], 0));
    assert_false(mcm_lane_commit(&game.lane));
    struct mcm_op *tomb = game.conn.first;
    script(&game, tomb, "EN O@\r\n");
    mcm_lane_feed(&game.lane, game.script, game.script_size);
    assert_int_equal(drain(&game), 0);
    assert_true(mcm_lane_commit(&game.lane));
    assert_int_equal(game.lane.in_flight, 2);
    finish(&game);
}

static void no_more_than_the_limit_is_unsent_but_one_large_request_may_be(void **state)
{
    (void)state;
    char *value = calloc(1, 1000000);
    struct mcm_request large = {
        .command = MCM_COMMAND_SET, .key = {"k", 1}, .value = {value, 1000000}};
    struct mcm_request middle = large;
    middle.value.size = MCM_LANE_OUT_MAX / 2;
    struct game game;
    start(&game, 512);
    connect_lane(&game, true);
    for (int i = 0; i < 3; i++)
        add(&game, &middle);
    add(&game, &large);
    mcm_lane_commit(&game.lane);
    assert_int_equal(game.lane.in_flight, 1);
    assert_true(unsent(&game) <= MCM_LANE_OUT_MAX);
    for (unsigned i = 2; i <= 4; i++) {
        mcm_lane_sent(&game.lane, unsent(&game));
        mcm_lane_commit(&game.lane);
        assert_int_equal(game.lane.in_flight, i);
    }
    assert_true(unsent(&game) > 1000000);
    mcm_lane_sent(&game.lane, unsent(&game));
    assert_int_equal(game.lane.out_size, 0);
    finish(&game);
    free(value);
}

static void a_lost_connection_fails_what_is_in_flight_and_keeps_the_queue(void **state)
{
    (void)state;
    struct game game;
    start(&game, 2);
    connect_lane(&game, true);
    for (int i = 0; i < 4; i++)
        add(&game, &get_request);
    send_all(&game);
    assert_true(mcm_lane_abandon(&game.lane, &game.calls[1], 0));
    mcm_lane_fail(&game.lane, MCM_E_RESET, 104);
    assert_ptr_equal(mcm_lane_next_done(&game.lane), &game.calls[0]);
    assert_null(mcm_lane_next_done(&game.lane));
    assert_int_equal(game.ops[0].outcome, MCM_E_RESET);
    assert_int_equal(game.ops[0].sys_errno, 104);
    assert_true(game.calls[0].was_idle);
    mcm_lane_close(&game.lane);
    assert_int_equal(game.lane.queued_count, 2);
    connect_lane(&game, false);
    send_all(&game);
    assert_false(game.calls[2].was_idle);
    script(&game, &game.ops[2], "EN O@\r\n");
    script(&game, &game.ops[3], "EN O@\r\n");
    mcm_lane_feed(&game.lane, game.script, game.script_size);
    assert_int_equal(drain(&game), 2);
    assert_int_equal(game.ops[3].outcome, MCM_MISS);
    finish(&game);
}

static void a_stray_answer_breaks_the_lane_and_reaches_nobody(void **state)
{
    (void)state;
    struct game game;
    start(&game, 512);
    connect_lane(&game, true);
    add(&game, &get_request);
    add(&game, &get_request);
    send_all(&game);
    /* The answer to the first one was lost. */
    script(&game, &game.ops[1], "VA 1 O@\r\nb\r\n");
    mcm_lane_feed(&game.lane, game.script, game.script_size);
    assert_int_equal(drain(&game), 2);
    assert_int_equal(game.ops[0].outcome, MCM_E_PROTOCOL);
    assert_int_equal(game.ops[1].outcome, MCM_E_PROTOCOL);
    assert_true(game.conn.broken);
    finish(&game);
}

static void tombstones_expire_in_order(void **state)
{
    (void)state;
    struct game game;
    start(&game, 512);
    connect_lane(&game, true);
    for (int i = 0; i < 3; i++)
        add(&game, &get_request);
    send_all(&game);
    assert_int_equal(mcm_lane_deadline(&game.lane), MCM_NS_NEVER);
    mcm_lane_abandon(&game.lane, &game.calls[2], 10 * MS);
    mcm_lane_abandon(&game.lane, &game.calls[0], 20 * MS);
    assert_int_equal(mcm_lane_deadline(&game.lane), 10 * MS + MCM_LANE_DRAIN_NS);
    script(&game, game.conn.first, "EN O@\r\n");
    mcm_lane_feed(&game.lane, game.script, game.script_size);
    assert_int_equal(drain(&game), 0);
    assert_int_equal(mcm_lane_deadline(&game.lane), 10 * MS + MCM_LANE_DRAIN_NS);
    finish(&game);
}

static void a_call_that_was_answered_is_not_abandoned(void **state)
{
    (void)state;
    struct game game;
    start(&game, 512);
    connect_lane(&game, true);
    struct mcm_lane_call *call = add(&game, &get_request);
    send_all(&game);
    script(&game, call->op, "EN O@\r\n");
    mcm_lane_feed(&game.lane, game.script, game.script_size);
    assert_false(mcm_lane_abandon(&game.lane, call, 0));
    assert_ptr_equal(mcm_lane_next_done(&game.lane), call);
    assert_int_equal(call->op->outcome, MCM_MISS);
    finish(&game);
}

/* A record of a stream holds whole requests, or a part of one. */
static void over_a_stream_requests_leave_in_records(void **state)
{
    (void)state;
    static char value[MCM_RECORD_SIZE + 100];
    struct mcm_request large_request = set_request;
    large_request.value = (struct mcm_slice){value, sizeof(value)};
    struct game game;
    struct mcm_stream stream = {.ops = NULL};
    start(&game, 8);
    connect_lane(&game, false);
    game.conn.stream = &stream;
    add(&game, &get_request);
    add(&game, &set_request);
    add(&game, &large_request);
    add(&game, &get_request);
    assert_true(mcm_lane_commit(&game.lane));
    assert_int_equal(game.lane.in_flight, 2);
    size_t record = unsent(&game);
    assert_int_equal(record, game.ops[0].bytes_total + game.ops[1].bytes_total);
    add(&game, &get_request);
    mcm_lane_sent(&game.lane, 1);
    assert_false(mcm_lane_commit(&game.lane)); /* a record that has begun gets no more */
    mcm_lane_sent(&game.lane, record - 1);
    send_all(&game);
    assert_int_equal(game.lane.in_flight, 3); /* the large one alone */
    send_all(&game);
    assert_int_equal(game.lane.in_flight, 5);
    mcm_lane_fail(&game.lane, MCM_E_CLOSED, 0);
    while (mcm_lane_next_done(&game.lane) != NULL)
        continue;
    mcm_lane_close(&game.lane);
    mcm_lane_deinit(&game.lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_goes_out_together_and_is_answered_at_every_cut),
        cmocka_unit_test(a_caller_may_leave_at_any_byte_and_the_others_are_answered),
        cmocka_unit_test(bytes_committed_by_a_caller_who_left_are_still_sent),
        cmocka_unit_test(what_a_queued_caller_waited_for_is_its_outcome),
        cmocka_unit_test(no_more_than_the_limit_is_in_flight),
        cmocka_unit_test(no_more_than_the_limit_is_unsent_but_one_large_request_may_be),
        cmocka_unit_test(a_lost_connection_fails_what_is_in_flight_and_keeps_the_queue),
        cmocka_unit_test(a_stray_answer_breaks_the_lane_and_reaches_nobody),
        cmocka_unit_test(tombstones_expire_in_order),
        cmocka_unit_test(a_call_that_was_answered_is_not_abandoned),
        cmocka_unit_test(over_a_stream_requests_leave_in_records),
    };
    return cmocka_run_group_tests_name("mcmeta/lane", tests, NULL, NULL);
}
