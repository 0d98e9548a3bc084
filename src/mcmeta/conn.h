/* SPDX-License-Identifier: MIT */
/*
 * One connection as a state machine without I/O: requests go in as operations, bytes go out and
 * come in through buffers of the caller, finished operations come out.
 *
 *     submit -> [waiting to be sent] -> [in flight] -> done -> mcm_conn_next_done()
 *
 * Answers come in request order. Everything that could put request and answer out of step is
 * checked here: an answer must be legal for its command, repeat the token of its request when
 * `verify` is on, and have exactly the announced size. When a check fails, or the caller reports
 * that the connection is lost, all operations end and the connection is broken for good: it takes
 * no further operation and must be closed.
 *
 * A connection owns no buffer; values go straight into the memory of their operation. Not
 * thread-safe. The operations belong to the caller and must live until they are done.
 */
#ifndef MCMETA_CONN_H
#define MCMETA_CONN_H

#include <sys/uio.h>

#include "mcmeta/request.h"
#include "mcmeta/response.h"

/* One request and its answer. Filled by mcm_op_init(), read after it is done. */
struct mcm_op {
    struct mcm_op *next; /* the connection's */
    void *owner;         /* of whoever submits it; not looked at here */

    enum mcm_command command;
    bool wants_value;
    bool may_omit_value; /* though it was asked for */
    bool has_block;      /* `value` and CRLF follow the line */
    bool raw;            /* the flags are the caller's: a refusal may have any reason */
    /*
     * The server says nothing when all is well. Such an operation always repeats its token, is
     * followed by others like it and at last by mn, and is done when a later one is answered. An
     * error line does not say whose it is, so it becomes the outcome of all that are left of the
     * run.
     */
    bool quiet;
    struct mcm_slice value; /* to store; referenced until the operation is done */
    char *buffer;           /* where a fetched value goes; the caller's */
    size_t buffer_size;
    /* Called when a value of `value_size` begins, to find a buffer for it; or NULL. */
    void (*reserve)(struct mcm_op *op);
    struct mcm_text *text; /* reader of the answer to a classic line; NULL for the meta protocol */

    size_t line_size;
    size_t bytes_sent; /* of line, value and CRLF; the kernel took so many */
    size_t bytes_total;
    char opaque[MCM_OPAQUE_SIZE];

    bool answer_begun; /* some byte of the answer was received */

    enum mcm_outcome outcome; /* MCM_OUTCOME_COUNT until done */
    int sys_errno;
    uint64_t value_size;
    uint64_t number;
    uint64_t cas;
    uint32_t client_flags;
    int64_t ttl;
    uint64_t item_size;
    uint64_t last_access;
    bool hit_before, won, stale, taken;
    char error[MCM_TEXT_SIZE]; /* the line of the server that refused it */

    char digits[24]; /* the buffer of ma */
    char line[MCM_REQUEST_LINE_MAX];
};

/* Longest line of a classic answer. */
#define MCM_TEXT_LINE_MAX 1024

/* What follows a line of a classic answer. */
enum mcm_text_next { MCM_TEXT_LINE, MCM_TEXT_VALUE, MCM_TEXT_DONE, MCM_TEXT_BAD };

/* Reads the answer to a classic request, line by line. Error lines never come here. */
struct mcm_text {
    /*
     * The short way, tried between lines: takes what is plain and complete at the beginning of
     * `data` and says how much that was, 0 to leave it to on_line(). Or NULL.
     */
    size_t (*on_bytes)(struct mcm_text *text, struct mcm_op *op, const char *data, size_t size);
    /* VALUE: it has set value_size, buffer and buffer_size of the op; DONE: and `outcome`. */
    enum mcm_text_next (*on_line)(struct mcm_text *text, struct mcm_op *op, char *line);
    /* The value is complete; or NULL. */
    void (*on_value)(struct mcm_text *text, struct mcm_op *op);
    enum mcm_outcome outcome;
    size_t line_size;
    char line[MCM_TEXT_LINE_MAX];
};

/* What the next received byte belongs to. */
enum mcm_conn_phase { MCM_CONN_LINE, MCM_CONN_VALUE, MCM_CONN_VALUE_END };

struct mcm_stream;

struct mcm_conn {
    struct mcm_stream *stream; /* not looked at here: what wraps the bytes, or NULL */
    bool verify;
    bool broken;
    uint32_t sends, receives;    /* system calls, of whoever does them; not looked at here */
    uint32_t sequence;           /* of the next opaque token */
    struct mcm_op *first, *last; /* not yet answered, in order */
    struct mcm_op *unsent;       /* the first of them with bytes to send */
    struct mcm_op *done_first, *done_last;

    enum mcm_conn_phase phase;
    unsigned value_end_size; /* bytes of the CRLF behind the value in progress */
    uint64_t value_got;      /* bytes of that value */
    struct mcm_reader reader;

    enum mcm_outcome run_outcome; /* of the quiet run, once an error line came; else MCM_OK */
    char run_text[MCM_TEXT_SIZE];
};

/* `sequence` is where the opaque tokens begin: different for each connection, so that an answer
 * that strayed from another one is noticed too. */
void mcm_conn_init(struct mcm_conn *conn, bool verify, uint32_t sequence);

/* Prepares an operation for `request`; a fetched value goes to `buffer`. */
void mcm_op_init(struct mcm_op *op, const struct mcm_request *request, void *buffer,
                 size_t buffer_size);

/* Appends an operation. The connection must not be broken. The request is the one given to
 * mcm_op_init(). */
void mcm_conn_submit(struct mcm_conn *conn, struct mcm_op *op, const struct mcm_request *request);

/* Up to `max` pieces to send, 0 when nothing is waiting. */
unsigned mcm_conn_want_write(const struct mcm_conn *conn, struct iovec *pieces, unsigned max);

/* The first `size` bytes of what want_write() gave were taken by the kernel. */
void mcm_conn_wrote(struct mcm_conn *conn, size_t size);

/*
 * Where to put received bytes: the rest of a value in progress, if there is one, then `spill`.
 * Returns the number of pieces, 1 or 2.
 */
unsigned mcm_conn_read_target(const struct mcm_conn *conn, void *spill, size_t spill_size,
                              struct iovec pieces[2]);

/* `size` bytes were received into the pieces of read_target(), which was called with this spill. */
void mcm_conn_fed(struct mcm_conn *conn, const void *spill, size_t size);

/* As mcm_conn_fed(), with all bytes in `data`: the caller did not ask where to put them. */
void mcm_conn_feed(struct mcm_conn *conn, const void *data, size_t size);

/*
 * Puts `heir` in the place of `op`, which was sent whole and is not done: the rest of the answer
 * goes to it and the caller may free `op`. What was kept of a value is lost.
 */
void mcm_conn_replace(struct mcm_conn *conn, struct mcm_op *op, struct mcm_op *heir);

/* The connection is lost or given up: every operation that is not done ends with `outcome`. */
void mcm_conn_fail(struct mcm_conn *conn, enum mcm_outcome outcome, int sys_errno);

/* The oldest finished operation, or NULL. */
struct mcm_op *mcm_conn_next_done(struct mcm_conn *conn);

/* Nothing is in flight and nothing went wrong: it may serve somebody else. */
bool mcm_conn_is_reusable(const struct mcm_conn *conn);

#endif
