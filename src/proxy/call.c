/* SPDX-License-Identifier: MIT */
/* The handlers of the API, in the order of the routes. */
#include "proxy/call.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proxy/codec.h"
#include "proxy/metrics_victims.h"
#include "proxy/populate.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

int call_fail(struct api_call *call, int status, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* Text, not JSON, by label: what Toxiproxy's clients get and its own tests expect. */
    call->content_type = TEXT_TYPE;
    evbuffer_drain(call->out, evbuffer_get_length(call->out));
    evbuffer_add_printf(call->out, "{\"error\":");
    codec_put_string(call->out, text);
    evbuffer_add_printf(call->out, ",\"status\":%d}\n", status);
    return status;
}

int call_body(struct api_call *call, json_t **out, struct err *err)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(call->request);
    size_t size = evbuffer_get_length(in);
    const char *bytes = size > 0 ? (const char *)evbuffer_pullup(in, -1) : "";
    return codec_parse(bytes, size, out, err);
}

struct proxy *call_proxy(const struct api_call *call)
{
    return collection_find(call->api->config.collection, call->params[0]);
}

int call_version(struct api_call *call)
{
    call->content_type = "application/json;charset=utf-8";
    evbuffer_add_printf(call->out, "{\"version\": ");
    codec_put_string(call->out, call->api->version);
    evbuffer_add_printf(call->out, "}\n");
    return 200;
}

int call_proxy_index(struct api_call *call)
{
    const struct collection *c = call->api->config.collection;
    evbuffer_add(call->out, "{", 1);
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0)
            evbuffer_add(call->out, ",", 1);
        codec_put_string(call->out, c->items[i]->name);
        evbuffer_add(call->out, ":", 1);
        codec_put_proxy(call->out, c->items[i]);
    }
    evbuffer_add(call->out, "}", 1);
    return 200;
}

/* A checked request becomes a proxy of the collection, listening when it is to be enabled. */
static int create(struct api_call *call, const struct proxy_request *r,
                  const struct proxy_options *options, bool enabled)
{
    struct api_config *config = &call->api->config;
    const char *listen = r->listen ? r->listen : "";
    struct address_list addresses;
    struct err err;
    if (enabled && names_find(call->names, listen, &addresses, &err) < 0)
        return call_fail(call, 500, "listen tcp: %s", err.text);
    struct proxy *p = proxy_new(config->env, r->name, listen, r->upstream);
    if (!p)
        return call_fail(call, 500, "out of memory");
    proxy_set_options(p, options);
    if (enabled && proxy_enable(p, &addresses, &err) < 0) {
        proxy_free(p);
        return call_fail(call, 500, "%s", err.text);
    }
    if (collection_add(config->collection, p) < 0) {
        proxy_free(p);
        return call_fail(call, 500, "out of memory");
    }
    codec_put_proxy(call->out, p);
    return 201;
}

static int check_and_create(struct api_call *call, const json_t *body)
{
    struct proxy_request r;
    struct proxy_options options = {0};
    struct err err;
    if (codec_read_proxy(body, &r, &err) < 0 || codec_read_options(body, &options, &err) < 0)
        return call_fail(call, 400, "%s", err.text);
    if (!r.name || !*r.name)
        return call_fail(call, 400, "missing required field: name");
    if (!r.upstream || !*r.upstream)
        return call_fail(call, 400, "missing required field: upstream");
    if (collection_find(call->api->config.collection, r.name))
        return call_fail(call, 409, "proxy already exists");
    bool enabled = !r.enabled || *r.enabled;
    if (enabled)
        names_want(call->names, r.listen ? r.listen : "");
    return names_are_pending(call->names) ? CALL_WAITS : create(call, &r, &options, enabled);
}

/* Runs `use` on the body, or fails with 400. */
static int with_body(struct api_call *call, int (*use)(struct api_call *, const json_t *))
{
    json_t *body;
    struct err err;
    if (call_body(call, &body, &err) < 0)
        return call_fail(call, 400, "%s", err.text);
    int status = use(call, body);
    json_decref(body);
    return status;
}

int call_proxy_create(struct api_call *call)
{
    return with_body(call, check_and_create);
}

int call_proxy_show(struct api_call *call)
{
    struct proxy *p = call_proxy(call);
    if (!p)
        return call_fail(call, 404, "proxy not found");
    codec_put_proxy(call->out, p);
    return 200;
}

static int update_proxy(struct api_call *call, const json_t *body)
{
    struct proxy *p = call_proxy(call);
    struct proxy_request r;
    struct proxy_options options = p->options;
    struct address_list addresses;
    struct err err;
    if (codec_read_proxy(body, &r, &err) < 0 || codec_read_options(body, &options, &err) < 0)
        return call_fail(call, 400, "%s", err.text);
    const char *listen = r.listen ? r.listen : p->listen;
    const char *upstream = r.upstream ? r.upstream : p->upstream;
    bool enabled = r.enabled ? *r.enabled : p->enabled;
    names_want(call->names, listen);
    if (names_are_pending(call->names))
        return CALL_WAITS;
    if (names_find(call->names, listen, &addresses, &err) < 0)
        return call_fail(call, 500, "%s", err.text);
    if (proxy_differs(p, listen, &addresses, upstream)) {
        proxy_disable(p);
        if (proxy_set_addresses(p, listen, upstream) < 0)
            return call_fail(call, 500, "out of memory");
    }
    proxy_set_options(p, &options);
    if (!enabled)
        proxy_disable(p);
    else if (proxy_enable(p, &addresses, &err) < 0)
        return call_fail(call, 500, "%s", err.text);
    codec_put_proxy(call->out, p);
    return 200;
}

int call_proxy_update(struct api_call *call)
{
    if (!call_proxy(call))
        return call_fail(call, 404, "proxy not found");
    return with_body(call, update_proxy);
}

int call_proxy_delete(struct api_call *call)
{
    struct proxy *p = call_proxy(call);
    if (!p)
        return call_fail(call, 404, "proxy not found");
    collection_remove(call->api->config.collection, p);
    return 204;
}

int call_proxy_stats(struct api_call *call)
{
    struct proxy *p = call_proxy(call);
    if (!p)
        return call_fail(call, 404, "proxy not found");
    proxy_gather(p);
    codec_put_stats(call->out, p);
    return 200;
}

/* Unlike the others this answer is JSON also when it is an error: the partial list rides along. */
static int populate_answer(struct api_call *call, const struct populate *p, int status,
                           const struct err *err)
{
    if (status != 0) {
        evbuffer_add_printf(call->out, "{\"error\":");
        codec_put_string(call->out, err->text);
        evbuffer_add_printf(call->out, ",\"status\":%d,\"proxies\":", status);
    } else {
        evbuffer_add_printf(call->out, "{\"proxies\":");
    }
    if (p->count > 0) {
        evbuffer_add(call->out, "[", 1);
        evbuffer_add_buffer(call->out, p->list);
        evbuffer_add(call->out, "]}", 2);
    } else {
        evbuffer_add_printf(call->out, "null}");
    }
    return status != 0 ? status : 201;
}

int call_populate(struct api_call *call)
{
    json_t *body = NULL;
    struct err err;
    struct populate p = {.env = call->api->config.env,
                         .collection = call->api->config.collection,
                         .names = call->names,
                         .toxics = call->api->config.populate_toxics};
    int status = call_body(call, &body, &err) < 0 ? 400 : 0;
    p.body = body;
    if (status == 0)
        status = populate_check(&p, &err);
    if (status == 0 && names_are_pending(call->names)) {
        json_decref(body);
        return CALL_WAITS;
    }
    p.list = evbuffer_new();
    if (!p.list) {
        json_decref(body);
        return call_fail(call, 500, "out of memory");
    }
    if (status == 0)
        status = populate_apply(&p, &err);
    status = populate_answer(call, &p, status, &err);
    evbuffer_free(p.list);
    json_decref(body);
    return status;
}

int call_reset(struct api_call *call)
{
    struct collection *c = call->api->config.collection;
    struct err first = {.text = ""};
    for (size_t i = 0; i < c->count; i++)
        if (!c->items[i]->enabled)
            names_want(call->names, c->items[i]->listen);
    if (names_are_pending(call->names))
        return CALL_WAITS;
    /* One that cannot start does not keep the others from being reset. */
    for (size_t i = 0; i < c->count; i++) {
        struct proxy *p = c->items[i];
        struct address_list addresses;
        struct err err = {.text = ""};
        if (p->enabled) {
            proxy_toxic_remove_all(p);
            continue;
        }
        if (names_find(call->names, p->listen, &addresses, &err) < 0)
            err_prefix(&err, "listen tcp");
        else if (proxy_enable(p, &addresses, &err) == 0)
            err.text[0] = '\0';
        if (err.text[0] != '\0' && first.text[0] == '\0')
            first = err;
        proxy_toxic_remove_all(p);
    }
    return first.text[0] != '\0' ? call_fail(call, 500, "%s", first.text) : 204;
}

int call_toxic_index(struct api_call *call)
{
    struct proxy *p = call_proxy(call);
    if (!p)
        return call_fail(call, 404, "proxy not found");
    codec_put_toxics(call->out, p);
    return 200;
}

static bool is_taken(void *proxy, const char *name)
{
    return proxy_toxic_find(proxy, name) != NULL;
}

static int create_toxic(struct api_call *call, const json_t *body)
{
    struct err err;
    int status;
    struct proxy *p = call_proxy(call);
    struct toxic *t = codec_make_toxic(body, is_taken, p, &status, &err);
    if (!t)
        return call_fail(call, status, "%s", err.text);
    if (proxy_toxic_add(p, t) < 0) {
        toxic_free(t);
        return call_fail(call, 500, "too many toxics, or out of memory");
    }
    codec_put_toxic(call->out, t);
    return 200;
}

int call_toxic_create(struct api_call *call)
{
    if (!call_proxy(call))
        return call_fail(call, 404, "proxy not found");
    return with_body(call, create_toxic);
}

/* The toxic of the path; NULL, and *status set to the answer, when there is none. */
static struct toxic *find_toxic(struct api_call *call, int *status)
{
    struct proxy *p = call_proxy(call);
    struct toxic *t = p ? proxy_toxic_find(p, call->params[1]) : NULL;
    if (!t)
        *status = call_fail(call, 404, p ? "toxic not found" : "proxy not found");
    return t;
}

int call_toxic_show(struct api_call *call)
{
    int status;
    struct toxic *t = find_toxic(call, &status);
    if (!t)
        return status;
    codec_put_toxic(call->out, t);
    return 200;
}

static int update_toxic(struct api_call *call, const json_t *body)
{
    int status;
    struct toxic *t = find_toxic(call, &status);
    struct toxic_request r;
    struct err err;
    if (codec_read_toxic(body, &r, &err) < 0)
        return call_fail(call, 400, "%s", err.text);
    struct toxic next = *t;
    if (codec_read_attributes(r.attributes, t->ops, &next.values, &err) < 0)
        return call_fail(call, 400, "%s", err.text);
    if (r.chunk_toxicity && toxic_set_chunk_toxicity(&next, *r.chunk_toxicity, &err) < 0)
        return call_fail(call, 400, "bad request body: %s", err.text);
    next.toxicity = r.toxicity ? *r.toxicity : t->toxicity;
    proxy_toxic_update(call_proxy(call), t, &next);
    codec_put_toxic(call->out, t);
    return 200;
}

int call_toxic_update(struct api_call *call)
{
    int status;
    return find_toxic(call, &status) ? with_body(call, update_toxic) : status;
}

int call_toxic_delete(struct api_call *call)
{
    int status;
    struct toxic *t = find_toxic(call, &status);
    if (!t)
        return status;
    proxy_toxic_remove(call_proxy(call), t);
    return 204;
}

int call_metrics(struct api_call *call)
{
    const struct api_config *config = &call->api->config;
    call->content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (config->proxy_metrics)
        collection_gather(config->collection, config->env);
    if (config->runtime_metrics)
        metrics_print_process(call->out, call->api->version);
    metrics_print_handler(call->out);
    if (config->proxy_metrics)
        metrics_print_proxies(&config->env->metrics, call->out);
    if (config->proxy_metrics)
        metrics_print_victims(config->collection, call->out);
    return 200;
}
