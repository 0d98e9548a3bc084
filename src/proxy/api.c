/* SPDX-License-Identifier: MIT */
/*
 * HTTP in front of the handlers, on libevent's server: routing, the headers that Toxiproxy sends,
 * waiting for host names, the access log. The listening socket is watched here, because libevent
 * would spin on it when descriptors run out.
 */
#include "proxy/api.h"

#include <ctype.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/call.h"
#include "proxy/codec.h"
#include "proxy/populate.h"

#define LISTENER_PAUSE_US 100000
#define ANY_METHOD 0xffff

static const struct {
    enum evhttp_cmd_type bit;
    const char *name;
} methods[] = {
    {EVHTTP_REQ_GET, "GET"},     {EVHTTP_REQ_POST, "POST"},       {EVHTTP_REQ_HEAD, "HEAD"},
    {EVHTTP_REQ_PUT, "PUT"},     {EVHTTP_REQ_DELETE, "DELETE"},   {EVHTTP_REQ_OPTIONS, "OPTIONS"},
    {EVHTTP_REQ_TRACE, "TRACE"}, {EVHTTP_REQ_CONNECT, "CONNECT"}, {EVHTTP_REQ_PATCH, "PATCH"},
};

#define METHOD_COUNT (sizeof methods / sizeof methods[0])
#define UPDATE (EVHTTP_REQ_POST | EVHTTP_REQ_PATCH)

static const struct {
    const char *pattern;
    unsigned methods;
    const char *name; /* as Toxiproxy's access log calls it */
    call_fn handler;
} routes[] = {
    {"/version", EVHTTP_REQ_GET, "Version", call_version},
    {"/proxies", EVHTTP_REQ_GET, "ProxyIndex", call_proxy_index},
    {"/proxies", EVHTTP_REQ_POST, "ProxyCreate", call_proxy_create},
    {"/proxies/{}", EVHTTP_REQ_GET, "ProxyShow", call_proxy_show},
    {"/proxies/{}", UPDATE, "ProxyUpdate", call_proxy_update},
    {"/proxies/{}", EVHTTP_REQ_DELETE, "ProxyDelete", call_proxy_delete},
    {"/proxies/{}/stats", EVHTTP_REQ_GET, "ProxyStats", call_proxy_stats},
    {"/proxies/{}/toxics", EVHTTP_REQ_GET, "ToxicIndex", call_toxic_index},
    {"/proxies/{}/toxics", EVHTTP_REQ_POST, "ToxicCreate", call_toxic_create},
    {"/proxies/{}/toxics/{}", EVHTTP_REQ_GET, "ToxicShow", call_toxic_show},
    {"/proxies/{}/toxics/{}", UPDATE, "ToxicUpdate", call_toxic_update},
    {"/proxies/{}/toxics/{}", EVHTTP_REQ_DELETE, "ToxicDelete", call_toxic_delete},
    {"/populate", EVHTTP_REQ_POST, "Populate", call_populate},
    {"/reset", EVHTTP_REQ_POST, "ResetState", call_reset},
    {"/metrics", ANY_METHOD, "Metrics", call_metrics},
};

#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static const char *method_name(const struct evhttp_request *request)
{
    enum evhttp_cmd_type bit = evhttp_request_get_command(request);
    for (size_t i = 0; i < METHOD_COUNT; i++)
        if (methods[i].bit == bit)
            return methods[i].name;
    return "";
}

static void add_header(struct evhttp_request *request, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

/* An answer of the transport itself: plain text, or nothing at all. */
static void reply_text(struct evhttp_request *request, int status, const char *text)
{
    struct evbuffer *out = evbuffer_new();
    if (text && out) {
        add_header(request, "Content-Type", "text/plain; charset=utf-8");
        add_header(request, "X-Content-Type-Options", "nosniff");
        evbuffer_add(out, text, strlen(text));
    } else {
        /* libevent would leave it out of the answer to HEAD. */
        add_header(request, "Content-Length", "0");
    }
    evhttp_send_reply(request, status, NULL, out);
    if (out)
        evbuffer_free(out);
}

/* Sends the client to another path, which is encoded on the way. */
static void reply_moved(struct evhttp_request *request, const char *path)
{
    char *location = malloc(3 * strlen(path) + 1);
    char *end = location;
    for (const char *p = path; location && *p != '\0'; p++) {
        if (isalnum((unsigned char)*p) || strchr("/-._~", *p))
            *end++ = *p;
        else
            end += snprintf(end, 4, "%%%02X", (unsigned char)*p);
    }
    if (location) {
        *end = '\0';
        add_header(request, "Location", location);
    }
    reply_text(request, 301, NULL);
    free(location);
}

static void log_access(const struct api_call *call, int status, size_t size)
{
    struct evhttp_request *r = call->request;
    struct evkeyvalq *headers = evhttp_request_get_input_headers(r);
    const char *agent = evhttp_find_header(headers, "User-Agent");
    struct evhttp_connection *connection = evhttp_request_get_connection(r);
    char *peer = NULL;
    uint16_t port = 0;
    if (connection)
        evhttp_connection_get_peer(connection, &peer, &port);
    double duration_ms = (double)(ns_now() - call->started) / (double)NS_PER_MS;
    const struct proxy_log_field fields[] = {
        {.key = "request_id", .text = call->id},
        {.key = "client", .text = peer ? peer : ""},
        {.key = "method", .text = method_name(r)},
        {.key = "url", .text = evhttp_request_get_uri(r)},
        {.key = "user_agent", .text = agent ? agent : ""},
        {.key = "status", .number = status},
        {.key = "size", .number = (int64_t)size},
        {.key = "duration", .real = &duration_ms},
        {.key = "handler", .text = call->handler_name},
        {.key = NULL},
    };
    const struct proxy_log *log = &call->api->config.env->log;
    if (status == 500)
        proxy_log_event(log, PROXY_LOG_WARN, "Error did not include status code", fields);
    proxy_log_event(log, PROXY_LOG_DEBUG, "", fields);
}

static void call_free(struct api_call *call)
{
    list_remove(&call->link);
    names_free(call->names);
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        free(call->params[i]);
    if (call->out)
        evbuffer_free(call->out);
    free(call);
}

static void call_reply(struct api_call *call, int status)
{
    struct evhttp_request *r = call->request;
    add_header(r, "X-Toxiproxy-Request-Id", call->id);
    if (status != 204) {
        const char *type = call->content_type ? call->content_type : "application/json";
        add_header(r, "Content-Type", type);
        if (status >= 400 && call->content_type)
            add_header(r, "X-Content-Type-Options", "nosniff");
    }
    if (call->api->config.env->log.write)
        log_access(call, status, evbuffer_get_length(call->out));
    evhttp_send_reply(r, status, NULL, call->out);
    call_free(call);
}

/* Runs the handler from its beginning: the first time, and when the names it asked for are known.
 */
static void call_run(void *arg)
{
    struct api_call *call = arg;
    int status = call->handler(call);
    if (status != CALL_WAITS)
        call_reply(call, status);
}

/* 20 characters of 0-9a-v, as rs/xid writes them. */
static void make_id(struct rng *rng, char out[21])
{
    uint64_t bits = 0;
    for (int i = 0; i < 20; i++) {
        if (i % 12 == 0)
            bits = rng_u64(rng);
        out[i] = "0123456789abcdefghijklmnopqrstuv"[bits & 31];
        bits >>= 5;
    }
    out[20] = '\0';
}

static bool is_browser(struct evhttp_request *request)
{
    const char *agent = evhttp_find_header(evhttp_request_get_input_headers(request), "User-Agent");
    return agent && strncmp(agent, "Mozilla/", 8) == 0;
}

/* Takes over `params`. */
static void start_call(struct api *api, struct evhttp_request *request, size_t route,
                       char *params[ROUTE_PARAMS_MAX])
{
    struct api_call *call = calloc(1, sizeof *call);
    if (!call) {
        for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
            free(params[i]);
        reply_text(request, 500, "out of memory\n");
        return;
    }
    list_push_back(&api->calls, &call->link);
    call->api = api;
    call->request = request;
    call->handler = routes[route].handler;
    call->handler_name = routes[route].name;
    call->started = ns_now();
    memcpy(call->params, params, sizeof call->params);
    make_id(&api->rng, call->id);
    call->out = evbuffer_new();
    call->names = names_new(api->config.env->resolver, call_run, call);
    if (!call->out || !call->names) {
        call_free(call);
        reply_text(request, 500, "out of memory\n");
    } else if (is_browser(request)) {
        call->content_type = "text/plain; charset=utf-8";
        evbuffer_add_printf(call->out, "User agent not allowed\n");
        call_reply(call, 403);
    } else {
        call_run(call);
    }
}

static void dispatch(struct api *api, struct evhttp_request *request, const char *path)
{
    bool known = false;
    bool metrics = api->config.proxy_metrics || api->config.runtime_metrics;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        char *params[ROUTE_PARAMS_MAX];
        if (routes[i].handler == call_metrics && !metrics)
            continue;
        if (!route_match(routes[i].pattern, path, params))
            continue;
        known = true;
        if (routes[i].methods & (unsigned)evhttp_request_get_command(request)) {
            start_call(api, request, i, params);
            return;
        }
        for (size_t k = 0; k < ROUTE_PARAMS_MAX; k++)
            free(params[k]);
    }
    if (known)
        reply_text(request, 405, NULL);
    else
        reply_text(request, 404, "404 page not found\n");
}

/* The decoded path of the request; NULL when it has none. *size is its length with any NUL inside.
 */
static char *read_path(struct evhttp_request *request, size_t *size)
{
    const char *raw = evhttp_request_get_uri(request);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    /* libevent takes "//x" for a host; only an absolute URI has one here. */
    if (raw && raw[0] != '/')
        raw = uri ? evhttp_uri_get_path(uri) : NULL;
    char *text = raw ? strndup(raw, strcspn(raw, "?#")) : NULL;
    char *path = text ? evhttp_uridecode(text, 0, size) : NULL;
    free(text);
    return path;
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct api *api = arg;
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    if (request->major == 1 && request->minor >= 1 && !evhttp_find_header(headers, "Host")) {
        add_header(request, "Connection", "close");
        reply_text(request, 400, "400 Bad Request: missing required Host header");
        return;
    }
    size_t size;
    char *path = read_path(request, &size);
    char *clean = path ? route_clean(path) : NULL;
    if (!path || strlen(path) != size) {
        reply_text(request, 404, "404 page not found\n");
    } else if (clean) {
        reply_moved(request, clean);
    } else {
        dispatch(api, request, path);
    }
    free(clean);
    free(path);
}

static void resume_listening(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    evconnlistener_enable(arg);
}

/* The argument is libevent's own, so everything hangs on the listener, which dies after the last
 * event. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    static const struct timeval pause = {.tv_usec = LISTENER_PAUSE_US};
    (void)arg;
    if (event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT, resume_listening,
                        listener, &pause) == 0)
        evconnlistener_disable(listener);
}

struct api *api_new(const struct api_config *config)
{
    struct api *api = calloc(1, sizeof *api);
    if (!api)
        return NULL;
    api->config = *config;
    list_init(&api->calls);
    api->rng = rng_fork(config->env->seed ^ (uint64_t)ns_now(), 0);
    api->version = strdup(config->version);
    api->http = evhttp_new(config->env->base);
    if (!api->http || !api->version) {
        api_free(api);
        return NULL;
    }
    unsigned allowed = 0;
    for (size_t i = 0; i < METHOD_COUNT; i++)
        allowed |= methods[i].bit;
    evhttp_set_allowed_methods(api->http, (ev_uint16_t)allowed);
    evhttp_set_default_content_type(api->http, NULL);
    evhttp_set_max_body_size(api->http, API_BODY_BYTES_MAX);
    evhttp_set_max_headers_size(api->http, API_HEADER_BYTES_MAX);
    evhttp_set_timeout(api->http, API_TIMEOUT_SECONDS);
    evhttp_set_gencb(api->http, on_request, api);
    return api;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    list_for_each(it, &api->calls)
    {
        struct api_call *call = list_entry(it, struct api_call, link);
        call_reply(call, call_fail(call, 503, "the server is stopping"));
    }
    if (api->http)
        evhttp_free(api->http);
    free(api->version);
    free(api);
}

int api_listen(struct api *api, int fd)
{
    api->listener = evconnlistener_new(api->config.env->base, NULL, NULL,
                                       LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!api->listener) {
        close(fd);
        return -1;
    }
    if (!evhttp_bind_listener(api->http, api->listener)) {
        evconnlistener_free(api->listener);
        return -1;
    }
    evconnlistener_set_error_cb(api->listener, on_accept_error);
    return 0;
}

/* The whole file, which the caller frees; NULL when it is too large or cannot be read. */
static char *read_file(FILE *file, size_t *size_out)
{
    char *bytes = malloc(API_BODY_BYTES_MAX);
    if (!bytes)
        return NULL;
    *size_out = fread(bytes, 1, API_BODY_BYTES_MAX, file);
    if (*size_out < API_BODY_BYTES_MAX && !ferror(file))
        return bytes;
    free(bytes);
    return NULL;
}

/* The words for a request are wrong for a file. */
static int not_a_request(struct err *err)
{
    char *found = strstr(err->text, CODEC_BAD_BODY);
    if (found)
        memmove(found, found + strlen(CODEC_BAD_BODY), strlen(found + strlen(CODEC_BAD_BODY)) + 1);
    return -1;
}

static int load(struct api *api, FILE *file, struct err *err)
{
    json_t *body = NULL;
    size_t size;
    char *bytes = read_file(file, &size);
    int rc = bytes ? codec_parse(bytes, size, &body, err)
                   : err_set(err, "cannot be read, or is larger than %u bytes", API_BODY_BYTES_MAX);
    free(bytes);
    if (rc < 0)
        return not_a_request(err);
    struct populate p = {.env = api->config.env,
                         .collection = api->config.collection,
                         .names = names_new(NULL, NULL, NULL),
                         .body = body,
                         .toxics = true,
                         .list = evbuffer_new()};
    int status = 0;
    if (!p.names || !p.list) {
        err_set(err, "out of memory");
        status = 500;
    }
    if (status == 0)
        status = populate_check(&p, err);
    if (status == 0)
        status = populate_apply(&p, err);
    names_free(p.names);
    if (p.list)
        evbuffer_free(p.list);
    json_decref(body);
    const struct proxy_log_field fields[] = {{.key = "proxies", .number = (int64_t)p.count},
                                             {.key = NULL}};
    if (status == 0)
        proxy_log_event(&api->config.env->log, PROXY_LOG_INFO, "Populated proxies from file",
                        fields);
    return status == 0 ? 0 : not_a_request(err);
}

int api_load_file(struct api *api, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    int rc = file ? load(api, file, err) : err_set(err, "%s", strerror(errno));
    if (file)
        fclose(file);
    if (rc == 0)
        return 0;
    const struct proxy_log_field fields[] = {
        {.key = "config", .text = path}, {.key = "error", .text = err->text}, {.key = NULL}};
    proxy_log_event(&api->config.env->log, PROXY_LOG_ERROR,
                    file ? "Failed to populate proxies from file" : "Error reading config file",
                    fields);
    return err_prefix(err, "%s", path);
}
