/* SPDX-License-Identifier: MIT */
/*
 * The HTTP API: transport, routing, and the calls themselves. It runs on the server's loop, next to
 * the data path, so a call sees and changes proxies without locks; none ever waits for a
 * connection.
 */
#ifndef PROXY_API_H
#define PROXY_API_H

#include <stdbool.h>

#include "proxy/collection.h"

/* A larger request is refused with 413. */
#define API_BODY_BYTES_MAX (16u * 1024 * 1024)
#define API_HEADER_BYTES_MAX (64u * 1024)
/* Idle connections, and requests that do not get on, are closed. */
#define API_TIMEOUT_SECONDS 60

struct api;

struct api_config {
    struct proxy_env *env;
    struct collection *collection;
    const char *version;
    bool proxy_metrics;
    bool runtime_metrics;
    bool populate_toxics; /* POST /populate heeds the toxics of its items */
};

/* Strings are copied. NULL when memory is short. */
struct api *api_new(const struct api_config *config);
/* Answers calls that still wait with 503 and closes every connection. */
void api_free(struct api *api);

/* Serves a listening descriptor and owns it from now on. -1 when memory is short. */
int api_listen(struct api *api, int fd);

/* Populates from a file before the loop runs; reports to the log, too. -1 with a text on failure.
 */
int api_load_file(struct api *api, const char *path, struct err *err);

#endif
