/* SPDX-License-Identifier: MIT */
#include "proxy/proxy.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/crew.h"
#include "proxy/session.h"
#include "proxy/sock.h"

/* Connections taken in one turn of the loop. */
#define ACCEPTS_PER_TURN 64

static uint64_t hash_name(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const char *p = name; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return h;
}

void proxy_log_fields(const struct proxy *p, enum proxy_log_level level, const char *message,
                      const struct proxy_log_field *more)
{
    struct proxy_log_field fields[3 + PROXY_LOG_MORE_MAX + 1] = {
        {.key = "name", .text = p->name},
        {.key = "listen", .text = p->listen},
        {.key = "upstream", .text = p->upstream},
    };
    for (size_t n = 3; more && more->key && n < 3 + PROXY_LOG_MORE_MAX; more++)
        fields[n++] = *more;
    proxy_log_event(&p->env->log, level, message, fields);
}

void proxy_log_connection(const struct proxy *p, enum proxy_log_level level, const char *message,
                          const char *client, const char *error)
{
    struct proxy_log_field more[3] = {{.key = NULL}};
    size_t n = 0;
    if (client)
        more[n++] = (struct proxy_log_field){.key = "client", .text = client};
    if (error)
        more[n++] = (struct proxy_log_field){.key = "error", .text = error};
    proxy_log_fields(p, level, message, more);
}

void proxy_log(const struct proxy *p, enum proxy_log_level level, const char *message)
{
    proxy_log_connection(p, level, message, NULL, NULL);
}

static int make_shards(struct proxy *p)
{
    unsigned count = env_threads(p->env);
    p->shards = aligned_alloc(_Alignof(struct proxy_shard), count * sizeof *p->shards);
    if (!p->shards)
        return -1;
    p->shard_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct proxy_shard *shard = &p->shards[i];
        *shard = (struct proxy_shard){.counters = {0}};
        list_init(&shard->sessions);
        for (int stream = 0; stream < 2; stream++)
            rate_gate_init(&shard->gates[stream], &p->rates[stream], &crew_env(p->env, i)->timers);
    }
    return 0;
}

static void free_shards(struct proxy *p)
{
    crew_halt(p->env->crew);
    for (unsigned i = 0; i < p->shard_count; i++)
        for (int stream = 0; stream < 2; stream++)
            rate_gate_deinit(&p->shards[i].gates[stream]);
    crew_resume(p->env->crew);
    for (int stream = 0; stream < 2; stream++)
        rate_credit_deinit(&p->rates[stream]);
    free(p->shards);
}

struct proxy *proxy_new(struct proxy_env *env, const char *name, const char *listen,
                        const char *upstream)
{
    struct proxy *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->env = env;
    p->listener = -1;
    p->seed = hash_name(name);
    for (int stream = 0; stream < 2; stream++)
        rate_credit_init(&p->rates[stream], env_threads(env) > 1);
    p->name = strdup(name);
    if (!p->name || make_shards(p) < 0 || proxy_set_addresses(p, listen, upstream) < 0) {
        proxy_free(p);
        return NULL;
    }
    return p;
}

void proxy_free(struct proxy *p)
{
    if (!p)
        return;
    proxy_disable(p);
    for (int stream = 0; stream < 2; stream++) {
        for (size_t i = 0; i < p->toxics[stream].count; i++)
            toxic_free(p->toxics[stream].items[i]);
        free(p->toxics[stream].items);
    }
    free_shards(p);
    for (size_t i = 0; i < p->removed.count; i++)
        toxic_free(p->removed.items[i]);
    free(p->removed.items);
    metrics_release(p->series);
    free(p->name);
    free(p->listen);
    free(p->upstream);
    free(p);
}

/* The labels of the byte counters are about to change. */
static void forget_series(struct proxy *p)
{
    metrics_release(p->series);
    p->series = NULL;
}

int proxy_set_addresses(struct proxy *p, const char *listen, const char *upstream)
{
    assert(!p->enabled);
    char *new_listen = strdup(listen);
    char *new_upstream = strdup(upstream);
    if (!new_listen || !new_upstream) {
        free(new_listen);
        free(new_upstream);
        return -1;
    }
    free(p->listen);
    free(p->upstream);
    p->listen = new_listen;
    p->upstream = new_upstream;
    forget_series(p);
    return 0;
}

bool proxy_differs(const struct proxy *p, const char *listen, const struct address_list *addresses,
                   const char *upstream)
{
    if (strcmp(p->upstream, upstream) != 0)
        return true;
    const struct address *a = address_to_bind(addresses);
    if (!a || (p->enabled && address_port(a) == 0 && a->sa.any.sa_family != AF_UNIX))
        return true;
    char resolved[ADDRESS_TEXT_MAX];
    address_format(a, resolved);
    return strcmp(p->listen, resolved) != 0 && strcmp(p->listen, listen) != 0;
}

void proxy_set_options(struct proxy *p, const struct proxy_options *options)
{
    ns_t now = ns_now();
    crew_halt(p->env->crew);
    p->options = *options;
    for (int stream = 0; stream < 2; stream++) {
        if (!rate_credit_set(&p->rates[stream], options->kb_per_s[stream], now))
            continue;
        for (unsigned i = 0; i < p->shard_count; i++)
            rate_gate_open(&p->shards[i].gates[stream], now);
    }
    crew_resume(p->env->crew);
}

static void pause_accepting(struct proxy *p);

static void resume_accepting(struct timer *timer, ns_t now)
{
    struct proxy *p = list_entry(timer, struct proxy, accept_pause);
    (void)now;
    if (sock_has_room(p->env->fd_ceiling))
        event_add(p->accept_event, NULL);
    else
        pause_accepting(p);
}

static void pause_accepting(struct proxy *p)
{
    event_del(p->accept_event);
    ns_t at = ns_add(ns_now(), PROXY_ACCEPT_PAUSE_NS);
    /* Without memory for the timer it is better to spin than to go deaf. */
    if (timers_set(&p->env->timers, &p->accept_pause, at, resume_accepting) < 0)
        event_add(p->accept_event, NULL);
}

static void accept_failed(struct proxy *p, int error)
{
    char why[128];
    p->shards[0].counters.accept_failures++;
    proxy_log_connection(p, PROXY_LOG_WARN, "Error while accepting client", NULL,
                         sock_reason(error, why, sizeof why));
    pause_accepting(p);
}

static void on_client(evutil_socket_t listener, short what, void *arg)
{
    struct proxy *p = arg;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct address peer;
        memset(&peer, 0, sizeof peer);
        peer.size = sizeof peer.sa;
        int fd = accept4(listener, &peer.sa.any, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            if (errno != EAGAIN)
                accept_failed(p, errno);
            return;
        }
        if (!p->series)
            p->series = metrics_acquire(&p->env->metrics, p->name, p->listen, p->upstream);
        if (session_start(p, fd, &peer) < 0) {
            accept_failed(p, ENOMEM);
            return;
        }
        if (fd >= p->env->fd_ceiling) {
            accept_failed(p, EMFILE);
            return;
        }
    }
}

int proxy_enable(struct proxy *p, const struct address_list *addresses, struct err *err)
{
    if (p->enabled)
        return 0;
    const struct address *want = address_to_bind(addresses);
    if (!want)
        return err_set(err, "listen tcp: lookup %s: no such host", p->listen);
    struct address bound;
    char text[ADDRESS_TEXT_MAX];
    int fd = sock_listen(want, &bound, err);
    if (fd < 0)
        return -1;
    address_format(&bound, text);
    char *listen = strdup(text);
    p->accept_event = event_new(p->env->base, fd, EV_READ | EV_PERSIST, on_client, p);
    if (!listen || !p->accept_event || event_add(p->accept_event, NULL) < 0) {
        free(listen);
        if (p->accept_event)
            event_free(p->accept_event);
        p->accept_event = NULL;
        close(fd);
        return err_set(err, "listen tcp %s: out of memory", text);
    }
    free(p->listen);
    p->listen = listen;
    p->listener = fd;
    p->enabled = true;
    if (address_is_unix(listen))
        sock_file_identify(listen + sizeof ADDRESS_UNIX - 1, &p->file);
    forget_series(p);
    proxy_log(p, PROXY_LOG_INFO, "Started proxy");
    return 0;
}

static void cut_waiting(struct list *link, void *proxy)
{
    struct session *s = session_of(link);
    if (session_proxy(s) == proxy)
        session_cut(s);
}

static void cut_sessions(struct proxy *p)
{
    crew_halt(p->env->crew);
    crew_each_waiting(p->env->crew, cut_waiting, p);
    for (unsigned i = 0; i < p->shard_count; i++)
        list_for_each(it, &p->shards[i].sessions) session_cut(session_of(it));
    crew_resume(p->env->crew);
}

void proxy_disable(struct proxy *p)
{
    if (!p->enabled)
        return;
    p->enabled = false;
    timers_clear(&p->env->timers, &p->accept_pause);
    event_free(p->accept_event);
    p->accept_event = NULL;
    close(p->listener);
    p->listener = -1;
    if (address_is_unix(p->listen))
        sock_file_remove(p->listen + sizeof ADDRESS_UNIX - 1, &p->file);
    cut_sessions(p);
    proxy_log(p, PROXY_LOG_INFO, "Terminated proxy");
}

struct toxic *proxy_toxic_find(const struct proxy *p, const char *name)
{
    for (int stream = 0; stream < 2; stream++)
        for (size_t i = 0; i < p->toxics[stream].count; i++)
            if (strcmp(p->toxics[stream].items[i]->name, name) == 0)
                return p->toxics[stream].items[i];
    return NULL;
}

static int add_toxic(struct proxy *p, struct toxic *toxic)
{
    struct proxy_toxics *list = &p->toxics[toxic->stream];
    struct toxic **items = reallocarray(list->items, list->count + 1, sizeof(*items));
    if (!items)
        return -1;
    list->items = items;
    items[list->count] = toxic;
    list->count++;
    ns_t now = ns_now();
    for (unsigned i = 0; i < p->shard_count; i++)
        list_for_each(it, &p->shards[i].sessions) session_toxic_add(session_of(it), toxic, now);
    return 0;
}

int proxy_toxic_add(struct proxy *p, struct toxic *toxic)
{
    if (p->toxics[toxic->stream].count >= PROXY_TOXICS_MAX ||
        toxic_spread(toxic, p->shard_count) < 0)
        return -1;
    crew_halt(p->env->crew);
    int rc = add_toxic(p, toxic);
    crew_resume(p->env->crew);
    return rc;
}

void proxy_toxic_update(struct proxy *p, struct toxic *toxic, const struct toxic *next)
{
    ns_t now = ns_now();
    crew_halt(p->env->crew);
    toxic_apply(toxic, &next->values, next->toxicity);
    toxic->chunk_toxicity = next->chunk_toxicity;
    for (unsigned i = 0; i < p->shard_count; i++)
        list_for_each(it, &p->shards[i].sessions) session_toxic_update(session_of(it), toxic, now);
    crew_resume(p->env->crew);
}

/* Keeps the counters of a toxic that has been taken out: the proof of what it did. Owns it now. */
static void remember_removed(struct proxy *p, struct toxic *toxic)
{
    struct proxy_toxics *list = &p->removed;
    for (size_t i = 0; i < list->count; i++) {
        struct toxic *known = list->items[i];
        if (known->ops == toxic->ops && known->stream == toxic->stream &&
            strcmp(known->name, toxic->name) == 0) {
            toxic_stats_add(&known->stats, &toxic->stats);
            toxic_free(toxic);
            return;
        }
    }
    if (!list->items)
        list->items = calloc(PROXY_REMOVED_MAX, sizeof(*list->items));
    if (!list->items) {
        toxic_free(toxic);
        return;
    }
    if (list->count == PROXY_REMOVED_MAX) {
        toxic_free(list->items[0]);
        list->count--;
        memmove(&list->items[0], &list->items[1], list->count * sizeof(list->items[0]));
    }
    list->items[list->count++] = toxic;
}

static void take_out(struct proxy *p, struct toxic *toxic)
{
    struct proxy_toxics *list = &p->toxics[toxic->stream];
    size_t i = 0;
    while (i < list->count && list->items[i] != toxic)
        i++;
    assert(i < list->count);
    ns_t now = ns_now();
    for (unsigned k = 0; k < p->shard_count; k++)
        list_for_each(it, &p->shards[k].sessions) session_toxic_remove(session_of(it), toxic, now);
    list->count--;
    memmove(&list->items[i], &list->items[i + 1], (list->count - i) * sizeof list->items[0]);
}

void proxy_toxic_remove(struct proxy *p, struct toxic *toxic)
{
    crew_halt(p->env->crew);
    take_out(p, toxic);
    crew_resume(p->env->crew);
    toxic_gather(toxic);
    remember_removed(p, toxic);
}

void proxy_toxic_remove_all(struct proxy *p)
{
    crew_halt(p->env->crew);
    for (int stream = 0; stream < 2; stream++)
        while (p->toxics[stream].count > 0)
            proxy_toxic_remove(p, p->toxics[stream].items[0]);
    crew_resume(p->env->crew);
}

static void move_counters(struct proxy_counters *to, struct proxy_counters *from)
{
    to->open += from->open;
    to->cut += from->cut;
    to->dial_failures += from->dial_failures;
    from->open = from->cut = from->dial_failures = 0;
    for (int stream = 0; stream < 2; stream++)
        traffic_move(&to->traffic[stream], &from->traffic[stream]);
}

void proxy_gather(struct proxy *p)
{
    crew_halt(p->env->crew);
    for (unsigned i = 1; i < p->shard_count; i++)
        move_counters(&p->shards[0].counters, &p->shards[i].counters);
    for (int stream = 0; stream < 2; stream++)
        for (size_t i = 0; i < p->toxics[stream].count; i++)
            toxic_gather(p->toxics[stream].items[i]);
    crew_resume(p->env->crew);
}

const struct proxy_counters *proxy_counters(const struct proxy *p)
{
    return &p->shards[0].counters;
}
