/* SPDX-License-Identifier: MIT */
/*
 * Life of a batch: check every item -> sort by server -> start the servers one after the other, in
 * the order of their index so that two batches never wait for each other's connections -> drive
 * all of them until every item has an outcome -> tell the breakers -> sum up.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/time.h"
#include "mcmeta/group.h"
#include "mcmeta/token.h"

/* Whether an item of a get that ends so becomes a miss when the caller wants no errors. */
static bool is_hidden(const struct mcm_batch *batch, enum mcm_outcome outcome)
{
    if (!batch->options.errors_as_misses || batch->kind != MCM_BATCH_GET)
        return false;
    enum mcm_class domain = mcm_outcome_class(outcome);
    return domain != MCM_CLASS_ANSWER && domain != MCM_CLASS_CALLER && domain != MCM_CLASS_STOPPED;
}

static void finish_one(struct mcm_batch *batch, size_t index, enum mcm_outcome outcome)
{
    struct mcm_batch_item *item = &batch->items[index];
    item->outcome = outcome;
    if (is_hidden(batch, outcome)) {
        if (item->home_outcome == MCM_OK)
            item->home_outcome = outcome;
        item->outcome = MCM_MISS;
        batch->result.hidden++;
    }
    if (batch->options.on_item != NULL)
        batch->options.on_item(batch->options.on_item_arg, batch->items, index);
}

static void finish_twins(struct mcm_batch *batch, size_t index, enum mcm_outcome outcome)
{
    const struct mcm_batch_item *first = &batch->items[index];
    size_t twin = mcm_batch_next_twin(batch, index);
    for (; twin != MCM_BATCH_NO_TWIN; twin = mcm_batch_next_twin(batch, twin)) {
        struct mcm_batch_item *item = &batch->items[twin];
        item->value = batch->kind == MCM_BATCH_GET ? first->value : item->value;
        item->client_flags = first->client_flags;
        item->cas = first->cas;
        item->server = first->server;
        item->value_size = first->value_size;
        item->sent = first->sent;
        item->home_outcome = first->home_outcome;
        finish_one(batch, twin, outcome);
    }
}

void mcm_batch_finish_item(struct mcm_batch *batch, size_t index, enum mcm_outcome outcome)
{
    if (batch->twins != NULL)
        finish_twins(batch, index, outcome);
    finish_one(batch, index, outcome);
}

static bool is_plain_key(const struct mcm_batch *batch, struct mcm_slice key)
{
    return batch->client->keys == MCM_KEYS_DEFAULT && mcm_key_is_valid(key);
}

/* By the other rules; a key that is encoded cannot stand in a get line. */
static bool is_other_key(struct mcm_batch *batch, struct mcm_slice key)
{
    struct mcm_wire_key wire;
    bool is_valid = mcm_key_prepare(batch->client->keys, key, &wire);
    batch->classic = batch->classic && !(is_valid && wire.base64);
    return is_valid;
}

static enum mcm_outcome check_item(struct mcm_batch *batch, struct mcm_batch_item *item)
{
    if (!is_plain_key(batch, item->key) && !is_other_key(batch, item->key))
        return MCM_E_KEY;
    if (batch->kind == MCM_BATCH_SET && item->value.size > batch->client->value_size_max)
        return MCM_E_TOO_BIG;
    if (batch->kind == MCM_BATCH_SET && item->ttl > INT32_MAX)
        return MCM_E_ARG;
    if (batch->kind == MCM_BATCH_GET && item->buffer == NULL && batch->options.arena == NULL)
        return MCM_E_ARG;
    return MCM_OUTCOME_COUNT;
}

static void find_server(struct mcm_batch *batch, struct mcm_batch_item *item)
{
    size_t index = mcm_selector_pick(batch->topology->selector, item->key.data, item->key.size);
    if (index == MCM_SELECTOR_NONE)
        item->outcome = MCM_E_ARG;
    else
        item->server = (unsigned)index;
}

/* What the server must be asked, or told, before it is sent the item. */
static void prepare_item(struct mcm_batch *batch, struct mcm_batch_item *item)
{
    enum mcm_outcome outcome = MCM_OK;
    if (mcm_client_backend_in(batch->client, batch->topology, item->server)->missed != NULL)
        outcome = mcm_client_settle(batch->client, batch->topology, item->server, item->key,
                                    batch->deadline);
    /* When it is down the item will find out itself. */
    if (outcome != MCM_OK && !mcm_outcome_is_down(outcome))
        item->outcome = outcome;
    else if (batch->kind == MCM_BATCH_SET && batch->client->asks_value_limit &&
             item->value.size > mcm_client_value_limit(batch->client, batch->topology, item->server,
                                                       item->key, item->value.size,
                                                       batch->deadline))
        item->outcome = MCM_E_TOO_BIG;
}

/* Every item gets its server, or the outcome with which it is refused. */
static void check_items(struct mcm_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct mcm_batch_item *item = &batch->items[i];
        item->server = 0;
        item->sent = false;
        item->value_size = 0;
        item->home_outcome = MCM_OK;
        item->outcome = check_item(batch, item);
        if (item->outcome == MCM_OUTCOME_COUNT)
            find_server(batch, item);
        if (item->outcome == MCM_OUTCOME_COUNT)
            prepare_item(batch, item);
        if (batch->kind == MCM_BATCH_GET)
            item->value = (struct mcm_slice){0};
    }
    /* Callbacks only now: they may use the items, and each has an outcome or is still to come. */
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].outcome != MCM_OUTCOME_COUNT)
            mcm_batch_finish_item(batch, i, batch->items[i].outcome);
    }
}

static bool is_to_send(const struct mcm_batch *batch, size_t index)
{
    return batch->items[index].outcome == MCM_OUTCOME_COUNT &&
           (batch->twins == NULL || !mcm_batch_is_twin(batch, index));
}

/* Servers of the list and of the gutter. */
static unsigned server_count(const struct mcm_batch *batch)
{
    const struct mcm_topology *gutter = batch->client->gutter;
    return batch->topology->count + (gutter != NULL ? gutter->count : 0);
}

/* A group for each server that has items. In *ends: where those of each server begin. */
static void add_groups(struct mcm_batch *batch, const size_t *ends)
{
    batch->group_count = 0;
    for (unsigned s = 0; s < server_count(batch); s++) {
        if (ends[s] == ends[s + 1])
            continue;
        batch->groups[batch->group_count++] =
            (struct mcm_group){.batch = batch,
                               .server = s,
                               .backend = mcm_client_backend_in(batch->client, batch->topology, s),
                               .first = ends[s],
                               .next = ends[s],
                               .end = ends[s + 1]};
    }
}

static unsigned connections_per_server(const struct mcm_batch *batch)
{
    unsigned wanted = batch->options.connections_per_server;
    return wanted > 0 ? wanted : 1;
}

/* Memory until the end of the batch, or NULL. */
static void *take_zeroed(struct mcm_batch *batch, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *memory = mcm_arena_take(batch->scratch, total);
    if (memory != NULL)
        memset(memory, 0, total);
    return memory;
}

/* Sorts the indexes of pending items by server and makes a group of each run. */
static int make_groups(struct mcm_batch *batch)
{
    unsigned servers = server_count(batch);
    size_t groups = servers < batch->count ? servers : batch->count;
    size_t *ends = take_zeroed(batch, servers + 1, sizeof(*ends));
    batch->order = take_zeroed(batch, batch->count, sizeof(*batch->order));
    batch->groups =
        take_zeroed(batch, groups * connections_per_server(batch), sizeof(*batch->groups));
    batch->tokens = take_zeroed(batch, groups, sizeof(*batch->tokens));
    if (ends == NULL || batch->order == NULL || batch->groups == NULL || batch->tokens == NULL)
        return -1;
    for (size_t i = 0; i < batch->count; i++)
        ends[batch->items[i].server + 1] += is_to_send(batch, i);
    for (unsigned s = 0; s < servers; s++)
        ends[s + 1] += ends[s];
    add_groups(batch, ends);
    for (size_t i = 0; i < batch->count; i++) {
        if (is_to_send(batch, i))
            batch->order[ends[batch->items[i].server]++] = i;
    }
    return 0;
}

static unsigned poll_active(const struct mcm_batch *batch, struct pollfd *polled, mcm_ns *until)
{
    unsigned count = 0;
    *until = batch->deadline;
    for (unsigned i = 0; i < batch->group_count; i++) {
        const struct mcm_group *group = &batch->groups[i];
        if (!group->active)
            continue;
        polled[count].fd = group->lease.link->fd;
        polled[count].events = group->writes ? POLLIN | POLLOUT : POLLIN;
        polled[count++].revents = 0;
        if (batch->options.progress_timeout > 0)
            *until = ns_min(*until, ns_add(group->progress_at, batch->options.progress_timeout));
    }
    return count;
}

/* How a group that is still active at `now` must end; MCM_OK: not yet. */
static enum mcm_outcome overdue(const struct mcm_group *group, mcm_ns now)
{
    const struct mcm_batch *batch = group->batch;
    mcm_ns silence = batch->options.progress_timeout;
    if (now < batch->deadline && (silence == 0 || now < ns_add(group->progress_at, silence)))
        return MCM_OK;
    return group->lease.link->conn.unsent != NULL ? MCM_E_TIMEOUT_WRITE : MCM_E_TIMEOUT_READ;
}

static int wait_for_any(struct pollfd *polled, unsigned count, mcm_ns until)
{
    const struct mcm_cancel *cancel = mcm_cancel_current();
    struct timespec left;
    if (until != NS_NEVER)
        left = ns_to_timespec(ns_max(until - ns_now(), 0));
    if (cancel != NULL)
        polled[count++] = (struct pollfd){.fd = mcm_cancel_fd(cancel), .events = POLLIN};
    return ppoll(polled, count, until != NS_NEVER ? &left : NULL, NULL);
}

/* A single server is waited for by receiving, which saves a system call. */
static bool may_wait_by_receiving(const struct mcm_batch *batch, mcm_ns until)
{
    const struct mcm_group *group = batch->groups;
    while (!group->active)
        group++;
    return !group->writes && group->lease.link->stream == NULL &&
           mcm_socket_may_block(ns_now(), until);
}

/* Whether a group that has begun should not wait until all others have. */
static bool has_more_to_send(const struct mcm_batch *batch)
{
    for (unsigned i = 0; i < batch->group_count; i++) {
        const struct mcm_group *group = &batch->groups[i];
        if (group->active && (group->writes || group->next < group->end))
            return true;
    }
    return false;
}

/* One round of waiting and working, at the latest until `wait_until`; false when no group is left.
 * `polled` has room for every group and a token. */
static bool drive(struct mcm_batch *batch, struct pollfd *polled, mcm_ns wait_until)
{
    mcm_ns until;
    unsigned count = poll_active(batch, polled, &until);
    if (count == 0)
        return false;
    until = ns_min(until, wait_until);
    bool blocks = count == 1 && may_wait_by_receiving(batch, until);
    int ready = blocks ? 1 : wait_for_any(polled, count, until);
    bool failed = ready < 0 && errno != EINTR;
    bool cancelled = mcm_cancel_is_due();
    mcm_ns now = ns_now();
    unsigned at = 0;
    for (unsigned i = 0; i < batch->group_count; i++) {
        struct mcm_group *group = &batch->groups[i];
        if (!group->active)
            continue;
        short events = ready > 0 ? polled[at].revents : 0;
        at++;
        if (blocks)
            mcm_group_pump(group, MCM_PUMP_WAIT);
        else if (events != 0)
            mcm_group_pump(group, events != POLLOUT ? MCM_PUMP_RECEIVE : MCM_PUMP_SEND);
        enum mcm_outcome outcome = group->active ? overdue(group, now) : MCM_OK;
        if (cancelled || failed)
            outcome = cancelled ? MCM_E_CANCELLED : MCM_E_SYSTEM;
        if (group->active && outcome != MCM_OK)
            mcm_group_fail(group, outcome);
    }
    return true;
}

/* Counts how the items of a group ended. */
static void count_items(const struct mcm_group *group)
{
    static const enum mcm_operation operations[] = {
        [MCM_BATCH_GET] = MCM_OPERATION_GET,
        [MCM_BATCH_SET] = MCM_OPERATION_STORE,
        [MCM_BATCH_DELETE] = MCM_OPERATION_DELETE,
    };
    atomic_uint_least64_t *results =
        group->backend->measures->results[operations[group->batch->kind]];
    for (int i = 0; i < MCM_OUTCOME_COUNT; i++) {
        if (group->ends[i] > 0)
            atomic_fetch_add_explicit(&results[i], group->ends[i], memory_order_relaxed);
    }
}

static void report(struct mcm_group *group, struct mcm_breaker_token token)
{
    struct mcm_batch *batch = group->batch;
    struct mcm_breaker_transition moved;
    token.began_ns = ns_now(); /* that many keys take long does not make the server slow */
    mcm_backend_report(group->backend, token, group->outcome, mcm_outcome_count(group->outcome),
                       &moved);
    mcm_trace_end(&group->trace, group->outcome, group->retried);
    mcm_client_report_transition(batch->client, group->server, &moved, group->outcome);
    batch->result.servers++;
    if (group->outcome == MCM_OK)
        return;
    batch->result.servers_failed++;
    if (batch->result.sys_errno == 0)
        batch->result.sys_errno = group->sys_errno;
}

/* One dead server must not use up the time of those that come after it or stand in for it. */
static mcm_ns start_deadline(const struct mcm_batch *batch)
{
    bool is_last = batch->group_count == 1 &&
                   !mcm_failover_goes_on(batch->client, batch->topology, batch->round);
    if (is_last || batch->deadline == NS_NEVER)
        return batch->deadline;
    mcm_ns now = ns_now();
    return batch->deadline > now ? now + (batch->deadline - now) / 2 : batch->deadline;
}

/* A part of a group's items should be worth a connection. */
#define PART_ITEMS_MIN 16

/* Splits a connected group over as many connections as are to be had without waiting. */
static void split_group(struct mcm_batch *batch, struct mcm_group *group)
{
    size_t items = group->end - group->first;
    size_t wanted = connections_per_server(batch);
    wanted = wanted < items / PART_ITEMS_MIN ? wanted : items / PART_ITEMS_MIN;
    struct mcm_group *parts = &batch->groups[batch->group_count];
    size_t count = 0;
    while (count + 1 < wanted) {
        parts[count] = (struct mcm_group){
            .batch = batch, .main = group, .backend = group->backend, .server = group->server};
        if (!mcm_group_try_connect(&parts[count], batch->client->idle_check, start_deadline(batch)))
            break;
        count++;
    }
    size_t begin = group->first, share = items / (count + 1);
    for (size_t i = 0; i < count; i++, begin += share) {
        parts[i].first = parts[i].next = begin + items % (count + 1) + share;
        parts[i].end = parts[i].first + share;
    }
    group->end = group->first + share + items % (count + 1);
    batch->group_count += (unsigned)count;
    for (size_t i = 0; i < count; i++)
        mcm_group_begin(&parts[i]);
}

static void start_group(struct mcm_group *group, struct mcm_breaker_token *token)
{
    struct mcm_batch *batch = group->batch;
    struct mcm_breaker_transition moved;
    struct mcm_call_event event = {
        .server = group->server, .kind = MCM_MEASURE_BATCH, .items = group->end - group->first};
    mcm_trace_begin(&group->trace, group->backend, &event);
    enum mcm_outcome outcome = mcm_backend_admit(group->backend, token, &moved);
    mcm_client_report_transition(batch->client, group->server, &moved, MCM_OUTCOME_COUNT);
    if (outcome == MCM_OK && batch->giving_up)
        outcome = MCM_E_CANCELLED;
    if (outcome != MCM_OK) {
        mcm_group_refuse(group, outcome);
        return;
    }
    if (!mcm_group_connect(group, batch->client->idle_check, start_deadline(batch)))
        return;
    split_group(batch, group);
    mcm_group_begin(group);
}

static int run_groups(struct mcm_batch *batch)
{
    unsigned servers = batch->group_count; /* their parts come behind */
    struct pollfd *polled =
        take_zeroed(batch, (size_t)servers * connections_per_server(batch) + 1, sizeof(*polled));
    if (polled == NULL)
        return -1;
    for (unsigned i = 0; i < servers; i++) {
        start_group(&batch->groups[i], &batch->tokens[i]);
        if (has_more_to_send(batch))
            drive(batch, polled, 0);
    }
    while (drive(batch, polled, NS_NEVER))
        continue;
    for (unsigned i = 0; i < batch->group_count; i++)
        count_items(&batch->groups[i]);
    for (unsigned i = 0; i < servers; i++)
        report(&batch->groups[i], batch->tokens[i]);
    return 0;
}

/* An item whose server is down goes to the next one, or ends. */
static void move_item(struct mcm_batch *batch, size_t index)
{
    struct mcm_batch_item *item = &batch->items[index];
    if (batch->client->on_failure == MCM_ON_FAILURE_MISS) {
        mcm_batch_finish_item(batch, index, MCM_MISS);
        return;
    }
    size_t server = mcm_failover_server(batch->client, batch->topology, item->key, batch->round);
    if (server == MCM_SELECTOR_NONE || !mcm_client_may_fail_over(batch->client, item->server)) {
        mcm_batch_finish_item(batch, index, item->home_outcome);
        return;
    }
    item->server = (unsigned)server;
    batch->result.redirected += batch->round == 1;
}

/* Each round asks other servers than the one before, for the items whose servers were down. */
static int run_rounds(struct mcm_batch *batch)
{
    int result;
    do {
        batch->held = 0;
        result = make_groups(batch);
        if (result == 0)
            result = run_groups(batch);
        batch->round++;
        for (size_t i = 0; i < batch->count && batch->held > 0 && result == 0; i++) {
            if (is_to_send(batch, i))
                move_item(batch, i);
        }
    } while (result == 0 && batch->held > 0);
    return result;
}

static void refuse_pending(struct mcm_batch *batch, enum mcm_outcome outcome)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].outcome == MCM_OUTCOME_COUNT)
            mcm_batch_finish_item(batch, i, outcome);
    }
}

static void sum_up(struct mcm_batch *batch)
{
    struct mcm_batch_result *result = &batch->result;
    for (size_t i = 0; i < batch->count; i++) {
        enum mcm_outcome outcome = batch->items[i].outcome;
        bool answered = mcm_outcome_is_answer(outcome);
        result->ok += outcome == MCM_OK;
        result->answered += answered;
        if (!answered && result->failed++ == 0)
            result->outcome = outcome;
    }
    if (result->failed == 0)
        result->status = MCM_BATCH_OK;
    else
        result->status = result->answered > 0 ? MCM_BATCH_PARTIAL : MCM_BATCH_FAILED;
}

/* 250 ms and a millisecond for each 100 keys. */
static mcm_ns default_deadline(size_t count)
{
    return ns_add(ns_now(), 250 * NS_PER_MS + (mcm_ns)(count / 100) * NS_PER_MS);
}

static bool are_options(const struct mcm_batch_options *options)
{
    return options->size == sizeof(*options) && options->in_flight_max > 0 &&
           options->in_flight_max <= MCM_BATCH_IN_FLIGHT_MAX && options->progress_timeout >= 0 &&
           options->connections_per_server <= MCM_BATCH_CONNECTIONS_MAX &&
           (unsigned)options->mode < MCM_STORE_MODE_COUNT;
}

static bool dedupes(const struct mcm_batch *batch)
{
    return batch->options.dedupe && batch->kind != MCM_BATCH_SET;
}

static void run_batch(struct mcm_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i].outcome = MCM_OUTCOME_COUNT;
    if (mcm_client_is_forked(batch->client)) {
        refuse_pending(batch, MCM_E_FORKED);
        return;
    }
    unsigned phase = mcm_client_enter(batch->client);
    batch->topology = atomic_load(&batch->client->topology);
    bool is_closing = atomic_load(&batch->client->closing);
    batch->scratch = mcm_scratch_take(&batch->client->scratch);
    if (!is_closing)
        check_items(batch);
    if (is_closing)
        refuse_pending(batch, MCM_E_SHUTDOWN);
    else if (batch->scratch == NULL || (dedupes(batch) && mcm_batch_find_twins(batch) != 0) ||
             run_rounds(batch) != 0)
        refuse_pending(batch, MCM_E_NO_MEMORY);
    mcm_scratch_give(&batch->client->scratch, batch->scratch);
    mcm_client_leave(batch->client, phase);
}

static enum mcm_batch_status multi(struct mcm_client *client, enum mcm_batch_kind kind,
                                   struct mcm_batch_item *items, size_t count,
                                   const struct mcm_batch_options *options,
                                   struct mcm_batch_result *result)
{
    static const struct mcm_batch_options defaults = MCM_BATCH_OPTIONS_DEFAULT;
    struct mcm_batch batch = {
        .client = client,
        .kind = kind,
        .items = items,
        .count = count,
        .options = options != NULL ? *options : defaults,
    };
    if (are_options(&batch.options)) {
        batch.deadline =
            batch.options.deadline != 0 ? batch.options.deadline : default_deadline(count);
        batch.classic = kind == MCM_BATCH_GET && !batch.options.plain && !batch.options.quiet;
        run_batch(&batch);
    } else {
        for (size_t i = 0; i < count; i++)
            items[i].outcome = MCM_E_ARG;
    }
    sum_up(&batch);
    if (result != NULL)
        *result = batch.result;
    return batch.result.status;
}

enum mcm_batch_status mcm_multi_get(struct mcm_client *client, struct mcm_batch_item *items,
                                    size_t count, const struct mcm_batch_options *options,
                                    struct mcm_batch_result *result)
{
    return multi(client, MCM_BATCH_GET, items, count, options, result);
}

enum mcm_batch_status mcm_multi_set(struct mcm_client *client, struct mcm_batch_item *items,
                                    size_t count, const struct mcm_batch_options *options,
                                    struct mcm_batch_result *result)
{
    return multi(client, MCM_BATCH_SET, items, count, options, result);
}

enum mcm_batch_status mcm_multi_delete(struct mcm_client *client, struct mcm_batch_item *items,
                                       size_t count, const struct mcm_batch_options *options,
                                       struct mcm_batch_result *result)
{
    return multi(client, MCM_BATCH_DELETE, items, count, options, result);
}
