/* SPDX-License-Identifier: MIT */
/*
 * The lines that memchaos and a driver program exchange: docs/driver-protocol.md. No I/O, no clock:
 * requests are appended to a buffer, answers are read from one line.
 */
#ifndef DRIVER_WIRE_H
#define DRIVER_WIRE_H

#include <jansson.h>

#include "driver/driver.h"

#define WIRE_PROTOCOL 1
#define WIRE_ITEMS_MAX 1024 /* keys of one batch */

/* ---- what we say ---- */

/* Lines to send. Without memory `failed` is set and nothing more is added. */
struct wire_out {
    char *data;
    size_t size, cap;
    bool failed;
};

void wire_out_deinit(struct wire_out *out);
void wire_out_add(struct wire_out *out, const void *data, size_t size);

struct wire_call {
    enum op op;
    uint64_t id;
    unsigned worker;
    ns_t timeout_ns;
    const char *key; /* of a single key */
    size_t key_size;
    const void *value; /* of set and add */
    size_t value_size;
    uint32_t ttl_s;
    uint64_t delta;
    const struct driver_item *items; /* of the batches */
    size_t count;
};

/* `process` is the number of the process, from 0. */
void wire_hello(struct wire_out *out, const struct driver_config *config, unsigned process);
void wire_call(struct wire_out *out, const struct wire_call *call);
/* A line without more to it: interrupt, stats, bye. */
#define WIRE_LINE(op) "{\"op\":\"" op "\"}\n"

/* ---- what the program says ---- */

enum wire_kind {
    WIRE_HELLO,
    WIRE_BEGIN,
    WIRE_END,
    WIRE_STATS,
    WIRE_BYE,
};

struct wire_record {
    enum wire_kind kind;
    uint64_t id; /* of begin and end */
    ns_t at_ns;  /* likewise, on the program's clock */
    json_t *root;
};

/* On success the caller owns `root`. */
int wire_read(const char *line, size_t size, struct wire_record *out, struct err *err);

struct wire_about {
    char client[80];
    char runtime[80];
    char promises[240]; /* as JSON */
    char honours[120];  /* names of settings, with commas */
    uint32_t ops;       /* bit per enum op */
    bool stats;
    bool per_worker;
};

int wire_read_hello(const json_t *root, struct wire_about *out, struct err *err);

/* What became of one key. Values stay in JSON: base64, decoded by whoever wants them. */
struct wire_end {
    enum outcome outcome;
    uint32_t node;
    bool unsent;
    const char *value;
    size_t value_length;
    uint64_t number;
};

/* Of a single key. Checks that the outcome fits the operation and has what belongs to it. */
int wire_read_end(const json_t *root, enum op op, const struct driver_config *config,
                  struct wire_end *out, struct err *err);

/* The item of a batch; the count is checked with every item. */
int wire_read_item(const json_t *root, enum op op, const struct driver_config *config, size_t index,
                   size_t count, struct wire_end *out, struct err *err);

/* At most `max` nodes; returns how many, or -1. */
int wire_read_stats(const json_t *root, struct node_stats *out, size_t max, struct err *err);

#endif
