/* SPDX-License-Identifier: MIT */
/*
 * Drivers for the tests of the loader, one per build: a good one that answers what the key says
 * ("21" is outcome 21), and with WRONG set one that must be refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memchaos/driver.h>

#define WRONG_NOTHING 0
#define WRONG_ABI 1
#define WRONG_SIZE 2
#define WRONG_FUNCTION 3
#define WRONG_NAME 4
#define WRONG_TABLE 5
#define WRONG_OPEN 6

#ifndef WRONG
#define WRONG WRONG_NOTHING
#endif

static void *client_open(const struct memchaos_config *config, struct memchaos_error *error)
{
    static int client;
    if (WRONG == WRONG_OPEN || config->size != sizeof *config || config->server_count == 0) {
        snprintf(error->text, sizeof error->text, "no such luck with %s", config->servers[0]);
        return NULL;
    }
    config->breaker_changed(config->host, 1, MEMCHAOS_BREAKER_CLOSED, MEMCHAOS_BREAKER_IS_OPEN,
                            "a test");
    return &client;
}

static void nothing(void *object)
{
    (void)object;
}

static bool node_stats(void *client, size_t node, struct memchaos_node_stats *out)
{
    (void)client;
    out->pool_total = 7;
    out->breaker = MEMCHAOS_BREAKER_HALF_OPEN;
    return node == 0;
}

static int node_of_key(void *client, const char *key, size_t key_size)
{
    (void)client;
    (void)key;
    return (int)key_size;
}

static void *worker_open(void *client, unsigned worker, struct memchaos_error *error)
{
    (void)worker;
    (void)error;
    return client;
}

static void answer(const char *key, struct memchaos_result *result)
{
    result->outcome = atoi(key);
    result->node = (int)strlen(key);
    result->number = 42;
    result->unsent = true;
}

static void get(void *worker, const char *key, size_t key_size, int64_t deadline,
                struct memchaos_result *result)
{
    (void)worker;
    (void)deadline;
    answer(key, result);
    result->value = key;
    result->value_size = key_size;
}

static void store(void *worker, const char *key, size_t key_size, const void *value,
                  size_t value_size, uint32_t ttl_s, int64_t deadline,
                  struct memchaos_result *result)
{
    (void)worker;
    (void)key_size;
    (void)value;
    (void)value_size;
    (void)ttl_s;
    (void)deadline;
    answer(key, result);
}

static void remove_key(void *worker, const char *key, size_t key_size, int64_t deadline,
                       struct memchaos_result *result)
{
    (void)worker;
    (void)key_size;
    (void)deadline;
    answer(key, result);
}

static void increment(void *worker, const char *key, size_t key_size, uint64_t delta,
                      uint32_t ttl_s, int64_t deadline, struct memchaos_result *result)
{
    (void)worker;
    (void)key_size;
    (void)delta;
    (void)ttl_s;
    (void)deadline;
    answer(key, result);
}

/* Leaves out the last one. */
static void multi_get(void *worker, struct memchaos_item *items, size_t count, int64_t deadline)
{
    (void)worker;
    (void)deadline;
    for (size_t i = 0; i + 1 < count; i++) {
        items[i].outcome = atoi(items[i].key);
        items[i].node = (int)i;
        items[i].value = "v";
        items[i].value_size = 1;
    }
}

const struct memchaos_driver *memchaos_driver_entry(void)
{
    static const struct memchaos_driver driver = {
        .abi = WRONG == WRONG_ABI ? 9 : MEMCHAOS_DRIVER_ABI,
        .size = WRONG == WRONG_SIZE ? 16 : sizeof driver,
        .name = WRONG == WRONG_NAME ? NULL : "fake",
        .client = "fake 3.1",
        .open = client_open,
        .close = nothing,
        .node_stats = node_stats,
        .node_of_key = node_of_key,
        .worker_open = worker_open,
        .worker_close = nothing,
        .get = get,
        .set = WRONG == WRONG_FUNCTION ? NULL : store,
        .add = store,
        .remove = remove_key,
        .increment = increment,
        .multi_get = multi_get,
    };
    return WRONG == WRONG_TABLE ? NULL : &driver;
}
