/* SPDX-License-Identifier: MIT */
#include "driver/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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
        p->greeted = !p->failed;
        pthread_cond_signal(&p->changed);
        pthread_mutex_unlock(&p->lock);
        return;
    }
    fail_hello(p, &err);
}

void peers_complain(struct external *all, const char *what, const char *line)
{
    findings_add(&all->findings, DRIVER_FINDING_PROTOCOL, "%s: %.*s", what, SLOT_LINE_SIZE, line);
}

static void on_operation(struct peer *p, struct wire_record *record, const char *line)
{
    struct external *all = p->all;
    struct worker *w = &all->workers[record->id % all->worker_count];
    if (w->peer != p)
        peers_complain(all, "an operation that is another process's", line);
    else
        slot_record(&w->slot, record, line);
}

static void on_stats(struct peer *p, const struct wire_record *record, const char *line)
{
    struct node_stats stats[STATS_NODES_MAX];
    struct err err;
    int count = wire_read_stats(record->root, stats, STATS_NODES_MAX, &err);
    if (count < 0) {
        peers_complain(p->all, err.text, line);
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
        peers_complain(p->all, again ? "a second bye" : "a bye that nobody asked for", line);
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
        case WIRE_HELLO: peers_complain(p->all, "a second hello", line); break;
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

void peers_send(struct external *all, const char *line)
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

void peers_finish(struct external *all)
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

void peers_free(struct external *all)
{
    peers_finish(all);
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
    for (size_t i = 0; all->servers != NULL && all->servers[i] != NULL; i++)
        free(all->servers[i]);
    free(all->servers);
    free(all->peers);
    free(all->workers);
    free(all);
}

static bool copy_servers(struct external *all)
{
    size_t count = all->config.server_count;
    all->servers = calloc(count + 1, sizeof *all->servers);
    bool ok = all->servers != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        all->servers[i] = strdup(all->config.servers[i]);
        ok = all->servers[i] != NULL;
    }
    all->config.servers = (const char *const *)all->servers;
    return ok;
}

static struct external *peers_new(const struct driver_config *config, struct err *err)
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
    unsigned count =
        config->workers < EXTERNAL_PROCESSES_MAX ? config->workers : EXTERNAL_PROCESSES_MAX;
    all->peers = calloc(count, sizeof *all->peers);
    int rc = hist_init(&all->cost, &LATENCY_HIST_CONFIG, err);
    if (!copy_servers(all) || all->workers == NULL || all->peers == NULL || rc != 0) {
        if (rc == 0)
            err_set(err, "out of memory for %u workers", config->workers);
        peers_free(all);
        return NULL;
    }
    for (; all->worker_count < config->workers; all->worker_count++) {
        struct worker *w = &all->workers[all->worker_count];
        slot_init(&w->slot, all->worker_count, config->workers, &all->findings);
        w->peer = &all->peers[0];
    }
    for (; all->peer_count < count; all->peer_count++)
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

struct external *peers_start(const struct driver_config *config, struct err *err)
{
    struct external *all = peers_new(config, err);
    if (all == NULL)
        return NULL;
    ns_t deadline = ns_now() + EXTERNAL_HELLO_MAX_NS;
    struct peer *first = &all->peers[0];
    int rc = peer_start(first, err);
    if (rc == 0)
        rc = peer_greet(first, deadline, err);
    if (rc == 0 && first->about.per_worker)
        rc = start_others(all, deadline, err);
    if (rc == 0)
        return all;
    peers_free(all);
    err_prefix(err, "driver \"%.160s\"", config->command);
    return NULL;
}

bool peers_hang_up(struct external *all)
{
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
