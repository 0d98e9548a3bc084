/* SPDX-License-Identifier: MIT */
/*
 * Life of a call of the event-driven client:
 *
 *     check arguments -> pick the server -> ask its breaker -> queue of a lane -> answer -> tell
 * the breaker -> (another lane, where a dead connection or a dead server left it) -> callback
 *
 * A call is taken from a slab, keeps a copy of its key, and goes back to the slab before its
 * callback runs. Its id holds its place in the slab and how often that was used.
 */
#include "mcmeta/loop_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "mcmeta/compose.h"

#define CHUNK_CALLS 64

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
    mcm_deadlines_remove(&loop->deadlines, &call->deadline);
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

void mcm_loop_mark_dirty(struct mcm_loop *loop, struct mcm_event_lane *lane)
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
    mcm_loop_mark_dirty(loop, call->lane);
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
    mcm_backend_report(mcm_client_backend_in(loop->client, loop->topology, server), token, outcome,
                       mcm_outcome_count(outcome), &moved);
    mcm_client_report_transition(loop->client, server, &moved, outcome);
}

static unsigned load_of(const struct mcm_event_lane *lane)
{
    return lane->lane.in_flight + lane->lane.queued_count;
}

/* The least busy of the lanes for small values, only of the open ones when told so. NULL: none. */
static struct mcm_event_lane *least_busy(struct mcm_loop *loop, struct mcm_event_lane *lanes,
                                         bool open_only)
{
    struct mcm_event_lane *best = NULL;
    unsigned count = loop->lanes_per_server - 1;
    unsigned first = loop->take_turns ? loop->turn++ : 0;
    for (unsigned i = 0; i < count; i++) {
        struct mcm_event_lane *lane = &lanes[(first + i) % count];
        if (open_only && lane->state != MCM_EVENT_LANE_OPEN)
            continue;
        if (best == NULL || load_of(lane) < load_of(best))
            best = lane;
    }
    return best;
}

/* The lane of a server for a call; MCM_E_BACKOFF when no connection may be tried in its time. */
static enum mcm_outcome pick_lane(struct mcm_loop *loop, struct loop_call *call)
{
    struct mcm_event_lane *lanes = &loop->lanes[call->server * loop->lanes_per_server];
    const struct mcm_client *client = loop->client;
    bool is_large = call->request.value.size > client->lane_store_max ||
                    call->buffer_size > client->lane_fetch_max;
    call->lane = is_large ? &lanes[loop->lanes_per_server - 1] : least_busy(loop, lanes, false);
    if (call->lane->state != MCM_EVENT_LANE_CLOSED)
        return MCM_OK;
    mcm_ns dial_at = mcm_event_lane_dial_time(call->lane);
    if (dial_at <= ns_now())
        return MCM_OK;
    struct mcm_event_lane *open = is_large ? NULL : least_busy(loop, lanes, true);
    if (open != NULL)
        call->lane = open;
    else if (dial_at != NS_NEVER &&
             (dial_at >= call->until || client->on_failure != MCM_ON_FAILURE_ERROR))
        return MCM_E_BACKOFF;
    return MCM_OK;
}

static bool is_queue_full(const struct mcm_loop *loop, unsigned server)
{
    size_t queued = 0;
    for (unsigned i = 0; i < loop->lanes_per_server; i++)
        queued += loop->lanes[server * loop->lanes_per_server + i].lane.queued_count;
    return queued >= loop->queue_max;
}

static struct mcm_slice name_of(const struct loop_call *call)
{
    struct mcm_slice name = {call->name, call->name_size};
    return call->name_size > 0 ? name : call->request.key;
}

static void begin_trace(struct mcm_loop *loop, struct loop_call *call)
{
    struct mcm_call_event event = {.server = call->server,
                                   .kind = mcm_trace_kind(call->request.command),
                                   .key = name_of(call),
                                   .items = 1};
    mcm_trace_begin(&call->trace, mcm_client_backend_in(loop->client, loop->topology, call->server),
                    &event);
}

static void refuse(struct mcm_loop *loop, struct loop_call *call, enum mcm_outcome outcome)
{
    report(loop, call->server, call->token, outcome);
    mcm_trace_end(&call->trace, outcome, false);
}

/* Hands a call to a server: MCM_OK when it is queued. */
static enum mcm_outcome place(struct mcm_loop *loop, struct loop_call *call, unsigned server)
{
    struct mcm_breaker_transition moved;
    call->server = server;
    if (is_queue_full(loop, server))
        return MCM_E_WAITERS;
    begin_trace(loop, call);
    enum mcm_outcome outcome = mcm_backend_admit(
        mcm_client_backend_in(loop->client, loop->topology, server), &call->token, &moved);
    mcm_client_report_transition(loop->client, server, &moved, MCM_OUTCOME_COUNT);
    if (outcome == MCM_OK)
        outcome = pick_lane(loop, call);
    if (outcome == MCM_OK)
        enqueue(loop, call);
    else
        refuse(loop, call, outcome);
    return outcome;
}

/* What the policy makes of a call whose server is down: MCM_OK when another one has it now. */
static enum mcm_outcome go_elsewhere(struct mcm_loop *loop, struct loop_call *call,
                                     enum mcm_outcome outcome)
{
    struct mcm_client *client = loop->client;
    if (call->round == 0)
        call->home_outcome = outcome;
    if (client->on_failure == MCM_ON_FAILURE_MISS && call->request.command == MCM_COMMAND_GET)
        return MCM_MISS;
    while (mcm_outcome_is_down(outcome) && !loop->stopping && ns_now() < call->until &&
           mcm_failover_goes_on(client, loop->topology, call->round)) {
        size_t index = mcm_failover_server(client, loop->topology, name_of(call), ++call->round);
        if (index == MCM_SELECTOR_NONE || !mcm_client_may_fail_over(client, call->server))
            break;
        call->request = mcm_failover_request(&call->request, client->failure_ttl_max);
        outcome = place(loop, call, (unsigned)index);
    }
    return outcome;
}

void mcm_loop_end_call(void *self, struct mcm_lane_call *lane_call)
{
    struct mcm_loop *loop = self;
    struct loop_call *call = (struct loop_call *)lane_call;
    if (try_again(loop, call))
        return;
    enum mcm_outcome outcome = call->op.outcome;
    report(loop, call->server, call->token, outcome);
    mcm_trace_end(&call->trace, outcome, call->retried);
    if (mcm_outcome_is_down(outcome)) {
        outcome = go_elsewhere(loop, call, outcome);
        if (outcome == MCM_OK)
            return;
    }
    struct mcm_result result = {.server = call->server, .retried = call->retried};
    mcm_result_copy_answer(&result, &call->op);
    result.outcome = outcome;
    result.home_outcome = call->home_outcome;
    mcm_loop_done_fn done = call->done;
    void *arg = call->arg;
    put_call(loop, call);
    loop->pending--;
    done(arg, &result);
}

/* Fills a call and puts it in order of its deadline. */
static struct loop_call *prepare(struct mcm_loop *loop, const struct mcm_loop_call *how,
                                 const struct mcm_request *request, const struct mcm_wire_key *wire)
{
    struct loop_call *call = take_call(loop);
    if (call == NULL)
        return NULL;
    call->request = *request;
    memcpy(call->key, wire->key.data, wire->key.size);
    call->request.key = (struct mcm_slice){call->key, wire->key.size};
    call->request.flags |= wire->base64 ? MCM_REQUEST_BASE64 : 0;
    call->name_size = wire->base64 ? request->key.size : 0;
    if (wire->base64)
        memcpy(call->name, request->key.data, request->key.size);
    call->until = how->deadline;
    call->deadline.at = how->deadline;
    if (loop->acquire_timeout > 0)
        call->deadline.at = ns_min(how->deadline, ns_add(ns_now(), loop->acquire_timeout));
    call->round = 0;
    call->home_outcome = MCM_OK;
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
    struct mcm_wire_key wire;
    how->id = 0;
    if (!mcm_key_prepare(loop->client->keys, request->key, &wire))
        return MCM_E_KEY;
    if (loop->stopping || mcm_client_is_forked(loop->client))
        return loop->stopping ? MCM_E_SHUTDOWN : MCM_E_FORKED;
    size_t server =
        mcm_selector_pick(loop->topology->selector, request->key.data, request->key.size);
    if (server == MCM_SELECTOR_NONE)
        return MCM_E_ARG;
    struct loop_call *call = prepare(loop, how, request, &wire);
    if (call == NULL)
        return MCM_E_NO_MEMORY;
    call->buffer = buffer;
    call->buffer_size = buffer_size;
    enum mcm_outcome outcome = place(loop, call, (unsigned)server);
    if (mcm_outcome_is_down(outcome))
        outcome = go_elsewhere(loop, call, outcome);
    if (outcome != MCM_OK) {
        put_call(loop, call);
        return outcome;
    }
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

/* A composed request. A loop asks no server for its version, so what an older one might ignore is
 * not sent. */
static enum mcm_outcome submit_checked(struct mcm_loop *loop, struct mcm_loop_call *call,
                                       enum mcm_outcome composed, const struct mcm_request *request,
                                       void *buffer, size_t buffer_size)
{
    call->id = 0;
    if (composed != MCM_OK)
        return composed;
    if (request->value.size > loop->client->value_size_max)
        return MCM_E_TOO_BIG;
    if (mcm_needed_capabilities(request) != 0)
        return MCM_E_UNSUPPORTED;
    return submit(loop, call, request, buffer, buffer_size);
}

enum mcm_outcome mcm_loop_get_with(struct mcm_loop *loop, struct mcm_loop_call *call,
                                   struct mcm_slice key, void *buffer, size_t buffer_size,
                                   const struct mcm_get_options *options)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_get(key, options, &request);
    return submit_checked(loop, call, outcome, &request, buffer, buffer_size);
}

enum mcm_outcome mcm_loop_store(struct mcm_loop *loop, struct mcm_loop_call *call,
                                struct mcm_slice key, struct mcm_slice value,
                                const struct mcm_store_options *options)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_store(key, value, options, &request);
    return submit_checked(loop, call, outcome, &request, NULL, 0);
}

enum mcm_outcome mcm_loop_delete_with(struct mcm_loop *loop, struct mcm_loop_call *call,
                                      struct mcm_slice key,
                                      const struct mcm_delete_options *options)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_delete(key, options, &request);
    return submit_checked(loop, call, outcome, &request, NULL, 0);
}

enum mcm_outcome mcm_loop_raw(struct mcm_loop *loop, struct mcm_loop_call *call,
                              const struct mcm_raw_request *raw, void *buffer, size_t buffer_size)
{
    struct mcm_request request;
    enum mcm_outcome outcome = mcm_compose_raw(raw, &request);
    return submit_checked(loop, call, outcome, &request, buffer, buffer_size);
}

/* Whether nobody tried to send the call yet, and not because its server keeps us waiting. */
static bool is_untried(const struct loop_call *call)
{
    const struct mcm_event_lane *lane = call->lane;
    bool waits_for_us = lane->dirty || lane->state == MCM_EVENT_LANE_CLOSED;
    return waits_for_us && !call->lane_call.committed && lane->state != MCM_EVENT_LANE_DIALING;
}

/* Takes a call out before its answer; false when it has one already, which is to be told. */
static bool withdraw(struct mcm_loop *loop, struct loop_call *call, enum mcm_outcome outcome)
{
    if (outcome == MCM_OUTCOME_COUNT && is_untried(call))
        outcome = MCM_E_TIMEOUT_POOL;
    if (!mcm_lane_abandon(&call->lane->lane, &call->lane_call, ns_now())) {
        mcm_loop_mark_dirty(loop, call->lane);
        return false;
    }
    if (outcome != MCM_OUTCOME_COUNT)
        call->op.outcome = outcome;
    mcm_loop_end_call(loop, &call->lane_call);
    return true;
}

bool mcm_loop_cancel(struct mcm_loop *loop, uint64_t id)
{
    struct loop_call *call = find_call(loop, id);
    return call != NULL && withdraw(loop, call, MCM_E_CANCELLED);
}

/* The deadline that came may only have been that of waiting for a connection. */
static void expire_call(struct mcm_loop *loop, struct loop_call *call)
{
    if (call->deadline.at >= call->until) {
        withdraw(loop, call, MCM_OUTCOME_COUNT);
    } else if (call->lane_call.committed || call->lane->state == MCM_EVENT_LANE_DIALING) {
        call->deadline.at = call->until;
        /* There is room, since it was in before. */
        mcm_deadlines_add(&loop->deadlines, &call->deadline);
    } else {
        withdraw(loop, call, MCM_E_TIMEOUT_POOL);
    }
}

void mcm_loop_expire_calls(struct mcm_loop *loop, mcm_ns now)
{
    struct mcm_deadline *first;
    while ((first = mcm_deadlines_first(&loop->deadlines)) != NULL && first->at <= now) {
        struct loop_call *call =
            (struct loop_call *)((char *)first - offsetof(struct loop_call, deadline));
        mcm_deadlines_remove(&loop->deadlines, first);
        expire_call(loop, call);
    }
}
