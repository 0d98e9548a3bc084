/* SPDX-License-Identifier: MIT */
/*
 * One server's part of a batch: a window of slots, each with an operation for one item or a get
 * line for many. Slots are filled while answers come, so that neither side ever waits for the other
 * to read.
 */
#include "mcmeta/group.h"

#include <string.h>

#include "base/time.h"
#include "mcmeta/classic.h"

#define LINES_IN_FLIGHT_MAX 8

struct mcm_group_slot {
    struct mcm_op op;
    struct mcm_group *group;
    struct mcm_group_slot *next_free;
    size_t position; /* of the first item, in the batch's order */
    size_t count;    /* items; 0 for a barrier */
};

/* A slot with a get line. */
struct line_slot {
    struct mcm_group_slot slot;
    struct mcm_classic_get get;
};

static struct mcm_batch_item *item_at(const struct mcm_group *group, size_t position)
{
    return &group->batch->items[group->batch->order[position]];
}

static void note_end(struct mcm_group *group, size_t position, enum mcm_outcome outcome)
{
    if (group->batch->kind != MCM_BATCH_GET && group->batch->round == 0)
        mcm_client_note_end(group->backend, item_at(group, position)->key, outcome);
}

static void finish_at(struct mcm_group *group, size_t position, enum mcm_outcome outcome)
{
    group->ends[outcome]++;
    note_end(group, position, outcome);
    mcm_batch_finish_item(group->batch, group->batch->order[position], outcome);
}

static bool uses_lines(const struct mcm_group *group)
{
    return group->batch->classic;
}

static int make_slots(struct mcm_group *group)
{
    const struct mcm_batch_options *options = &group->batch->options;
    size_t items = group->end - group->first;
    size_t size = uses_lines(group) ? sizeof(struct line_slot) : sizeof(struct mcm_group_slot);
    /* One more for a barrier. */
    size_t count = items < options->in_flight_max ? items + 1 : options->in_flight_max + 1;
    if (uses_lines(group) && count > LINES_IN_FLIGHT_MAX)
        count = LINES_IN_FLIGHT_MAX;
    group->free_slots = NULL;
    for (size_t i = 0; i < count; i++) {
        struct mcm_group_slot *slot = mcm_arena_take(group->batch->scratch, size);
        if (slot == NULL)
            return -1;
        slot->group = group;
        slot->next_free = group->free_slots;
        group->free_slots = slot;
    }
    group->slot_count = (unsigned)count;
    return 0;
}

static struct mcm_group_slot *take_slot(struct mcm_group *group)
{
    struct mcm_group_slot *slot = group->free_slots;
    group->free_slots = slot->next_free;
    group->in_flight++;
    return slot;
}

static void free_slot(struct mcm_group_slot *slot)
{
    slot->next_free = slot->group->free_slots;
    slot->group->free_slots = slot;
    slot->group->in_flight--;
}

/* A buffer for the value that begins, from the arena when the caller gave none. */
static void find_buffer(struct mcm_group *group, struct mcm_op *op, size_t position)
{
    struct mcm_batch_item *item = item_at(group, position);
    op->buffer = item->buffer;
    op->buffer_size = item->buffer_size;
    if (item->buffer != NULL)
        return;
    op->buffer = mcm_arena_take(group->batch->options.arena, (size_t)op->value_size);
    op->buffer_size = op->buffer != NULL ? (size_t)op->value_size : 0;
}

/* The outcome of a fetch whose value has come. */
static enum mcm_outcome keep_value(struct mcm_batch_item *item, const struct mcm_op *op)
{
    item->value_size = (size_t)op->value_size;
    item->client_flags = op->client_flags;
    item->cas = op->cas;
    if (op->value_size > op->buffer_size)
        return item->buffer != NULL ? MCM_E_BUFFER : MCM_E_NO_MEMORY;
    item->value = (struct mcm_slice){op->buffer, (size_t)op->value_size};
    return MCM_OK;
}

static void reserve_for_op(struct mcm_op *op)
{
    struct mcm_group_slot *slot = op->owner;
    find_buffer(slot->group, op, slot->position);
}

static struct line_slot *line_of(struct mcm_classic_get *get)
{
    return (struct line_slot *)((char *)get - offsetof(struct line_slot, get));
}

static void line_begin(struct mcm_classic_get *get, struct mcm_op *op, unsigned index)
{
    struct mcm_group_slot *slot = &line_of(get)->slot;
    find_buffer(slot->group, op, slot->position + index);
}

static void line_end(struct mcm_classic_get *get, struct mcm_op *op, unsigned index)
{
    struct mcm_group_slot *slot = &line_of(get)->slot;
    struct mcm_traffic *traffic = &slot->group->lease.traffic;
    struct mcm_batch_item *item = item_at(slot->group, slot->position + index);
    item->sent = true;
    traffic->operations[MCM_OPERATION_GET]++;
    traffic->hits++;
    traffic->bytes_received += op->value_size;
    finish_at(slot->group, slot->position + index, keep_value(item, op));
}

static void line_miss(struct mcm_classic_get *get, unsigned index)
{
    struct mcm_group_slot *slot = &line_of(get)->slot;
    item_at(slot->group, slot->position + index)->sent = true;
    slot->group->lease.traffic.operations[MCM_OPERATION_GET]++;
    slot->group->lease.traffic.misses++;
    finish_at(slot->group, slot->position + index, MCM_MISS);
}

static const struct mcm_classic_get_ops line_ops = {
    .begin = line_begin, .end = line_end, .miss = line_miss};

static uint32_t item_flags(const struct mcm_batch *batch, const struct mcm_batch_item *item)
{
    static const uint32_t modes[MCM_STORE_MODE_COUNT] = {
        [MCM_STORE_ADD] = MCM_REQUEST_ADD,
        [MCM_STORE_REPLACE] = MCM_REQUEST_REPLACE,
        [MCM_STORE_APPEND] = MCM_REQUEST_APPEND,
        [MCM_STORE_PREPEND] = MCM_REQUEST_PREPEND,
    };
    uint32_t flags = batch->options.quiet ? MCM_REQUEST_QUIET : 0;
    if (batch->kind == MCM_BATCH_GET) {
        flags |= MCM_REQUEST_VALUE | MCM_REQUEST_TELL_FLAGS;
        return flags | (batch->options.want_cas ? MCM_REQUEST_TELL_CAS : 0);
    }
    flags |= item->cas != 0 ? MCM_REQUEST_COMPARE : 0;
    if (batch->kind == MCM_BATCH_SET) {
        flags |= modes[batch->options.mode];
        flags |= item->ttl > 0 ? MCM_REQUEST_TTL : 0;
        flags |= item->client_flags > 0 ? MCM_REQUEST_CLIENT_FLAGS : 0;
    }
    return flags;
}

static void submit_item(struct mcm_group *group)
{
    static const enum mcm_command commands[] = {
        [MCM_BATCH_GET] = MCM_COMMAND_GET,
        [MCM_BATCH_SET] = MCM_COMMAND_SET,
        [MCM_BATCH_DELETE] = MCM_COMMAND_DELETE,
    };
    struct mcm_group_slot *slot = take_slot(group);
    slot->position = group->next++;
    slot->count = 1;
    struct mcm_batch_item *item = item_at(group, slot->position);
    struct mcm_wire_key wire;
    mcm_key_prepare(group->batch->client->keys, item->key, &wire);
    struct mcm_request request = {
        .command = commands[group->batch->kind],
        .key = wire.key,
        .flags = item_flags(group->batch, item) | (wire.base64 ? MCM_REQUEST_BASE64 : 0),
        .value = item->value,
        .ttl = item->ttl,
        .client_flags = item->client_flags,
        .compare = item->cas,
    };
    if (group->batch->round > 0)
        request = mcm_failover_request(&request, group->batch->client->failure_ttl_max);
    mcm_op_init(&slot->op, &request, NULL, 0);
    slot->op.owner = slot;
    slot->op.reserve = group->batch->kind == MCM_BATCH_GET ? reserve_for_op : NULL;
    mcm_conn_submit(&group->lease.link->conn, &slot->op, &request);
}

static void submit_line(struct mcm_group *group)
{
    struct mcm_group_slot *slot = take_slot(group);
    struct mcm_classic_get *get = &((struct line_slot *)slot)->get;
    const struct mcm_batch_item *items = group->batch->items;
    const size_t *order = group->batch->order;
    mcm_classic_get_init(get, &line_ops, group->batch->options.want_cas);
    slot->position = group->next;
    while (group->next < group->end && mcm_classic_get_add(get, items[order[group->next]].key))
        group->next++;
    slot->count = group->next - slot->position;
    struct mcm_request request = mcm_classic_get_request(get);
    mcm_op_init(&slot->op, &request, NULL, 0);
    slot->op.owner = slot;
    mcm_conn_submit(&group->lease.link->conn, &slot->op, &request);
}

static void submit_barrier(struct mcm_group *group)
{
    struct mcm_group_slot *slot = take_slot(group);
    struct mcm_request request = {.command = MCM_COMMAND_NOOP};
    slot->count = 0;
    mcm_op_init(&slot->op, &request, NULL, 0);
    slot->op.owner = slot;
    mcm_conn_submit(&group->lease.link->conn, &slot->op, &request);
}

/* Fills the window when half of it is free. Every quiet run ends in a barrier. */
static void fill_window(struct mcm_group *group)
{
    bool quiet = group->batch->options.quiet && !uses_lines(group);
    unsigned reserve = uses_lines(group) ? 0 : 1;
    size_t begin = group->next;
    if (group->in_flight > group->slot_count / 2)
        return;
    while (group->next < group->end && group->in_flight + reserve < group->slot_count) {
        if (uses_lines(group))
            submit_line(group);
        else
            submit_item(group);
    }
    if (quiet && group->next > begin)
        submit_barrier(group);
    if (group->next > begin)
        mcm_measure_add(group->backend->measures, MCM_MEASURE_DEPTH, group->in_flight);
}

/* Items that were not submitted end with `outcome`. */
static void drop_rest(struct mcm_group *group, enum mcm_outcome outcome)
{
    while (group->next < group->end)
        finish_at(group, group->next++, outcome);
}

/* Whether items of a server that is down have somewhere else to go. */
static bool may_hold(const struct mcm_batch *batch)
{
    if (batch->client->on_failure == MCM_ON_FAILURE_MISS)
        return batch->kind == MCM_BATCH_GET;
    return mcm_failover_goes_on(batch->client, batch->topology, batch->round);
}

static void hold_rest(struct mcm_group *group, enum mcm_outcome outcome)
{
    group->batch->held += group->end - group->next;
    group->ends[outcome] += (uint32_t)(group->end - group->next);
    for (; group->next < group->end; group->next++) {
        struct mcm_batch_item *item = item_at(group, group->next);
        note_end(group, group->next, outcome);
        if (group->batch->round == 0)
            item->home_outcome = outcome;
    }
}

static void note_failure(struct mcm_group *group, enum mcm_outcome outcome, int sys_errno)
{
    group->outcome = outcome;
    group->sys_errno = sys_errno;
    if (group->main != NULL && group->main->outcome == MCM_OK) {
        group->main->outcome = outcome;
        group->main->sys_errno = sys_errno;
    }
}

void mcm_group_refuse(struct mcm_group *group, enum mcm_outcome outcome)
{
    note_failure(group, outcome, group->lease.sys_errno);
    if (mcm_outcome_is_down(outcome) && may_hold(group->batch)) {
        hold_rest(group, outcome);
        return;
    }
    group->batch->giving_up |= group->batch->options.fail_fast;
    drop_rest(group, outcome);
}

static void finish_line(struct mcm_group_slot *slot)
{
    if (slot->op.outcome == MCM_OK)
        return;
    for (size_t i = 0; i < slot->count; i++) {
        struct mcm_batch_item *item = item_at(slot->group, slot->position + i);
        if (item->outcome != MCM_OUTCOME_COUNT)
            continue;
        item->sent = slot->op.bytes_sent > 0;
        finish_at(slot->group, slot->position + i, slot->op.outcome);
    }
}

static void finish_slot(struct mcm_group_slot *slot)
{
    struct mcm_group *group = slot->group;
    struct mcm_op *op = &slot->op;
    if (op->error[0] != '\0' && group->batch->result.text[0] == '\0')
        memcpy(group->batch->result.text, op->error, sizeof(op->error));
    if (uses_lines(group)) {
        finish_line(slot);
    } else if (slot->count == 1) {
        struct mcm_batch_item *item = item_at(group, slot->position);
        enum mcm_outcome outcome = op->outcome;
        item->sent = op->bytes_sent > 0;
        mcm_traffic_count(&group->lease.traffic, op);
        if (op->wants_value && (outcome == MCM_OK || outcome == MCM_E_BUFFER))
            outcome = keep_value(item, op);
        finish_at(group, slot->position, outcome);
    }
    free_slot(slot);
}

static void give_back(struct mcm_group *group)
{
    mcm_backend_release(group->backend, &group->lease);
    group->active = false;
}

static bool is_lost(const struct mcm_op *op)
{
    return op->outcome == MCM_E_RESET || op->outcome == MCM_E_CLOSED;
}

/* Reading twice does no harm. */
static void start_again(struct mcm_group *group, struct mcm_op *lost)
{
    for (struct mcm_op *op = lost, *next; op != NULL; op = next) {
        next = op->next;
        free_slot(op->owner);
    }
    group->next = group->first;
    group->retried = true;
    group->batch->result.retries++;
    atomic_fetch_add_explicit(&group->backend->retries, 1, memory_order_relaxed);
    if (mcm_group_connect(group, 0, group->batch->deadline))
        mcm_group_begin(group);
}

/* Takes the failed operations off the connection, as a list. */
static struct mcm_op *take_lost(struct mcm_conn *conn)
{
    struct mcm_op *first = NULL, **end = &first, *op;
    while ((op = mcm_conn_next_done(conn)) != NULL) {
        *end = op;
        end = &op->next;
    }
    return first;
}

/* The connection broke: whoever has no outcome gets that of the connection, unless the group can
 * start again because a kept connection had died before anything came over it. */
static void end_broken(struct mcm_group *group)
{
    struct mcm_op *lost = take_lost(&group->lease.link->conn);
    bool died_idle = lost != NULL && is_lost(lost) && group->was_used && !group->answered;
    give_back(group);
    if (died_idle && !group->lease.stopped && !group->retried &&
        group->batch->kind == MCM_BATCH_GET) {
        start_again(group, lost);
        return;
    }
    enum mcm_outcome outcome = lost != NULL ? lost->outcome : MCM_E_PROTOCOL;
    if (died_idle)
        outcome = MCM_E_CLOSED_IDLE;
    if (group->lease.stopped)
        outcome = mcm_backend_stop_outcome(group->backend);
    if (lost != NULL || group->next < group->end) {
        note_failure(group, outcome, lost != NULL ? lost->sys_errno : 0);
        group->batch->giving_up |= group->batch->options.fail_fast;
    }
    for (struct mcm_op *op = lost, *next; op != NULL; op = next) {
        next = op->next;
        if (is_lost(op))
            op->outcome = outcome;
        finish_slot(op->owner);
    }
    drop_rest(group, outcome);
}

/* Takes what is done off the connection, and ends the group when that is all or it broke. */
static void collect(struct mcm_group *group)
{
    struct mcm_conn *conn = &group->lease.link->conn;
    struct mcm_op *op;
    while ((op = conn->done_first) != NULL) {
        group->answered = group->answered || op->answer_begun;
        if (conn->broken && !mcm_outcome_is_answer(op->outcome))
            break;
        mcm_conn_next_done(conn);
        finish_slot(op->owner);
    }
    if (conn->broken)
        end_broken(group);
    else if (group->in_flight == 0 && group->next == group->end)
        give_back(group);
}

void mcm_group_pump(struct mcm_group *group, enum mcm_pump how)
{
    bool more = true;
    while (more) {
        struct mcm_pumped pumped =
            mcm_socket_pump(group->lease.link->fd, &group->lease.link->conn, how);
        group->writes = pumped.writes;
        if (pumped.received)
            group->progress_at = ns_now();
        collect(group);
        if (!group->active)
            return;
        size_t before = group->next;
        if (group->batch->giving_up)
            drop_rest(group, MCM_E_CANCELLED);
        fill_window(group);
        more = group->next > before;
        how = MCM_PUMP_SEND;
    }
}

void mcm_group_fail(struct mcm_group *group, enum mcm_outcome outcome)
{
    group->answered = true; /* not to be started again */
    mcm_conn_fail(&group->lease.link->conn, outcome, 0);
    collect(group);
}

bool mcm_group_connect(struct mcm_group *group, mcm_ns idle_ns, mcm_ns deadline)
{
    enum mcm_outcome outcome = MCM_OK;
    memset(&group->lease, 0, sizeof(group->lease));
    if (group->slot_count == 0 && make_slots(group) != 0)
        outcome = MCM_E_NO_MEMORY;
    if (outcome == MCM_OK)
        outcome = mcm_backend_acquire(group->backend, &group->lease, idle_ns, deadline);
    group->outcome = MCM_OK;
    if (outcome == MCM_OK)
        return true;
    mcm_group_refuse(group, outcome);
    return false;
}

bool mcm_group_try_connect(struct mcm_group *group, mcm_ns idle_ns, mcm_ns deadline)
{
    memset(&group->lease, 0, sizeof(group->lease));
    return mcm_backend_try_acquire(group->backend, &group->lease, idle_ns, deadline) == MCM_OK;
}

void mcm_group_begin(struct mcm_group *group)
{
    if (group->slot_count == 0 && make_slots(group) != 0) {
        give_back(group);
        mcm_group_refuse(group, MCM_E_NO_MEMORY);
        return;
    }
    group->active = true;
    group->was_used = group->lease.link->used;
    group->progress_at = ns_now();
    mcm_group_pump(group, MCM_PUMP_SEND);
}
