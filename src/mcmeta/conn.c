/* SPDX-License-Identifier: MIT */
/*
 * The connection state machine. The first list holds all operations without an answer; `unsent`
 * points into it at the first that has bytes to send, so all before it are in flight.
 */
#include "mcmeta/conn.h"

#include <assert.h>
#include <string.h>

#define NOT_AN_ANSWER MCM_OUTCOME_COUNT

/* What an answer means for a command; NOT_AN_ANSWER is out of step. Error lines are not here. */
static const enum mcm_outcome answers[MCM_COMMAND_COUNT][MCM_STATUS_ERROR] = {
    /*                     HD             VA             EN             NF             NS
                           EX             MN */
    [MCM_COMMAND_GET] = {MCM_OK, MCM_OK, MCM_MISS, NOT_AN_ANSWER, NOT_AN_ANSWER, NOT_AN_ANSWER,
                         NOT_AN_ANSWER},
    [MCM_COMMAND_SET] = {MCM_OK, NOT_AN_ANSWER, NOT_AN_ANSWER, MCM_NOT_FOUND, MCM_NOT_STORED,
                         MCM_EXISTS, NOT_AN_ANSWER},
    [MCM_COMMAND_DELETE] = {MCM_OK, NOT_AN_ANSWER, NOT_AN_ANSWER, MCM_NOT_FOUND, MCM_NOT_STORED,
                            MCM_EXISTS, NOT_AN_ANSWER},
    [MCM_COMMAND_ARITH] = {MCM_OK, MCM_OK, NOT_AN_ANSWER, MCM_NOT_FOUND, MCM_NOT_STORED, MCM_EXISTS,
                           NOT_AN_ANSWER},
    [MCM_COMMAND_NOOP] = {NOT_AN_ANSWER, NOT_AN_ANSWER, NOT_AN_ANSWER, NOT_AN_ANSWER, NOT_AN_ANSWER,
                          NOT_AN_ANSWER, MCM_OK},
};

void mcm_conn_init(struct mcm_conn *conn, bool verify, uint32_t sequence)
{
    memset(conn, 0, sizeof(*conn));
    conn->verify = verify;
    conn->sequence = sequence;
    mcm_reader_reset(&conn->reader);
}

void mcm_op_init(struct mcm_op *op, const struct mcm_request *request, void *buffer,
                 size_t buffer_size)
{
    op->next = NULL;
    op->owner = NULL;
    op->command = request->command;
    op->wants_value = (request->flags & MCM_REQUEST_VALUE) || mcm_tokens_have(request->tokens, 'v');
    op->may_omit_value =
        request->raw || (op->command == MCM_COMMAND_GET && request->flags & MCM_REQUEST_COMPARE);
    op->has_block = request->command == MCM_COMMAND_SET ||
                    (request->command == MCM_COMMAND_TEXT && request->value.size > 0);
    op->raw = request->raw;
    op->quiet = request->flags & MCM_REQUEST_QUIET;
    op->reserve = NULL;
    op->text = request->text;
    op->value = op->has_block ? request->value : (struct mcm_slice){0};
    op->buffer = request->command == MCM_COMMAND_ARITH ? op->digits : buffer;
    op->buffer_size = request->command == MCM_COMMAND_ARITH ? sizeof(op->digits) : buffer_size;
    op->line_size = 0;
    op->bytes_sent = 0;
    op->bytes_total = 0;
    op->answer_begun = false;
    op->outcome = MCM_OUTCOME_COUNT;
    op->sys_errno = 0;
    op->value_size = 0;
    op->number = 0;
    op->cas = 0;
    op->client_flags = 0;
    op->ttl = 0;
    op->item_size = 0;
    op->last_access = 0;
    op->hit_before = false;
    op->won = false;
    op->stale = false;
    op->taken = false;
    op->error[0] = '\0';
}

void mcm_conn_submit(struct mcm_conn *conn, struct mcm_op *op, const struct mcm_request *request)
{
    assert(!conn->broken && op->outcome == MCM_OUTCOME_COUNT);
    mcm_opaque_format(conn->sequence++, op->opaque);
    op->line_size =
        mcm_request_encode(request, conn->verify || op->quiet ? op->opaque : NULL, op->line);
    op->bytes_total = op->line_size;
    if (op->has_block)
        op->bytes_total += op->value.size + 2;
    if (conn->last != NULL)
        conn->last->next = op;
    else
        conn->first = op;
    conn->last = op;
    if (conn->unsent == NULL)
        conn->unsent = op;
}

/* Adds what is left of a part that starts `*skip` bytes before; parts sent already are skipped. */
static unsigned add_piece(struct iovec *pieces, unsigned count, unsigned max, size_t *skip,
                          const void *data, size_t size)
{
    if (*skip >= size) {
        *skip -= size;
        return count;
    }
    if (count < max) {
        pieces[count].iov_base = (char *)(uintptr_t)data + *skip;
        pieces[count].iov_len = size - *skip;
        count++;
    }
    *skip = 0;
    return count;
}

unsigned mcm_conn_want_write(const struct mcm_conn *conn, struct iovec *pieces, unsigned max)
{
    unsigned count = 0;
    for (const struct mcm_op *op = conn->unsent; op != NULL && count < max; op = op->next) {
        size_t skip = op->bytes_sent;
        count = add_piece(pieces, count, max, &skip, op->line, op->line_size);
        if (op->has_block) {
            count = add_piece(pieces, count, max, &skip, op->value.data, op->value.size);
            count = add_piece(pieces, count, max, &skip, "\r\n", 2);
        }
    }
    return count;
}

void mcm_conn_wrote(struct mcm_conn *conn, size_t size)
{
    while (size > 0) {
        struct mcm_op *op = conn->unsent;
        assert(op != NULL);
        size_t left = op->bytes_total - op->bytes_sent;
        size_t part = size < left ? size : left;
        op->bytes_sent += part;
        size -= part;
        if (part == left)
            conn->unsent = op->next;
    }
}

/* Takes the oldest operation off the list of the unanswered and puts it on that of the done. */
static void finish_first(struct mcm_conn *conn, enum mcm_outcome outcome)
{
    struct mcm_op *op = conn->first;
    conn->first = op->next;
    if (conn->first == NULL)
        conn->last = NULL;
    if (conn->unsent == op)
        conn->unsent = op->next;
    op->next = NULL;
    op->outcome = outcome;
    if (conn->done_last != NULL)
        conn->done_last->next = op;
    else
        conn->done_first = op;
    conn->done_last = op;
}

void mcm_conn_fail(struct mcm_conn *conn, enum mcm_outcome outcome, int sys_errno)
{
    conn->broken = true;
    while (conn->first != NULL) {
        conn->first->sys_errno = sys_errno;
        finish_first(conn, outcome);
    }
}

/* The number of ma: digits, and the spaces that a decrement in place leaves behind them. */
static bool parse_number(const char *digits, uint64_t size, uint64_t *number)
{
    while (size > 0 && digits[size - 1] == ' ')
        size--;
    *number = 0;
    for (uint64_t i = 0; i < size; i++) {
        if (digits[i] < '0' || digits[i] > '9' ||
            __builtin_mul_overflow(*number, UINT64_C(10), number) ||
            __builtin_add_overflow(*number, (uint64_t)(digits[i] - '0'), number))
            return false;
    }
    return size > 0;
}

static void end_answer(struct mcm_conn *conn, enum mcm_outcome outcome)
{
    finish_first(conn, outcome);
    mcm_reader_reset(&conn->reader);
    conn->phase = MCM_CONN_LINE;
}

/* The value and its CRLF are complete. */
static void end_value(struct mcm_conn *conn)
{
    struct mcm_op *op = conn->first;
    if (op->text != NULL) {
        conn->phase = MCM_CONN_LINE;
        op->text->on_value(op->text, op);
        return;
    }
    if (op->value_size > op->buffer_size && op->command != MCM_COMMAND_ARITH) {
        end_answer(conn, MCM_E_BUFFER);
        return;
    }
    if (op->command == MCM_COMMAND_ARITH &&
        (op->value_size > op->buffer_size ||
         !parse_number(op->buffer, op->value_size, &op->number))) {
        mcm_conn_fail(conn, MCM_E_PROTOCOL, 0);
        return;
    }
    end_answer(conn, MCM_OK);
}

/*
 * An error line ends its operation; whether the connection goes on depends on what the server can
 * have done with the data block, and on whether we could tell.
 */
static void end_error_line(struct mcm_conn *conn, const struct mcm_response *response)
{
    struct mcm_op *op = conn->first;
    bool keep = op->bytes_sent == op->bytes_total;
    enum mcm_outcome outcome = MCM_E_SERVER;
    memcpy(op->error, response->text, sizeof(op->error));
    if (response->status == MCM_STATUS_CLIENT_ERROR) {
        /* After a refused store some servers execute the data block as commands. */
        outcome = MCM_E_CLIENT;
        keep = keep && op->command != MCM_COMMAND_SET && !op->raw;
    } else if (response->status == MCM_STATUS_ERROR) {
        /* Not from a request of ours: "ERROR Too many open connections", or not a memcached. */
        keep = false;
    } else if (strstr(op->error, "too large") != NULL) {
        outcome = MCM_E_REJECTED;
    }
    if (op->quiet) {
        conn->run_outcome = outcome;
        memcpy(conn->run_text, op->error, sizeof(conn->run_text));
        mcm_reader_reset(&conn->reader);
    } else {
        end_answer(conn, outcome);
    }
    if (!keep)
        mcm_conn_fail(conn, op->quiet ? outcome : MCM_E_PROTOCOL, 0);
}

static bool has_right_token(const struct mcm_conn *conn, const struct mcm_op *op,
                            const struct mcm_response *response)
{
    if (!(conn->verify || op->quiet) || op->command == MCM_COMMAND_NOOP)
        return true;
    return response->opaque_size == MCM_OPAQUE_SIZE &&
           memcmp(response->opaque, op->opaque, MCM_OPAQUE_SIZE) == 0;
}

static enum mcm_outcome judge_answer(const struct mcm_conn *conn, const struct mcm_op *op,
                                     const struct mcm_response *response)
{
    enum mcm_outcome outcome = answers[op->command][response->status];
    if (op->bytes_sent < op->bytes_total || !has_right_token(conn, op, response))
        return NOT_AN_ANSWER;
    bool has_value = response->status == MCM_STATUS_VA;
    if (outcome == MCM_OK && op->wants_value != has_value && !(op->may_omit_value && !has_value))
        return NOT_AN_ANSWER;
    return outcome;
}

/* The first operation kept silence, which was its answer. */
static void finish_silent(struct mcm_conn *conn)
{
    struct mcm_op *op = conn->first;
    enum mcm_outcome outcome = op->command == MCM_COMMAND_GET ? MCM_MISS : MCM_OK;
    if (conn->run_outcome != MCM_OK) {
        outcome = conn->run_outcome;
        memcpy(op->error, conn->run_text, sizeof(op->error));
    }
    finish_first(conn, outcome);
}

static bool is_meant(const struct mcm_conn *conn, const struct mcm_op *op,
                     const struct mcm_response *response)
{
    if (op->bytes_sent < op->bytes_total)
        return false;
    if (op->command == MCM_COMMAND_NOOP)
        return response->status == MCM_STATUS_MN;
    return response->status != MCM_STATUS_MN && has_right_token(conn, op, response);
}

/* All quiet operations before the one that the answer is for are done. When it is for none, it is
 * left to judge_answer() to say so. */
static void skip_silent(struct mcm_conn *conn, const struct mcm_response *response)
{
    struct mcm_op *op = conn->first;
    while (op != NULL && op->quiet && !is_meant(conn, op, response))
        op = op->next;
    if (op == NULL || !is_meant(conn, op, response))
        return;
    while (conn->first != op)
        finish_silent(conn);
    if (!op->quiet)
        conn->run_outcome = MCM_OK;
}

static void copy_flags(struct mcm_op *op, const struct mcm_response *response)
{
    op->cas = response->cas;
    op->client_flags = response->client_flags;
    op->ttl = response->ttl;
    op->item_size = response->item_size;
    op->last_access = response->last_access;
    op->hit_before = response->hit_before;
    op->won = response->seen & MCM_RESPONSE_SEEN('W');
    op->stale = response->seen & MCM_RESPONSE_SEEN('X');
    op->taken = response->seen & MCM_RESPONSE_SEEN('Z');
}

static void begin_value(struct mcm_conn *conn)
{
    conn->value_got = 0;
    conn->value_end_size = 0;
    conn->phase = conn->first->value_size > 0 ? MCM_CONN_VALUE : MCM_CONN_VALUE_END;
}

static void end_line(struct mcm_conn *conn)
{
    const struct mcm_response *response = &conn->reader.response;
    if (response->status >= MCM_STATUS_ERROR) {
        end_error_line(conn, response);
        return;
    }
    if (conn->first->quiet)
        skip_silent(conn, response);
    struct mcm_op *op = conn->first;
    enum mcm_outcome outcome = judge_answer(conn, op, response);
    if (outcome == NOT_AN_ANSWER) {
        mcm_conn_fail(conn, MCM_E_PROTOCOL, 0);
        return;
    }
    copy_flags(op, response);
    if (response->status != MCM_STATUS_VA) {
        end_answer(conn, outcome);
        return;
    }
    op->value_size = response->value_size;
    if (op->reserve != NULL)
        op->reserve(op);
    begin_value(conn);
}

/* Whether the value in progress is kept, or counted and dropped because it does not fit. */
static bool keeps_value(const struct mcm_op *op)
{
    return op->value_size <= op->buffer_size;
}

static void value_arrived(struct mcm_conn *conn, size_t size)
{
    conn->value_got += size;
    if (conn->value_got == conn->first->value_size)
        conn->phase = MCM_CONN_VALUE_END;
}

static bool is_error_line(const char *line)
{
    return strncmp(line, "ERROR", 5) == 0 || strncmp(line, "CLIENT_ERROR", 12) == 0 ||
           strncmp(line, "SERVER_ERROR", 12) == 0;
}

/* A line of a classic answer is complete. */
static void end_text_line(struct mcm_conn *conn, char *line)
{
    struct mcm_op *op = conn->first;
    size_t used;
    if (op->bytes_sent == op->bytes_total && !is_error_line(line)) {
        switch (op->text->on_line(op->text, op, line)) {
        case MCM_TEXT_LINE: return;
        case MCM_TEXT_VALUE: begin_value(conn); return;
        case MCM_TEXT_DONE: end_answer(conn, op->text->outcome); return;
        case MCM_TEXT_BAD: break;
        }
    } else if (mcm_reader_feed(&conn->reader, line, strlen(line), &used) == MCM_READER_MORE &&
               mcm_reader_feed(&conn->reader, "\n", 1, &used) == MCM_READER_DONE &&
               conn->reader.response.status >= MCM_STATUS_ERROR) {
        end_error_line(conn, &conn->reader.response);
        return;
    }
    mcm_conn_fail(conn, MCM_E_PROTOCOL, 0);
}

static size_t take_text(struct mcm_conn *conn, const char *data, size_t size)
{
    struct mcm_op *op = conn->first;
    struct mcm_text *text = op->text;
    if (text->on_bytes != NULL && text->line_size == 0 && op->bytes_sent == op->bytes_total) {
        size_t used = text->on_bytes(text, op, data, size);
        if (used > 0)
            return used;
    }
    const char *end = memchr(data, '\n', size);
    size_t part = end != NULL ? (size_t)(end - data) + 1 : size;
    if (part > sizeof(text->line) - text->line_size) {
        mcm_conn_fail(conn, MCM_E_PROTOCOL, 0);
        return part;
    }
    memcpy(text->line + text->line_size, data, part);
    text->line_size += part;
    if (end == NULL)
        return part;
    size_t length = text->line_size - 1;
    if (length > 0 && text->line[length - 1] == '\r')
        length--;
    text->line[length] = '\0';
    text->line_size = 0;
    end_text_line(conn, text->line);
    return part;
}

static size_t take_line(struct mcm_conn *conn, const char *data, size_t size)
{
    size_t used;
    if (conn->first->text != NULL)
        return take_text(conn, data, size);
    if (conn->reader.line_size == 0 && mcm_reader_take_line(&conn->reader, data, size, &used)) {
        end_line(conn);
        return used;
    }
    switch (mcm_reader_feed(&conn->reader, data, size, &used)) {
    case MCM_READER_MORE: break;
    case MCM_READER_DONE: end_line(conn); break;
    case MCM_READER_BAD: mcm_conn_fail(conn, MCM_E_PROTOCOL, 0); break;
    }
    return used;
}

static size_t take_value(struct mcm_conn *conn, const char *data, size_t size)
{
    struct mcm_op *op = conn->first;
    uint64_t left = op->value_size - conn->value_got;
    size_t part = size < left ? size : (size_t)left;
    if (keeps_value(op))
        memcpy(op->buffer + conn->value_got, data, part);
    value_arrived(conn, part);
    return part;
}

static size_t take_value_end(struct mcm_conn *conn, const char *data)
{
    if (data[0] != "\r\n"[conn->value_end_size])
        mcm_conn_fail(conn, MCM_E_PROTOCOL, 0);
    else if (++conn->value_end_size == 2)
        end_value(conn);
    return 1;
}

unsigned mcm_conn_read_target(const struct mcm_conn *conn, void *spill, size_t spill_size,
                              struct iovec pieces[2])
{
    unsigned count = 0;
    const struct mcm_op *op = conn->first;
    if (op != NULL && conn->phase == MCM_CONN_VALUE && keeps_value(op)) {
        pieces[count].iov_base = op->buffer + conn->value_got;
        pieces[count++].iov_len = (size_t)(op->value_size - conn->value_got);
    }
    pieces[count].iov_base = spill;
    pieces[count++].iov_len = spill_size;
    return count;
}

void mcm_conn_fed(struct mcm_conn *conn, const void *spill, size_t size)
{
    if (conn->first != NULL && conn->phase == MCM_CONN_VALUE && keeps_value(conn->first)) {
        uint64_t left = conn->first->value_size - conn->value_got;
        size_t direct = size < left ? size : (size_t)left;
        value_arrived(conn, direct);
        size -= direct;
    }
    mcm_conn_feed(conn, spill, size);
}

void mcm_conn_feed(struct mcm_conn *conn, const void *received, size_t size)
{
    const char *data = received;
    while (size > 0 && !conn->broken) {
        size_t used = 0;
        if (conn->first == NULL) {
            /* Nobody asked for this. */
            conn->broken = true;
            return;
        }
        conn->first->answer_begun = true;
        switch (conn->phase) {
        case MCM_CONN_LINE: used = take_line(conn, data, size); break;
        case MCM_CONN_VALUE: used = take_value(conn, data, size); break;
        case MCM_CONN_VALUE_END: used = take_value_end(conn, data); break;
        }
        data += used;
        size -= used;
    }
}

void mcm_conn_replace(struct mcm_conn *conn, struct mcm_op *op, struct mcm_op *heir)
{
    assert(op->bytes_sent == op->bytes_total && op->outcome == MCM_OUTCOME_COUNT);
    struct mcm_op **place = &conn->first, *previous = NULL;
    while (*place != op) {
        previous = *place;
        place = &previous->next;
    }
    *heir = *op;
    /* Without a buffer the rest of a value is counted and dropped. */
    heir->buffer = op->command == MCM_COMMAND_ARITH ? heir->digits : NULL;
    heir->buffer_size = op->command == MCM_COMMAND_ARITH ? sizeof(heir->digits) : 0;
    *place = heir;
    if (conn->last == op)
        conn->last = heir;
    op->next = NULL;
}

struct mcm_op *mcm_conn_next_done(struct mcm_conn *conn)
{
    struct mcm_op *op = conn->done_first;
    if (op != NULL) {
        conn->done_first = op->next;
        if (conn->done_first == NULL)
            conn->done_last = NULL;
        op->next = NULL;
    }
    return op;
}

bool mcm_conn_is_reusable(const struct mcm_conn *conn)
{
    return !conn->broken && conn->first == NULL;
}
