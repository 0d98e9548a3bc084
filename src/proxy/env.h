/* SPDX-License-Identifier: MIT */
/*
 * What every proxy, session and link of one server shares. It belongs to the server's thread.
 */
#ifndef PROXY_ENV_H
#define PROXY_ENV_H

#include <stdint.h>

#include "proxy/hangup.h"
#include "proxy/log.h"
#include "proxy/metrics.h"
#include "proxy/pipes.h"
#include "proxy/resolver.h"
#include "proxy/timers.h"
#include "toxic/chunk.h"

struct proxy_env {
    struct event_base *base;
    struct timers timers;
    struct hangups hangups;
    struct resolver *resolver;
    struct chunk_pool pool;
    struct pipes pipes;
    struct metrics metrics;
    struct proxy_log log;
    uint64_t seed;
    /* Descriptors from this number on are kept for the API: no client is accepted while one is
     * used. */
    int fd_ceiling;
    /* Where reads go first: bytes that can be written at once are never copied. */
    unsigned char scratch[CHUNK_BYTES_MAX];
};

#endif
