/* SPDX-License-Identifier: MIT */
#include "load/session.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "load/batch.h"
#include "load/operation.h"

#define READ_MIN 8192 /* bytes that any value read has room in, also those of other runs */
#define DIGITS_MAX 20

int session_init(struct session *s, const struct load *load)
{
    s->value_cap = load->spec->values.max > READ_MIN ? load->spec->values.max : READ_MIN;
    s->value = malloc(s->value_cap);
    s->batch = session_batch_new(load->spec->values.max);
    return s->value != NULL && s->batch != NULL ? 0 : -1;
}

void session_deinit(struct session *s)
{
    free(s->value);
    session_batch_free(s->batch);
}

void session_write_key(struct session *s, struct key *out)
{
    keyspace_key(&s->load->keys, keyspace_choose(&s->load->keys, &s->rng, s->worker), out);
}

void session_read_key(struct session *s, struct key *out)
{
    const struct keyspace *keys = &s->load->keys;
    double absent = s->load->spec->absent_share;
    uint32_t id = keyspace_choose(keys, &s->rng, s->worker);
    if (absent > 0 && rng_double(&s->rng) < absent)
        id += keys->stored;
    keyspace_key(keys, id, out);
}

enum outcome session_get(struct session *s, const struct key *key)
{
    struct driver_result result = {0};
    struct oracle_read read = read_begin(s, key);
    struct operation o = operation_begin(s, OP_GET, key->text, key->size);
    s->driver->get(s->handle, key->text, key->size, s->value, s->value_cap, o.deadline_ns, &result);
    ns_t end = ns_now();
    enum outcome outcome = result.outcome;
    if (outcome == OUTCOME_HIT)
        outcome = read_judge(s, key, &read, &o, result.value, result.value_size, result.node);
    operation_note(&o, result.outcome == OUTCOME_HIT ? result.value_size : 0, 1, result.connection);
    return operation_end(s, &o, end, outcome, result.node);
}

typedef void store_fn(void *worker, const char *key, size_t key_size, const void *value,
                      size_t value_size, uint32_t ttl_s, ns_t deadline,
                      struct driver_result *result);

static enum outcome store(struct session *s, const struct key *key, uint32_t ttl_s, enum op op,
                          store_fn *call)
{
    struct driver_result result = {0};
    size_t size = value_sizes_choose(&s->load->spec->values, &s->rng);
    uint64_t version = write_begin(s, key, s->value, size);
    struct operation o = operation_begin(s, op, key->text, key->size);
    call(s->handle, key->text, key->size, s->value, size, ttl_s, o.deadline_ns, &result);
    ns_t end = ns_now();
    write_end(s, key, version, &o, end, result.outcome, result.unsent);
    operation_note(&o, size, 1, result.connection);
    return operation_end(s, &o, end, result.outcome, result.node);
}

enum outcome session_set(struct session *s, const struct key *key, uint32_t ttl_s)
{
    return store(s, key, ttl_s, OP_SET, s->driver->set);
}

void session_get_or_set(struct session *s, unsigned get_percent, uint32_t ttl_s)
{
    struct key key;
    if (rng_below(&s->rng, 100) < get_percent) {
        session_read_key(s, &key);
        session_get(s, &key);
    } else {
        session_write_key(s, &key);
        session_set(s, &key, ttl_s);
    }
}

enum outcome session_add(struct session *s, const struct key *key, uint32_t ttl_s)
{
    return store(s, key, ttl_s, OP_ADD, s->driver->add);
}

enum outcome session_delete(struct session *s, const struct key *key)
{
    struct driver_result result = {0};
    struct operation o = operation_begin(s, OP_DELETE, key->text, key->size);
    s->driver->delete_(s->handle, key->text, key->size, o.deadline_ns, &result);
    ns_t end = ns_now();
    if (result.outcome == OUTCOME_DELETED || result.outcome == OUTCOME_NOT_FOUND)
        oracle_deleted(s->load->oracle, key->id, o.start_ns, end);
    operation_note(&o, 0, 1, result.connection);
    return operation_end(s, &o, end, result.outcome, result.node);
}

/* ---- counters ---- */

static enum outcome count_judge(struct session *s, const struct key *key,
                                const struct tally_op *tally, uint64_t number)
{
    uint64_t low, high;
    if (tally_end(s->load->tally, key->id, tally, number, &low, &high))
        return tally->delta > 0 ? OUTCOME_OK : OUTCOME_HIT;
    evidence_add(s->evidence,
                 "worker %u incremented \"%s\" by %" PRIu64 " and got %" PRIu64 ": %" PRIu64
                 " to %" PRIu64 " can be",
                 s->worker, key->text, tally->delta, number, low, high);
    return OUTCOME_WRONG_COUNT;
}

enum outcome session_increment(struct session *s, uint32_t counter, uint64_t delta)
{
    struct driver_result result = {0};
    struct key key;
    keyspace_counter(&s->load->keys, counter, &key);
    struct tally_op tally = tally_begin(s->load->tally, counter, delta);
    struct operation o = operation_begin(s, OP_INCREMENT, key.text, key.size);
    s->driver->increment(s->handle, key.text, key.size, delta, 0, o.deadline_ns, &result);
    ns_t end = ns_now();
    enum outcome outcome = result.outcome;
    if (outcome == OUTCOME_OK)
        outcome = count_judge(s, &key, &tally, result.number);
    else if (result.unsent)
        tally_unsent(s->load->tally, counter, &tally);
    operation_note(&o, 0, 1, result.connection);
    return operation_end(s, &o, end, outcome, result.node);
}

/* The number in a value; false when it is none. */
static bool digits_read(const char *text, size_t size, uint64_t *out)
{
    *out = 0;
    while (size > 0 && text[size - 1] == ' ') /* memcached pads a number that got shorter */
        size--;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(text[i] - '0');
    }
    return size > 0 && size < DIGITS_MAX;
}

enum outcome session_counter_get(struct session *s, uint32_t counter)
{
    struct driver_result result = {0};
    struct key key;
    uint64_t number;
    keyspace_counter(&s->load->keys, counter, &key);
    struct tally_op tally = tally_begin(s->load->tally, counter, 0);
    struct operation o = operation_begin(s, OP_GET, key.text, key.size);
    s->driver->get(s->handle, key.text, key.size, s->value, s->value_cap, o.deadline_ns, &result);
    ns_t end = ns_now();
    enum outcome outcome = result.outcome;
    if (outcome == OUTCOME_HIT && digits_read(result.value, result.value_size, &number)) {
        outcome = count_judge(s, &key, &tally, number);
    } else if (outcome == OUTCOME_HIT) {
        outcome = OUTCOME_CORRUPT;
        evidence_add(s->evidence,
                     "worker %u asked for the counter \"%s\" and got %zu bytes that "
                     "are no number",
                     s->worker, key.text, result.value_size);
    }
    operation_note(&o, result.outcome == OUTCOME_HIT ? result.value_size : 0, 1, result.connection);
    return operation_end(s, &o, end, outcome, result.node);
}

/* ---- pauses ---- */

void pause_until(int stop_fd, ns_t when)
{
    ns_t left = when - ns_now();
    if (left <= 0)
        return;
    struct timespec timeout = ns_to_timespec(left);
    struct pollfd pfd = {.fd = stop_fd, .events = POLLIN};
    ppoll(&pfd, 1, &timeout, NULL);
}

void session_pause(struct session *s, ns_t length)
{
    pause_until(s->stop_fd, ns_add(ns_now(), length));
}
