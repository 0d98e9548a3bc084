/* SPDX-License-Identifier: MIT */
/* The calls of the API as requests and answers; http_exchange() in apihttp.c moves the bytes. */
#include "proxy/apiclient.h"

#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/apihttp.h"

struct apiclient {
    struct apihttp_target target;
    char url[ADDRESS_HOST_MAX + 32];
    char agent[64];
    ns_t timeout_ns;
    int cancel_fd;
};

const char *apiclient_url(const struct apiclient *c)
{
    return c->url;
}

int apiclient_new(const struct apiclient_config *config, struct apiclient **out, struct err *err)
{
    struct apiclient *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, "out of memory");
    if (apihttp_target_parse(config->url, &c->target, err) < 0) {
        free(c);
        return -1;
    }
    bool v6 = strchr(c->target.host, ':') != NULL;
    snprintf(c->url, sizeof c->url, "http://%s%s%s:%u", v6 ? "[" : "", c->target.host,
             v6 ? "]" : "", c->target.port);
    snprintf(c->agent, sizeof c->agent, "%s", config->agent ? config->agent : "memchaos");
    c->timeout_ns = config->timeout_ns > 0 ? config->timeout_ns : APICLIENT_TIMEOUT_NS_DEFAULT;
    c->cancel_fd = config->cancel_fd;
    *out = c;
    return 0;
}

void apiclient_free(struct apiclient *c)
{
    free(c);
}

/* A path with its parameters percent-encoded: "%s" in `format` takes the next argument. */
struct path {
    char text[1024];
};

static void path_append(struct path *p, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t n = strlen(p->text);
    for (; *text != '\0' && n + 4 < sizeof p->text; text++) {
        if (strchr(plain, *text))
            n += (size_t)snprintf(p->text + n, sizeof p->text - n, "%c", *text);
        else
            n += (size_t)snprintf(p->text + n, sizeof p->text - n, "%%%02X", (unsigned char)*text);
    }
}

static struct path proxy_path(const char *proxy, const char *rest)
{
    struct path p = {.text = "/proxies/"};
    path_append(&p, proxy);
    strncat(p.text, rest, sizeof p.text - strlen(p.text) - 1);
    return p;
}

static struct path toxic_path(const char *proxy, const char *toxic)
{
    struct path p = proxy_path(proxy, "/toxics/");
    path_append(&p, toxic);
    return p;
}

/* What the server said was wrong: its "error" field, or the beginning of its answer. */
static void server_message(const struct apihttp_answer *answer, char *out, size_t out_size)
{
    json_t *body = json_loadb(answer->body, answer->body_size, JSON_DISABLE_EOF_CHECK, NULL);
    const char *text = json_string_value(json_object_get(body, "error"));
    if (text)
        snprintf(out, out_size, "%s", text);
    else
        snprintf(out, out_size, "%.*s", (int)(answer->body_size < 200 ? answer->body_size : 200),
                 answer->body ? answer->body : "");
    out[strcspn(out, "\r\n")] = '\0';
    json_decref(body);
}

static int judge(const struct apiclient *c, const char *method, const char *path,
                 const struct apihttp_answer *answer, struct err *err)
{
    char text[256];
    if (answer->status >= 200 && answer->status < 300)
        return APICLIENT_OK;
    server_message(answer, text, sizeof text);
    err_set(err, "%s %s%s: HTTP %d: %s", method, c->url, path, answer->status, text);
    return answer->status == 404   ? APICLIENT_NOT_FOUND
           : answer->status == 409 ? APICLIENT_CONFLICT
                                   : APICLIENT_REFUSED;
}

/*
 * One call. `body` (stolen, NULL = none) is sent; `out` (NULL = not wanted) gets the parsed answer,
 * which the caller gives back.
 */
static int call(struct apiclient *c, const char *method, const char *path, json_t *body,
                json_t **out, struct err *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (body && !text) {
        err_set(err, "%s %s%s: out of memory", method, c->url, path);
        return APICLIENT_UNREACHABLE;
    }
    const struct apihttp_request request = {
        .target = &c->target,
        .method = method,
        .path = path,
        .agent = c->agent,
        .body = text,
        .deadline = ns_add(ns_now(), c->timeout_ns),
        .cancel_fd = c->cancel_fd,
    };
    struct apihttp_answer answer = {0};
    int rc = apihttp_exchange(&request, &answer, err);
    free(text);
    if (rc != APICLIENT_OK) {
        err_prefix(err, "%s %s%s", method, c->url, path);
        return rc;
    }
    rc = judge(c, method, path, &answer, err);
    if (rc == APICLIENT_OK && out) {
        json_error_t e;
        *out = json_loadb(answer.body ? answer.body : "", answer.body_size, JSON_DISABLE_EOF_CHECK,
                          &e);
        if (!*out) {
            err_set(err, "%s %s%s: the answer is not JSON: %s", method, c->url, path, e.text);
            rc = APICLIENT_UNREACHABLE;
        }
    }
    free(answer.body);
    return rc;
}

int apiclient_version(struct apiclient *c, char *out, size_t out_size, struct err *err)
{
    json_t *answer;
    int rc = call(c, "GET", "/version", NULL, &answer, err);
    if (rc != APICLIENT_OK)
        return rc;
    const char *text = json_string_value(json_object_get(answer, "version"));
    snprintf(out, out_size, "%s", text ? text : "");
    json_decref(answer);
    return APICLIENT_OK;
}

int apiclient_wait(struct apiclient *c, ns_t wait_ns, struct err *err)
{
    ns_t end = ns_add(ns_now(), wait_ns > 0 ? wait_ns : APICLIENT_WAIT_NS_DEFAULT);
    ns_t timeout_ns = c->timeout_ns;
    int rc;
    for (;;) {
        char version[64];
        ns_t begin = ns_now();
        c->timeout_ns = ns_min(timeout_ns, ns_max(end - begin, NS_PER_MS));
        rc = apiclient_version(c, version, sizeof version, err);
        ns_t next = begin + APICLIENT_WAIT_PERIOD_NS;
        if (rc == APICLIENT_OK || rc == APICLIENT_CANCELLED || next >= end)
            break;
        if (apihttp_sleep_until(next, c->cancel_fd) < 0) {
            err_set(err, "waiting for %s: cancelled", c->url);
            rc = APICLIENT_CANCELLED;
            break;
        }
    }
    c->timeout_ns = timeout_ns;
    return rc;
}

static void copy_string(char *out, size_t out_size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, out_size, "%s", text ? text : "");
}

static void read_proxy(const json_t *object, struct apiclient_proxy *out)
{
    copy_string(out->name, sizeof out->name, object, "name");
    copy_string(out->listen, sizeof out->listen, object, "listen");
    copy_string(out->upstream, sizeof out->upstream, object, "upstream");
    out->enabled = json_is_true(json_object_get(object, "enabled"));
    out->toxic_count = json_array_size(json_object_get(object, "toxics"));
}

static int compare_proxies(const void *a, const void *b)
{
    const struct apiclient_proxy *x = a, *y = b;
    return strcmp(x->name, y->name);
}

int apiclient_list(struct apiclient *c, struct apiclient_proxy *out, size_t max, size_t *count,
                   struct err *err)
{
    json_t *answer, *item;
    const char *name;
    size_t filled = 0;
    int rc = call(c, "GET", "/proxies", NULL, &answer, err);
    if (rc != APICLIENT_OK)
        return rc;
    *count = json_object_size(answer);
    json_object_foreach(answer, name, item)
    {
        if (filled < max)
            read_proxy(item, &out[filled++]);
    }
    json_decref(answer);
    if (filled > 0)
        qsort(out, filled, sizeof out[0], compare_proxies);
    return APICLIENT_OK;
}

/* A call that answers with a proxy. */
static int call_proxy(struct apiclient *c, const char *method, const char *path, json_t *body,
                      struct apiclient_proxy *out, struct err *err)
{
    json_t *answer;
    int rc = call(c, method, path, body, out ? &answer : NULL, err);
    if (rc == APICLIENT_OK && out) {
        read_proxy(answer, out);
        json_decref(answer);
    }
    return rc;
}

int apiclient_get(struct apiclient *c, const char *name, struct apiclient_proxy *out,
                  struct err *err)
{
    return call_proxy(c, "GET", proxy_path(name, "").text, NULL, out, err);
}

int apiclient_create(struct apiclient *c, const char *name, const char *listen,
                     const char *upstream, struct apiclient_proxy *out, struct err *err)
{
    json_t *body = json_pack("{s:s, s:s, s:s, s:b}", "name", name, "listen", listen, "upstream",
                             upstream, "enabled", 1);
    if (!body) {
        err_set(err, "create proxy %s: a name is not UTF-8", name);
        return APICLIENT_REFUSED;
    }
    return call_proxy(c, "POST", "/proxies", body, out, err);
}

int apiclient_delete(struct apiclient *c, const char *name, struct err *err)
{
    return call(c, "DELETE", proxy_path(name, "").text, NULL, NULL, err);
}

int apiclient_set_enabled(struct apiclient *c, const char *name, bool enabled, struct err *err)
{
    /* POST, because servers before 2.6 know no PATCH. */
    return call(c, "POST", proxy_path(name, "").text, json_pack("{s:b}", "enabled", enabled), NULL,
                err);
}

static json_t *attribute_json(const struct apiclient_attribute *a)
{
    if (a->text)
        return json_string(a->text);
    bool whole = a->value == floor(a->value) && fabs(a->value) < 0x1p63;
    return whole ? json_integer((json_int_t)a->value) : json_real(a->value);
}

static json_t *attributes_json(const struct apiclient_toxic *toxic)
{
    json_t *object = json_object();
    for (size_t i = 0; i < toxic->attribute_count; i++)
        json_object_set_new(object, toxic->attributes[i].name,
                            attribute_json(&toxic->attributes[i]));
    return object;
}

static int compare_attributes(const void *a, const void *b)
{
    const struct apiclient_attribute_view *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void read_attribute(const char *name, const json_t *value,
                           struct apiclient_attribute_view *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", name);
    out->is_number = json_is_number(value);
    out->number = json_number_value(value);
    if (out->is_number)
        return;
    char *other = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *text = other ? other : json_string_value(value);
    snprintf(out->text, sizeof out->text, "%s", text ? text : "");
    free(other);
}

static void read_toxic(json_t *object, struct apiclient_toxic_view *out)
{
    const char *name;
    json_t *value;
    copy_string(out->name, sizeof out->name, object, "name");
    copy_string(out->type, sizeof out->type, object, "type");
    copy_string(out->stream, sizeof out->stream, object, "stream");
    out->toxicity = json_number_value(json_object_get(object, "toxicity"));
    out->attribute_count = 0;
    json_object_foreach(json_object_get(object, "attributes"), name, value)
    {
        if (out->attribute_count < APICLIENT_VIEW_ATTRIBUTES_MAX)
            read_attribute(name, value, &out->attributes[out->attribute_count++]);
    }
    qsort(out->attributes, out->attribute_count, sizeof out->attributes[0], compare_attributes);
}

/* Sends a toxic; the answer is a toxic too. */
static int call_toxic(struct apiclient *c, const char *path, json_t *body,
                      const struct apiclient_toxic *toxic, struct apiclient_toxic_view *out,
                      struct err *err)
{
    json_t *answer;
    if (!body) {
        err_set(err, "POST %s%s: the toxic is not UTF-8", c->url, path);
        return APICLIENT_REFUSED;
    }
    if (toxic->toxicity >= 0)
        json_object_set_new(body, "toxicity", json_real(toxic->toxicity));
    if (toxic->chunk_toxicity > 0)
        json_object_set_new(body, "chunk_toxicity", json_real(toxic->chunk_toxicity));
    int rc = call(c, "POST", path, body, out ? &answer : NULL, err);
    if (rc == APICLIENT_OK && out) {
        read_toxic(answer, out);
        json_decref(answer);
    }
    return rc;
}

int apiclient_toxic_add_view(struct apiclient *c, const char *proxy,
                             const struct apiclient_toxic *toxic, struct apiclient_toxic_view *out,
                             struct err *err)
{
    json_t *body = json_pack("{s:s?, s:s, s:o}", "name", toxic->name, "type", toxic->type,
                             "attributes", attributes_json(toxic));
    if (body && toxic->stream)
        json_object_set_new(body, "stream", json_string(toxic->stream));
    return call_toxic(c, proxy_path(proxy, "/toxics").text, body, toxic, out, err);
}

int apiclient_toxic_add(struct apiclient *c, const char *proxy, const struct apiclient_toxic *toxic,
                        struct err *err)
{
    return apiclient_toxic_add_view(c, proxy, toxic, NULL, err);
}

int apiclient_toxic_update_view(struct apiclient *c, const char *proxy,
                                const struct apiclient_toxic *toxic,
                                struct apiclient_toxic_view *out, struct err *err)
{
    json_t *body = json_pack("{s:o}", "attributes", attributes_json(toxic));
    return call_toxic(c, toxic_path(proxy, toxic->name).text, body, toxic, out, err);
}

int apiclient_toxic_update(struct apiclient *c, const char *proxy,
                           const struct apiclient_toxic *toxic, struct err *err)
{
    return apiclient_toxic_update_view(c, proxy, toxic, NULL, err);
}

int apiclient_toxics(struct apiclient *c, const char *proxy, struct apiclient_toxic_view *out,
                     size_t max, size_t *count, struct err *err)
{
    json_t *answer, *item;
    size_t i;
    int rc = call(c, "GET", proxy_path(proxy, "/toxics").text, NULL, &answer, err);
    if (rc != APICLIENT_OK)
        return rc;
    *count = json_array_size(answer);
    json_array_foreach(answer, i, item)
    {
        if (i < max)
            read_toxic(item, &out[i]);
    }
    json_decref(answer);
    return APICLIENT_OK;
}

int apiclient_toxic_remove(struct apiclient *c, const char *proxy, const char *toxic,
                           struct err *err)
{
    return call(c, "DELETE", toxic_path(proxy, toxic).text, NULL, NULL, err);
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void read_toxic_stats(const json_t *object, struct apiclient_toxic_stats *out)
{
    copy_string(out->name, sizeof out->name, object, "name");
    copy_string(out->type, sizeof out->type, object, "type");
    copy_string(out->stream, sizeof out->stream, object, "stream");
    out->connections = number(object, "connections");
    out->chunks = number(object, "chunks");
    out->bytes = number(object, "bytes");
    out->bytes_dropped = number(object, "bytes_dropped");
    out->delay_ms = number(object, "delay_ms");
    out->closes = number(object, "closes");
    out->resets = number(object, "resets");
}

static size_t read_stats_list(const json_t *array, struct apiclient_toxic_stats *out)
{
    size_t i, count = 0;
    const json_t *item;
    json_array_foreach(array, i, item)
    {
        if (count < APICLIENT_STATS_TOXICS_MAX)
            read_toxic_stats(item, &out[count++]);
    }
    return count;
}

int apiclient_stats(struct apiclient *c, const char *proxy, struct apiclient_stats *out,
                    struct err *err)
{
    json_t *answer;
    memset(out, 0, sizeof *out);
    int rc = call(c, "GET", proxy_path(proxy, "/stats").text, NULL, &answer, err);
    if (rc != APICLIENT_OK)
        return rc;
    out->enabled = json_is_true(json_object_get(answer, "enabled"));
    out->connections_open = number(answer, "connections_open");
    out->connections_accepted = number(answer, "connections_accepted");
    out->connections_cut = number(answer, "connections_cut");
    out->dial_failures = number(answer, "dial_failures");
    out->accept_failures = number(answer, "accept_failures");
    out->upstream_bytes = number(answer, "upstream_received_bytes");
    out->downstream_bytes = number(answer, "downstream_received_bytes");
    out->toxic_count = read_stats_list(json_object_get(answer, "toxics"), out->toxics);
    out->removed_count = read_stats_list(json_object_get(answer, "removed_toxics"), out->removed);
    json_decref(answer);
    return APICLIENT_OK;
}

int apiclient_reset(struct apiclient *c, struct err *err)
{
    return call(c, "POST", "/reset", NULL, NULL, err);
}

const char *apiclient_refusal(const struct err *err)
{
    /* A path holds no blank, so the first one of this kind is judge()'s. */
    const char *mark = strstr(err->text, ": HTTP ");
    return mark ? mark + 2 : err->text;
}
