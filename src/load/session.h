/* SPDX-License-Identifier: MIT */
/*
 * One worker's view of the client: calls that make one operation, judge its answer and record it. A
 * workload is straight-line code on these. One thread uses a session.
 */
#ifndef LOAD_SESSION_H
#define LOAD_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "driver/driver.h"
#include "load/evidence.h"
#include "load/load.h"
#include "load/op_sink.h"
#include "metrics/recorder.h"

#define SESSION_BATCH_MAX 64 /* keys of one batch */

struct session_batch;

struct session {
    const struct driver *driver;
    void *handle; /* of the driver */
    struct load *load;
    struct recorder *recorder;
    struct evidence *evidence;
    const struct op_sink *sink; /* may be NULL */
    unsigned worker;
    ns_t timeout_ns; /* of every operation, from its real start */
    struct rng rng;
    ns_t intended_ns; /* of the next operation; NS_NEVER = when it really starts */
    bool failed;      /* the last operation did */
    int stop_fd;      /* readable: pauses end */
    char *value;      /* what is written and read */
    size_t value_cap;
    struct session_batch *batch;
};

/* Allocates the buffers; the rest is filled in by the caller. Returns -1 without memory. */
int session_init(struct session *session, const struct load *load);
void session_deinit(struct session *session);

/* A key from the key space: to write, and to read (which may be one that nobody writes, as the hit
 * ratio wants it). */
void session_write_key(struct session *session, struct key *out);
void session_read_key(struct session *session, struct key *out);

/* These return the outcome they recorded. Values have sizes from the load's distribution. */
enum outcome session_get(struct session *session, const struct key *key);
enum outcome session_set(struct session *session, const struct key *key, uint32_t ttl_s);
/* A get of a drawn key in `get_percent` of 100 calls, else a set. */
void session_get_or_set(struct session *session, unsigned get_percent, uint32_t ttl_s);
enum outcome session_add(struct session *session, const struct key *key, uint32_t ttl_s);
enum outcome session_delete(struct session *session, const struct key *key);

/* Counters, by number. */
enum outcome session_increment(struct session *session, uint32_t counter, uint64_t delta);
enum outcome session_counter_get(struct session *session, uint32_t counter);

/*
 * Many keys in one call, at most SESSION_BATCH_MAX; a set stops where the values get too large for
 * its buffer. It counts as one operation for every node it went to, with the worst of the outcomes
 * there. One operation per key when the driver has no such call.
 */
void session_multi_get(struct session *session, const struct key *keys, size_t count);
void session_multi_set(struct session *session, const struct key *keys, size_t count,
                       uint32_t ttl_s);

/* Requests that must be refused: OUTCOME_REJECTED when they are, OUTCOME_ACCEPTED when not. */
enum poison {
    POISON_INCREMENT_TEXT, /* a value that is no number */
    POISON_KEY_TOO_LONG,
    POISON_KEY_WITH_SPACE,
    POISON_VALUE_TOO_LARGE,
    POISON_COUNT,
};
enum outcome session_poison(struct session *session, enum poison poison);

/* Does nothing for so long; ends early when the run does. */
void session_pause(struct session *session, ns_t length);

/* Sleeps until `when`, or until `stop_fd` is readable. */
void pause_until(int stop_fd, ns_t when);

/* Stores key number `first` and every `step`-th after it, not recorded. Returns how many could not
 * be stored; gives up when `give_up` comes true. */
uint32_t session_prefill(struct session *session, uint32_t first, uint32_t step,
                         const _Atomic bool *give_up);

#endif
