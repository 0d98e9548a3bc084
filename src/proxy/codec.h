/* SPDX-License-Identifier: MIT */
/*
 * JSON of the Toxiproxy API, as Go's encoding/json reads and writes it: keys match in any case,
 * null means "as it was", nothing is converted, integers are written as integers; the output has a
 * fixed field order and no white space.
 */
#ifndef PROXY_CODEC_H
#define PROXY_CODEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "proxy/proxy.h"
#include "toxic/toxic.h"

struct evbuffer;

#define CODEC_BAD_BODY "bad request body: "

/* The option of a proxy with the bandwidth that its connections share. */
#define CODEC_SHARED_RATE "shared_rate_kb_per_s"

/* What a request says of a proxy. Strings live as long as the JSON value. NULL = not said. */
struct proxy_request {
    const char *name;
    const char *listen;
    const char *upstream;
    const bool *enabled; /* points to enabled_value */
    bool enabled_value;
    json_t *toxics; /* as it came; Toxiproxy ignores it; NULL = none */
};

struct toxic_request {
    const char *name;
    const char *type;
    const char *stream;
    const float *toxicity; /* points to toxicity_value */
    float toxicity_value;
    const double *chunk_toxicity; /* points to chunk_toxicity_value */
    double chunk_toxicity_value;
    json_t *attributes; /* an object, or NULL */
};

/*
 * Parses the first JSON value of a body; what follows it is ignored. Bytes that are not UTF-8
 * become U+FFFD; codec_text.h has the rest. Errors begin with CODEC_BAD_BODY. The caller gives *out
 * back with json_decref().
 */
int codec_parse(const char *bytes, size_t size, json_t **out, struct err *err);

/* An object or null; a wrong type is an error. `out` points into itself: do not copy it. */
int codec_read_proxy(const json_t *value, struct proxy_request *out, struct err *err);
int codec_read_toxic(const json_t *value, struct toxic_request *out, struct err *err);

/* Puts the options that a proxy object names over those in `options`; all or nothing. */
int codec_read_options(const json_t *value, struct proxy_options *options, struct err *err);

/*
 * A toxic from the body of a request; the caller frees it. NULL with *status set to the answer and
 * `err` filled. `taken` tells, between the checks and in Toxiproxy's order, whether the proxy has a
 * toxic of that name.
 */
struct toxic *codec_make_toxic(const json_t *value, bool (*taken)(void *arg, const char *name),
                               void *arg, int *status, struct err *err);

/* Puts the attributes of an object (NULL = none) over those in `values`; all or nothing. */
int codec_read_attributes(const json_t *attributes, const struct toxic_ops *ops,
                          struct toxic_values *values, struct err *err);

/* Writers. */
void codec_put_string(struct evbuffer *out, const char *text);
void codec_put_proxy(struct evbuffer *out, const struct proxy *proxy);
void codec_put_toxic(struct evbuffer *out, const struct toxic *toxic);
void codec_put_toxics(struct evbuffer *out, const struct proxy *proxy);
void codec_put_stats(struct evbuffer *out, const struct proxy *proxy);

/* Enough for every float and double as Go prints them. */
#define CODEC_NUMBER_MAX 64

/* The shortest decimal that reads back as the same number; exponents below 1e-6 and from 1e21. */
void codec_format_float32(float value, char out[CODEC_NUMBER_MAX]);
void codec_format_float64(double value, char out[CODEC_NUMBER_MAX]);

#endif
