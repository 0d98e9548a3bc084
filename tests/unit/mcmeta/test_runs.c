/* SPDX-License-Identifier: MIT */
/*
 * Quiet runs and classic answers, each delivered whole, at every cut into two, and byte by byte:
 * `0` to `9` after an @ in a script stands for the token of that request.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mcmeta/classic.h"
#include "mcmeta/conn.h"

#define OPS_MAX 6
#define SCRIPT_MAX 512

/* How a scripted answer is cut. */
struct delivery {
    size_t first, step;
};

static void send_all(struct mcm_conn *conn)
{
    struct iovec pieces[16];
    unsigned count;
    while ((count = mcm_conn_want_write(conn, pieces, 16)) > 0) {
        for (unsigned i = 0; i < count; i++)
            mcm_conn_wrote(conn, pieces[i].iov_len);
    }
}

static size_t expand(char *out, const char *script, const struct mcm_op *ops)
{
    char *at = out;
    for (; *script != '\0'; script++) {
        if (*script == '@') {
            memcpy(at, ops[*++script - '0'].opaque, MCM_OPAQUE_SIZE);
            at += MCM_OPAQUE_SIZE;
        } else {
            *at++ = *script;
        }
    }
    assert_true(at - out < SCRIPT_MAX);
    return (size_t)(at - out);
}

/* Through read_target(), as a socket would, in pieces: the first of one size, the rest of another.
 */
static void deliver(struct mcm_conn *conn, const char *data, size_t size, struct delivery way)
{
    size_t piece = way.first;
    while (size > 0) {
        char spill[64];
        struct iovec targets[2];
        unsigned count = mcm_conn_read_target(conn, spill, sizeof(spill), targets);
        size_t total = 0;
        size_t limit = piece > 0 && piece < size ? piece : size;
        for (unsigned i = 0; i < count && total < limit; i++) {
            size_t part = targets[i].iov_len < limit - total ? targets[i].iov_len : limit - total;
            memcpy(targets[i].iov_base, data, part);
            data += part;
            total += part;
        }
        size -= total;
        piece = piece > total ? piece - total : way.step;
        mcm_conn_fed(conn, spill, total);
    }
}

static const struct mcm_request get_quiet = {
    .command = MCM_COMMAND_GET, .key = {"k", 1}, .flags = MCM_REQUEST_VALUE | MCM_REQUEST_QUIET};
static const struct mcm_request set_quiet = {
    .command = MCM_COMMAND_SET, .key = {"k", 1}, .value = {"v", 1}, .flags = MCM_REQUEST_QUIET};
static const struct mcm_request delete_quiet = {
    .command = MCM_COMMAND_DELETE, .key = {"k", 1}, .flags = MCM_REQUEST_QUIET};
static const struct mcm_request barrier = {.command = MCM_COMMAND_NOOP};

struct run {
    const struct mcm_request *requests[OPS_MAX];
    const char *answer;
    enum mcm_outcome outcomes[OPS_MAX];
    bool keep;
};

static const struct run runs[] = {
    /* Nothing but the barrier: all missed. */
    {{&get_quiet, &get_quiet, &barrier}, "MN\r\n", {MCM_MISS, MCM_MISS, MCM_OK}, true},
    {{&set_quiet, &delete_quiet, &barrier}, "MN\r\n", {MCM_OK, MCM_OK, MCM_OK}, true},
    /* Only the first, only the last, only one between. */
    {{&get_quiet, &get_quiet, &get_quiet, &barrier},
     "VA 1 O@0\r\na\r\nMN\r\n",
     {MCM_OK, MCM_MISS, MCM_MISS, MCM_OK},
     true},
    {{&get_quiet, &get_quiet, &get_quiet, &barrier},
     "VA 1 O@2\r\na\r\nMN\r\n",
     {MCM_MISS, MCM_MISS, MCM_OK, MCM_OK},
     true},
    {{&get_quiet, &get_quiet, &get_quiet, &barrier},
     "VA 1 O@1\r\na\r\nMN\r\n",
     {MCM_MISS, MCM_OK, MCM_MISS, MCM_OK},
     true},
    {{&set_quiet, &set_quiet, &delete_quiet, &delete_quiet, &barrier},
     "NS O@1\r\nNF O@3\r\nMN\r\n",
     {MCM_OK, MCM_NOT_STORED, MCM_OK, MCM_NOT_FOUND, MCM_OK},
     true},
    /* Two runs behind each other. */
    {{&get_quiet, &barrier, &set_quiet, &barrier},
     "MN\r\nEX O@2\r\nMN\r\n",
     {MCM_MISS, MCM_OK, MCM_EXISTS, MCM_OK},
     true},
    /* An error line is nobody's and everybody's, up to the barrier. */
    {{&set_quiet, &set_quiet, &barrier, &set_quiet, &barrier},
     "SERVER_ERROR out of memory\r\nMN\r\nMN\r\n",
     {MCM_E_SERVER, MCM_E_SERVER, MCM_OK, MCM_OK, MCM_OK},
     true},
    {{&get_quiet, &get_quiet, &barrier},
     "SERVER_ERROR out of memory\r\nVA 1 O@1\r\na\r\nMN\r\n",
     {MCM_E_SERVER, MCM_OK, MCM_OK},
     true},
    {{&set_quiet, &set_quiet, &barrier},
     "CLIENT_ERROR bad data chunk\r\n",
     {MCM_E_CLIENT, MCM_E_CLIENT, MCM_E_CLIENT},
     false},
    /* A token of nobody, of somebody before, and a barrier too many. */
    {{&get_quiet, &get_quiet, &barrier},
     "VA 1 Oxxxxx\r\na\r\n",
     {MCM_E_PROTOCOL, MCM_E_PROTOCOL, MCM_E_PROTOCOL},
     false},
    {{&get_quiet, &get_quiet, &barrier},
     "VA 1 O@1\r\na\r\nVA 1 O@0\r\na\r\n",
     {MCM_MISS, MCM_OK, MCM_E_PROTOCOL},
     false},
    {{&get_quiet, &barrier}, "MN\r\nMN\r\n", {MCM_MISS, MCM_OK}, false},
};

static void play_run(const struct run *run, size_t index, struct delivery way, bool verify,
                     size_t *size)
{
    static struct mcm_conn conn;
    static struct mcm_op ops[OPS_MAX];
    char values[OPS_MAX][4], script[SCRIPT_MAX];
    mcm_conn_init(&conn, verify, 77);
    unsigned count = 0;
    for (; count < OPS_MAX && run->requests[count] != NULL; count++) {
        mcm_op_init(&ops[count], run->requests[count], values[count], sizeof(values[0]));
        mcm_conn_submit(&conn, &ops[count], run->requests[count]);
    }
    send_all(&conn);
    *size = expand(script, run->answer, ops);
    deliver(&conn, script, *size, way);
    for (unsigned i = 0; i < count; i++) {
        if (ops[i].outcome != run->outcomes[i])
            fail_msg("run %zu op %u, cut %zu: %s", index, i, way.first,
                     mcm_outcome_name(ops[i].outcome));
    }
    assert_int_equal(mcm_conn_is_reusable(&conn), run->keep);
}

static void quiet_runs_end_alike_at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        size_t size = 1;
        for (size_t cut = 0; cut <= size; cut++)
            play_run(&runs[i], i, (struct delivery){cut, 0}, true, &size);
        play_run(&runs[i], i, (struct delivery){1, 1}, true, &size);
        /* Quiet requests have a token whether or not all have one. */
        play_run(&runs[i], i, (struct delivery){0, 0}, false, &size);
    }
}

#define KEYS 4

static const char *const keys[KEYS] = {"a", "bb", "a", "d"};

struct line {
    struct mcm_classic_get get;
    char found[KEYS][32]; /* "" nothing yet, "-" a miss, else the value */
    char buffer[8];
};

static void line_begin(struct mcm_classic_get *get, struct mcm_op *op, unsigned index)
{
    struct line *line = (struct line *)get;
    assert_string_equal(line->found[index], "");
    op->buffer = line->buffer;
    op->buffer_size = sizeof(line->buffer) - 1;
}

static void line_end(struct mcm_classic_get *get, struct mcm_op *op, unsigned index)
{
    struct line *line = (struct line *)get;
    int size = snprintf(line->found[index], sizeof(line->found[0]), "%.*s:%u", (int)op->value_size,
                        op->buffer, op->client_flags);
    if (line->get.with_cas)
        snprintf(line->found[index] + size, sizeof(line->found[0]) - (size_t)size, " c%llu",
                 (unsigned long long)op->cas);
}

static void line_miss(struct mcm_classic_get *get, unsigned index)
{
    struct line *line = (struct line *)get;
    strcpy(line->found[index], "-");
}

static const struct mcm_classic_get_ops line_ops = {line_begin, line_end, line_miss};

static const struct {
    const char *answer;
    enum mcm_outcome outcome;
    const char *found[KEYS];
    bool keep;
    bool with_cas;
} lines[] = {
    {"END\r\n", MCM_OK, {"-", "-", "-", "-"}, true, false},
    {"VALUE a 0 1\r\nx\r\nEND\r\n", MCM_OK, {"x:0", "-", "-", "-"}, true, false},
    {"VALUE d 7 2\r\nEN\r\nEND\r\n", MCM_OK, {"-", "-", "-", "EN:7"}, true, false},
    {"VALUE a 0 1\r\nx\r\nVALUE bb 1 0\r\n\r\nVALUE a 0 1\r\ny\r\nVALUE d 0 1\r\nz\r\nEND\r\n",
     MCM_OK,
     {"x:0", ":1", "y:0", "z:0"},
     true,
     false},
    {"VALUE bb 0 1\r\nx\r\nVALUE a 0 1\r\ny\r\nEND\r\n",
     MCM_OK,
     {"-", "x:0", "y:0", "-"},
     true,
     false},
    {"VALUE c 0 1\r\nx\r\nEND\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, false},
    {"VALUE d 0 1\r\nx\r\nVALUE a 0 1\r\n", MCM_E_PROTOCOL, {"-", "-", "-", "x:0"}, false, false},
    {"VALUE a 0 -1\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, false},
    {"VALUE a 0\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, false},
    {"VALUE a 4294967296 1\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, false},
    {"VALUE a 0 1073741825\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, false},
    {"VALUE a 0 1\r\nxyEND\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, false},
    {"STORED\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, false},
    {"VALUE a 0 1\r\nx\r\nSERVER_ERROR out of memory\r\n",
     MCM_E_SERVER,
     {"x:0", "", "", ""},
     true,
     false},
    {"ERROR\r\n", MCM_E_SERVER, {"", "", "", ""}, false, false},
    {"VALUE a 3 1 7\r\nx\r\nVALUE a 0 0 18446744073709551615\r\n\r\nEND\r\n",
     MCM_OK,
     {"x:3 c7", "-", ":0 c18446744073709551615", "-"},
     true,
     true},
    {"VALUE a 0 1\r\nx\r\nEND\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, true},
    {"VALUE a 0 1 x\r\nx\r\nEND\r\n", MCM_E_PROTOCOL, {"", "", "", ""}, false, true},
};

static void play_line(size_t index, struct delivery way)
{
    static struct mcm_conn conn;
    static struct line line;
    static struct mcm_op op;
    memset(&line, 0, sizeof(line));
    mcm_conn_init(&conn, true, 5);
    mcm_classic_get_init(&line.get, &line_ops, lines[index].with_cas);
    for (int i = 0; i < KEYS; i++)
        assert_true(mcm_classic_get_add(&line.get, mcm_slice_of_string(keys[i])));
    struct mcm_request request = mcm_classic_get_request(&line.get);
    mcm_op_init(&op, &request, NULL, 0);
    mcm_conn_submit(&conn, &op, &request);
    const char *sent = lines[index].with_cas ? "gets a bb a d\r\n" : "get a bb a d\r\n";
    assert_int_equal(op.bytes_total, strlen(sent));
    send_all(&conn);
    deliver(&conn, lines[index].answer, strlen(lines[index].answer), way);
    if (op.outcome != lines[index].outcome)
        fail_msg("line %zu cut %zu: %s", index, way.first, mcm_outcome_name(op.outcome));
    for (int i = 0; i < KEYS; i++)
        assert_string_equal(line.found[i], lines[index].found[i]);
    assert_int_equal(mcm_conn_is_reusable(&conn), lines[index].keep);
}

static void classic_values_go_to_their_keys_at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (size_t cut = 0; cut <= strlen(lines[i].answer); cut++)
            play_line(i, (struct delivery){cut, 0});
        play_line(i, (struct delivery){1, 1});
    }
}

static void a_get_line_stays_below_two_kib(void **state)
{
    (void)state;
    char key[MCM_KEY_SIZE_MAX];
    static struct mcm_classic_get get;
    memset(key, 'k', sizeof(key));
    mcm_classic_get_init(&get, &line_ops, true);
    unsigned count = 0;
    while (mcm_classic_get_add(&get, (struct mcm_slice){key, sizeof(key)}))
        count++;
    assert_int_equal(count, 7);
    assert_true(strlen("gets ") + get.keys_size + 2 < 2048);
    mcm_classic_get_init(&get, &line_ops, false);
    for (count = 0; mcm_classic_get_add(&get, (struct mcm_slice){key, 1}); count++)
        continue;
    assert_int_equal(count, MCM_CLASSIC_KEYS_MAX);
}

static void a_raw_request_that_is_called_wrong_breaks_the_connection(void **state)
{
    (void)state;
    static struct mcm_conn conn;
    static struct mcm_op op;
    for (int raw = 0; raw < 2; raw++) {
        struct mcm_request request = {.command = MCM_COMMAND_DELETE, .key = {"k", 1}, .raw = raw};
        mcm_conn_init(&conn, true, 5);
        mcm_op_init(&op, &request, NULL, 0);
        mcm_conn_submit(&conn, &op, &request);
        send_all(&conn);
        deliver(&conn, "CLIENT_ERROR invalid flag\r\n", 27, (struct delivery){0, 0});
        assert_int_equal(op.outcome, MCM_E_CLIENT);
        assert_int_equal(mcm_conn_is_reusable(&conn), !raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quiet_runs_end_alike_at_every_cut),
        cmocka_unit_test(classic_values_go_to_their_keys_at_every_cut),
        cmocka_unit_test(a_get_line_stays_below_two_kib),
        cmocka_unit_test(a_raw_request_that_is_called_wrong_breaks_the_connection),
    };
    return cmocka_run_group_tests_name("mcmeta/runs", tests, NULL, NULL);
}
