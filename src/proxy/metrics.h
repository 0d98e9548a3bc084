/* SPDX-License-Identifier: MIT */
/*
 * Byte counters by connection labels, as /metrics shows them: they are live, belong to the labels
 * that a connection had when it began, and outlive the proxy.
 */
#ifndef PROXY_METRICS_H
#define PROXY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "toxic/toxic.h"

struct evbuffer;

/* Beyond this, the oldest series that no proxy uses any more are forgotten. */
#define METRICS_SERIES_MAX 4096

struct traffic {
    uint64_t received_bytes; /* read from the source */
    uint64_t sent_bytes;     /* written to the destination */
};

/* Adds `from` to `to` and makes it zero. */
void traffic_move(struct traffic *to, struct traffic *from);

/* One pair of directions. */
struct metrics_series {
    char *proxy;
    char *listener;
    char *upstream;
    /* By enum toxic_stream; of the first thread, and what was gathered of the others. */
    struct traffic traffic[2];
    struct metrics_shard *shards; /* of the threads after the first; NULL: there is one thread */
    unsigned users;
};

struct metrics {
    struct metrics_series **series;
    size_t count;
    size_t capacity;
    unsigned threads;
};

void metrics_init(struct metrics *metrics, unsigned threads);
void metrics_deinit(struct metrics *metrics);

/* Where a thread counts; the series may be NULL, and then so is the answer. */
struct traffic *metrics_traffic(struct metrics_series *series, enum toxic_stream stream,
                                unsigned thread);
/* Moves all counts to where they are printed, while no other thread counts. */
void metrics_gather(struct metrics *metrics);

/* The series of these labels, made when there is none; NULL when memory is short. */
struct metrics_series *metrics_acquire(struct metrics *metrics, const char *proxy,
                                       const char *listener, const char *upstream);
/* NULL is legal. */
void metrics_release(struct metrics_series *series);

/* One sample of a family of ours: what it is of, and its value. */
struct metrics_label {
    const char *name;
    const char *value; /* NULL = the end of the labels */
};

/* Prometheus text format 0.0.4. */
void metrics_print_header(struct evbuffer *out, const char *name, const char *type,
                          const char *help);
void metrics_print_sample(struct evbuffer *out, const char *name,
                          const struct metrics_label *labels, double value);
void metrics_print_proxies(const struct metrics *metrics, struct evbuffer *out);
void metrics_print_process(struct evbuffer *out, const char *version);
void metrics_print_handler(struct evbuffer *out);

#endif
