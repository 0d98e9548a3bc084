/* SPDX-License-Identifier: MIT */
/*
 * Life of a call:
 *
 *     check arguments -> pick the server -> ask its breaker -> take a connection -> exchange ->
 *     give the connection back -> (once more if a kept one had died unnoticed) -> tell the breaker
 */
#include "mcmeta/handle.h"

#include <string.h>

#include "base/time.h"

static void report_transition(const struct mcm_client *client, unsigned server,
                              const struct mcm_breaker_transition *moved, enum mcm_outcome outcome)
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

static void copy_answer(struct mcm_result *result, const struct mcm_op *op)
{
    result->sys_errno = op->sys_errno;
    result->sent = result->sent || op->bytes_sent > 0;
    if (op->outcome == MCM_OK && op->wants_value && op->command == MCM_COMMAND_GET)
        result->value = (struct mcm_slice){.data = op->buffer, .size = (size_t)op->value_size};
    result->value_size = (size_t)op->value_size;
    result->number = op->number;
    result->cas = op->cas;
    result->client_flags = op->client_flags;
    memcpy(result->text, op->text, sizeof(result->text));
}

/* How one attempt on one connection ended. */
struct attempt {
    enum mcm_outcome outcome;
    bool died_idle;  /* the connection was a kept one and broke before any answer */
    bool may_repeat; /* repeating cannot do harm twice */
};

static struct attempt attempt_call(struct mcm_client *client, struct mcm_backend *backend,
                                   const struct mcm_request *request, struct mcm_op *op,
                                   mcm_ns idle_check, mcm_ns deadline, struct mcm_result *result)
{
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
    mcm_backend_release(backend, &lease);
    copy_answer(result, op);
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

static enum mcm_outcome guarded_call(struct mcm_client *client, const struct mcm_request *request,
                                     void *buffer, size_t buffer_size, mcm_ns deadline,
                                     struct mcm_result *result)
{
    struct mcm_backend *backend = &client->backends[result->server];
    struct mcm_breaker_token token = {0};
    struct mcm_breaker_transition moved;
    mcm_ns started = ns_now();
    enum mcm_outcome outcome = mcm_backend_admit(backend, &token, &moved);
    report_transition(client, result->server, &moved, MCM_OUTCOME_COUNT);
    if (outcome == MCM_OK)
        outcome = run_call(client, backend, request, buffer, buffer_size, deadline, result);
    mcm_backend_report(backend, token, outcome, count_of(outcome, result->waited_ns, started),
                       &moved);
    report_transition(client, result->server, &moved, outcome);
    return outcome;
}

static void clear_result(struct mcm_result *result)
{
    *result = (struct mcm_result){.outcome = MCM_OK};
}

static enum mcm_outcome call(struct mcm_client *client, const struct mcm_request *request,
                             void *buffer, size_t buffer_size, mcm_ns deadline,
                             struct mcm_result *result)
{
    clear_result(result);
    if (!mcm_key_is_valid(request->key)) {
        result->outcome = MCM_E_KEY;
        return result->outcome;
    }
    atomic_fetch_add(&client->calls, 1);
    result->server = mcm_client_server_index(client, request->key);
    result->outcome = guarded_call(client, request, buffer, buffer_size, deadline, result);
    atomic_fetch_sub(&client->calls, 1);
    return result->outcome;
}

enum mcm_outcome mcm_get(struct mcm_client *client, struct mcm_slice key, void *buffer,
                         size_t buffer_size, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_request request = {
        .command = MCM_COMMAND_GET,
        .key = key,
        .flags = MCM_REQUEST_VALUE | MCM_REQUEST_TELL_FLAGS | MCM_REQUEST_TELL_CAS,
    };
    return call(client, &request, buffer, buffer_size, deadline, result);
}

enum mcm_outcome mcm_set(struct mcm_client *client, struct mcm_slice key, struct mcm_slice value,
                         uint32_t ttl, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_request request = {
        .command = MCM_COMMAND_SET,
        .key = key,
        .value = value,
        .flags = MCM_REQUEST_TELL_CAS | (ttl > 0 ? MCM_REQUEST_TTL : 0),
        .ttl = ttl,
    };
    if (value.size > client->value_size_max || ttl > INT32_MAX) {
        clear_result(result);
        result->outcome = ttl > INT32_MAX ? MCM_E_ARG : MCM_E_TOO_BIG;
        return result->outcome;
    }
    return call(client, &request, NULL, 0, deadline, result);
}

enum mcm_outcome mcm_delete(struct mcm_client *client, struct mcm_slice key, mcm_ns deadline,
                            struct mcm_result *result)
{
    struct mcm_request request = {.command = MCM_COMMAND_DELETE, .key = key};
    return call(client, &request, NULL, 0, deadline, result);
}

enum mcm_outcome mcm_increment(struct mcm_client *client, struct mcm_slice key,
                               const struct mcm_increment *change, mcm_ns deadline,
                               struct mcm_result *result)
{
    struct mcm_request request = {
        .command = MCM_COMMAND_ARITH,
        .key = key,
        .flags = MCM_REQUEST_VALUE | MCM_REQUEST_DELTA | MCM_REQUEST_TELL_CAS,
        .delta = change->delta,
        .initial = change->initial,
        .vivify_ttl = change->ttl,
    };
    if (change->decrement)
        request.flags |= MCM_REQUEST_DECREMENT;
    if (change->create)
        request.flags |= MCM_REQUEST_VIVIFY | MCM_REQUEST_INITIAL;
    if (change->ttl > INT32_MAX) {
        clear_result(result);
        result->outcome = MCM_E_ARG;
        return result->outcome;
    }
    return call(client, &request, NULL, 0, deadline, result);
}
