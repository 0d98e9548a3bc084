/* SPDX-License-Identifier: MIT */
/*
 * One call of the API on its way from request to answer: what the handlers see. A handler returns
 * the status of its answer, or CALL_WAITS when host names are being looked up; then it is run again
 * from its beginning, so it must not have changed anything before.
 */
#ifndef PROXY_CALL_H
#define PROXY_CALL_H

#include <event2/buffer.h>
#include <jansson.h>

#include "base/list.h"
#include "base/rng.h"
#include "proxy/api.h"
#include "proxy/names.h"
#include "proxy/route.h"

#define CALL_WAITS 0

struct evconnlistener;
struct evhttp;
struct evhttp_request;

struct api {
    struct api_config config;
    char *version;
    struct evhttp *http;
    struct evconnlistener *listener;
    struct list calls; /* that wait */
    struct rng rng;    /* request ids */
};

struct api_call;
typedef int (*call_fn)(struct api_call *call);

struct api_call {
    struct list link;
    struct api *api;
    struct evhttp_request *request;
    call_fn handler;
    const char *handler_name;
    char *params[ROUTE_PARAMS_MAX]; /* proxy and toxic of the path */
    struct names *names;
    struct evbuffer *out;
    const char *content_type; /* NULL = application/json */
    char id[21];
    ns_t started;
};

/* An error answer; returns the status. */
int call_fail(struct api_call *call, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The body; -1 with `err` filled for a 400. The caller gives *out back with json_decref(). */
int call_body(struct api_call *call, json_t **out, struct err *err);

/* The proxy of the path, or NULL. */
struct proxy *call_proxy(const struct api_call *call);

/* Handlers, one per route and method. */
int call_version(struct api_call *call);
int call_proxy_index(struct api_call *call);
int call_proxy_create(struct api_call *call);
int call_proxy_show(struct api_call *call);
int call_proxy_update(struct api_call *call);
int call_proxy_delete(struct api_call *call);
int call_proxy_stats(struct api_call *call);
int call_populate(struct api_call *call);
int call_reset(struct api_call *call);
int call_toxic_index(struct api_call *call);
int call_toxic_create(struct api_call *call);
int call_toxic_show(struct api_call *call);
int call_toxic_update(struct api_call *call);
int call_toxic_delete(struct api_call *call);
int call_metrics(struct api_call *call);

#endif
