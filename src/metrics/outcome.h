/* SPDX-License-Identifier: MIT */
/*
 * What an operation was and how it ended: the one vocabulary of every driver, counter and report.
 *
 * Classes: an OK outcome is an answer of a living server, whatever it says (a miss is an answer).
 * A FAILED one is an operation without a usable answer. WRONG is an answer that lies: it also
 * counts as failed, and one of them fails the whole run. A NEUTRAL one was given up by ourselves
 * (end of the run) and is neither success nor failure.
 *
 * A new operation or outcome is one line here; names are part of the file formats and never change.
 */
#ifndef METRICS_OUTCOME_H
#define METRICS_OUTCOME_H

#include <stdbool.h>

/* X(identifier, name) */
#define OPS(X)                \
    X(GET, "get")             \
    X(SET, "set")             \
    X(DELETE, "delete")       \
    X(INCREMENT, "increment") \
    X(ADD, "add")             \
    X(MULTI_GET, "multi_get") \
    X(MULTI_SET, "multi_set")

enum op {
#define X(id, name) OP_##id,
    OPS(X)
#undef X
        OP_COUNT,
};

enum outcome_class {
    OUTCOME_CLASS_OK,
    OUTCOME_CLASS_NEUTRAL,
    OUTCOME_CLASS_FAILED,
    OUTCOME_CLASS_WRONG,
};

/* X(identifier, name, class, text) */
#define OUTCOMES(X)                                                                         \
    X(OK, "ok", OK, "done")                                                                 \
    X(HIT, "hit", OK, "the value was found")                                                \
    X(MISS, "miss", OK, "no such key")                                                      \
    X(STORED, "stored", OK, "the value was stored")                                         \
    X(NOT_STORED, "not_stored", OK, "the server declined to store")                         \
    X(EXISTS, "exists", OK, "somebody else changed the value")                              \
    X(DELETED, "deleted", OK, "the key was deleted")                                        \
    X(NOT_FOUND, "not_found", OK, "no such key to change")                                  \
    X(REJECTED, "rejected", OK, "an impossible request was refused, as it must be")         \
    X(CANCELLED, "cancelled", NEUTRAL, "given up at the end of the run")                    \
    X(INVALID, "invalid", FAILED, "the client refused the key, the value or the call")      \
    X(RESOLVE, "resolve", FAILED, "the node's address could not be resolved")               \
    X(REFUSED, "refused", FAILED, "connection refused or host unreachable")                 \
    X(CONNECT_TIMEOUT, "connect_timeout", FAILED, "no connection in time")                  \
    X(TLS, "tls", FAILED, "no secure connection could be agreed on")                        \
    X(AUTH, "auth", FAILED, "the node refused the user or the password")                    \
    X(RESET, "reset", FAILED, "connection reset by the peer")                               \
    X(CLOSED, "closed", FAILED, "connection closed before the answer")                      \
    X(CLOSED_IDLE, "closed_idle", FAILED, "a kept connection had died before it was used")  \
    X(WRITE_TIMEOUT, "write_timeout", FAILED, "the request could not be sent in time")      \
    X(IO_TIMEOUT, "io_timeout", FAILED, "no answer in time")                                \
    X(POOL_TIMEOUT, "pool_timeout", FAILED, "no free connection in time")                   \
    X(BREAKER_OPEN, "breaker_open", FAILED, "refused by the open circuit breaker")          \
    X(BREAKER_BUSY, "breaker_busy", FAILED, "refused while the breaker probes")             \
    X(PROTOCOL, "protocol", FAILED, "the answer could not be understood")                   \
    X(SERVER_ERROR, "server_error", FAILED, "the server answered SERVER_ERROR")             \
    X(TOO_LARGE, "too_large", FAILED, "the server found the value too large")               \
    X(CLIENT_ERROR, "client_error", FAILED, "the server answered CLIENT_ERROR")             \
    X(LOCAL, "local", FAILED, "this process lacked memory, descriptors or room in a queue") \
    X(OTHER, "other", FAILED, "any other error")                                            \
    X(WRONG_VALUE, "wrong_value", WRONG, "the value of another key")                        \
    X(CORRUPT, "corrupt", WRONG, "a value that nobody wrote")                               \
    X(TRUNCATED, "truncated", WRONG, "only the beginning of a value")                       \
    X(STALE, "stale", WRONG, "a value older than an acknowledged write")                    \
    X(RESURRECTED, "resurrected", WRONG, "a value that an acknowledged delete had removed") \
    X(FUTURE, "future", WRONG, "a value that nobody had written yet")                       \
    X(WRONG_COUNT, "wrong_count", WRONG, "a counter outside of what was added to it")       \
    X(ACCEPTED, "accepted", WRONG, "an impossible request that was reported as done")

enum outcome {
#define X(id, name, class, text) OUTCOME_##id,
    OUTCOMES(X)
#undef X
        OUTCOME_COUNT,
};

const char *op_name(enum op op);
/* The op called `name`, or -1. */
int op_by_name(const char *name);

const char *outcome_name(enum outcome outcome);
const char *outcome_text(enum outcome outcome);
/* The outcome called `name`, or -1. */
int outcome_by_name(const char *name);

static inline enum outcome_class outcome_class(enum outcome outcome)
{
    static const unsigned char classes[OUTCOME_COUNT] = {
#define X(id, name, class, text) [OUTCOME_##id] = OUTCOME_CLASS_##class,
        OUTCOMES(X)
#undef X
    };
    return (enum outcome_class)classes[outcome];
}

static inline bool outcome_is_success(enum outcome outcome)
{
    return outcome_class(outcome) == OUTCOME_CLASS_OK;
}

/* Wrong data is a failure too. */
static inline bool outcome_is_failure(enum outcome outcome)
{
    return outcome_class(outcome) >= OUTCOME_CLASS_FAILED;
}

static inline bool outcome_is_wrong_data(enum outcome outcome)
{
    return outcome_class(outcome) == OUTCOME_CLASS_WRONG;
}

#endif
