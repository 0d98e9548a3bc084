/* SPDX-License-Identifier: MIT */
/*
 * libmemcached under memchaos, with a process per worker: a memcached_st is not thread-safe.
 *
 *   cc -o /tmp/driver drivers/c/libmemcached_driver.c -lmemcached -ljansson
 *   memchaos -driver /tmp/driver
 *
 * All settings are the library's own, except for the timeouts (it waits for ever by default).
 */
#include <jansson.h>
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static char *encode(const unsigned char *in, size_t size)
{
    char *text = calloc(1, (size + 2) / 3 * 4 + 1), *out = text;
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits =
            in[i] << 16 | (i + 1 < size ? in[i + 1] << 8 : 0) | (i + 2 < size ? in[i + 2] : 0);
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = letters[bits >> shift & 63];
    }
    for (size_t i = 0; size % 3 != 0 && i < 3 - size % 3; i++)
        out[-1 - (int)i] = '=';
    return text;
}

static char *decode(const char *in, size_t *size)
{
    char *data = malloc(strlen(in) + 1);
    unsigned bits = 0, count = 0;
    for (*size = 0; *in != '\0' && *in != '='; in++) {
        bits = bits << 6 | (unsigned)(strchr(letters, *in) - letters);
        if (++count % 4 != 1)
            data[(*size)++] = (char)(bits >> (6 - 2 * ((count - 1) % 4)));
    }
    return data;
}

static const char *failure(memcached_return_t rc)
{
    switch (rc) {
    case MEMCACHED_TIMEOUT: return "io_timeout";
    case MEMCACHED_CONNECTION_FAILURE: return "refused";
    case MEMCACHED_HOST_LOOKUP_FAILURE: return "resolve";
    case MEMCACHED_SERVER_MARKED_DEAD:
    case MEMCACHED_SERVER_TEMPORARILY_DISABLED: return "breaker_open";
    case MEMCACHED_BAD_KEY_PROVIDED:
    case MEMCACHED_KEY_TOO_BIG: return "invalid";
    case MEMCACHED_CLIENT_ERROR: return "client_error";
    case MEMCACHED_E2BIG: return "too_large";
    case MEMCACHED_SERVER_ERROR: return "server_error";
    case MEMCACHED_PROTOCOL_ERROR: return "protocol";
    case MEMCACHED_CONNECTION_SOCKET_CREATE_FAILURE: return "local";
    case MEMCACHED_ERRNO:
    case MEMCACHED_WRITE_FAILURE:
    case MEMCACHED_READ_FAILURE:
    case MEMCACHED_UNKNOWN_READ_FAILURE: return "closed";
    default: return "other";
    }
}

static json_t *call(memcached_st *mc, const char *op, const char *key, json_t *ask)
{
    memcached_return_t rc;
    size_t size, n = strlen(key);
    time_t ttl = (time_t)json_integer_value(json_object_get(ask, "ttl_s"));
    const char *text = json_string_value(json_object_get(ask, "value")), *word = NULL;
    json_t *end = json_object();
    if (strcmp(op, "get") == 0) {
        uint32_t flags;
        char *value = memcached_get(mc, key, n, &size, &flags, &rc);
        word = rc == MEMCACHED_SUCCESS ? "hit" : rc == MEMCACHED_NOTFOUND ? "miss" : NULL;
        if (rc == MEMCACHED_SUCCESS) {
            char *coded = encode((unsigned char *)value, size);
            json_object_set_new(end, "value", json_string(coded));
            free(coded);
        }
        free(value);
    } else if (strcmp(op, "delete") == 0) {
        rc = memcached_delete(mc, key, n, 0);
        word = rc == MEMCACHED_SUCCESS ? "deleted" : rc == MEMCACHED_NOTFOUND ? "not_found" : NULL;
    } else {
        char *value = decode(text, &size);
        rc = strcmp(op, "add") == 0 ? memcached_add(mc, key, n, value, size, ttl, 0)
                                    : memcached_set(mc, key, n, value, size, ttl, 0);
        word = rc == MEMCACHED_SUCCESS ? "stored" : rc == MEMCACHED_NOTSTORED ? "not_stored" : NULL;
        free(value);
    }
    if (word == NULL)
        json_object_set_new(end, "error", json_string(memcached_strerror(mc, rc)));
    json_object_set_new(end, "outcome", json_string(word != NULL ? word : failure(rc)));
    json_object_set_new(end, "node", json_integer(memcached_generate_hash(mc, key, n)));
    return end;
}

static void say(json_t *record)
{
    json_dumpf(record, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(record);
}

static memcached_st *hello(json_t *ask)
{
    size_t i;
    json_t *server;
    memcached_st *mc = memcached_create(NULL);
    json_array_foreach(json_object_get(ask, "servers"), i, server)
    {
        char host[256];
        unsigned port;
        if (sscanf(json_string_value(server), "%255[^:]:%u", host, &port) == 2)
            memcached_server_add(mc, host, (in_port_t)port);
    }
    long long ms = json_integer_value(json_object_get(ask, "timeout_ms"));
    long long connect_ms = json_integer_value(json_object_get(ask, "connect_timeout_ms"));
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, (uint64_t)ms);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT,
                           (uint64_t)(connect_ms > 0 ? connect_ms : ms));
    say(json_pack("{s:i,s:s+,s:s,s:[ssss],s:[ss],s:{s:s,s:i}}", "hello", 1, "client",
                  "libmemcached ", memcached_lib_version(), "processes", "per_worker", "operations",
                  "get", "set", "add", "delete", "honours", "timeout_ms", "connect_timeout_ms",
                  "promises", "default_timeout", "none", "retry_timeout_s", 2));
    return mc;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    memcached_st *mc = NULL;
    while (getline(&line, &cap, stdin) > 0) {
        json_t *ask = json_loads(line, 0, NULL), *id = json_object_get(ask, "id");
        const char *op = json_string_value(json_object_get(ask, "op"));
        if (strcmp(op, "hello") == 0) {
            mc = hello(ask);
        } else if (strcmp(op, "bye") == 0) {
            say(json_pack("{s:b}", "bye", 1));
            return 0;
        } else if (id != NULL) {
            say(json_pack("{s:O,s:I}", "begin", id, "at_ns", now()));
            json_t *end = call(mc, op, json_string_value(json_object_get(ask, "key")), ask);
            json_object_set(end, "end", id);
            json_object_set_new(end, "at_ns", json_integer(now()));
            say(end);
        }
        json_decref(ask);
    }
    return 0;
}
