/* SPDX-License-Identifier: MIT */
#include "driver/slot.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TO(state) (1U << SLOT_##state)

static const unsigned next_states[SLOT_STATE_COUNT] = {
    [SLOT_FREE] = TO(SENT),
    [SLOT_SENT] = TO(BEGUN) | TO(ENDED) | TO(LOST) | TO(ABANDONED) | TO(FREE),
    [SLOT_BEGUN] = TO(ENDED) | TO(LOST) | TO(ABANDONED) | TO(FREE),
    [SLOT_ENDED] = TO(FREE),
    [SLOT_LOST] = TO(FREE),
    [SLOT_ABANDONED] = TO(FREE),
};

static void slot_move(struct slot *s, enum slot_state to)
{
    assert(next_states[s->state] >> to & 1);
    s->state = to;
    pthread_cond_signal(&s->changed); /* only the worker waits */
}

void slot_init(struct slot *s, unsigned worker, unsigned workers, struct findings *findings)
{
    *s = (struct slot){.worker = worker, .workers = workers, .id = worker, .findings = findings};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
}

void slot_deinit(struct slot *s)
{
    json_decref(s->answer);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
}

/* ---- the worker's thread ---- */

static bool is_over(const struct slot *s)
{
    return s->cancelled || s->dead;
}

/* Waits as long as the operation is under way (`owed`: as long as one that was given up is). */
static void wait_while(struct slot *s, bool owed, ns_t deadline)
{
    struct timespec until = ns_to_timespec(deadline);
    int rc = 0;
    while (rc == 0 && !is_over(s) &&
           (owed ? s->state == SLOT_LOST : s->state == SLOT_SENT || s->state == SLOT_BEGUN))
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

uint64_t slot_begin(struct slot *s, enum op op, ns_t deadline, struct slot_fate *fate)
{
    *fate = (struct slot_fate){.unsent = true, .inside_ns = -1};
    uint64_t id = 0;
    pthread_mutex_lock(&s->lock);
    wait_while(s, true, deadline);
    if (s->cancelled) {
        fate->outcome = OUTCOME_CANCELLED;
    } else if (s->dead) {
        fate->outcome = OUTCOME_OTHER;
    } else if (s->state == SLOT_LOST) {
        fate->outcome = OUTCOME_IO_TIMEOUT;
    } else {
        slot_move(s, SLOT_SENT);
        id = s->id += s->workers;
        s->op = op;
        s->begun = false;
        s->sent_ns = ns_now();
    }
    pthread_mutex_unlock(&s->lock);
    return id;
}

static void tell_silence(struct slot *s)
{
    findings_add(s->findings, DRIVER_FINDING_SILENT,
                 "worker %u: no answer to operation %" PRIu64 " (%s) within %.3f s; %s", s->worker,
                 s->id, op_name(s->op), (double)(ns_now() - s->sent_ns) / (double)NS_PER_SEC,
                 s->begun ? "it was begun and never ended" : "it was never begun");
}

json_t *slot_wait(struct slot *s, ns_t watchdog, struct slot_fate *fate)
{
    json_t *answer = NULL;
    *fate = (struct slot_fate){.inside_ns = -1};
    pthread_mutex_lock(&s->lock);
    wait_while(s, false, watchdog);
    if (s->state == SLOT_ENDED) {
        answer = s->answer;
        s->answer = NULL;
        memcpy(fate->line, s->line, sizeof fate->line);
        if (s->begun)
            fate->inside_ns = s->end_at_ns - s->begin_at_ns;
        slot_move(s, SLOT_FREE);
    } else if (s->cancelled) {
        fate->outcome = OUTCOME_CANCELLED;
        slot_move(s, SLOT_ABANDONED);
    } else if (s->dead) {
        fate->outcome = OUTCOME_OTHER;
        slot_move(s, SLOT_FREE);
    } else {
        fate->outcome = OUTCOME_IO_TIMEOUT;
        slot_move(s, SLOT_LOST);
        tell_silence(s);
    }
    pthread_mutex_unlock(&s->lock);
    return answer;
}

/* ---- the reader's thread ---- */

static void complain(struct slot *s, const char *what, const char *line)
{
    findings_add(s->findings, DRIVER_FINDING_PROTOCOL, "%s: %.*s", what, SLOT_LINE_SIZE, line);
}

static void begun(struct slot *s, const struct wire_record *record, const char *line)
{
    bool under_way = s->state == SLOT_SENT || s->state == SLOT_LOST || s->state == SLOT_ABANDONED;
    if (!under_way || s->begun) {
        complain(s, s->begun ? "a second begin" : "a begin after the end", line);
        return;
    }
    s->begun = true;
    s->begin_at_ns = record->at_ns;
    if (s->state == SLOT_SENT)
        slot_move(s, SLOT_BEGUN);
}

static void answered(struct slot *s, struct wire_record *record, const char *line)
{
    if (!s->begun)
        complain(s, "an end without its begin", line);
    else if (record->at_ns < s->begin_at_ns)
        complain(s, "the end is earlier than its begin", line);
    s->end_at_ns = record->at_ns;
    s->answer = record->root;
    record->root = NULL;
    snprintf(s->line, sizeof s->line, "%s", line);
    slot_move(s, SLOT_ENDED);
}

static void ended(struct slot *s, struct wire_record *record, const char *line)
{
    switch (s->state) {
    case SLOT_SENT:
    case SLOT_BEGUN: answered(s, record, line); return;
    case SLOT_LOST:
        findings_add(s->findings, DRIVER_FINDING_LATE,
                     "worker %u: operation %" PRIu64 " (%s) was answered after %.3f s, when it had "
                     "been given up: %.*s",
                     s->worker, s->id, op_name(s->op),
                     (double)(ns_now() - s->sent_ns) / (double)NS_PER_SEC, SLOT_LINE_SIZE, line);
        slot_move(s, SLOT_FREE);
        return;
    case SLOT_ABANDONED: slot_move(s, SLOT_FREE); return;
    case SLOT_FREE:
    case SLOT_ENDED:
    case SLOT_STATE_COUNT: break;
    }
    complain(s, "a second end", line);
}

void slot_record(struct slot *s, struct wire_record *record, const char *line)
{
    pthread_mutex_lock(&s->lock);
    if (record->id != s->id || s->id < s->workers)
        complain(s, "an operation that is not in progress", line);
    else if (record->kind == WIRE_BEGIN)
        begun(s, record, line);
    else
        ended(s, record, line);
    pthread_mutex_unlock(&s->lock);
}

static void stop(struct slot *s, bool *why)
{
    pthread_mutex_lock(&s->lock);
    *why = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void slot_cancel(struct slot *s)
{
    stop(s, &s->cancelled);
}

void slot_die(struct slot *s)
{
    stop(s, &s->dead);
}
