/* SPDX-License-Identifier: MIT */
/*
 * What the proxies, sessions and links of one thread share: its loop and its pools. It belongs to
 * that thread; the first one may use it, too, while the others stand still (crew.h).
 */
#ifndef PROXY_ENV_H
#define PROXY_ENV_H

#include <event2/event.h>
#include <stdatomic.h>
#include <stdint.h>

#include "proxy/hangup.h"
#include "proxy/log.h"
#include "proxy/metrics.h"
#include "proxy/pipes.h"
#include "proxy/resolver.h"
#include "proxy/timers.h"
#include "toxic/chunk.h"

struct crew;

struct proxy_env {
    struct event_base *base;
    struct timers timers;
    struct hangups hangups;
    struct resolver *resolver;
    struct chunk_pool pool;
    struct pipes pipes;
    struct metrics metrics; /* of the first thread: the API's */
    struct proxy_log log;
    uint64_t seed;
    /* Descriptors from this number on are kept for the API: no client is accepted while one is
     * used. */
    int fd_ceiling;
    struct crew *crew;          /* the other threads; NULL: there are none */
    unsigned thread;            /* 0 = the first */
    uint64_t begun;             /* connections given to this thread; the first one's to read */
    atomic_uint_fast64_t ended; /* of those; any thread may read it */
    atomic_bool must_yield;     /* the first thread waits for this one */
    /* Where reads go first: bytes that can be written at once are never copied. */
    unsigned char scratch[CHUNK_BYTES_MAX];
};

/* What env_init() needs to know; the rest is made. */
struct proxy_env_config {
    const struct proxy_log *log;
    uint64_t seed;
    int fd_ceiling;
    unsigned thread;
    unsigned threads;
};

/* -1 when the kernel or memory refuses; env_deinit() is needed then, too. */
int env_init(struct proxy_env *env, const struct proxy_env_config *config);
/* Legal on a zeroed env. */
void env_deinit(struct proxy_env *env);

/* How many threads there are. */
static inline unsigned env_threads(const struct proxy_env *env)
{
    return env->metrics.threads;
}

/* To be called at the end of a callback: lets the loop come to a stop before the next one. */
static inline void env_yield(struct proxy_env *env)
{
    if (atomic_load_explicit(&env->must_yield, memory_order_relaxed))
        event_base_loopbreak(env->base);
}

/* One thread writes it: no need to lock the bus. */
static inline void env_count_end(struct proxy_env *env)
{
    uint_fast64_t ended = atomic_load_explicit(&env->ended, memory_order_relaxed);
    atomic_store_explicit(&env->ended, ended + 1, memory_order_relaxed);
}

#endif
