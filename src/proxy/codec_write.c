/* SPDX-License-Identifier: MIT */
#include <event2/buffer.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "proxy/codec.h"

#define PUT(out, literal) evbuffer_add((out), (literal), sizeof(literal) - 1)

/*
 * The escape of the `length` bytes at p, one valid character or (0) none; NULL = as it is. What
 * clients sent is valid; a text of ours may have been cut inside a character.
 */
static const char *escape(const char *p, size_t length, char piece[8])
{
    switch (*p) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    }
    if (length == 0)
        return "\\ufffd";
    if (length == 1 && (*p < 0x20 || *p == '<' || *p == '>' || *p == '&')) {
        snprintf(piece, 8, "\\u%04x", (unsigned)*p);
        return piece;
    }
    if (length == 3 && memcmp(p, "\xe2\x80\xa8", 3) == 0)
        return "\\u2028";
    if (length == 3 && memcmp(p, "\xe2\x80\xa9", 3) == 0)
        return "\\u2029";
    return NULL;
}

void codec_put_string(struct evbuffer *out, const char *text)
{
    PUT(out, "\"");
    const char *p = text;
    const char *plain = p;
    const char *end = text + strlen(text);
    while (p < end) {
        char piece[8];
        size_t length = utf8_length(p, (size_t)(end - p));
        const char *escaped = escape(p, length, piece);
        size_t taken = length > 0 ? length : 1;
        if (escaped) {
            evbuffer_add(out, plain, (size_t)(p - plain));
            evbuffer_add(out, escaped, strlen(escaped));
            plain = p + taken;
        }
        p += taken;
    }
    evbuffer_add(out, plain, (size_t)(p - plain));
    PUT(out, "\"");
}

/* Turns "d.ddde±xx" into Go's form for JSON. */
static void layout(const char *scientific, char out[CODEC_NUMBER_MAX])
{
    char digits[24];
    size_t count = 0;
    const char *p = scientific;
    const char *sign = *p == '-' ? "-" : "";
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[count++] = *p;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = '\0';
    int exponent = (int)strtol(p + 1, NULL, 10);
    int n = (int)count;
    if (digits[0] == '0')
        snprintf(out, CODEC_NUMBER_MAX, "%s0", sign);
    else if (exponent < -6 || exponent >= 21)
        snprintf(out, CODEC_NUMBER_MAX, "%s%.1s%s%se%c%d", sign, digits, n > 1 ? "." : "",
                 digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    else if (exponent < 0)
        snprintf(out, CODEC_NUMBER_MAX, "%s0.%.*s%s", sign, -exponent - 1, "00000", digits);
    else if (n <= exponent + 1)
        snprintf(out, CODEC_NUMBER_MAX, "%s%s%.*s", sign, digits, exponent + 1 - n,
                 "00000000000000000000");
    else
        snprintf(out, CODEC_NUMBER_MAX, "%s%.*s.%s", sign, exponent + 1, digits,
                 digits + exponent + 1);
}

void codec_format_float32(float value, char out[CODEC_NUMBER_MAX])
{
    char text[CODEC_NUMBER_MAX];
    for (int precision = 0; precision <= 8; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    layout(text, out);
}

void codec_format_float64(double value, char out[CODEC_NUMBER_MAX])
{
    char text[CODEC_NUMBER_MAX];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    layout(text, out);
}

static void put_attributes(struct evbuffer *out, const struct toxic *toxic)
{
    size_t count;
    const struct toxic_attr *attrs = toxic_type_attrs(toxic->ops, &count);
    PUT(out, "{");
    for (size_t i = 0; i < count; i++) {
        union toxic_value value = toxic_attr_get(toxic, &attrs[i]);
        char number[CODEC_NUMBER_MAX];
        if (attrs[i].kind == TOXIC_ATTR_INT)
            snprintf(number, sizeof number, "%" PRId64, value.i);
        else
            codec_format_float64(value.f, number);
        evbuffer_add_printf(out, "%s\"%s\":%s", i > 0 ? "," : "", attrs[i].name, number);
    }
    PUT(out, "}");
}

void codec_put_toxic(struct evbuffer *out, const struct toxic *toxic)
{
    char toxicity[CODEC_NUMBER_MAX];
    codec_format_float32(toxic->toxicity, toxicity);
    PUT(out, "{\"attributes\":");
    put_attributes(out, toxic);
    PUT(out, ",\"name\":");
    codec_put_string(out, toxic->name);
    PUT(out, ",\"type\":");
    codec_put_string(out, toxic_type_name(toxic->ops));
    PUT(out, ",\"stream\":");
    codec_put_string(out, toxic->stream_text);
    evbuffer_add_printf(out, ",\"toxicity\":%s", toxicity);
    if (toxic_has_chunk_toxicity(toxic)) {
        codec_format_float32(toxic->chunk_toxicity, toxicity);
        evbuffer_add_printf(out, ",\"chunk_toxicity\":%s", toxicity);
    }
    PUT(out, "}");
}

typedef void (*put_toxic_fn)(struct evbuffer *out, const struct toxic *toxic);

static void put_toxic_list(struct evbuffer *out, const struct proxy_toxics *lists, size_t count,
                           put_toxic_fn put)
{
    const char *separator = "";
    PUT(out, "[");
    for (size_t list = 0; list < count; list++) {
        for (size_t i = 0; i < lists[list].count; i++) {
            evbuffer_add(out, separator, strlen(separator));
            put(out, lists[list].items[i]);
            separator = ",";
        }
    }
    PUT(out, "]");
}

void codec_put_toxics(struct evbuffer *out, const struct proxy *p)
{
    put_toxic_list(out, p->toxics, 2, codec_put_toxic);
}

/* Only what is set: clients that know Toxiproxy's fields alone see those alone. */
static void put_options(struct evbuffer *out, const struct proxy_options *o)
{
    if (o->half_close)
        PUT(out, ",\"half_close\":true");
    if (o->pass_reset)
        PUT(out, ",\"pass_reset\":true");
    if (o->kb_per_s[TOXIC_UPSTREAM] == 0 && o->kb_per_s[TOXIC_DOWNSTREAM] == 0)
        return;
    evbuffer_add_printf(
        out, ",\"" CODEC_SHARED_RATE "\":{\"upstream\":%" PRId64 ",\"downstream\":%" PRId64 "}",
        o->kb_per_s[TOXIC_UPSTREAM], o->kb_per_s[TOXIC_DOWNSTREAM]);
}

void codec_put_proxy(struct evbuffer *out, const struct proxy *p)
{
    PUT(out, "{\"name\":");
    codec_put_string(out, p->name);
    PUT(out, ",\"listen\":");
    codec_put_string(out, p->listen);
    PUT(out, ",\"upstream\":");
    codec_put_string(out, p->upstream);
    evbuffer_add_printf(out,
                        ",\"enabled\":%s,\"Logger\":{},\"toxics\":", p->enabled ? "true" : "false");
    codec_put_toxics(out, p);
    put_options(out, &p->options);
    PUT(out, "}");
}

static void put_toxic_stats(struct evbuffer *out, const struct toxic *toxic)
{
    const struct toxic_stats *s = &toxic->stats;
    PUT(out, "{\"name\":");
    codec_put_string(out, toxic->name);
    PUT(out, ",\"type\":");
    codec_put_string(out, toxic_type_name(toxic->ops));
    PUT(out, ",\"stream\":");
    codec_put_string(out, toxic_stream_name(toxic->stream));
    evbuffer_add_printf(out,
                        ",\"connections\":%" PRIu64 ",\"chunks\":%" PRIu64 ",\"bytes\":%" PRIu64
                        ",\"bytes_dropped\":%" PRIu64 ",\"delay_ms\":%" PRIu64
                        ",\"closes\":%" PRIu64 ",\"resets\":%" PRIu64 "}",
                        s->connections, s->chunks, s->bytes, s->bytes_dropped,
                        s->delay_ns / (uint64_t)NS_PER_MS, s->closes, s->resets);
}

void codec_put_stats(struct evbuffer *out, const struct proxy *p)
{
    const struct proxy_counters *c = proxy_counters(p);
    PUT(out, "{\"name\":");
    codec_put_string(out, p->name);
    evbuffer_add_printf(out, ",\"enabled\":%s", p->enabled ? "true" : "false");
    evbuffer_add_printf(out,
                        ",\"connections_open\":%" PRIu64 ",\"connections_accepted\":%" PRIu64
                        ",\"connections_cut\":%" PRIu64 ",\"dial_failures\":%" PRIu64
                        ",\"accept_failures\":%" PRIu64,
                        c->open, c->accepted, c->cut, c->dial_failures, c->accept_failures);
    for (int stream = 0; stream < 2; stream++) {
        const char *name = toxic_stream_name((enum toxic_stream)stream);
        evbuffer_add_printf(out, ",\"%s_received_bytes\":%" PRIu64 ",\"%s_sent_bytes\":%" PRIu64,
                            name, c->traffic[stream].received_bytes, name,
                            c->traffic[stream].sent_bytes);
    }
    PUT(out, ",\"toxics\":");
    put_toxic_list(out, p->toxics, 2, put_toxic_stats);
    PUT(out, ",\"removed_toxics\":");
    put_toxic_list(out, &p->removed, 1, put_toxic_stats);
    PUT(out, "}");
}
