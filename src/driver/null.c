/* SPDX-License-Identifier: MIT */
#include "driver/null.h"

#include <stdatomic.h>
#include <stdlib.h>

struct null_client {
    size_t server_count;
    atomic_bool interrupted;
};

static int null_open(const struct driver_config *config, void **out, struct err *err)
{
    struct null_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return err_set(err, "out of memory");
    client->server_count = config->server_count;
    *out = client;
    return 0;
}

static void null_interrupt(void *client)
{
    atomic_store(&((struct null_client *)client)->interrupted, true);
}

static bool null_node_stats(void *client, size_t node, struct node_stats *out)
{
    (void)client;
    (void)node;
    (void)out;
    return false;
}

static int null_node_of_key(void *client, const char *key, size_t key_size)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < key_size; i++)
        hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    return (int)(hash % ((struct null_client *)client)->server_count);
}

static void null_close(void *client)
{
    free(client);
}

static void *null_worker_open(void *client, unsigned worker, struct err *err)
{
    (void)worker;
    (void)err;
    return client;
}

static void null_worker_close(void *worker)
{
    (void)worker;
}

static void answer(void *worker, const char *key, size_t key_size, enum outcome outcome,
                   struct driver_result *result)
{
    struct null_client *client = worker;
    *result = (struct driver_result){
        .outcome = atomic_load_explicit(&client->interrupted, memory_order_relaxed)
                       ? OUTCOME_CANCELLED
                       : outcome,
        .node = (uint32_t)null_node_of_key(client, key, key_size),
        .unsent = true,
    };
}

static void null_get(void *worker, const char *key, size_t key_size, void *buffer,
                     size_t buffer_size, ns_t deadline, struct driver_result *result)
{
    (void)buffer;
    (void)buffer_size;
    (void)deadline;
    answer(worker, key, key_size, OUTCOME_MISS, result);
}

static void null_set(void *worker, const char *key, size_t key_size, const void *value,
                     size_t value_size, uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    (void)value;
    (void)value_size;
    (void)ttl_s;
    (void)deadline;
    answer(worker, key, key_size, OUTCOME_STORED, result);
}

static void null_delete(void *worker, const char *key, size_t key_size, ns_t deadline,
                        struct driver_result *result)
{
    (void)deadline;
    answer(worker, key, key_size, OUTCOME_DELETED, result);
}

static void null_increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                           uint32_t ttl_s, ns_t deadline, struct driver_result *result)
{
    (void)ttl_s;
    (void)deadline;
    answer(worker, key, key_size, OUTCOME_OK, result);
    result->number = delta;
}

static void null_batch(void *worker, struct driver_item *items, size_t count, enum outcome outcome)
{
    for (size_t i = 0; i < count; i++) {
        struct driver_result result;
        answer(worker, items[i].key, items[i].key_size, outcome, &result);
        items[i].outcome = result.outcome;
        items[i].node = result.node;
        items[i].unsent = true;
    }
}

static void null_multi_get(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    (void)deadline;
    null_batch(worker, items, count, OUTCOME_MISS);
}

static void null_multi_set(void *worker, struct driver_item *items, size_t count, ns_t deadline)
{
    (void)deadline;
    null_batch(worker, items, count, OUTCOME_STORED);
}

const struct driver driver_null = {
    .name = "null",
    .help = "answers at once without a server; measures the rig itself",
    .open = null_open,
    .interrupt = null_interrupt,
    .node_stats = null_node_stats,
    .node_of_key = null_node_of_key,
    .close = null_close,
    .worker_open = null_worker_open,
    .worker_close = null_worker_close,
    .get = null_get,
    .set = null_set,
    .delete_ = null_delete,
    .add = null_set,
    .increment = null_increment,
    .multi_get = null_multi_get,
    .multi_set = null_multi_set,
};
