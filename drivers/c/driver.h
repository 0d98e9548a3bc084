/* SPDX-License-Identifier: MIT */
/*
 * What a driver in C needs beside its client, for one process per worker: the loop over the lines,
 * base64, and the clock. See docs/driver-protocol.md. Needs libjansson.
 */
#ifndef DRIVERS_C_DRIVER_H
#define DRIVERS_C_DRIVER_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline json_int_t driver_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static const char driver_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The bytes as a JSON string. */
static inline json_t *driver_encode(const char *data, size_t size)
{
    const unsigned char *in = (const unsigned char *)data;
    char *text = calloc(size + 2, 4), *out = text;
    for (size_t i = 0; i < size; i += 3) {
        unsigned b = i + 1 < size ? in[i + 1] : 0, c = i + 2 < size ? in[i + 2] : 0;
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = driver_letters[((unsigned)in[i] << 16 | b << 8 | c) >> shift & 63];
    }
    memset(out - (3 - size % 3) % 3, '=', (3 - size % 3) % 3);
    json_t *value = json_string(text);
    free(text);
    return value;
}

/* The caller frees what it gets. */
static inline char *driver_decode(const char *in, size_t *size)
{
    char *data = malloc(strlen(in) + 1);
    unsigned bits = 0, count = 0;
    for (*size = 0; *in != '\0' && *in != '='; in++) {
        bits = bits << 6 | (unsigned)(strchr(driver_letters, *in) - driver_letters);
        if (++count % 4 != 1)
            data[(*size)++] = (char)(bits >> (6 - 2 * ((count - 1) % 4)));
    }
    return data;
}

/* Writes one line; takes the record. */
static inline void driver_say(json_t *record)
{
    json_dumpf(record, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(record);
}

/* Answers everything until bye. `hello` writes the answer to hello and returns the client; `call`
 * makes one operation and returns what belongs into its end. */
static inline int driver_run(void *(*hello)(json_t *ask),
                             json_t *(*call)(void *client, const char *op, const char *key,
                                             json_t *ask))
{
    char *line = NULL;
    size_t cap = 0;
    void *client = NULL;
    while (getline(&line, &cap, stdin) > 0) {
        json_t *ask = json_loads(line, 0, NULL), *id = json_object_get(ask, "id");
        const char *op = json_string_value(json_object_get(ask, "op"));
        if (strcmp(op, "hello") == 0) {
            client = hello(ask);
        } else if (strcmp(op, "bye") == 0) {
            driver_say(json_pack("{s:b}", "bye", 1));
            return 0;
        } else if (id != NULL) {
            driver_say(json_pack("{s:O,s:I}", "begin", id, "at_ns", driver_now()));
            json_t *end = call(client, op, json_string_value(json_object_get(ask, "key")), ask);
            json_object_set(end, "end", id);
            json_object_set_new(end, "at_ns", json_integer(driver_now()));
            driver_say(end);
        }
        json_decref(ask);
    }
    return 0;
}

#endif
