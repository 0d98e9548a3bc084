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
    uint64_t open;     /* connections now, also those still being dialled */
    uint64_t accepted; /* connections since the proxy was made */
    uint64_t cut;      /* connections closed by disabling, moving or deleting the proxy */
    uint64_t dial_failures;
    uint64_t accept_failures;
    struct traffic traffic[2]; /* by enum toxic_stream */
};

struct proxy {
    struct proxy_env *env;
    char *name;
    char *listen;   /* as configured; after a start as the socket reports it */
    char *upstream; /* verbatim */
    uint64_t seed;  /* from the name: proxies of one seed do not share their random numbers */
    bool enabled;
    int listener;
    struct event *accept_event;
    struct timer accept_pause;
    struct list sessions;
    struct sock_file file; /* of a Unix socket */
    struct proxy_options options;
    struct rate_gate gates[2];     /* by enum toxic_stream */
    struct metrics_series *series; /* NULL until the first connection under these labels */
    struct proxy_toxics toxics[2]; /* by enum toxic_stream, in the order of creation */
    struct proxy_toxics removed;   /* their counters, summed per name, type and stream */
    struct proxy_counters counters;
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
void proxy_toxic_update(struct proxy *proxy, struct toxic *toxic, const struct toxic_values *values,
                        float toxicity);
void proxy_toxic_remove(struct proxy *proxy, struct toxic *toxic);
/* Upstream ones first, oldest first. */
void proxy_toxic_remove_all(struct proxy *proxy);

/* An event of the proxy, with fields of its own (at most PROXY_LOG_MORE_MAX), and one of a client;
 * `error` may be NULL. */
#define PROXY_LOG_MORE_MAX 6
void proxy_log_fields(const struct proxy *proxy, enum proxy_log_level level, const char *message,
                      const struct proxy_log_field *more);
void proxy_log(const struct proxy *proxy, enum proxy_log_level level, const char *message);
void proxy_log_connection(const struct proxy *proxy, enum proxy_log_level level,
                          const char *message, const char *client, const char *error);

#endif
