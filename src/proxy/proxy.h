/* SPDX-License-Identifier: MIT */
/*
 * One proxy: a listening address, an upstream, two ordered lists of toxics and the sessions. Toxics
 * outlive disabling; sessions do not.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "proxy/env.h"
#include "proxy/rate_gate.h"
#include "proxy/sock.h"
#include "toxic/toxic.h"

/* A proxy refuses more: each is a stage in every link. */
#define PROXY_TOXICS_MAX 1024
/* After accept() failed for want of descriptors or memory. */
#define PROXY_ACCEPT_PAUSE_NS (100 * NS_PER_MS)

struct session;

struct proxy_toxics {
    struct toxic **items;
    size_t count;
};

/* Kinds of removed toxics (name, type, stream) whose counters a proxy keeps; the oldest goes first.
 */
#define PROXY_REMOVED_MAX 32

/* What a proxy can do beyond Toxiproxy's; all zero is what Toxiproxy does. */
struct proxy_options {
    bool half_close;     /* the end of one direction leaves the other one open */
    bool pass_reset;     /* a reset by one peer becomes a reset of the other */
    int64_t kb_per_s[2]; /* shared by all connections, by enum toxic_stream; 0 = no bound */
};

struct proxy_counters {
    /* Connections now, also those still being dialled. The first thread counts them up and each of
     * the threads its own down, so only the sum over all is a number of connections. */
    uint64_t open;
    uint64_t accepted; /* connections since the proxy was made */
    uint64_t cut;      /* connections closed by disabling, moving or deleting the proxy */
    uint64_t dial_failures;
    uint64_t accept_failures;
    struct traffic traffic[2]; /* by enum toxic_stream */
};

/* What one thread has of a proxy. */
struct proxy_shard {
    _Alignas(64) struct list sessions; /* on a cache line of its own */
    struct proxy_counters counters;
    struct rate_gate gates[2]; /* by enum toxic_stream */
};

/*
 * It belongs to the first thread. The others read, for their sessions, what they find here; it is
 * changed only while they stand still (crew.h), and so is what has no session yet.
 */
struct proxy {
    struct proxy_env *env; /* of the first thread */
    char *name;
    char *listen;   /* as configured; after a start as the socket reports it */
    char *upstream; /* verbatim */
    uint64_t seed;  /* from the name: proxies of one seed do not share their random numbers */
    bool enabled;
    int listener;
    struct event *accept_event;
    struct timer accept_pause;
    struct sock_file file; /* of a Unix socket */
    struct proxy_options options;
    struct rate_credit rates[2];   /* by enum toxic_stream */
    struct metrics_series *series; /* NULL until the first connection under these labels */
    struct proxy_toxics toxics[2]; /* by enum toxic_stream, in the order of creation */
    struct proxy_toxics removed;   /* their counters, summed per name, type and stream */
    struct proxy_shard *shards;    /* by thread */
    unsigned shard_count;
};

struct proxy *proxy_new(struct proxy_env *env, const char *name, const char *listen,
                        const char *upstream);
/* Stops it, too. */
void proxy_free(struct proxy *proxy);

/* Listens on one of `addresses`, what proxy->listen stands for. Does nothing when enabled already.
 */
int proxy_enable(struct proxy *proxy, const struct address_list *addresses, struct err *err);

/* Frees the port and cuts every connection. Idempotent. */
void proxy_disable(struct proxy *proxy);

/* Stores new texts; the proxy must be disabled. -1 when memory is short. */
int proxy_set_addresses(struct proxy *proxy, const char *listen, const char *upstream);

/*
 * Whether listening on `listen`, which stands for `addresses`, or dialling `upstream` would be a
 * change. Other spellings of the same listening address are none.
 */
bool proxy_differs(const struct proxy *proxy, const char *listen,
                   const struct address_list *addresses, const char *upstream);

/* Takes effect at once, for open connections, too. */
void proxy_set_options(struct proxy *proxy, const struct proxy_options *options);

/* Toxics. find looks in both directions and may return NULL. */
struct toxic *proxy_toxic_find(const struct proxy *proxy, const char *name);
/* Takes ownership on success and applies it to every open connection. */
int proxy_toxic_add(struct proxy *proxy, struct toxic *toxic);
/* Takes over what can be changed: values, toxicity, chunk_toxicity. */
void proxy_toxic_update(struct proxy *proxy, struct toxic *toxic, const struct toxic *next);
void proxy_toxic_remove(struct proxy *proxy, struct toxic *toxic);
/* Upstream ones first, oldest first. */
void proxy_toxic_remove_all(struct proxy *proxy);

/*
 * Counters. gather brings together what the threads have counted, the toxics' included, so that it
 * can be read here until the next connection does something on this thread.
 */
void proxy_gather(struct proxy *proxy);
const struct proxy_counters *proxy_counters(const struct proxy *proxy);

/* An event of the proxy, with fields of its own (at most PROXY_LOG_MORE_MAX), and one of a client;
 * `error` may be NULL. */
#define PROXY_LOG_MORE_MAX 6
void proxy_log_fields(const struct proxy *proxy, enum proxy_log_level level, const char *message,
                      const struct proxy_log_field *more);
void proxy_log(const struct proxy *proxy, enum proxy_log_level level, const char *message);
void proxy_log_connection(const struct proxy *proxy, enum proxy_log_level level,
                          const char *message, const char *client, const char *error);

#endif
