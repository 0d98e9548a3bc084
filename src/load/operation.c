/* SPDX-License-Identifier: MIT */
#include "load/operation.h"

#include <inttypes.h>
#include <stdio.h>

/* As far as it is known at the start. */
static void sink_begin(const struct session *s, struct operation *o, const char *key,
                       size_t key_size)
{
    o->record = (struct op_record){
        .start_ns = o->start_ns,
        .duration_ns = OP_RECORD_IN_FLIGHT,
        .late_ns = ns_max(o->start_ns - o->intended_ns, 0),
        .worker = s->worker,
        .run = s->sink->run,
        .op = (uint8_t)o->op,
        .node = OP_RECORD_NODE_UNKNOWN,
        .phase = (uint8_t)o->phase,
        .items = 1,
    };
    op_record_key_set(&o->record, key, key_size);
    if (s->sink->flight != NULL)
        flight_begin(s->sink->flight, &o->record);
}

static void sink_end(const struct session *s, const struct operation *o, ns_t end_ns,
                     enum outcome outcome, uint32_t node)
{
    struct op_record record = o->record;
    record.duration_ns = end_ns - o->start_ns;
    record.outcome = (uint8_t)outcome;
    if (node != RECORDER_NODE_UNKNOWN)
        record.node = (uint8_t)node;
    if (s->sink->flight != NULL)
        flight_end(s->sink->flight, &record);
    if (s->sink->oplog != NULL)
        oplog_add(s->sink->oplog, &record);
}

void operation_note(struct operation *o, size_t bytes, size_t items, uint32_t connection)
{
    o->record.bytes = (uint32_t)bytes;
    o->record.items = (uint8_t)items;
    o->record.connection = connection;
}

struct operation operation_begin(struct session *s, enum op op, const char *key, size_t key_size)
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
    if (s->sink != NULL)
        sink_begin(s, &o, key, key_size);
    recorder_op_begin(s->recorder, s->worker, now);
    return o;
}

void operation_answered(struct session *s)
{
    recorder_op_end(s->recorder, s->worker);
    s->failed = false;
}

void operation_record(struct session *s, const struct operation *o, ns_t end_ns,
                      enum outcome outcome, uint32_t node)
{
    s->failed |= outcome_is_failure(outcome);
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
    if (s->sink != NULL)
        sink_end(s, o, end_ns, outcome, node);
}

enum outcome operation_end(struct session *s, const struct operation *o, ns_t end_ns,
                           enum outcome outcome, uint32_t node)
{
    operation_answered(s);
    operation_record(s, o, end_ns, outcome, node);
    return outcome;
}

/* ---- reads ---- */

static bool is_written(const struct session *s, const struct key *key)
{
    return key->id < s->load->keys.stored;
}

struct oracle_read read_begin(struct session *s, const struct key *key)
{
    if (!is_written(s, key))
        return (struct oracle_read){0};
    return oracle_read_begin(s->load->oracle, key->id);
}

static void explain(char *why, const struct value_id *id, const struct oracle_read *read,
                    const struct operation *o, enum outcome outcome)
{
    double ms = (double)(o->start_ns - read->floor_end_ns) / (double)NS_PER_MS;
    int n = snprintf(why, WHY_SIZE, "its value number %" PRIu64 ", of worker %" PRIu32, id->version,
                     id->writer);
    size_t left = n > 0 && n < WHY_SIZE ? WHY_SIZE - (size_t)n : 0;
    if (outcome == OUTCOME_STALE)
        snprintf(why + n, left, ", although number %" PRIu64 " was acknowledged %.3f ms before",
                 read->floor_version, ms);
    else if (outcome == OUTCOME_RESURRECTED)
        snprintf(why + n, left, ", although a delete was acknowledged %.3f ms before", ms);
    else
        snprintf(why + n, left, ", which nobody had written");
}

enum outcome read_judge(struct session *s, const struct key *key, const struct oracle_read *read,
                        const struct operation *o, const void *value, size_t size, uint32_t node)
{
    char why[WHY_SIZE];
    struct value_id id;
    enum outcome outcome =
        value_check(value, size, s->load->spec->values.min, key, &id, why, sizeof why);
    if (outcome == OUTCOME_HIT) {
        bool ours = id.run == s->load->run && id.version > 0;
        if (!ours && (is_written(s, key) || id.version > 0))
            return OUTCOME_HIT; /* of another run, or too short to say */
        outcome = is_written(s, key) ? oracle_read_end(s->load->oracle, key->id, read, id.version)
                                     : OUTCOME_FUTURE;
        if (outcome == OUTCOME_HIT)
            return outcome;
        explain(why, &id, read, o, outcome);
    }
    evidence_add(s->evidence, "worker %u asked node %" PRIu32 " for \"%s\" and got %s", s->worker,
                 node + 1, key->text, why);
    return outcome;
}

/* ---- writes ---- */

uint64_t write_begin(struct session *s, const struct key *key, char *buffer, size_t size)
{
    struct value_id id = {
        .run = s->load->run,
        .writer = s->worker,
        .version = oracle_write_begin(s->load->oracle, key->id),
    };
    value_write(buffer, size, key, &id, s->load->filler);
    return id.version;
}

void write_end(struct session *s, const struct key *key, uint64_t version,
               const struct operation *o, ns_t end_ns, enum outcome outcome, bool unsent)
{
    enum write_end how = outcome == OUTCOME_STORED ? WRITE_ACKNOWLEDGED
                         : unsent                  ? WRITE_UNSENT
                                                   : WRITE_UNKNOWN;
    oracle_write_end(s->load->oracle, key->id, version, o->start_ns, end_ns, how);
}
