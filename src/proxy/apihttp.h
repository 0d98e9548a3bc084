/* SPDX-License-Identifier: MIT */
/*
 * One HTTP/1.1 exchange on a connection of its own: blocking, bounded by a deadline and ended at
 * once by a readable cancel descriptor. The server is told to close, so the answer ends with its
 * length, its last chunk or the connection.
 */
#ifndef PROXY_APIHTTP_H
#define PROXY_APIHTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "proxy/address.h"

struct apihttp_target {
    char host[ADDRESS_HOST_MAX];
    uint16_t port;
};

struct apihttp_request {
    const struct apihttp_target *target;
    const char *method;
    const char *path; /* encoded */
    const char *agent;
    const char *body; /* JSON text; NULL = none */
    ns_t deadline;
    int cancel_fd; /* -1 = none */
};

struct apihttp_answer {
    int status;
    char *body; /* the caller frees it */
    size_t body_size;
};

/* "http://host:port/", scheme, port (8474) and slash optional. */
int apihttp_target_parse(const char *url, struct apihttp_target *out, struct err *err);

/* Returns an enum apiclient_result: OK for any complete HTTP answer. */
int apihttp_exchange(const struct apihttp_request *request, struct apihttp_answer *out,
                     struct err *err);

/* 0 when the time has come, -1 when the descriptor became readable before. */
int apihttp_sleep_until(ns_t at, int cancel_fd);

/*
 * Reads a complete answer out of the bytes received so far; `closed` says that no more will come.
 * Returns 1 and fills `out`, 0 when more is needed, -1 when this is not HTTP.
 */
int apihttp_parse(const char *bytes, size_t size, int closed, struct apihttp_answer *out);

#endif
