/* SPDX-License-Identifier: MIT */
/* Requests that no memcached may accept, and that must not disturb those after them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "load/operation.h"

#define TOO_LARGE ((size_t)1024 * 1024 + 1) /* above the item limit of a default memcached */

/* Whether this is what a refusal looks like; anything else but success is an ordinary failure. */
static bool is_refusal(enum outcome outcome)
{
    return outcome == OUTCOME_INVALID || outcome == OUTCOME_CLIENT_ERROR ||
           outcome == OUTCOME_SERVER_ERROR || outcome == OUTCOME_TOO_LARGE;
}

static enum outcome judge(struct session *s, const char *what, enum outcome outcome)
{
    if (is_refusal(outcome))
        return OUTCOME_REJECTED;
    if (!outcome_is_success(outcome))
        return outcome;
    evidence_add(s->evidence, "worker %u: %s was answered with \"%s\"", s->worker, what,
                 outcome_text(outcome));
    return OUTCOME_ACCEPTED;
}

static enum outcome increment_text(struct session *s)
{
    static const char text[] = "no number";
    char key[40];
    struct driver_result result = {0};
    int n = snprintf(key, sizeof key, "poison-worker%u", s->worker);
    struct operation o = operation_begin(s, OP_SET, key, (size_t)n);
    s->driver->set(s->handle, key, (size_t)n, text, sizeof text - 1, 0, o.deadline_ns, &result);
    operation_note(&o, sizeof text - 1, 1, result.connection);
    if (operation_end(s, &o, ns_now(), result.outcome, result.node) != OUTCOME_STORED)
        return result.outcome;
    uint64_t delta = 1 + rng_below(&s->rng, 1000);
    o = operation_begin(s, OP_INCREMENT, key, (size_t)n);
    s->driver->increment(s->handle, key, (size_t)n, delta, 0, o.deadline_ns, &result);
    ns_t end = ns_now();
    enum outcome outcome = result.outcome;
    /* A cache may have forgotten the text; then the increment makes a counter. */
    if (outcome != OUTCOME_OK || result.number != delta)
        outcome = judge(s, "an increment of a text", outcome);
    operation_note(&o, 0, 1, result.connection);
    return operation_end(s, &o, end, outcome, result.node);
}

static enum outcome get_bad_key(struct session *s, const char *what, const char *key)
{
    struct driver_result result = {0};
    struct operation o = operation_begin(s, OP_GET, key, strlen(key));
    s->driver->get(s->handle, key, strlen(key), s->value, s->value_cap, o.deadline_ns, &result);
    ns_t end = ns_now();
    operation_note(&o, 0, 1, result.connection);
    return operation_end(s, &o, end, judge(s, what, result.outcome), result.node);
}

static enum outcome set_too_large(struct session *s)
{
    static const char zeros[TOO_LARGE];
    char key[40];
    struct driver_result result = {0};
    int n = snprintf(key, sizeof key, "poison-large-worker%u", s->worker);
    struct operation o = operation_begin(s, OP_SET, key, (size_t)n);
    s->driver->set(s->handle, key, (size_t)n, zeros, sizeof zeros, 0, o.deadline_ns, &result);
    ns_t end = ns_now();
    operation_note(&o, sizeof zeros, 1, result.connection);
    return operation_end(s, &o, end, judge(s, "a value above 1 MiB", result.outcome), result.node);
}

enum outcome session_poison(struct session *s, enum poison poison)
{
    char long_key[KEY_SIZE_MAX + 2];
    switch (poison) {
    case POISON_KEY_TOO_LONG:
        memset(long_key, 'k', sizeof long_key - 1);
        long_key[sizeof long_key - 1] = '\0';
        return get_bad_key(s, "a key of 251 bytes", long_key);
    case POISON_KEY_WITH_SPACE: return get_bad_key(s, "a key with a space", "poison key");
    case POISON_VALUE_TOO_LARGE: return set_too_large(s);
    case POISON_INCREMENT_TEXT:
    case POISON_COUNT: break;
    }
    return increment_text(s);
}
