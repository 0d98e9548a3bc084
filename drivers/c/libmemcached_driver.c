/* SPDX-License-Identifier: MIT */
/*
 * libmemcached under memchaos, with a process per worker: a memcached_st is not thread-safe.
 *
 *   cc -o driver drivers/c/libmemcached_driver.c -lmemcached -ljansson && memchaos -driver ./driver
 *
 * All settings are the library's own, except for the timeouts (it waits for ever by default).
 */
#include <jansson.h>
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

static const struct {
    memcached_return_t rc;
    const char *word;
} words[] = {
    {MEMCACHED_NOTSTORED, "not_stored"},
    {MEMCACHED_TIMEOUT, "io_timeout"},
    {MEMCACHED_CONNECTION_FAILURE, "refused"},
    {MEMCACHED_HOST_LOOKUP_FAILURE, "resolve"},
    {MEMCACHED_SERVER_MARKED_DEAD, "breaker_open"},
    {MEMCACHED_SERVER_TEMPORARILY_DISABLED, "breaker_open"},
    {MEMCACHED_BAD_KEY_PROVIDED, "invalid"},
    {MEMCACHED_KEY_TOO_BIG, "invalid"},
    {MEMCACHED_CLIENT_ERROR, "client_error"},
    {MEMCACHED_SERVER_ERROR, "server_error"},
    {MEMCACHED_E2BIG, "too_large"},
    {MEMCACHED_PROTOCOL_ERROR, "protocol"},
    {MEMCACHED_ERRNO, "closed"},
    {MEMCACHED_WRITE_FAILURE, "closed"},
    {MEMCACHED_READ_FAILURE, "closed"},
    {MEMCACHED_UNKNOWN_READ_FAILURE, "closed"},
};

static memcached_return_t count(memcached_st *mc, const char *key, json_t *ask, json_t *end)
{
    char text[24];
    uint32_t delta = (uint32_t)json_integer_value(json_object_get(ask, "delta"));
    uint64_t number = delta;
    int n = snprintf(text, sizeof text, "%u", delta);
    memcached_return_t rc = memcached_increment(mc, key, strlen(key), delta, &number);
    if (rc == MEMCACHED_NOTFOUND) {
        number = delta;
        rc = memcached_add(mc, key, strlen(key), text, (size_t)n, 0, 0);
        if (rc == MEMCACHED_NOTSTORED) /* somebody else has added it in between */
            rc = memcached_increment(mc, key, strlen(key), delta, &number);
    }
    json_object_set_new(end, "number", json_integer((json_int_t)number));
    return rc;
}

static json_t *call(void *client, const char *op, const char *key, json_t *ask)
{
    memcached_st *mc = client;
    memcached_return_t rc;
    size_t size = 0, n = strlen(key);
    time_t ttl = (time_t)json_integer_value(json_object_get(ask, "ttl_s"));
    const char *text = json_string_value(json_object_get(ask, "value")), *word = "stored";
    char *value = text != NULL ? driver_decode(text, &size) : NULL;
    json_t *end = json_pack("{s:I}", "node", (json_int_t)memcached_generate_hash(mc, key, n));
    if (*op == 'g') {
        word = "hit";
        value = memcached_get(mc, key, n, &size, &(uint32_t){0}, &rc);
        json_object_set_new(end, "value", driver_encode(value, rc == MEMCACHED_SUCCESS ? size : 0));
    } else if (*op == 'i') {
        word = "ok";
        rc = count(mc, key, ask, end);
    } else if (*op == 'd') {
        word = "deleted";
        rc = memcached_delete(mc, key, n, 0);
    } else {
        rc = *op == 'a' ? memcached_add(mc, key, n, value, size, ttl, 0)
                        : memcached_set(mc, key, n, value, size, ttl, 0);
    }
    free(value);
    if (rc == MEMCACHED_NOTFOUND)
        word = *op == 'g' ? "miss" : "not_found";
    else if (rc != MEMCACHED_SUCCESS)
        word = "other";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        word = words[i].rc == rc ? words[i].word : word;
    json_object_set_new(end, "outcome", json_string(word));
    json_object_set_new(end, "error", json_string(memcached_strerror(mc, rc)));
    return end;
}

static void *hello(json_t *ask)
{
    size_t i;
    json_t *server;
    memcached_st *mc = memcached_create(NULL);
    uint64_t ms = (uint64_t)json_integer_value(json_object_get(ask, "timeout_ms"));
    uint64_t connect = (uint64_t)json_integer_value(json_object_get(ask, "connect_timeout_ms"));
    json_array_foreach(json_object_get(ask, "servers"), i, server)
    {
        char host[256];
        unsigned port;
        if (sscanf(json_string_value(server), "%255[^:]:%u", host, &port) == 2)
            memcached_server_add(mc, host, (in_port_t)port);
    }
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, ms);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, connect > 0 ? connect : ms);
    driver_say(json_pack("{s:i,s:s+,s:s,s:[sssss],s:[ss],s:{s:s,s:i}}", "hello", 1, "client",
                         "libmemcached ", memcached_lib_version(), "processes", "per_worker",
                         "operations", "get", "set", "add", "delete", "increment", "honours",
                         "timeout_ms", "connect_timeout_ms", "promises", "timeout", "none",
                         "retry_timeout_s", 2));
    return mc;
}

int main(void)
{
    return driver_run(hello, call);
}
