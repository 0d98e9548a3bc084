/* SPDX-License-Identifier: MIT */
/*
 * Life of a call:
 *
 *     check arguments -> pick the server -> ask its breaker -> take a connection -> exchange ->
 *     give the connection back -> (once more if a kept one had died unnoticed) -> tell the breaker
 */
#include "mcmeta/handle.h"

#include <stdlib.h>
#include <string.h>

#include <mcmeta/commands.h>

#include "base/time.h"
#include "mcmeta/classic.h"
#include "mcmeta/compose.h"
#include "mcmeta/shared.h"
#include "mcmeta/trace.h"

void mcm_client_report_transition(const struct mcm_client *client, unsigned server,
                                  const struct mcm_breaker_transition *moved,
                                  enum mcm_outcome outcome)
{
    if (moved->cause == MCM_BREAKER_CAUSE_NONE || client->on_breaker == NULL)
        return;
    struct mcm_breaker_event event = {
        .server = server,
        .from = moved->from,
        .to = moved->to,
        .cause = moved->cause,
        .outcome = outcome,
        .at = moved->at_ns,
    };
    client->on_breaker(client->on_breaker_arg, &event);
}

void mcm_result_copy_answer(struct mcm_result *result, const struct mcm_op *op)
{
    result->sys_errno = op->sys_errno;
    result->sent = result->sent || op->bytes_sent > 0;
    if (op->outcome == MCM_OK && op->wants_value && op->command == MCM_COMMAND_GET)
        result->value = (struct mcm_slice){.data = op->buffer, .size = (size_t)op->value_size};
    result->value_size = (size_t)(op->value_size > 0 ? op->value_size : op->item_size);
    result->number = op->number;
    result->cas = op->cas;
    result->client_flags = op->client_flags;
    result->ttl_s = op->ttl;
    result->last_access_s = op->last_access;
    result->hit_before = op->hit_before;
    result->won = op->won;
    result->stale = op->stale;
    result->taken = op->taken;
    memcpy(result->text, op->error, sizeof(result->text));
}

/* How one attempt on one connection ended. */
struct attempt {
    enum mcm_outcome outcome;
    bool died_idle;  /* the connection was a kept one and broke before any answer */
    bool may_repeat; /* repeating cannot do harm twice */
};

static bool takes_lane(const struct mcm_client *client, const struct mcm_backend *backend,
                       const struct mcm_op *op)
{
    return backend->lane_count > 0 && op->text == NULL &&
           op->value.size <= client->lane_store_max && op->buffer_size <= client->lane_fetch_max;
}

/* One attempt on a shared connection. */
static struct attempt attempt_shared(struct mcm_backend *backend, const struct mcm_request *request,
                                     struct mcm_op *op, mcm_ns idle_check, mcm_ns deadline,
                                     struct mcm_result *result)
{
    struct mcm_shared_end end = mcm_shared_run(backend, request, op, idle_check, deadline);
    result->waited_ns += end.waited_ns;
    mcm_result_copy_answer(result, op);
    bool may_repeat = op->command == MCM_COMMAND_GET || op->bytes_sent == 0;
    return (struct attempt){
        .outcome = end.outcome,
        .died_idle = end.lost && !op->answer_begun && end.was_used && (end.was_idle || may_repeat),
        .may_repeat = may_repeat,
    };
}

static struct attempt attempt_call(struct mcm_client *client, struct mcm_backend *backend,
                                   const struct mcm_request *request, struct mcm_op *op,
                                   mcm_ns idle_check, mcm_ns deadline, struct mcm_result *result)
{
    if (takes_lane(client, backend, op))
        return attempt_shared(backend, request, op, idle_check, deadline, result);
    struct attempt attempt = {0};
    struct mcm_lease lease = {0};
    attempt.outcome = mcm_backend_acquire(backend, &lease, idle_check, deadline);
    result->waited_ns += lease.waited_ns;
    result->sys_errno = lease.sys_errno;
    if (attempt.outcome != MCM_OK)
        return attempt;
    bool was_used = lease.link->used;
    mcm_conn_submit(&lease.link->conn, op, request);
    mcm_socket_exchange(lease.link->fd, &lease.link->conn, deadline);
    mcm_conn_next_done(&lease.link->conn);
    mcm_traffic_count(&lease.traffic, op);
    mcm_backend_release(backend, &lease);
    mcm_result_copy_answer(result, op);
    attempt.outcome = op->outcome;
    if (lease.stopped && !mcm_outcome_is_answer(op->outcome)) {
        attempt.outcome =
            atomic_load(&client->stop) == MCM_STOP_SHUTDOWN ? MCM_E_SHUTDOWN : MCM_E_CANCELLED;
        return attempt;
    }
    bool lost = op->outcome == MCM_E_RESET || op->outcome == MCM_E_CLOSED;
    attempt.died_idle = lost && was_used && !op->answer_begun;
    attempt.may_repeat = op->command == MCM_COMMAND_GET || op->bytes_sent == 0;
    return attempt;
}

static enum mcm_outcome run_call(struct mcm_client *client, struct mcm_backend *backend,
                                 const struct mcm_request *request, void *buffer,
                                 size_t buffer_size, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_op op;
    mcm_op_init(&op, request, buffer, buffer_size);
    struct attempt attempt =
        attempt_call(client, backend, request, &op, client->idle_check, deadline, result);
    if (!attempt.died_idle)
        return attempt.outcome;
    if (!attempt.may_repeat)
        return MCM_E_CLOSED_IDLE;
    /* The others that were kept died with this one most likely: look at each before use. */
    result->retried = true;
    atomic_fetch_add_explicit(&backend->retries, 1, memory_order_relaxed);
    mcm_op_init(&op, request, buffer, buffer_size);
    return attempt_call(client, backend, request, &op, 0, deadline, result).outcome;
}

/*
 * A timeout of a call that spent most of its time waiting for a connection shows that this client
 * has too few of them, not that the server fails.
 */
static enum mcm_count count_of(enum mcm_outcome outcome, mcm_ns waited_ns, mcm_ns started)
{
    bool timed_out = outcome == MCM_E_TIMEOUT_READ || outcome == MCM_E_TIMEOUT_WRITE ||
                     outcome == MCM_E_CONNECT_TIMEOUT;
    if (timed_out && waited_ns > (ns_now() - started) / 2)
        return MCM_COUNT_EXCLUDED;
    return mcm_outcome_count(outcome);
}

/* Where a call goes, and what it needs on the way. */
struct route {
    struct mcm_client *client;
    const struct mcm_topology *topology;
    struct mcm_slice key; /* as the caller knows it: keys belong to servers by these bytes */
    void *buffer;
    size_t buffer_size;
    mcm_ns deadline;
};

static enum mcm_outcome guarded_call(const struct route *route, struct mcm_backend *backend,
                                     const struct mcm_request *request, struct mcm_result *result)
{
    struct mcm_client *client = route->client;
    struct mcm_breaker_token token = {0};
    struct mcm_breaker_transition moved;
    struct mcm_trace trace;
    struct mcm_call_event event = {.server = result->server,
                                   .kind = mcm_trace_kind(request->command),
                                   .key = route->key,
                                   .items = 1};
    mcm_trace_begin(&trace, backend, &event);
    enum mcm_outcome outcome = mcm_backend_admit(backend, &token, &moved);
    mcm_client_report_transition(client, result->server, &moved, MCM_OUTCOME_COUNT);
    if (outcome == MCM_OK)
        outcome = run_call(client, backend, request, route->buffer, route->buffer_size,
                           route->deadline, result);
    token.began_ns += result->waited_ns; /* for a connection of our own: not the server's time */
    mcm_backend_report(backend, token, outcome,
                       count_of(outcome, result->waited_ns, trace.event.began), &moved);
    mcm_trace_end(&trace, outcome, result->retried);
    mcm_client_report_transition(client, result->server, &moved, outcome);
    return outcome;
}

void mcm_client_probe(struct mcm_client *client, struct mcm_backend *backend, unsigned index,
                      mcm_ns *next)
{
    static const struct mcm_request noop = {.command = MCM_COMMAND_NOOP};
    struct mcm_breaker_transition moved;
    struct mcm_breaker_token token;
    for (;;) {
        struct mcm_result result = {.server = index};
        enum mcm_outcome outcome = mcm_backend_admit_probe(backend, &token, &moved, next);
        mcm_client_report_transition(client, index, &moved, MCM_OUTCOME_COUNT);
        if (outcome != MCM_OK)
            return;
        outcome =
            run_call(client, backend, &noop, NULL, 0, mcm_after(client->health_timeout), &result);
        mcm_backend_report(backend, token, outcome, mcm_outcome_count(outcome), &moved);
        mcm_client_report_transition(client, index, &moved, outcome);
        if (!mcm_outcome_is_answer(outcome))
            return;
    }
}

bool mcm_client_may_fail_over(struct mcm_client *client, unsigned index)
{
    struct mcm_backend *backend = mcm_client_backend(client, index);
    bool may = mcm_rate_take(&client->failure_rate, ns_now());
    if (backend != NULL)
        atomic_fetch_add_explicit(may ? &backend->failovers : &backend->failovers_refused, 1,
                                  memory_order_relaxed);
    return may;
}

/* What the policy makes of a call whose server is down. */
static enum mcm_outcome call_elsewhere(const struct route *route, const struct mcm_request *request,
                                       struct mcm_result *result)
{
    struct mcm_client *client = route->client;
    struct mcm_request stand_in = mcm_failover_request(request, client->failure_ttl_max);
    enum mcm_outcome outcome = result->home_outcome;
    if (client->on_failure == MCM_ON_FAILURE_MISS && request->command == MCM_COMMAND_GET)
        return MCM_MISS;
    for (unsigned round = 0;
         mcm_outcome_is_down(outcome) && mcm_failover_goes_on(client, route->topology, round);
         round++) {
        size_t index = mcm_failover_server(client, route->topology, route->key, round + 1);
        if (index == MCM_SELECTOR_NONE || !mcm_client_may_fail_over(client, result->server))
            break;
        result->server = (unsigned)index;
        outcome = guarded_call(route, mcm_client_backend_in(client, route->topology, index),
                               &stand_in, result);
    }
    return outcome;
}

/* Asks for the version the first time somebody needs to know it. */
static enum mcm_outcome check_capabilities(const struct route *route, struct mcm_backend *backend,
                                           unsigned needed, struct mcm_result *result)
{
    char version[MCM_VERSION_SIZE] = "";
    struct mcm_classic_line reader;
    struct mcm_request request = {
        .command = MCM_COMMAND_TEXT, .key = mcm_slice_of_string("version"), .text = &reader.text};
    unsigned known = atomic_load(&backend->capabilities);
    if (!(known & MCM_CAPABILITIES_KNOWN)) {
        mcm_classic_line_init(&reader, "VERSION");
        reader.copy = version;
        enum mcm_outcome outcome = guarded_call(route, backend, &request, result);
        if (outcome != MCM_OK)
            return outcome;
        known = MCM_CAPABILITIES_KNOWN | mcm_version_capabilities(version);
        atomic_store(&backend->capabilities, known);
    }
    return (known & needed) == needed ? MCM_OK : MCM_E_UNSUPPORTED;
}

static bool is_write(const struct mcm_request *request)
{
    return request->command == MCM_COMMAND_SET || request->command == MCM_COMMAND_DELETE ||
           request->command == MCM_COMMAND_ARITH;
}

void mcm_client_note_end(struct mcm_backend *backend, struct mcm_slice key,
                         enum mcm_outcome outcome)
{
    enum mcm_class domain = mcm_outcome_class(outcome);
    bool is_missed = domain == MCM_CLASS_REFUSED || domain == MCM_CLASS_CONNECT ||
                     domain == MCM_CLASS_IO || domain == MCM_CLASS_PROTOCOL;
    if (is_missed && backend->missed != NULL)
        mcm_missed_add(backend->missed, key);
}

static enum mcm_outcome delete_from(const struct route *route, unsigned index)
{
    struct mcm_wire_key wire;
    struct mcm_result result = {.server = index};
    if (!mcm_key_prepare(route->client->keys, route->key, &wire))
        return MCM_E_KEY;
    struct mcm_request request = {.command = MCM_COMMAND_DELETE,
                                  .key = wire.key,
                                  .flags = wire.base64 ? MCM_REQUEST_BASE64 : 0};
    return guarded_call(route, mcm_client_backend_in(route->client, route->topology, index),
                        &request, &result);
}

enum mcm_outcome mcm_client_settle(struct mcm_client *client, const struct mcm_topology *topology,
                                   unsigned index, struct mcm_slice key, mcm_ns deadline)
{
    uint64_t version;
    struct mcm_missed *missed = mcm_client_backend_in(client, topology, index)->missed;
    if (missed == NULL || !mcm_missed_find(missed, key, &version))
        return MCM_OK;
    struct route route = {client, topology, key, NULL, 0, deadline};
    enum mcm_outcome outcome = delete_from(&route, index);
    if (!mcm_outcome_is_answer(outcome))
        return outcome;
    /* Copies elsewhere would be old when it fails the next time. They do not live long anyway, so
     * one attempt is enough. */
    for (unsigned round = 0; mcm_failover_goes_on(client, topology, round); round++) {
        size_t other = mcm_failover_server(client, topology, key, round + 1);
        if (other != MCM_SELECTOR_NONE)
            delete_from(&route, (unsigned)other);
    }
    mcm_missed_remove(missed, key, version);
    return MCM_OK;
}

/* What an item takes beyond its value: measured with 1.6.18 and 1.6.45. */
#define ITEM_OVERHEAD 59 /* header, CAS, the zero after the key, CRLF */
#define ITEM_FLAGS 4

/* Values above are worth a question to a server that was not asked yet. */
#define ASK_ABOVE (64 * 1024)

static void note_setting(void *arg, const char *name, const char *value)
{
    uint64_t *item_size = arg;
    if (strcmp(name, "item_size_max") == 0)
        *item_size = strtoull(value, NULL, 10);
}

static uint64_t ask_item_size(const struct route *route, struct mcm_backend *backend,
                              unsigned index)
{
    uint64_t item_size = MCM_ITEM_SIZE_DEFAULT;
    struct mcm_result result = {.server = index};
    struct mcm_classic_stats reader;
    mcm_classic_stats_init(&reader, note_setting, &item_size);
    struct mcm_request request = {.command = MCM_COMMAND_TEXT,
                                  .key = mcm_slice_of_string("stats settings"),
                                  .text = &reader.text};
    enum mcm_outcome outcome = guarded_call(route, backend, &request, &result);
    /* A server that says no will say so again; any other failure is no answer. */
    bool is_final = outcome == MCM_OK || mcm_outcome_class(outcome) == MCM_CLASS_SERVER;
    if (is_final && item_size > MCM_ITEM_SIZE_DOUBTED)
        atomic_store(&backend->item_size_max, item_size);
    return item_size;
}

size_t mcm_client_value_limit(struct mcm_client *client, const struct mcm_topology *topology,
                              unsigned index, struct mcm_slice key, size_t size, mcm_ns deadline)
{
    struct route route = {client, topology, key, NULL, 0, deadline};
    struct mcm_backend *backend = mcm_client_backend_in(client, topology, index);
    uint64_t item_size = atomic_load(&backend->item_size_max);
    if (!client->asks_value_limit)
        return client->value_size_max;
    if (item_size == MCM_ITEM_SIZE_DOUBTED ||
        (item_size == MCM_ITEM_SIZE_UNKNOWN && size > ASK_ABOVE))
        item_size = ask_item_size(&route, backend, index);
    if (item_size <= MCM_ITEM_SIZE_DOUBTED)
        item_size = MCM_ITEM_SIZE_DEFAULT;
    uint64_t overhead = ITEM_OVERHEAD + ITEM_FLAGS + key.size;
    return item_size > overhead ? (size_t)(item_size - overhead) : 0;
}

/* What must be settled before the server is asked. */
static enum mcm_outcome prepare_server(const struct route *route, const struct mcm_request *request,
                                       struct mcm_result *result)
{
    struct mcm_backend *backend = route->topology->backends[result->server];
    unsigned needed = mcm_needed_capabilities(request);
    enum mcm_outcome outcome = mcm_client_settle(route->client, route->topology, result->server,
                                                 route->key, route->deadline);
    if (outcome == MCM_OK && needed != 0)
        outcome = check_capabilities(route, backend, needed, result);
    if (outcome == MCM_OK && request->command == MCM_COMMAND_SET &&
        request->value.size > mcm_client_value_limit(route->client, route->topology, result->server,
                                                     route->key, request->value.size,
                                                     route->deadline))
        outcome = MCM_E_TOO_BIG;
    return outcome;
}

static enum mcm_outcome routed_call(const struct route *route, const struct mcm_request *request,
                                    struct mcm_result *result)
{
    size_t index = mcm_selector_pick(route->topology->selector, route->key.data, route->key.size);
    if (index == MCM_SELECTOR_NONE)
        return MCM_E_ARG;
    result->server = (unsigned)index;
    struct mcm_backend *backend = route->topology->backends[index];
    enum mcm_outcome outcome = prepare_server(route, request, result);
    if (outcome == MCM_OK)
        outcome = guarded_call(route, backend, request, result);
    if (is_write(request))
        mcm_client_note_end(backend, route->key, outcome);
    if (!mcm_outcome_is_down(outcome))
        return outcome;
    result->home_outcome = outcome;
    return call_elsewhere(route, request, result);
}

static void clear_result(struct mcm_result *result)
{
    *result = (struct mcm_result){.outcome = MCM_OK};
}

enum mcm_outcome mcm_result_refuse(struct mcm_result *result, enum mcm_outcome outcome)
{
    clear_result(result);
    result->outcome = outcome;
    return outcome;
}

enum mcm_outcome mcm_client_call(struct mcm_client *client, struct mcm_request *request,
                                 void *buffer, size_t buffer_size, mcm_ns deadline,
                                 struct mcm_result *result)
{
    struct mcm_wire_key wire;
    clear_result(result);
    if (!mcm_key_prepare(client->keys, request->key, &wire))
        return mcm_result_refuse(result, MCM_E_KEY);
    if (mcm_client_is_forked(client))
        return mcm_result_refuse(result, MCM_E_FORKED);
    unsigned phase = mcm_client_enter(client);
    struct route route = {
        client, atomic_load(&client->topology), request->key, buffer, buffer_size, deadline};
    request->key = wire.key;
    request->flags |= wire.base64 ? MCM_REQUEST_BASE64 : 0;
    if (atomic_load(&client->closing))
        result->outcome = MCM_E_SHUTDOWN;
    else
        result->outcome = routed_call(&route, request, result);
    mcm_client_leave(client, phase);
    return result->outcome;
}

enum mcm_outcome mcm_client_call_server(struct mcm_client *client, unsigned index,
                                        const struct mcm_request *request, mcm_ns deadline,
                                        struct mcm_result *result)
{
    clear_result(result);
    if (mcm_client_is_forked(client))
        return mcm_result_refuse(result, MCM_E_FORKED);
    unsigned phase = mcm_client_enter(client);
    struct route route = {
        .client = client, .topology = atomic_load(&client->topology), .deadline = deadline};
    struct mcm_backend *backend = mcm_client_backend(client, index);
    result->server = index;
    if (backend == NULL || atomic_load(&client->closing))
        result->outcome = backend == NULL ? MCM_E_ARG : MCM_E_SHUTDOWN;
    else
        result->outcome = guarded_call(&route, backend, request, result);
    mcm_client_leave(client, phase);
    return result->outcome;
}

enum mcm_outcome mcm_get(struct mcm_client *client, struct mcm_slice key, void *buffer,
                         size_t buffer_size, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_request request = mcm_request_get(key);
    return mcm_client_call(client, &request, buffer, buffer_size, deadline, result);
}

enum mcm_outcome mcm_set(struct mcm_client *client, struct mcm_slice key, struct mcm_slice value,
                         uint32_t ttl, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_request request = mcm_request_set(key, value, ttl);
    if (value.size > client->value_size_max || ttl > INT32_MAX)
        return mcm_result_refuse(result, ttl > INT32_MAX ? MCM_E_ARG : MCM_E_TOO_BIG);
    return mcm_client_call(client, &request, NULL, 0, deadline, result);
}

enum mcm_outcome mcm_delete(struct mcm_client *client, struct mcm_slice key, mcm_ns deadline,
                            struct mcm_result *result)
{
    struct mcm_request request = {.command = MCM_COMMAND_DELETE, .key = key};
    return mcm_client_call(client, &request, NULL, 0, deadline, result);
}

enum mcm_outcome mcm_increment(struct mcm_client *client, struct mcm_slice key,
                               const struct mcm_increment *change, mcm_ns deadline,
                               struct mcm_result *result)
{
    struct mcm_request request = mcm_request_increment(key, change);
    if (change->ttl > INT32_MAX)
        return mcm_result_refuse(result, MCM_E_ARG);
    return mcm_client_call(client, &request, NULL, 0, deadline, result);
}
