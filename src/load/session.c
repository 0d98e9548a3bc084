/* SPDX-License-Identifier: MIT */
#include "load/session.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* What is known of the operation in hand. */
struct operation {
    enum op op;
    unsigned phase;
    ns_t intended_ns;
    ns_t start_ns;
    ns_t deadline_ns;
};

static struct operation operation_begin(struct session *s, enum op op)
{
    ns_t now = ns_now();
    struct operation o = {
        .op = op,
        .phase = recorder_phase(s->recorder),
        .intended_ns = s->intended_ns == NS_NEVER ? now : s->intended_ns,
        .start_ns = now,
        .deadline_ns = ns_add(now, s->timeout_ns),
    };
    s->intended_ns = NS_NEVER; /* a second operation of the same step starts when it starts */
    recorder_op_begin(s->recorder, s->worker, now);
    return o;
}

static void operation_end(struct session *s, const struct operation *o, ns_t end_ns,
                          enum outcome outcome, uint32_t node)
{
    recorder_op_end(s->recorder, s->worker);
    s->failed = outcome_is_failure(outcome);
    struct sample sample = {
        .op = o->op,
        .outcome = outcome,
        .node = node,
        .phase = o->phase,
        .intended_ns = o->intended_ns,
        .start_ns = o->start_ns,
        .end_ns = end_ns,
    };
    recorder_record(s->recorder, s->worker, &sample);
}

void session_get(struct session *s, const char *key)
{
    struct driver_result result;
    struct operation o = operation_begin(s, OP_GET);
    s->driver->get(s->handle, key, strlen(key), s->value, sizeof s->value, o.deadline_ns, &result);
    ns_t end = ns_now();
    enum outcome outcome = result.outcome;
    if (outcome == OUTCOME_HIT) {
        char why[200];
        outcome = value_check(result.value, result.value_size, key, why, sizeof why);
        if (outcome != OUTCOME_HIT)
            evidence_add(s->evidence, "worker %u asked node %" PRIu32 " for \"%s\" and got %s",
                         s->worker, result.node + 1, key, why);
    }
    operation_end(s, &o, end, outcome, result.node);
}

void session_set(struct session *s, const char *key, size_t filler, uint32_t ttl_s)
{
    assert(filler <= sizeof s->value - VALUE_OVERHEAD_MAX);
    size_t size = value_write(s->value, key, s->worker, s->sequence++, filler);
    struct driver_result result;
    struct operation o = operation_begin(s, OP_SET);
    s->driver->set(s->handle, key, strlen(key), s->value, size, ttl_s, o.deadline_ns, &result);
    operation_end(s, &o, ns_now(), result.outcome, result.node);
}

void session_delete(struct session *s, const char *key)
{
    struct driver_result result;
    struct operation o = operation_begin(s, OP_DELETE);
    s->driver->delete_(s->handle, key, strlen(key), o.deadline_ns, &result);
    operation_end(s, &o, ns_now(), result.outcome, result.node);
}

void session_increment(struct session *s, const char *key, uint64_t delta, uint32_t ttl_s)
{
    struct driver_result result;
    struct operation o = operation_begin(s, OP_INCREMENT);
    s->driver->increment(s->handle, key, strlen(key), delta, ttl_s, o.deadline_ns, &result);
    ns_t end = ns_now();
    enum outcome outcome = result.outcome;
    if (outcome == OUTCOME_OK && result.number < delta) { /* it starts at delta and only grows */
        evidence_add(s->evidence, "worker %u incremented \"%s\" by %" PRIu64 " and got %" PRIu64,
                     s->worker, key, delta, result.number);
        outcome = OUTCOME_CORRUPT;
    }
    operation_end(s, &o, end, outcome, result.node);
}
