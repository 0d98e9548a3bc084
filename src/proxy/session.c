/* SPDX-License-Identifier: MIT */
/*
 *   RESOLVING ──▶ DIALING ──▶ OPEN ──▶ DRAINING ──▶ GONE     (every state may go to GONE)
 *
 * RESOLVING waits for a name, DIALING tries the addresses one after the other, OPEN has two links,
 * DRAINING has one left. GONE is the moment before the memory is given back.
 */
#include "proxy/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/crew.h"
#include "proxy/proxy.h"
#include "proxy/sock.h"

enum session_state {
    SESSION_RESOLVING,
    SESSION_DIALING,
    SESSION_OPEN,
    SESSION_DRAINING,
    SESSION_GONE,
    SESSION_STATE_COUNT
};

#define TO(s) (1u << SESSION_##s)

static const struct {
    const char *name;
    unsigned next;
} states[SESSION_STATE_COUNT] = {
    [SESSION_RESOLVING] = {"resolving", TO(DIALING) | TO(GONE)},
    [SESSION_DIALING] = {"dialing", TO(OPEN) | TO(GONE)},
    [SESSION_OPEN] = {"open", TO(DRAINING) | TO(GONE)},
    [SESSION_DRAINING] = {"draining", TO(GONE)},
    [SESSION_GONE] = {"gone", 0},
};

/* The longest IP address with its zone and port; the path of a Unix socket is cut. */
#define PEER_TEXT_MAX 72

/* What an open connection needs no more. */
struct dial {
    struct event event;
    bool waiting; /* the event is added */
    size_t next;
    struct address_list targets; /* cut behind its last item */
};

struct session {
    struct list link; /* in the proxy's list, or in its thread's inbox */
    struct proxy *proxy;
    struct proxy_env *env; /* of its thread */
    struct metrics_series *series;
    enum session_state state;
    int client;
    int server; /* -1 = not open */
    uint64_t serial;
    char peer[PEER_TEXT_MAX];
    struct link links[2];     /* by enum toxic_stream */
    struct hangup hangups[2]; /* of each link's source */
    struct lookup *lookup;
    struct dial *dial; /* while DIALING */
};

static void session_move(struct session *s, enum session_state to)
{
    assert(states[s->state].next & (1u << to));
    s->state = to;
}

struct session *session_of(struct list *link)
{
    return list_entry(link, struct session, link);
}

struct proxy *session_proxy(const struct session *s)
{
    return s->proxy;
}

/* What its thread has of the proxy. */
static struct proxy_shard *shard_of(const struct session *s)
{
    return &s->proxy->shards[s->env->thread];
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Whose bytes flow in that direction. */
static int *source_of(struct session *s, enum toxic_stream stream)
{
    return stream == TOXIC_UPSTREAM ? &s->client : &s->server;
}

static enum toxic_stream opposite(enum toxic_stream stream)
{
    return stream == TOXIC_UPSTREAM ? TOXIC_DOWNSTREAM : TOXIC_UPSTREAM;
}

static void close_source(struct session *s, enum toxic_stream stream)
{
    hangup_clear(&s->env->hangups, &s->hangups[stream]);
    close_fd(source_of(s, stream));
}

static void stop_waiting(struct dial *dial)
{
    if (dial->waiting)
        event_del(&dial->event);
    dial->waiting = false;
}

static void end_dial(struct session *s)
{
    if (s->dial)
        stop_waiting(s->dial);
    free(s->dial);
    s->dial = NULL;
}

static void session_free(struct session *s)
{
    session_move(s, SESSION_GONE);
    if (s->lookup)
        resolver_cancel(s->env->resolver, s->lookup);
    end_dial(s);
    link_deinit(&s->links[TOXIC_UPSTREAM]);
    link_deinit(&s->links[TOXIC_DOWNSTREAM]);
    close_source(s, TOXIC_UPSTREAM);
    close_source(s, TOXIC_DOWNSTREAM);
    list_remove(&s->link);
    shard_of(s)->counters.open--;
    env_count_end(s->env);
    free(s);
}

void session_cut(struct session *s)
{
    shard_of(s)->counters.cut++;
    session_free(s);
}

static void session_reset(struct session *s)
{
    if (s->client >= 0)
        sock_reset_on_close(s->client);
    if (s->server >= 0)
        sock_reset_on_close(s->server);
    session_free(s);
}

static void log_link(const struct session *s, const struct link *l, const char *message)
{
    char why[128];
    const struct proxy_log_field more[] = {
        {.key = "client", .text = s->peer},
        {.key = "direction", .text = toxic_stream_name(l->stream)},
        {.key = "bytes", .number = (int64_t)l->bytes},
        {.key = "error", .text = sock_reason(l->error, why, sizeof why)},
        {.key = NULL},
    };
    proxy_log_fields(s->proxy, PROXY_LOG_WARN, message, more);
}

static struct session *session_of_link(struct link *l)
{
    return list_entry(l - l->stream, struct session, links[0]);
}

static void on_hangup(struct hangup *hangup);

static void watch_source(struct session *s, enum toxic_stream stream)
{
    int fd = *source_of(s, stream);
    if (fd < 0)
        return;
    s->hangups[stream].tag = stream;
    hangup_watch(&s->env->hangups, &s->hangups[stream], fd, on_hangup);
}

/* One link is left; what it holds may be held for long, so watch for the death of either peer. */
static void drain(struct session *s)
{
    if (s->state == SESSION_OPEN)
        session_move(s, SESSION_DRAINING);
    watch_source(s, TOXIC_UPSTREAM);
    watch_source(s, TOXIC_DOWNSTREAM);
}

/* The last link, or the only one that mattered, is over. */
static void finish(struct session *s, bool lost, enum link_status status)
{
    if (status == LINK_RESET || (s->proxy->options.pass_reset && lost))
        session_reset(s);
    else
        session_free(s);
}

/* A direction is over, and with it the connection: the receiver's socket is closed, which is the
 * end of the other direction's source. */
static void end_both(struct session *s, enum toxic_stream stream)
{
    struct link *other = &s->links[opposite(stream)];
    enum link_status rest = LINK_GOES_ON;
    if (!other->source_ended)
        rest = link_end_source(other, ns_now());
    close_source(s, opposite(stream));
    if (rest == LINK_GOES_ON)
        drain(s);
    else
        finish(s, other->source_lost, rest);
}

static void on_link_end(struct link *l, enum link_status status)
{
    struct session *s = session_of_link(l);
    const struct proxy_options *options = &s->proxy->options;
    struct link *other = &s->links[opposite(l->stream)];
    if (status == LINK_BROKEN) {
        log_link(s, l, "Could not write to destination");
        other->source_lost = true;
    }
    bool lost = l->source_lost || (other->done && other->source_lost);
    /* Also its chain: toxics that come and go from now on must not find it. */
    link_deinit(l);
    if (status == LINK_RESET || other->done || (lost && options->pass_reset))
        finish(s, lost, status);
    else if (status == LINK_EOF && options->half_close && !l->source_lost) {
        (void)shutdown(*source_of(s, opposite(l->stream)), SHUT_WR);
        drain(s);
    } else {
        end_both(s, l->stream);
    }
}

/* The peer is gone; what it had sent before still goes out. */
static void on_source_failed(struct link *l)
{
    struct session *s = session_of_link(l);
    log_link(s, l, "Source terminated");
    l->source_lost = true;
    link_deinit(&s->links[opposite(l->stream)]);
    enum link_status status = link_end_source(l, ns_now());
    if (status == LINK_GOES_ON)
        drain(s);
    else
        on_link_end(l, status);
}

/* The same, learnt while nobody reads: there may be more to read, so the link from there goes on.
 */
static void on_hangup(struct hangup *hangup)
{
    enum toxic_stream stream = (enum toxic_stream)hangup->tag;
    struct session *s = list_entry(hangup - stream, struct session, hangups[0]);
    link_deinit(&s->links[opposite(stream)]);
    if (s->links[stream].done)
        finish(s, true, LINK_EOF);
    else
        drain(s);
}

static void on_paused(struct link *l)
{
    watch_source(session_of_link(l), l->stream);
}

static const struct link_events link_events = {
    .ended = on_link_end,
    .source_failed = on_source_failed,
    .paused = on_paused,
};

static int init_link(struct session *s, enum toxic_stream stream, int source, int destination)
{
    struct proxy *p = s->proxy;
    struct proxy_shard *shard = shard_of(s);
    unsigned thread = s->env->thread;
    struct link *l = &s->links[stream];
    *l = (struct link){
        .env = s->env,
        .series = metrics_traffic(s->series, stream, thread),
        .total = &shard->counters.traffic[stream],
        .events = &link_events,
        .gate = &shard->gates[stream],
        .stream = stream,
        .source = source,
        .destination = destination,
    };
    if (link_init(l, rng_fork(s->env->seed ^ p->seed, 2 * s->serial + stream)) < 0)
        return -1;
    ns_t now = ns_now();
    for (size_t i = 0; i < p->toxics[stream].count; i++) {
        struct toxic *t = p->toxics[stream].items[i];
        if (chain_add(l->chain, t, toxic_stats_of(t, thread), now) < 0)
            return -1;
    }
    return 0;
}

static void log_setup(const struct session *s, enum toxic_stream stream)
{
    const struct proxy_log_field more[] = {
        {.key = "client", .text = s->peer},
        {.key = "direction", .text = toxic_stream_name(stream)},
        {.key = NULL},
    };
    proxy_log_fields(s->proxy, PROXY_LOG_DEBUG, "Setup connection", more);
}

static void session_open(struct session *s)
{
    end_dial(s);
    session_move(s, SESSION_OPEN);
    if (init_link(s, TOXIC_UPSTREAM, s->client, s->server) < 0 ||
        init_link(s, TOXIC_DOWNSTREAM, s->server, s->client) < 0) {
        session_free(s);
        return;
    }
    log_setup(s, TOXIC_UPSTREAM);
    log_setup(s, TOXIC_DOWNSTREAM);
    /* The second link may end, and free, the session; the first one only reads later. */
    struct link *up = &s->links[TOXIC_UPSTREAM];
    enum link_status status = link_pump(up, ns_now());
    if (status != LINK_GOES_ON)
        on_link_end(up, status);
    else
        link_start(&s->links[TOXIC_DOWNSTREAM]);
}

static void dial_failed(struct session *s, const char *why)
{
    shard_of(s)->counters.dial_failures++;
    proxy_log_connection(s->proxy, PROXY_LOG_ERROR, "Unable to open connection to upstream",
                         s->peer, why);
    session_free(s);
}

static void dial_next(struct session *s, int error);

static void on_dialed(evutil_socket_t fd, short what, void *arg)
{
    struct session *s = arg;
    int error = 0;
    socklen_t size = sizeof error;
    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error == 0)
        session_open(s);
    else
        dial_next(s, error);
}

/* Goes to the next address; `error` is what ended the one before. */
static void dial_next(struct session *s, int error)
{
    struct dial *dial = s->dial;
    stop_waiting(dial);
    close_fd(&s->server);
    while (dial->next < dial->targets.count) {
        bool done = false;
        s->server = sock_dial(&dial->targets.items[dial->next++], &done);
        if (s->server < 0) {
            error = errno;
            continue;
        }
        if (done) {
            session_open(s);
            return;
        }
        event_assign(&dial->event, s->env->base, s->server, EV_WRITE, on_dialed, s);
        event_add(&dial->event, NULL);
        dial->waiting = true;
        return;
    }
    char why[128];
    dial_failed(s, sock_reason(error, why, sizeof why));
}

static void start_dial(struct session *s, const struct address_list *targets)
{
    size_t size = offsetof(struct address_list, items) + targets->count * sizeof targets->items[0];
    s->dial = malloc(offsetof(struct dial, targets) + size);
    if (!s->dial) {
        dial_failed(s, "out of memory");
        return;
    }
    s->dial->waiting = false;
    s->dial->next = 0;
    memcpy(&s->dial->targets, targets, size);
    session_move(s, SESSION_DIALING);
    dial_next(s, 0);
}

static void on_resolved(void *arg, const struct address_list *list, const char *why)
{
    struct session *s = arg;
    s->lookup = NULL;
    if (list->count == 0)
        dial_failed(s, why);
    else
        start_dial(s, list);
}

static void resolve(struct session *s)
{
    const char *upstream = s->proxy->upstream;
    struct address_hostport hostport;
    struct address_list targets;
    struct err err;
    bool local = address_is_unix(upstream);
    if (local ? address_parse_unix(upstream, &targets, &err) < 0
              : address_split(upstream, &hostport, &err) < 0) {
        dial_failed(s, err.text);
        return;
    }
    /* Go dials an empty host as the local system. */
    if (!local && hostport.host[0] == '\0')
        snprintf(hostport.host, sizeof hostport.host, "localhost");
    if (local || address_known(&hostport, &targets)) {
        start_dial(s, &targets);
        return;
    }
    s->lookup = resolver_lookup(s->env->resolver, &hostport, on_resolved, s);
    if (!s->lookup)
        dial_failed(s, "too many lookups are waiting");
}

void session_begin(struct list *link)
{
    struct session *s = session_of(link);
    list_push_back(&shard_of(s)->sessions, &s->link);
    resolve(s);
}

int session_start(struct proxy *proxy, int client, const struct address *peer)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) {
        close(client);
        return -1;
    }
    s->proxy = proxy;
    s->env = crew_pick(proxy->env);
    s->series = proxy->series;
    s->client = client;
    s->server = -1;
    s->serial = proxy->shards[0].counters.accepted++;
    s->state = SESSION_RESOLVING;
    proxy->shards[0].counters.open++;
    list_init(&s->link);
    char text[ADDRESS_TEXT_MAX];
    address_format(peer, text);
    snprintf(s->peer, sizeof s->peer, "%.*s", (int)sizeof s->peer - 1, text);
    proxy_log_connection(proxy, PROXY_LOG_INFO, "Accepted client", s->peer, NULL);
    if (s->env == proxy->env)
        session_begin(&s->link);
    else
        crew_hand(s->env, &s->link);
    return 0;
}

/* The link of that direction when toxics still matter to it. */
static struct link *live_link(struct session *s, enum toxic_stream stream)
{
    struct link *l = &s->links[stream];
    return l->chain && !l->done ? l : NULL;
}

static void settle(struct link *l, ns_t now)
{
    enum link_status status = link_pump(l, now);
    if (status != LINK_GOES_ON)
        on_link_end(l, status);
}

void session_toxic_add(struct session *s, struct toxic *toxic, ns_t now)
{
    struct link *l = live_link(s, toxic->stream);
    if (!l)
        return;
    if (chain_add(l->chain, toxic, toxic_stats_of(toxic, s->env->thread), now) < 0)
        session_reset(s);
    else
        settle(l, now);
}

void session_toxic_update(struct session *s, const struct toxic *toxic, ns_t now)
{
    struct link *l = live_link(s, toxic->stream);
    if (!l)
        return;
    chain_update(l->chain, toxic, now);
    settle(l, now);
}

void session_toxic_remove(struct session *s, const struct toxic *toxic, ns_t now)
{
    struct link *l = live_link(s, toxic->stream);
    if (!l)
        return;
    chain_remove(l->chain, toxic, now);
    settle(l, now);
}
