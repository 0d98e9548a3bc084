/* SPDX-License-Identifier: MIT */
#include "driver/external.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "driver/program.h"
#include "driver/slot.h"

#define STATS_PERIOD (500 * NS_PER_MS)
#define STATS_NODES_MAX 64
#define CLOCKS_APART NS_PER_MS /* that an inside time may be longer than the one from outside */

struct external;

/* One process. */
struct peer {
    struct external *all;
    unsigned index;
    struct program *program;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    bool greeted, failed; /* hello has come, or never will: `why` */
    bool bye_sent, bye_seen, hung_up;
    struct wire_about about;
    struct err why;
    struct node_stats stats[STATS_NODES_MAX];
    size_t stats_count;
};

/* What one key of a batch got. */
struct part {
    struct slot_fate fate;
    json_t *answer; /* owned; of the whole batch for the first, when it was one call */
    struct wire_end end;
};

struct worker {
    struct slot slot;
    _Atomic(struct peer *) peer; /* changes once, while the programs start */
    struct wire_out out;
    struct part *parts;
    size_t part_cap;
    char *memory; /* values of the last batch */
    size_t memory_cap;
};

struct external {
    struct driver_config config;
    struct findings findings;
    unsigned worker_count, open_count, peer_count;
    struct peer *peers;
    struct worker *workers;
    _Atomic ns_t stats_asked_ns;
    pthread_mutex_t talk_lock; /* until `finished`, the programs are there to be talked to */
    bool finished;
    pthread_mutex_t cost_lock;
    struct hist cost;
};

/* ---- from the program: its reader thread ---- */

static bool is_greeted(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    bool greeted = p->greeted;
    pthread_mutex_unlock(&p->lock);
    return greeted;
}

static void fail_hello(struct peer *p, const struct err *why)
{
    pthread_mutex_lock(&p->lock);
    if (!p->failed && !p->greeted) {
        p->failed = true;
        p->why = *why;
        pthread_cond_signal(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
}

static void on_hello(struct peer *p, const struct wire_record *record, const char *line)
{
    struct err err = {""};
    struct wire_about about;
    if (record->kind != WIRE_HELLO)
        err_set(&err, "its first line must be its hello, and is: %.200s", line);
    else if (wire_read_hello(record->root, &about, &err) == 0) {
        pthread_mutex_lock(&p->lock);
        p->about = about;
        p->greeted = true;
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
        return;
    }
    fail_hello(p, &err);
}

static void complain(struct external *all, const char *what, const char *line)
{
    findings_add(&all->findings, DRIVER_FINDING_PROTOCOL, "%s: %.*s", what, SLOT_LINE_SIZE, line);
}

static void on_operation(struct peer *p, const struct wire_record *record, const char *line)
{
    struct external *all = p->all;
    struct worker *w = &all->workers[record->id % all->worker_count];
    if (w->peer != p)
        complain(all, "an operation that is another process's", line);
    else
        slot_record(&w->slot, record, line);
}

static void on_stats(struct peer *p, const struct wire_record *record, const char *line)
{
    struct node_stats stats[STATS_NODES_MAX];
    struct err err;
    int count = wire_read_stats(record->root, stats, STATS_NODES_MAX, &err);
    if (count < 0) {
        complain(p->all, err.text, line);
        return;
    }
    pthread_mutex_lock(&p->lock);
    memcpy(p->stats, stats, (size_t)count * sizeof stats[0]);
    p->stats_count = (size_t)count;
    pthread_mutex_unlock(&p->lock);
}

static void on_bye(struct peer *p, const char *line)
{
    pthread_mutex_lock(&p->lock);
    bool early = !p->bye_sent, again = p->bye_seen;
    p->bye_seen = true;
    pthread_mutex_unlock(&p->lock);
    if (early || again)
        complain(p->all, again ? "a second bye" : "a bye that nobody asked for", line);
}

static void on_line(void *arg, const char *line, size_t size)
{
    struct peer *p = arg;
    struct wire_record record;
    struct err err;
    bool greeted = is_greeted(p);
    if (wire_read(line, size, &record, &err) != 0) {
        err_prefix(&err, "line \"%.160s\"", line);
        if (greeted)
            findings_add(&p->all->findings, DRIVER_FINDING_PROTOCOL, "%s", err.text);
        else
            fail_hello(p, &err);
        return;
    }
    if (!greeted) {
        on_hello(p, &record, line);
    } else {
        switch (record.kind) {
        case WIRE_HELLO: complain(p->all, "a second hello", line); break;
        case WIRE_BEGIN:
        case WIRE_END: on_operation(p, &record, line); break;
        case WIRE_STATS: on_stats(p, &record, line); break;
        case WIRE_BYE: on_bye(p, line); break;
        }
    }
    json_decref(record.root);
}

static void describe_end(const struct program_end *end, struct err *out)
{
    if (end->output_closed)
        err_set(out, "closed its standard output and was killed");
    else if (end->signal != 0)
        err_set(out, "was killed by signal %d (%s)", end->signal, strsignal(end->signal));
    else
        err_set(out, "ended with status %d", end->status);
}

static void judge_end(struct peer *p, const struct program_end *end, const struct err *how)
{
    struct findings *findings = &p->all->findings;
    const char *words = end->last_words;
    const char *said = words[0] != '\0' ? "; its last words: " : "; it said nothing on stderr";
    if (end->signal != 0 && !end->output_closed)
        findings_add(findings, DRIVER_FINDING_CRASHED, "the program %s%s%s", how->text, said,
                     words);
    else if (!p->bye_sent)
        findings_add(findings, DRIVER_FINDING_EXITED, "the program %s in the midst of it%s%s",
                     how->text, said, words);
    else if (!p->bye_seen)
        findings_add(findings, DRIVER_FINDING_NO_BYE,
                     "the program %s without its final line {\"bye\":true}%s%s", how->text, said,
                     words);
    else if (end->status != 0)
        findings_add(findings, DRIVER_FINDING_EXITED, "the program %s after its final line%s%s",
                     how->text, said, words);
}

static void on_ended(void *arg, const struct program_end *end)
{
    struct peer *p = arg;
    struct err how;
    describe_end(end, &how);
    pthread_mutex_lock(&p->lock);
    if (p->greeted && !end->by_us && !p->hung_up)
        judge_end(p, end, &how);
    pthread_mutex_unlock(&p->lock);
    struct err why;
    err_set(&why, "it %s before its hello%s%s", how.text,
            end->last_words[0] != '\0' ? "; its last words: " : "", end->last_words);
    fail_hello(p, &why);
    for (unsigned i = 0; i < p->all->worker_count; i++)
        if (p->all->workers[i].peer == p)
            slot_die(&p->all->workers[i].slot);
}

/* ---- start and end ---- */

static int peer_start(struct peer *p, struct err *err)
{
    char label[32] = "driver";
    struct external *all = p->all;
    if (p->index > 0)
        snprintf(label, sizeof label, "driver %u", p->index);
    struct program_config config = {
        .command = all->config.command,
        .label = label,
        .log = all->config.log,
        .line = on_line,
        .ended = on_ended,
        .arg = p,
    };
    if (program_start(&config, &p->program, err) != 0)
        return -1;
    struct wire_out out = {0};
    wire_hello(&out, &all->config, p->index);
    program_send(p->program, out.data, out.size);
    int rc = out.failed ? err_set(err, "out of memory") : 0;
    wire_out_deinit(&out);
    return rc;
}

static int peer_greet(struct peer *p, ns_t deadline, struct err *err)
{
    struct timespec until = ns_to_timespec(deadline);
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    while (!p->greeted && !p->failed && rc == 0)
        rc = pthread_cond_timedwait(&p->changed, &p->lock, &until);
    bool greeted = p->greeted;
    if (!greeted && p->failed)
        *err = p->why;
    else if (!greeted)
        err_set(err, "it did not say hello within %d s", (int)(EXTERNAL_HELLO_MAX_NS / NS_PER_SEC));
    pthread_mutex_unlock(&p->lock);
    return greeted ? 0 : -1;
}

static void peer_init(struct peer *p, struct external *all, unsigned index)
{
    *p = (struct peer){.all = all, .index = index};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
}

static void send_all(struct external *all, const char *line)
{
    for (unsigned i = 0; i < all->peer_count; i++)
        if (all->peers[i].program != NULL)
            program_send(all->peers[i].program, line, strlen(line));
}

/* From any thread. */
static void send_line(struct external *all, const char *line)
{
    pthread_mutex_lock(&all->talk_lock);
    if (!all->finished)
        send_all(all, line);
    pthread_mutex_unlock(&all->talk_lock);
}

static void say_bye(struct external *all)
{
    for (unsigned i = 0; i < all->peer_count; i++) {
        pthread_mutex_lock(&all->peers[i].lock);
        all->peers[i].bye_sent = true;
        pthread_mutex_unlock(&all->peers[i].lock);
    }
    send_all(all, WIRE_LINE("bye"));
    for (unsigned i = 0; i < all->peer_count; i++)
        if (all->peers[i].program != NULL)
            program_send_end(all->peers[i].program);
}

/* Ends all processes in order; then all findings are known. */
static void finish(struct external *all)
{
    pthread_mutex_lock(&all->talk_lock);
    bool again = all->finished;
    all->finished = true;
    pthread_mutex_unlock(&all->talk_lock);
    if (again)
        return;
    say_bye(all);
    ns_t deadline = ns_now() + EXTERNAL_BYE_MAX_NS;
    for (unsigned i = 0; i < all->peer_count; i++) {
        struct peer *p = &all->peers[i];
        if (p->program == NULL)
            continue;
        if (is_greeted(p) && !program_wait(p->program, deadline))
            findings_add(&all->findings, DRIVER_FINDING_NO_BYE,
                         "the program still ran %d s after bye, and was killed",
                         (int)(EXTERNAL_BYE_MAX_NS / NS_PER_SEC));
        program_free(p->program);
        p->program = NULL;
    }
}

static void external_close(void *client)
{
    struct external *all = client;
    finish(all);
    for (unsigned i = 0; i < all->peer_count; i++) {
        pthread_mutex_destroy(&all->peers[i].lock);
        pthread_cond_destroy(&all->peers[i].changed);
    }
    for (unsigned i = 0; i < all->worker_count; i++) {
        struct worker *w = &all->workers[i];
        slot_deinit(&w->slot);
        wire_out_deinit(&w->out);
        free(w->parts);
        free(w->memory);
    }
    findings_deinit(&all->findings);
    hist_deinit(&all->cost);
    pthread_mutex_destroy(&all->cost_lock);
    pthread_mutex_destroy(&all->talk_lock);
    free(all->peers);
    free(all->workers);
    free(all);
}

static struct external *external_new(const struct driver_config *config, struct err *err)
{
    struct external *all = calloc(1, sizeof *all);
    if (all == NULL) {
        err_set(err, "out of memory");
        return NULL;
    }
    all->config = *config;
    findings_init(&all->findings, config->log);
    pthread_mutex_init(&all->cost_lock, NULL);
    pthread_mutex_init(&all->talk_lock, NULL);
    all->workers = calloc(config->workers, sizeof *all->workers);
    all->peers = calloc(config->workers, sizeof *all->peers);
    int rc = hist_init(&all->cost, &LATENCY_HIST_CONFIG, err);
    if (all->workers == NULL || all->peers == NULL || rc != 0) {
        if (rc == 0)
            err_set(err, "out of memory for %u workers", config->workers);
        external_close(all);
        return NULL;
    }
    for (; all->worker_count < config->workers; all->worker_count++) {
        struct worker *w = &all->workers[all->worker_count];
        slot_init(&w->slot, all->worker_count, config->workers, &all->findings);
        w->peer = &all->peers[0];
    }
    for (; all->peer_count < config->workers; all->peer_count++)
        peer_init(&all->peers[all->peer_count], all, all->peer_count);
    return all;
}

/* A process for each of the other workers, all starting at once. */
static int start_others(struct external *all, ns_t deadline, struct err *err)
{
    if (all->worker_count > EXTERNAL_PROCESSES_MAX)
        return err_set(err,
                       "it wants a process per worker, and at most %d are started; use a smaller "
                       "-concurrency",
                       EXTERNAL_PROCESSES_MAX);
    for (unsigned i = 1; i < all->worker_count; i++) {
        all->workers[i].peer = &all->peers[i];
        if (peer_start(&all->peers[i], err) != 0)
            return -1;
    }
    for (unsigned i = 1; i < all->worker_count; i++)
        if (peer_greet(&all->peers[i], deadline, err) != 0)
            return -1;
    return 0;
}

static int external_open(const struct driver_config *config, void **out, struct err *err)
{
    struct external *all = external_new(config, err);
    if (all == NULL)
        return -1;
    ns_t deadline = ns_now() + EXTERNAL_HELLO_MAX_NS;
    struct peer *first = &all->peers[0];
    int rc = peer_start(first, err);
    if (rc == 0)
        rc = peer_greet(first, deadline, err);
    if (rc == 0 && first->about.per_worker)
        rc = start_others(all, deadline, err);
    if (rc != 0) {
        external_close(all);
        return err_prefix(err, "driver \"%.160s\"", config->command);
    }
    log_info(config->log, "driver: %s%s%s, %s", first->about.client,
             first->about.runtime[0] != '\0' ? " on " : "", first->about.runtime,
             first->about.per_worker ? "a process per worker" : "one process");
    *out = all;
    return 0;
}

static void external_interrupt(void *client)
{
    struct external *all = client;
    for (unsigned i = 0; i < all->worker_count; i++)
        slot_cancel(&all->workers[i].slot);
    send_line(all, WIRE_LINE("interrupt"));
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
        finish(all);
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
    return answer;
}

/* An answer that cannot be used; the operation may have been done. */
static void bad_answer(struct worker *w, const struct err *err, const struct slot_fate *fate,
                       struct wire_end *end)
{
    complain(w->peer->all, err->text, fate->line);
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
        send_line(all, WIRE_LINE("stats"));
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

const struct wire_about *external_about(void *client)
{
    return &((struct external *)client)->peers[0].about;
}

void external_send(void *client, const char *line)
{
    send_line(client, line);
}

bool external_hang_up(void *client)
{
    struct external *all = client;
    bool ended = true;
    ns_t deadline = ns_now() + EXTERNAL_BYE_MAX_NS;
    pthread_mutex_lock(&all->talk_lock);
    all->finished = true;
    pthread_mutex_unlock(&all->talk_lock);
    for (unsigned i = 0; i < all->peer_count; i++) {
        struct peer *p = &all->peers[i];
        if (p->program == NULL)
            continue;
        pthread_mutex_lock(&p->lock);
        p->hung_up = true;
        pthread_mutex_unlock(&p->lock);
        program_send_end(p->program);
    }
    for (unsigned i = 0; i < all->peer_count; i++) {
        struct peer *p = &all->peers[i];
        if (p->program == NULL)
            continue;
        ended = program_wait(p->program, deadline) && ended;
        program_free(p->program);
        p->program = NULL;
    }
    return ended;
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
