/* SPDX-License-Identifier: MIT */
/*
 * Words shared by all headers of libmcmeta: time, slices, and the outcome of a request.
 *
 * Every request ends in exactly one outcome. A miss is not an error: the first outcomes are the
 * normal answers of a server that works. The others say which part failed, finely enough to tell
 * a refused connection from one that was reset, and a server that is slow from a pool that is
 * too small. Rules (retry, circuit breaker) are written on classes and counts, not on single
 * outcomes.
 */
#ifndef MCMETA_TYPES_H
#define MCMETA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcmeta/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nanoseconds on CLOCK_MONOTONIC, or a span of nanoseconds. */
typedef int64_t mcm_ns;

/* A deadline that never comes. */
#define MCM_NS_NEVER INT64_MAX

/* Bytes that belong to somebody else. Any byte value is allowed, there is no terminator. */
struct mcm_slice {
    const void *data;
    size_t size;
};

/* The domain of an outcome. */
enum mcm_class {
    MCM_CLASS_ANSWER,   /* the server gave a normal answer */
    MCM_CLASS_CALLER,   /* the request cannot be sent as it is; nothing was sent */
    MCM_CLASS_LOCAL,    /* this process lacks something: a free connection, memory, descriptors */
    MCM_CLASS_STOPPED,  /* the caller cancelled, or the client is being freed */
    MCM_CLASS_REFUSED,  /* the circuit breaker kept the request back */
    MCM_CLASS_CONNECT,  /* no connection could be made */
    MCM_CLASS_IO,       /* a connection was lost or did not answer in time */
    MCM_CLASS_PROTOCOL, /* the server sent something that is not an answer to the request */
    MCM_CLASS_SERVER    /* the server answered with an error line */
};

/*
 * How an outcome counts for the circuit breaker of its server. One exception: a timeout of a call
 * that waited for a connection for more than half of its time is excluded.
 */
enum mcm_count {
    MCM_COUNT_SUCCESS,  /* the server is alive */
    MCM_COUNT_FAILURE,  /* the server, or the way to it, failed */
    MCM_COUNT_EXCLUDED, /* says nothing about the server; frees the half-open slot */
    MCM_COUNT_NONE      /* the breaker was not asked, or refused itself */
};

/*
 * X(id, name, class, count, text): MCM_<id> is the constant, name the short word for logs,
 * metrics and JSON, text a sentence for people.
 */
#define MCM_OUTCOMES(X)                                                                            \
    X(OK, "ok", ANSWER, SUCCESS, "done")                                                           \
    X(MISS, "miss", ANSWER, SUCCESS, "the server has no such item")                                \
    X(NOT_FOUND, "not_found", ANSWER, SUCCESS, "there was no such item to change")                 \
    X(NOT_STORED, "not_stored", ANSWER, SUCCESS, "the condition of the store was not met")         \
    X(EXISTS, "exists", ANSWER, SUCCESS, "the item was changed by somebody else")                  \
    X(E_KEY, "key_invalid", CALLER, EXCLUDED, "the key is empty, too long or has a bad byte")      \
    X(E_ARG, "arg_invalid", CALLER, EXCLUDED, "an argument of the call is not valid")              \
    X(E_TOO_BIG, "too_big", CALLER, EXCLUDED, "the value exceeds the configured limit")            \
    X(E_BUFFER, "buffer_too_small", CALLER, SUCCESS, "the value does not fit the caller's buffer") \
    X(E_TIMEOUT_POOL, "timeout_pool", LOCAL, EXCLUDED,                                             \
      "the deadline passed before a connection was free")                                          \
    X(E_WAITERS, "waiters_full", LOCAL, EXCLUDED, "too many calls wait for a connection already")  \
    X(E_NO_MEMORY, "no_memory", LOCAL, EXCLUDED, "out of memory")                                  \
    X(E_SYSTEM, "system", LOCAL, EXCLUDED, "the system refused a socket")                          \
    X(E_CANCELLED, "cancelled", STOPPED, EXCLUDED, "the call was interrupted")                     \
    X(E_SHUTDOWN, "shutdown", STOPPED, EXCLUDED, "the client is being closed")                     \
    X(E_BREAKER_OPEN, "breaker_open", REFUSED, NONE, "the circuit breaker is open")                \
    X(E_BREAKER_BUSY, "breaker_busy", REFUSED, NONE,                                               \
      "the circuit breaker is half-open and its trial requests are in flight")                     \
    X(E_RESOLVE, "resolve", CONNECT, FAILURE, "the server's address could not be resolved")        \
    X(E_CONNECT_REFUSED, "connect_refused", CONNECT, FAILURE, "the connection was refused")        \
    X(E_CONNECT_TIMEOUT, "connect_timeout", CONNECT, FAILURE,                                      \
      "the connection was not made in time")                                                       \
    X(E_CONNECT, "connect_failed", CONNECT, FAILURE, "the connection could not be made")           \
    X(E_RESET, "reset", IO, FAILURE, "the connection was reset")                                   \
    X(E_CLOSED, "closed", IO, FAILURE, "the server closed the connection")                         \
    X(E_CLOSED_IDLE, "closed_idle", IO, EXCLUDED,                                                  \
      "a kept connection had died and the request cannot safely be sent again")                    \
    X(E_TIMEOUT_WRITE, "timeout_write", IO, FAILURE, "the request was not accepted in time")       \
    X(E_TIMEOUT_READ, "timeout_read", IO, FAILURE, "the answer did not come in time")              \
    X(E_PROTOCOL, "protocol", PROTOCOL, FAILURE,                                                   \
      "the server sent something that does not answer the request")                                \
    X(E_CLIENT, "client_error", SERVER, SUCCESS, "the server called the request wrong")            \
    X(E_REJECTED, "object_too_large", SERVER, EXCLUDED,                                            \
      "the server found the value too large and dropped the old one")                              \
    X(E_SERVER, "server_error", SERVER, FAILURE, "the server reported an error of its own")

enum mcm_outcome {
#define MCM_OUTCOME_ID(id, name, class_, count, text) MCM_##id,
    MCM_OUTCOMES(MCM_OUTCOME_ID)
#undef MCM_OUTCOME_ID
        MCM_OUTCOME_COUNT
};

/* The short word, for example "timeout_read"; "unknown" for a number that is no outcome. */
MCM_API const char *mcm_outcome_name(enum mcm_outcome outcome);

/* A sentence for people, without full stop. */
MCM_API const char *mcm_outcome_text(enum mcm_outcome outcome);

MCM_API enum mcm_class mcm_outcome_class(enum mcm_outcome outcome);

MCM_API enum mcm_count mcm_outcome_count(enum mcm_outcome outcome);

/* Whether the server gave a normal answer: a hit, a miss, a condition that was not met. */
static inline bool mcm_outcome_is_answer(enum mcm_outcome outcome)
{
    return outcome <= MCM_EXISTS;
}

#ifdef __cplusplus
}
#endif

#endif
