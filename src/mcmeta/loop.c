/* SPDX-License-Identifier: MIT */
/*
 * The event-driven client: calls, their deadlines and callbacks, over event lanes. Servers,
 * selector, breakers and statistics are those of an inner client that makes no call itself.
 *
 * A call is taken from a slab, keeps a copy of its key, and goes back to the slab before its
 * callback runs. Its id holds its place in the slab and how often that was used.
 */
#include <mcmeta/loop.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/time.h"
#include "mcmeta/deadlines.h"
#include "mcmeta/event_lane.h"
#include "mcmeta/watch.h"

#define BUFFER_SIZE 65536
#define EVENTS_MAX 64
#define CHUNK_CALLS 64

struct loop_call {
    struct mcm_lane_call lane_call; /* first */
    struct mcm_op op;
    struct mcm_request request;
    char key[MCM_KEY_SIZE_MAX];
    struct mcm_deadline deadline;
    struct mcm_event_lane *lane; /* NULL: free */
    struct mcm_breaker_token token;
    struct mcm_watch watch;
    void *buffer;
    size_t buffer_size;
    unsigned server;
    bool retried;
    mcm_loop_done_fn done;
    void *arg;
    uint32_t index; /* in the slab */
    uint32_t uses;
    struct loop_call *next_free;
};

struct mcm_loop {
    struct mcm_client *client;
    struct mcm_event_lane *lanes; /* lanes_per_server for each server */
    unsigned lane_count;
    unsigned lanes_per_server;
    struct mcm_event_lane *dirty; /* to be flushed by the next mcm_loop_process() */
    int epoll_fd;
    char *buffer;
    struct loop_call **chunks;
    uint32_t chunk_count;
    struct loop_call *free_calls;
    struct mcm_deadlines deadlines;
    size_t pending;
    bool stopping;
};

static void end_call(void *owner, struct mcm_lane_call *lane_call);

static struct mcm_client *new_inner_client(const struct mcm_client_config *config, char *error,
                                           size_t error_size)
{
    struct mcm_client_config inner = *config;
    if (config->tls != NULL || config->user != NULL) {
        mcm_refuse(error, error_size, "a loop does neither TLS nor authentication");
        return NULL;
    }
    inner.mode = MCM_MODE_EXCLUSIVE;
    inner.connections_max = config->lanes > 0 ? config->lanes : 1;
    inner.waiters_max = 0;
    inner.maintenance_thread = false;
    inner.verify = true;
    if (config->value_size_max == 0) /* a loop does not ask servers what they take */
        inner.value_size_max = MCM_ITEM_SIZE_DEFAULT;
    return mcm_client_new(&inner, error, error_size);
}

static int make_lanes(struct mcm_loop *loop, const struct mcm_client_config *config)
{
    loop->lanes_per_server = mcm_client_backend(loop->client, 0)->link_count;
    loop->lane_count = loop->lanes_per_server * (unsigned)mcm_client_server_count(loop->client);
    loop->lanes = calloc(loop->lane_count, sizeof(*loop->lanes));
    if (loop->lanes == NULL)
        return -1;
    for (unsigned i = 0; i < loop->lane_count; i++) {
        struct mcm_event_lane *lane = &loop->lanes[i];
        mcm_lane_init(&lane->lane, config->lane_in_flight_max);
        lane->backend = mcm_client_backend(loop->client, i / loop->lanes_per_server);
        lane->epoll_fd = loop->epoll_fd;
        lane->end = end_call;
        lane->owner = loop;
    }
    return 0;
}

struct mcm_loop *mcm_loop_new(const struct mcm_client_config *config, char *error,
                              size_t error_size)
{
    struct mcm_client *client = new_inner_client(config, error, error_size);
    if (client == NULL)
        return NULL;
    struct mcm_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        mcm_client_free(client);
        return NULL;
    }
    loop->client = client;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->buffer = malloc(BUFFER_SIZE);
    if (loop->epoll_fd < 0 || loop->buffer == NULL || make_lanes(loop, config) != 0) {
        if (error != NULL && error_size > 0)
            snprintf(error, error_size, "no memory or descriptor for the loop");
        mcm_loop_free(loop);
        return NULL;
    }
    return loop;
}

void mcm_loop_free(struct mcm_loop *loop)
{
    if (loop == NULL)
        return;
    loop->stopping = true;
    for (unsigned i = 0; i < loop->lane_count && loop->lanes != NULL; i++) {
        if (!mcm_client_is_forked(loop->client))
            mcm_event_lane_shut(&loop->lanes[i], MCM_E_SHUTDOWN);
        free(loop->lanes[i].lane.out);
    }
    for (uint32_t i = 0; i < loop->chunk_count; i++)
        free(loop->chunks[i]);
    mcm_deadlines_deinit(&loop->deadlines);
    mcm_client_free(loop->client);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop->chunks);
    free(loop->buffer);
    free(loop->lanes);
    free(loop);
}

/* Adds a chunk of calls to the slab. */
static int grow_slab(struct mcm_loop *loop)
{
    struct loop_call *chunk = calloc(CHUNK_CALLS, sizeof(*chunk));
    void *chunks = realloc(loop->chunks, (loop->chunk_count + 1) * sizeof(*loop->chunks));
    if (chunks != NULL)
        loop->chunks = chunks;
    if (chunk == NULL || chunks == NULL) {
        free(chunk);
        return -1;
    }
    loop->chunks[loop->chunk_count] = chunk;
    for (uint32_t i = CHUNK_CALLS; i-- > 0;) {
        chunk[i].index = loop->chunk_count * CHUNK_CALLS + i;
        chunk[i].next_free = loop->free_calls;
        loop->free_calls = &chunk[i];
    }
    loop->chunk_count++;
    return 0;
}

static struct loop_call *take_call(struct mcm_loop *loop)
{
    if (loop->free_calls == NULL && grow_slab(loop) != 0)
        return NULL;
    struct loop_call *call = loop->free_calls;
    loop->free_calls = call->next_free;
    call->uses++;
    return call;
}

static void put_call(struct mcm_loop *loop, struct loop_call *call)
{
    call->lane = NULL;
    call->next_free = loop->free_calls;
    loop->free_calls = call;
}

static uint64_t call_id(const struct loop_call *call)
{
    return (uint64_t)call->uses << 32 | call->index;
}

static struct loop_call *find_call(const struct mcm_loop *loop, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (index / CHUNK_CALLS >= loop->chunk_count)
        return NULL;
    struct loop_call *call = &loop->chunks[index / CHUNK_CALLS][index % CHUNK_CALLS];
    return call->lane != NULL && call_id(call) == id ? call : NULL;
}

static void mark_dirty(struct mcm_loop *loop, struct mcm_event_lane *lane)
{
    if (lane->dirty)
        return;
    lane->dirty = true;
    lane->next_dirty = loop->dirty;
    loop->dirty = lane;
}

/* Puts a call, new or to be repeated, into the queue of its lane. */
static void enqueue(struct mcm_loop *loop, struct loop_call *call)
{
    call->lane_call = (struct mcm_lane_call){.op = &call->op, .request = &call->request};
    mcm_op_init(&call->op, &call->request, call->buffer, call->buffer_size);
    mcm_lane_add(&call->lane->lane, &call->lane_call);
    mark_dirty(loop, call->lane);
}

/* Whether a call that was lost with its connection goes out once more; else the outcome may say
 * more about it. */
static bool try_again(struct mcm_loop *loop, struct loop_call *call)
{
    struct mcm_op *op = &call->op;
    bool lost =
        op->outcome == MCM_E_RESET || op->outcome == MCM_E_CLOSED || op->outcome == MCM_E_PROTOCOL;
    if (!lost || op->answer_begun || !call->lane_call.was_used || call->retried || loop->stopping)
        return false;
    if (op->command != MCM_COMMAND_GET && op->bytes_sent > 0) {
        if (call->lane_call.was_idle)
            op->outcome = MCM_E_CLOSED_IDLE;
        return false;
    }
    call->retried = true;
    atomic_fetch_add_explicit(&call->lane->backend->retries, 1, memory_order_relaxed);
    enqueue(loop, call);
    return true;
}

static void report(struct mcm_loop *loop, unsigned server, struct mcm_breaker_token token,
                   enum mcm_outcome outcome)
{
    struct mcm_breaker_transition moved;
    mcm_backend_report(mcm_client_backend(loop->client, server), token, outcome,
                       mcm_outcome_count(outcome), &moved);
    mcm_client_report_transition(loop->client, server, &moved, outcome);
}

static void end_call(void *owner, struct mcm_lane_call *lane_call)
{
    struct mcm_loop *loop = owner;
    struct loop_call *call = (struct loop_call *)lane_call;
    if (try_again(loop, call))
        return;
    struct mcm_result result = {.server = call->server, .retried = call->retried};
    mcm_result_copy_answer(&result, &call->op);
    result.outcome = call->op.outcome;
    mcm_loop_done_fn done = call->done;
    void *arg = call->arg;
    struct mcm_breaker_token token = call->token;
    struct mcm_watch watch = call->watch;
    watch.event.key = (struct mcm_slice){0}; /* its memory is given back */
    mcm_deadlines_remove(&loop->deadlines, &call->deadline);
    put_call(loop, call);
    loop->pending--;
    report(loop, result.server, token, result.outcome);
    mcm_watch_end(&watch, result.outcome, result.retried);
    done(arg, &result);
}

/* The least busy lane of a server. */
static struct mcm_event_lane *pick_lane(struct mcm_loop *loop, unsigned server)
{
    struct mcm_event_lane *lanes = &loop->lanes[server * loop->lanes_per_server];
    struct mcm_event_lane *best = lanes;
    for (unsigned i = 1; i < loop->lanes_per_server; i++) {
        if (lanes[i].lane.in_flight + lanes[i].lane.queued_count <
            best->lane.in_flight + best->lane.queued_count)
            best = &lanes[i];
    }
    return best;
}

static enum mcm_outcome admit(struct mcm_loop *loop, unsigned server,
                              struct mcm_breaker_token *token)
{
    struct mcm_breaker_transition moved;
    enum mcm_outcome outcome =
        mcm_backend_admit(mcm_client_backend(loop->client, server), token, &moved);
    mcm_client_report_transition(loop->client, server, &moved, MCM_OUTCOME_COUNT);
    if (outcome != MCM_OK)
        report(loop, server, *token, outcome);
    return outcome;
}

/* Fills a call and puts it in order of its deadline. */
static struct loop_call *prepare(struct mcm_loop *loop, const struct mcm_loop_call *how,
                                 const struct mcm_request *request)
{
    struct loop_call *call = take_call(loop);
    if (call == NULL)
        return NULL;
    call->request = *request;
    memcpy(call->key, request->key.data, request->key.size);
    call->request.key.data = call->key;
    call->deadline.at = how->deadline;
    call->retried = false;
    call->done = how->done;
    call->arg = how->arg;
    if (mcm_deadlines_add(&loop->deadlines, &call->deadline) != 0) {
        put_call(loop, call);
        return NULL;
    }
    return call;
}

static enum mcm_outcome submit(struct mcm_loop *loop, struct mcm_loop_call *how,
                               const struct mcm_request *request, void *buffer, size_t buffer_size)
{
    how->id = 0;
    if (!mcm_key_is_valid(request->key))
        return MCM_E_KEY;
    if (loop->stopping || mcm_client_is_forked(loop->client))
        return loop->stopping ? MCM_E_SHUTDOWN : MCM_E_FORKED;
    unsigned server = mcm_client_server_index(loop->client, request->key);
    struct mcm_event_lane *lane = pick_lane(loop, server);
    if (lane->lane.queued_count >= MCM_LOOP_QUEUE_MAX)
        return MCM_E_WAITERS;
    struct mcm_breaker_token token = {0};
    enum mcm_outcome outcome = admit(loop, server, &token);
    if (outcome != MCM_OK)
        return outcome;
    struct loop_call *call = prepare(loop, how, request);
    if (call == NULL) {
        report(loop, server, token, MCM_E_NO_MEMORY);
        return MCM_E_NO_MEMORY;
    }
    call->token = token;
    call->server = server;
    struct mcm_call_event event = {.server = server,
                                   .kind = mcm_watch_kind(request->command),
                                   .key = call->request.key,
                                   .items = 1};
    mcm_watch_begin(&call->watch, lane->backend, &event);
    call->lane = lane;
    call->buffer = buffer;
    call->buffer_size = buffer_size;
    enqueue(loop, call);
    loop->pending++;
    how->id = call_id(call);
    return MCM_OK;
}

enum mcm_outcome mcm_loop_get(struct mcm_loop *loop, struct mcm_loop_call *call,
                              struct mcm_slice key, void *buffer, size_t buffer_size)
{
    struct mcm_request request = mcm_request_get(key);
    return submit(loop, call, &request, buffer, buffer_size);
}

enum mcm_outcome mcm_loop_set(struct mcm_loop *loop, struct mcm_loop_call *call,
                              struct mcm_slice key, struct mcm_slice value, uint32_t ttl)
{
    if (ttl > INT32_MAX || value.size > loop->client->value_size_max)
        return ttl > INT32_MAX ? MCM_E_ARG : MCM_E_TOO_BIG;
    struct mcm_request request = mcm_request_set(key, value, ttl);
    return submit(loop, call, &request, NULL, 0);
}

enum mcm_outcome mcm_loop_delete(struct mcm_loop *loop, struct mcm_loop_call *call,
                                 struct mcm_slice key)
{
    struct mcm_request request = {.command = MCM_COMMAND_DELETE, .key = key};
    return submit(loop, call, &request, NULL, 0);
}

enum mcm_outcome mcm_loop_increment(struct mcm_loop *loop, struct mcm_loop_call *call,
                                    struct mcm_slice key, const struct mcm_increment *change)
{
    if (change->ttl > INT32_MAX)
        return MCM_E_ARG;
    struct mcm_request request = mcm_request_increment(key, change);
    return submit(loop, call, &request, NULL, 0);
}

/* Takes a call out before its answer; false when it has one already, which is to be told. */
static bool withdraw(struct mcm_loop *loop, struct loop_call *call, enum mcm_outcome outcome)
{
    /* What waits for mcm_loop_process() only is not late by the server's fault. */
    bool untried = call->lane->dirty && !call->lane_call.committed &&
                   call->lane->state != MCM_EVENT_LANE_CONNECTING;
    if (!mcm_lane_abandon(&call->lane->lane, &call->lane_call, ns_now())) {
        mark_dirty(loop, call->lane);
        return false;
    }
    if (outcome != MCM_OUTCOME_COUNT)
        call->op.outcome = outcome;
    else if (untried)
        call->op.outcome = MCM_E_TIMEOUT_POOL;
    end_call(loop, &call->lane_call);
    return true;
}

bool mcm_loop_cancel(struct mcm_loop *loop, uint64_t id)
{
    struct loop_call *call = find_call(loop, id);
    return call != NULL && withdraw(loop, call, MCM_E_CANCELLED);
}

int mcm_loop_fd(const struct mcm_loop *loop)
{
    return loop->epoll_fd;
}

mcm_ns mcm_loop_deadline(const struct mcm_loop *loop)
{
    if (loop->dirty != NULL)
        return 0;
    struct mcm_deadline *first = mcm_deadlines_first(&loop->deadlines);
    mcm_ns next = first != NULL ? first->at : MCM_NS_NEVER;
    for (unsigned i = 0; i < loop->lane_count; i++)
        next = ns_min(next, mcm_event_lane_deadline(&loop->lanes[i]));
    return next;
}

static void flush(struct mcm_loop *loop, mcm_ns now)
{
    /* What callbacks add meanwhile leaves with the next round. */
    struct mcm_event_lane *lane = loop->dirty;
    loop->dirty = NULL;
    while (lane != NULL) {
        struct mcm_event_lane *next = lane->next_dirty;
        lane->dirty = false;
        mcm_event_lane_flush(lane, now);
        lane = next;
    }
}

static void expire(struct mcm_loop *loop, mcm_ns now)
{
    struct mcm_deadline *first;
    while ((first = mcm_deadlines_first(&loop->deadlines)) != NULL && first->at <= now) {
        struct loop_call *call =
            (struct loop_call *)((char *)first - offsetof(struct loop_call, deadline));
        mcm_deadlines_remove(&loop->deadlines, first);
        withdraw(loop, call, MCM_OUTCOME_COUNT);
    }
    for (unsigned i = 0; i < loop->lane_count; i++)
        mcm_event_lane_tick(&loop->lanes[i], now);
}

void mcm_loop_process(struct mcm_loop *loop)
{
    if (mcm_client_is_forked(loop->client))
        return;
    struct epoll_event events[EVENTS_MAX];
    mcm_ns now = ns_now();
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++)
        mcm_event_lane_ready(events[i].data.ptr, events[i].events, loop->buffer, BUFFER_SIZE, now);
    expire(loop, now);
    flush(loop, now);
}

size_t mcm_loop_run(struct mcm_loop *loop, mcm_ns deadline)
{
    while (loop->pending > 0 && !mcm_client_is_forked(loop->client)) {
        mcm_loop_process(loop);
        mcm_ns until = ns_min(deadline, mcm_loop_deadline(loop));
        if (loop->pending == 0 || ns_now() >= deadline)
            break;
        if (until > 0 && mcm_socket_wait(loop->epoll_fd, false, until) < 0)
            break;
    }
    return loop->pending;
}

size_t mcm_loop_pending(const struct mcm_loop *loop)
{
    return loop->pending;
}

int mcm_loop_stats(struct mcm_loop *loop, unsigned index, struct mcm_server_stats *stats)
{
    return mcm_client_stats(loop->client, index, stats);
}
