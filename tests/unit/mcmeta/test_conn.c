/* SPDX-License-Identifier: MIT */
/*
 * The connection state machine against scripts: `@` in a scripted answer stands for the token of
 * the request it answers. Every script is played at every cut into two pieces and byte by byte.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mcmeta/conn.h"

#define OPS_MAX 4
#define SCRIPT_MAX 512

struct game {
    struct mcm_conn conn;
    struct mcm_op ops[OPS_MAX];
    char values[OPS_MAX][16];
    unsigned op_count;
    char script[SCRIPT_MAX];
    size_t script_size;
};

static const struct mcm_request get_request = {
    .command = MCM_COMMAND_GET, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE};
static const struct mcm_request set_request = {
    .command = MCM_COMMAND_SET, .key = {"k", 1}, .value = {"hello", 5}};
static const struct mcm_request delete_request = {.command = MCM_COMMAND_DELETE, .key = {"k", 1}};
static const struct mcm_request arith_request = {
    .command = MCM_COMMAND_ARITH, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE | MCM_REQUEST_DELTA};
static const struct mcm_request noop_request = {.command = MCM_COMMAND_NOOP};

static void start(struct game *game)
{
    memset(game, 0, sizeof(*game));
    mcm_conn_init(&game->conn, true, 1000);
}

static struct mcm_op *submit(struct game *game, const struct mcm_request *request)
{
    struct mcm_op *op = &game->ops[game->op_count];
    mcm_op_init(op, request, game->values[game->op_count], sizeof(game->values[0]));
    game->op_count++;
    mcm_conn_submit(&game->conn, op, request);
    return op;
}

static size_t send_all(struct game *game)
{
    struct iovec pieces[16];
    unsigned count;
    size_t total = 0;
    while ((count = mcm_conn_want_write(&game->conn, pieces, 16)) > 0) {
        size_t size = 0;
        for (unsigned i = 0; i < count; i++)
            size += pieces[i].iov_len;
        mcm_conn_wrote(&game->conn, size);
        total += size;
    }
    return total;
}

/* Adds scripted bytes, with the token of `op` for each `@`. */
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
    assert_true(game->script_size < SCRIPT_MAX);
}

/* Delivers bytes through read_target() as a socket would. */
static void deliver(struct game *game, const char *data, size_t size)
{
    while (size > 0) {
        char spill[7];
        struct iovec pieces[2];
        unsigned count = mcm_conn_read_target(&game->conn, spill, sizeof(spill), pieces);
        size_t total = 0;
        for (unsigned i = 0; i < count && size > 0; i++) {
            size_t part = pieces[i].iov_len < size ? pieces[i].iov_len : size;
            memcpy(pieces[i].iov_base, data, part);
            data += part;
            size -= part;
            total += part;
        }
        mcm_conn_fed(&game->conn, spill, total);
    }
}

/* Plays one request and answer, cut at `cut`, and returns the operation's outcome. */
static enum mcm_outcome play_one(struct game *game, const struct mcm_request *request,
                                 const char *answer, size_t cut)
{
    start(game);
    struct mcm_op *op = submit(game, request);
    send_all(game);
    script(game, op, answer);
    cut = cut < game->script_size ? cut : game->script_size;
    deliver(game, game->script, cut);
    deliver(game, game->script + cut, game->script_size - cut);
    return op->outcome;
}

struct fate {
    const struct mcm_request *request;
    const char *answer;
    enum mcm_outcome outcome;
    bool keep;
};

static const struct fate fates[] = {
    {&get_request, "VA 5 O@\r\nhello\r\n", MCM_OK, true},
    {&get_request, "VA 0 O@\r\n\r\n", MCM_OK, true},
    {&get_request, "VA 5 O@\r\n\r\n\r\n\r\r\n", MCM_OK, true},
    {&get_request, "VA 20 O@\r\n01234567890123456789\r\n", MCM_E_BUFFER, true},
    {&get_request, "EN O@\r\n", MCM_MISS, true},
    {&get_request, "HD O@\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "NF O@\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "MN\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "EN\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "EN Oxxxxx\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "VA 5 O@x\r\nhello\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "VA 4 O@\r\nhello\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "VA 5 O@\r\nhello\nX", MCM_E_PROTOCOL, false},
    {&get_request, "VA 5 O@\r\nhello\rX", MCM_E_PROTOCOL, false},
    {&get_request, "garbage\r\n", MCM_E_PROTOCOL, false},
    {&get_request, "ERROR\r\n", MCM_E_SERVER, false},
    {&get_request, "ERROR Too many open connections\r\n", MCM_E_SERVER, false},
    {&get_request, "CLIENT_ERROR invalid flag\r\n", MCM_E_CLIENT, true},
    {&get_request, "SERVER_ERROR out of memory\r\n", MCM_E_SERVER, true},
    {&get_request, "EN O@\r\nEN O@\r\n", MCM_MISS, false},
    {&set_request, "HD O@\r\n", MCM_OK, true},
    {&set_request, "HD c12 O@\r\n", MCM_OK, true},
    {&set_request, "NS O@\r\n", MCM_NOT_STORED, true},
    {&set_request, "EX O@\r\n", MCM_EXISTS, true},
    {&set_request, "NF O@\r\n", MCM_NOT_FOUND, true},
    {&set_request, "EN O@\r\n", MCM_E_PROTOCOL, false},
    {&set_request, "VA 1 O@\r\n1\r\n", MCM_E_PROTOCOL, false},
    {&set_request, "CLIENT_ERROR bad data chunk\r\n", MCM_E_CLIENT, false},
    {&set_request, "SERVER_ERROR object too large for cache\r\n", MCM_E_REJECTED, true},
    {&set_request, "SERVER_ERROR out of memory storing object\r\n", MCM_E_SERVER, true},
    {&delete_request, "HD O@\r\n", MCM_OK, true},
    {&delete_request, "NF O@\r\n", MCM_NOT_FOUND, true},
    {&delete_request, "EX O@\r\n", MCM_EXISTS, true},
    {&delete_request, "VA 1 O@\r\n1\r\n", MCM_E_PROTOCOL, false},
    {&delete_request, "CLIENT_ERROR bad\r\n", MCM_E_CLIENT, true},
    {&arith_request, "VA 2 O@\r\n42\r\n", MCM_OK, true},
    {&arith_request, "VA 3 O@\r\n42 \r\n", MCM_OK, true},
    {&arith_request, "VA 20 O@\r\n18446744073709551615\r\n", MCM_OK, true},
    {&arith_request, "VA 20 O@\r\n18446744073709551616\r\n", MCM_E_PROTOCOL, false},
    {&arith_request, "VA 2 O@\r\n4x\r\n", MCM_E_PROTOCOL, false},
    {&arith_request, "VA 1 O@\r\n \r\n", MCM_E_PROTOCOL, false},
    {&arith_request, "VA 0 O@\r\n\r\n", MCM_E_PROTOCOL, false},
    {&arith_request, "VA 30 O@\r\n000000000000000000000000000042\r\n", MCM_E_PROTOCOL, false},
    {&arith_request, "HD O@\r\n", MCM_E_PROTOCOL, false},
    {&arith_request, "NF O@\r\n", MCM_NOT_FOUND, true},
    {&arith_request, "NS O@\r\n", MCM_NOT_STORED, true},
    {&arith_request, "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
     MCM_E_CLIENT, true},
    {&noop_request, "MN\r\n", MCM_OK, true},
    {&noop_request, "HD\r\n", MCM_E_PROTOCOL, false},
};

static void every_answer_has_its_outcome_and_fate_at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
        struct game game;
        for (size_t cut = 0; cut == 0 || cut <= game.script_size; cut++) {
            enum mcm_outcome outcome = play_one(&game, fates[i].request, fates[i].answer, cut);
            if (outcome != fates[i].outcome || mcm_conn_is_reusable(&game.conn) != fates[i].keep)
                fail_msg("fate %zu cut %zu: %s, reusable %d", i, cut, mcm_outcome_name(outcome),
                         mcm_conn_is_reusable(&game.conn));
            assert_ptr_equal(mcm_conn_next_done(&game.conn), &game.ops[0]);
            assert_null(mcm_conn_next_done(&game.conn));
        }
    }
}

static void values_and_numbers_arrive_whole_at_every_cut(void **state)
{
    (void)state;
    struct game game;
    for (size_t cut = 0; cut < 64; cut++) {
        play_one(&game, &get_request, "VA 5 f7 c9 t-1 O@\r\n\r\nVA \r\n", cut);
        assert_int_equal(game.ops[0].value_size, 5);
        assert_memory_equal(game.values[0], "\r\nVA ", 5);
        assert_int_equal(game.ops[0].client_flags, 7);
        assert_int_equal(game.ops[0].cas, 9);
        assert_int_equal(game.ops[0].ttl, -1);
        play_one(&game, &arith_request, "VA 3 O@\r\n99 \r\n", cut);
        assert_int_equal(game.ops[0].number, 99);
        play_one(&game, &get_request, "VA 17 O@\r\n01234567890123456\r\n", cut);
        assert_int_equal(game.ops[0].value_size, 17);
    }
}

static void pipelined_answers_go_to_their_requests_byte_by_byte(void **state)
{
    (void)state;
    struct game game;
    start(&game);
    struct mcm_op *get = submit(&game, &get_request);
    struct mcm_op *set = submit(&game, &set_request);
    struct mcm_op *add = submit(&game, &arith_request);
    struct mcm_op *noop = submit(&game, &noop_request);
    send_all(&game);
    script(&game, get, "VA 16 O@\r\n0123456789abcdef\r\n");
    script(&game, set, "SERVER_ERROR out of memory\r\n");
    script(&game, add, "VA 1 O@\r\n7\r\n");
    script(&game, noop, "MN\r\n");
    for (size_t i = 0; i < game.script_size; i++)
        deliver(&game, game.script + i, 1);
    assert_int_equal(get->outcome, MCM_OK);
    assert_memory_equal(game.values[0], "0123456789abcdef", 16);
    assert_int_equal(set->outcome, MCM_E_SERVER);
    assert_string_equal(set->error, "SERVER_ERROR out of memory");
    assert_int_equal(add->number, 7);
    assert_int_equal(noop->outcome, MCM_OK);
    assert_true(mcm_conn_is_reusable(&game.conn));
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(mcm_conn_next_done(&game.conn), &game.ops[i]);
}

static void a_lost_or_doubled_answer_never_reaches_the_next_request(void **state)
{
    (void)state;
    struct game game;
    start(&game);
    struct mcm_op *first = submit(&game, &get_request);
    struct mcm_op *second = submit(&game, &get_request);
    send_all(&game);
    script(&game, second, "VA 1 O@\r\nb\r\n");
    deliver(&game, game.script, game.script_size);
    assert_int_equal(first->outcome, MCM_E_PROTOCOL);
    assert_int_equal(second->outcome, MCM_E_PROTOCOL);

    start(&game);
    first = submit(&game, &get_request);
    second = submit(&game, &get_request);
    send_all(&game);
    script(&game, first, "VA 1 O@\r\na\r\nVA 1 O@\r\na\r\n");
    deliver(&game, game.script, game.script_size);
    assert_int_equal(first->outcome, MCM_OK);
    assert_int_equal(second->outcome, MCM_E_PROTOCOL);
    assert_false(mcm_conn_is_reusable(&game.conn));
}

static void failure_ends_all_operations_and_latches(void **state)
{
    (void)state;
    struct game game;
    start(&game);
    struct mcm_op *first = submit(&game, &get_request);
    struct mcm_op *second = submit(&game, &set_request);
    mcm_conn_wrote(&game.conn, first->bytes_total + 3);
    mcm_conn_fail(&game.conn, MCM_E_RESET, 104);
    assert_int_equal(first->outcome, MCM_E_RESET);
    assert_int_equal(second->outcome, MCM_E_RESET);
    assert_int_equal(second->sys_errno, 104);
    assert_int_equal(second->bytes_sent, 3);
    assert_false(second->answer_begun);
    assert_false(mcm_conn_is_reusable(&game.conn));
    deliver(&game, "MN\r\n", 4);
    assert_false(mcm_conn_is_reusable(&game.conn));
}

static void requests_are_sent_whole_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        struct game game;
        start(&game);
        struct mcm_op *set = submit(&game, &set_request);
        struct mcm_op *noop = submit(&game, &noop_request);
        char sent[128], expected[128];
        size_t size = 0;
        struct iovec pieces[2];
        while (mcm_conn_want_write(&game.conn, pieces, 2) > 0) {
            size_t part = pieces[0].iov_len < step ? pieces[0].iov_len : step;
            memcpy(sent + size, pieces[0].iov_base, part);
            size += part;
            mcm_conn_wrote(&game.conn, part);
        }
        int length =
            snprintf(expected, sizeof(expected), "ms k 5 O%.5s\r\nhello\r\nmn\r\n", set->opaque);
        assert_int_equal(size, length);
        assert_memory_equal(sent, expected, size);
        assert_int_equal(set->bytes_sent, set->bytes_total);
        assert_int_equal(noop->bytes_sent, 4);
    }
}

static void an_error_before_the_value_was_sent_closes_the_connection(void **state)
{
    (void)state;
    struct game game;
    start(&game);
    struct mcm_op *set = submit(&game, &set_request);
    mcm_conn_wrote(&game.conn, set->line_size + 1);
    deliver(&game, "SERVER_ERROR out of memory reading request\r\n", 44);
    assert_int_equal(set->outcome, MCM_E_SERVER);
    assert_false(mcm_conn_is_reusable(&game.conn));
}

static void an_answer_to_an_unsent_request_is_out_of_step(void **state)
{
    (void)state;
    struct game game;
    start(&game);
    struct mcm_op *get = submit(&game, &get_request);
    script(&game, get, "EN O@\r\n");
    deliver(&game, game.script, game.script_size);
    assert_int_equal(get->outcome, MCM_E_PROTOCOL);
}

static void bytes_nobody_asked_for_break_the_connection(void **state)
{
    (void)state;
    struct game game;
    start(&game);
    assert_true(mcm_conn_is_reusable(&game.conn));
    deliver(&game, "E", 1);
    assert_false(mcm_conn_is_reusable(&game.conn));
}

static void without_verification_tokens_are_neither_sent_nor_expected(void **state)
{
    (void)state;
    struct game game;
    memset(&game, 0, sizeof(game));
    mcm_conn_init(&game.conn, false, 0);
    struct mcm_op *get = submit(&game, &get_request);
    assert_int_equal(send_all(&game), strlen("mg k v\r\n"));
    deliver(&game, "EN\r\n", 4);
    assert_int_equal(get->outcome, MCM_MISS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_has_its_outcome_and_fate_at_every_cut),
        cmocka_unit_test(values_and_numbers_arrive_whole_at_every_cut),
        cmocka_unit_test(pipelined_answers_go_to_their_requests_byte_by_byte),
        cmocka_unit_test(a_lost_or_doubled_answer_never_reaches_the_next_request),
        cmocka_unit_test(failure_ends_all_operations_and_latches),
        cmocka_unit_test(requests_are_sent_whole_in_pieces_of_any_size),
        cmocka_unit_test(an_error_before_the_value_was_sent_closes_the_connection),
        cmocka_unit_test(an_answer_to_an_unsent_request_is_out_of_step),
        cmocka_unit_test(bytes_nobody_asked_for_break_the_connection),
        cmocka_unit_test(without_verification_tokens_are_neither_sent_nor_expected),
    };
    return cmocka_run_group_tests_name("mcmeta/conn", tests, NULL, NULL);
}
