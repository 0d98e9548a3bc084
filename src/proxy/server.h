/* SPDX-License-Identifier: MIT */
/*
 * The fault-injecting TCP proxy server: a drop-in for the Toxiproxy server. One thread and one
 * event loop carry the HTTP API and every proxied connection; nothing on that loop ever blocks.
 * With more threads each of them carries a part of the connections; crew.h says how.
 *
 * Thread rules: start, stop and run may be called from any thread; one server is stopped once. All
 * else happens on the server's own threads and is reached through the HTTP API (see apiclient.h).
 */
#ifndef PROXY_SERVER_H
#define PROXY_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proxy/log.h"

struct proxy_server;

struct proxy_server_config {
    const char *host; /* API host: name or literal without brackets; NULL = localhost, "" = all */
    uint16_t port;    /* API port; 0 = the kernel chooses, see proxy_server_api_port() */
    uint64_t seed;    /* decides every random choice of the toxics */
    unsigned threads; /* of the data path; 0 = 1; at most PROXY_THREADS_MAX */
    const char *version;  /* what GET /version answers; NULL = PROXY_API_VERSION */
    const char *config;   /* file to populate from before the API listens; NULL or "" = none */
    bool proxy_metrics;   /* GET /metrics shows the proxies' byte counters */
    bool runtime_metrics; /* GET /metrics shows the process's own numbers */
    bool populate_toxics; /* POST /populate makes the toxics of its items; `config` always does */
    struct proxy_log log; /* all zero = silent */
};

#define PROXY_THREADS_MAX 64u

/* The Toxiproxy release whose wire behaviour the API reproduces. */
#define PROXY_API_VERSION "2.12.0"

/*
 * Starts a server on a thread of its own and returns once its API listens. The strings of `config`
 * are copied, except the log's sink argument, which must outlive the server. Returns 0, or -1 with
 * a text that names the address. SIGPIPE is never raised by the server.
 */
int proxy_server_start(const struct proxy_server_config *config, struct proxy_server **out,
                       struct err *err);

/* The port on which the API listens. */
uint16_t proxy_server_api_port(const struct proxy_server *server);

/* Cuts every connection, frees every port, joins the thread and frees the server. NULL is legal. */
void proxy_server_stop(struct proxy_server *server);

/*
 * Runs a server until SIGINT, SIGTERM, SIGHUP or SIGQUIT; SIGUSR1 and SIGPIPE are ignored. Returns
 * 0 after a clean shutdown, with the signal in *signal_out, or -1 with a text when the API cannot
 * listen.
 */
int proxy_server_run(const struct proxy_server_config *config, int *signal_out, struct err *err);

#endif
