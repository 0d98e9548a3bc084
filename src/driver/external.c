/* SPDX-License-Identifier: MIT */
#include "driver/external.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "driver/peers.h"

#define STATS_PERIOD (500 * NS_PER_MS)
#define CLOCKS_APART NS_PER_MS /* that an inside time may be longer than the one from outside */

static int external_open(const struct driver_config *config, void **out, struct err *err)
{
    struct external *all = peers_start(config, err);
    if (all == NULL)
        return -1;
    const struct wire_about *about = &all->peers[0].about;
    log_info(config->log, "driver: %s%s%s, %s", about->client,
             about->runtime[0] != '\0' ? " on " : "", about->runtime,
             about->per_worker ? "a process per worker" : "one process");
    *out = all;
    return 0;
}

static void external_close(void *client)
{
    peers_free(client);
}

static void external_interrupt(void *client)
{
    struct external *all = client;
    for (unsigned i = 0; i < all->worker_count; i++)
        slot_cancel(&all->workers[i].slot);
    peers_send(all, WIRE_LINE("interrupt"));
}

static void *external_worker_open(void *client, unsigned worker, struct err *err)
{
    struct external *all = client;
    if (worker >= all->worker_count) {
        err_set(err, "more workers than were announced");
        return NULL;
    }
    all->open_count++;
    return &all->workers[worker];
}

static void external_worker_close(void *worker)
{
    struct external *all = ((struct worker *)worker)->peer->all;
    if (--all->open_count == 0)
        peers_finish(all);
}

/* ---- operations ---- */

static bool has_op(const struct worker *w, enum op op)
{
    return (w->peer->about.ops >> op & 1) != 0;
}

static void record_cost(struct worker *w, const struct slot_fate *fate, ns_t outside_ns)
{
    struct external *all = w->peer->all;
    if (fate->inside_ns < 0)
        return;
    if (fate->inside_ns > outside_ns + CLOCKS_APART) {
        findings_add(
            &all->findings, DRIVER_FINDING_PROTOCOL,
            "from begin to end it says %.3f ms, but it was %.3f ms from outside; \"at_ns\" "
            "must be nanoseconds of a monotonic clock: %s",
            (double)fate->inside_ns / NS_PER_MS, (double)outside_ns / NS_PER_MS, fate->line);
        return;
    }
    pthread_mutex_lock(&all->cost_lock);
    hist_record(&all->cost, outside_ns - fate->inside_ns);
    pthread_mutex_unlock(&all->cost_lock);
}

/* One line out and its answer back; the caller owns that. NULL: `fate` says what happened. */
static json_t *exchange(struct worker *w, struct wire_call *call, ns_t deadline,
                        struct slot_fate *fate)
{
    *fate = (struct slot_fate){.outcome = OUTCOME_INVALID, .unsent = true};
    if (!has_op(w, call->op))
        return NULL;
    call->id = slot_begin(&w->slot, call->op, deadline, fate);
    if (call->id == 0)
        return NULL;
    ns_t start = ns_now();
    call->worker = w->slot.worker;
    call->timeout_ns = ns_max(deadline - start, NS_PER_MS);
    w->out.size = 0;
    wire_call(&w->out, call);
    program_send(w->peer->program, w->out.data, w->out.size);
    ns_t slack = ns_max(EXTERNAL_SLACK_NS, 3 * call->timeout_ns);
    json_t *answer = slot_wait(&w->slot, ns_add(start + call->timeout_ns, slack), fate);
    record_cost(w, fate, ns_now() - start);
    memcpy(w->line, fate->line, sizeof w->line);
    return answer;
}

/* An answer that cannot be used; the operation may have been done. */
static void bad_answer(struct worker *w, const struct err *err, const struct slot_fate *fate,
                       struct wire_end *end)
{
    peers_complain(w->peer->all, err->text, fate->line);
    *end = (struct wire_end){.outcome = OUTCOME_OTHER, .node = UINT32_MAX};
}

static struct wire_end end_of(struct worker *w, enum op op, const json_t *answer,
                              const struct slot_fate *fate)
{
    struct err err;
    struct wire_end end = {.outcome = fate->outcome, .node = UINT32_MAX, .unsent = fate->unsent};
    if (answer != NULL && wire_read_end(answer, op, &w->peer->all->config, &end, &err) != 0)
        bad_answer(w, &err, fate, &end);
    return end;
}

/* Decodes the value of a hit. */
static const void *value_of(struct worker *w, struct wire_end *end, const struct slot_fate *fate,
                            void *buffer, size_t size, size_t *out_size)
{
    struct err err;
    if (base64_size(end->value, end->value_length) > size) {
        end->outcome = OUTCOME_LOCAL;
        return NULL;
    }
    if (base64_decode(buffer, out_size, end->value, end->value_length))
        return buffer;
    err_set(&err, "\"value\" is not base64");
    bad_answer(w, &err, fate, end);
    return NULL;
}

static void call_one(struct worker *w, struct wire_call *call, ns_t deadline,
                     struct driver_result *result)
{
    struct slot_fate fate;
    json_t *answer = exchange(w, call, deadline, &fate);
    struct wire_end end = end_of(w, call->op, answer, &fate);
    *result = (struct driver_result){
        .outcome = end.outcome, .node = end.node, .number = end.number, .unsent = end.unsent};
    json_decref(answer);
}

static void external_get(void *worker, const char *key, size_t key_size, void *buffer,
                         size_t buffer_size, ns_t deadline, struct driver_result *result)
{
    struct worker *w = worker;
    struct slot_fate fate;
    struct wire_call call = {.op = OP_GET, .key = key, .key_size = key_size};
    json_t *answer = exchange(w, &call, deadline, &fate);
    struct wire_end end = end_of(w, OP_GET, answer, &fate);
    *result = (struct driver_result){0};
    if (end.outcome == OUTCOME_HIT)
        result->value = value_of(w, &end, &fate, buffer, buffer_size, &result->value_size);
    result->outcome = end.outcome;
    result->node = end.node;
    result->unsent = end.unsent;
    json_decref(answer);
}

static void store(struct worker *w, enum op op, const char *key, size_t key_size, const void *value,
                  size_t value_size, uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    struct wire_call call = {
        .op = op,
        .key = key,
        .key_size = key_size,
        .value = value,
        .value_size = value_size,
        .ttl_s = ttl_s,
    };
    call_one(w, &call, deadline, result);
}

static void external_set(void *worker, const char *key, size_t key_size, const void *value,
                         size_t value_size, uint32_t ttl_s, ns_t deadline,
                         struct driver_result *result)
{
    store(worker, OP_SET, key, key_size, value, value_size, ttl_s, deadline, result);
}

static void external_add(void *worker, const char *key, size_t key_size, const void *value,
                         size_t value_size, uint32_t ttl_s, ns_t deadline,
                         struct driver_result *result)
{
    store(worker, OP_ADD, key, key_size, value, value_size, ttl_s, deadline, result);
}

static void external_delete(void *worker, const char *key, size_t key_size, ns_t deadline,
                            struct driver_result *result)
{
    struct wire_call call = {.op = OP_DELETE, .key = key, .key_size = key_size};
    call_one(worker, &call, deadline, result);
}

static void external_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                               uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    struct wire_call call = {
        .op = OP_INCREMENT, .key = key, .key_size = key_size, .delta = delta, .ttl_s = ttl_s};
    call_one(worker, &call, deadline, result);
}

/* ---- batches ---- */

static bool parts_ready(struct worker *w, size_t count)
{
    if (count > w->part_cap) {
        struct part *grown = realloc(w->parts, count * sizeof *grown);
        if (grown == NULL)
            return false;
        w->parts = grown;
        w->part_cap = count;
    }
    memset(w->parts, 0, count * sizeof *w->parts);
    return true;
}

/* The whole batch in one call. */
static void ask_at_once(struct worker *w, enum op op, const struct driver_item *items, size_t count,
                        ns_t deadline)
{
    struct wire_call call = {.op = op, .items = items, .count = count};
    struct slot_fate fate;
    struct err err = {""};
    json_t *answer = exchange(w, &call, deadline, &fate);
    w->parts[0].answer = answer;
    for (size_t i = 0; i < count; i++) {
        struct part *part = &w->parts[i];
        part->fate = fate;
        part->end =
            (struct wire_end){.outcome = fate.outcome, .node = UINT32_MAX, .unsent = fate.unsent};
        if (answer != NULL &&
            wire_read_item(answer, op, &w->peer->all->config, i, count, &part->end, &err) != 0)
            bad_answer(w, &err, &fate, &part->end);
    }
}

/* For a program without batches: a call per key, all with the same deadline. */
static void ask_one_by_one(struct worker *w, enum op op, const struct driver_item *items,
                           size_t count, ns_t deadline)
{
    for (size_t i = 0; i < count; i++) {
        struct part *part = &w->parts[i];
        struct wire_call call = {
            .op = op,
            .key = items[i].key,
            .key_size = items[i].key_size,
            .value = items[i].value,
            .value_size = items[i].value_size,
            .ttl_s = items[i].ttl_s,
        };
        part->answer = exchange(w, &call, deadline, &part->fate);
        part->end = end_of(w, op, part->answer, &part->fate);
    }
}

static bool memory_ready(struct worker *w, size_t count)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++)
        size += base64_room(w->parts[i].end.value_length);
    if (size <= w->memory_cap)
        return true;
    char *grown = realloc(w->memory, size);
    if (grown == NULL)
        return false;
    w->memory = grown;
    w->memory_cap = size;
    return true;
}

static void batch(struct worker *w, enum op op, enum op single, struct driver_item *items,
                  size_t count, ns_t deadline)
{
    bool room = parts_ready(w, count);
    if (room && has_op(w, op))
        ask_at_once(w, op, items, count, deadline);
    else if (room)
        ask_one_by_one(w, single, items, count, deadline);
    bool memory = room && memory_ready(w, count);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        struct wire_end end = {.outcome = OUTCOME_LOCAL, .node = UINT32_MAX, .unsent = true};
        if (room)
            end = w->parts[i].end;
        if (end.outcome == OUTCOME_HIT && !memory)
            end.outcome = OUTCOME_LOCAL;
        if (end.outcome == OUTCOME_HIT) {
            items[i].value = value_of(w, &end, &w->parts[i].fate, w->memory + used,
                                      w->memory_cap - used, &items[i].value_size);
            used += end.outcome == OUTCOME_HIT ? items[i].value_size : 0;
        }
        items[i].outcome = end.outcome;
        items[i].node = end.node;
        items[i].unsent = end.unsent;
    }
    for (size_t i = 0; i < count && room; i++)
        json_decref(w->parts[i].answer);
}

static void external_multi_get(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    batch(worker, OP_MULTI_GET, OP_GET, items, count, deadline);
}

static void external_multi_set(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    batch(worker, OP_MULTI_SET, OP_SET, items, count, deadline);
}

/* ---- what else it can say ---- */

static void ask_stats(struct external *all)
{
    ns_t now = ns_now(), asked = atomic_load(&all->stats_asked_ns);
    if (now - asked >= STATS_PERIOD &&
        atomic_compare_exchange_strong(&all->stats_asked_ns, &asked, now))
        peers_send(all, WIRE_LINE("stats"));
}

static bool external_node_stats(void *client, size_t node, struct node_stats *out)
{
    struct external *all = client;
    bool known = false;
    if (!all->peers[0].about.stats)
        return false;
    ask_stats(all);
    *out = (struct node_stats){0};
    for (unsigned i = 0; i < all->peer_count; i++) {
        struct peer *p = &all->peers[i];
        pthread_mutex_lock(&p->lock);
        if (node < p->stats_count) {
            const struct node_stats *s = &p->stats[node];
            known = true;
            out->pool_active += s->pool_active;
            out->pool_idle += s->pool_idle;
            out->pool_total += s->pool_total;
            out->pool_waiting += s->pool_waiting;
            if (s->breaker > out->breaker)
                out->breaker = s->breaker;
        }
        pthread_mutex_unlock(&p->lock);
    }
    return known;
}

static size_t external_findings(void *client, struct driver_finding *out)
{
    return findings_read(&((struct external *)client)->findings, out);
}

static void external_describe(void *client, struct driver_about *out)
{
    struct external *all = client;
    const struct wire_about *about = &all->peers[0].about;
    *out = (struct driver_about){0};
    memcpy(out->client, about->client, sizeof out->client);
    memcpy(out->runtime, about->runtime, sizeof out->runtime);
    memcpy(out->promises, about->promises, sizeof out->promises);
    pthread_mutex_lock(&all->cost_lock);
    out->cost = latency_of(&all->cost);
    pthread_mutex_unlock(&all->cost_lock);
}

const char *external_line(void *worker)
{
    return ((struct worker *)worker)->line;
}

const struct wire_about *external_about(void *client)
{
    return &((struct external *)client)->peers[0].about;
}

void external_send(void *client, const char *line)
{
    peers_send(client, line);
}

bool external_hang_up(void *client)
{
    return peers_hang_up(client);
}

const struct driver driver_external = {
    .name = "external",
    .help = "any program that speaks docs/driver-protocol.md",
    .open = external_open,
    .interrupt = external_interrupt,
    .node_stats = external_node_stats,
    .close = external_close,
    .findings = external_findings,
    .about = external_describe,
    .worker_open = external_worker_open,
    .worker_close = external_worker_close,
    .get = external_get,
    .set = external_set,
    .delete_ = external_delete,
    .add = external_add,
    .increment = external_increment,
    .multi_get = external_multi_get,
    .multi_set = external_multi_set,
};
