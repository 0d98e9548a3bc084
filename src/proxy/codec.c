/* SPDX-License-Identifier: MIT */
/* Reading: bodies to requests. codec_write.c has the other direction. */
#include "proxy/codec.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proxy/codec_text.h"

#define BAD_BODY CODEC_BAD_BODY

/* Words for a syntax error; `text` is the body after leading white space. */
static int syntax_error(const char *text, const json_error_t *e, struct err *err)
{
    static const char white[] = " \t\r\n";
    const char *start = text + strspn(text, white);
    if (*start == '\0')
        return err_set(err, BAD_BODY "EOF");
    if (json_error_code(e) == json_error_premature_end_of_input)
        return err_set(err, BAD_BODY "unexpected EOF");
    unsigned char first = (unsigned char)*start;
    /* Go takes the byte for a character of its own. */
    char shown[3] = {(char)first};
    if (first >= 0x80) {
        shown[0] = (char)(0xc0 | first >> 6);
        shown[1] = (char)(0x80 | (first & 0x3f));
    }
    if (!strchr("{[\"-0123456789tfn", *start))
        return err_set(err, BAD_BODY "invalid character '%s' looking for beginning of value",
                       shown);
    return err_set(err, BAD_BODY "%s at line %d, column %d", e->text, e->line, e->column);
}

int codec_parse(const char *bytes, size_t size, json_t **out, struct err *err)
{
    size_t text_size;
    json_error_t e;
    *out = NULL;
    char *text = codec_text_normal(bytes, size, &text_size);
    if (!text)
        return err_set(err, BAD_BODY "out of memory");
    *out = json_loadb(text, text_size, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &e);
    int rc = *out ? 0 : syntax_error(text, &e, err);
    free(text);
    return rc;
}

static const char *type_word(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "array";
    case JSON_STRING: return "string";
    case JSON_INTEGER:
    case JSON_REAL: return "number";
    case JSON_TRUE:
    case JSON_FALSE: return "bool";
    case JSON_NULL: return "null";
    }
    return "value";
}

static int wrong_type(const json_t *value, const char *field, const char *wanted, struct err *err)
{
    return err_set(err, BAD_BODY "json: cannot unmarshal %s into Go struct field %s of type %s",
                   type_word(value), field, wanted);
}

/* Whether the body is one that has fields; null has none. */
static int check_object(const json_t *value, const char *type, struct err *err)
{
    if (json_is_object(value) || json_is_null(value))
        return 0;
    return err_set(err, BAD_BODY "json: cannot unmarshal %s into Go value of type toxiproxy.%s",
                   type_word(value), type);
}

/* A field of a JSON object and where its value goes. Keys are compared without regard to case, null
 * is as good as absent, and fields of other names are none of our business. */
struct field {
    const char *key;
    int (*read)(const struct field *field, const json_t *value, void *to, struct err *err);
    const char *shown; /* what errors call it: Go's name */
    size_t offset;     /* of `to`, within what is filled */
};

static const struct field *find_field(const struct field *fields, const char *key)
{
    for (; fields->key; fields++)
        if (strcasecmp(fields->key, key) == 0)
            return fields;
    return NULL;
}

static int read_fields(const json_t *object, const struct field *fields, void *out, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        const struct field *field = json_is_null(value) ? NULL : find_field(fields, key);
        if (field && field->read(field, value, (char *)out + field->offset, err) < 0)
            return -1;
    }
    return 0;
}

static int read_string(const struct field *field, const json_t *value, void *to, struct err *err)
{
    const char **out = to;
    if (!json_is_string(value))
        return wrong_type(value, field->shown, "string", err);
    *out = json_string_value(value);
    return 0;
}

static int read_bool(const struct field *field, const json_t *value, void *to, struct err *err)
{
    bool *out = to;
    if (!json_is_boolean(value))
        return wrong_type(value, field->shown, "bool", err);
    *out = json_is_true(value);
    return 0;
}

/* For somebody else to look into. */
static int read_any(const struct field *field, const json_t *value, void *to, struct err *err)
{
    json_t **out = to;
    (void)field;
    (void)err;
    *out = (json_t *)value;
    return 0;
}

/* Not used, but Toxiproxy's clients send back what they got. */
static int read_logger(const struct field *field, const json_t *value, void *to, struct err *err)
{
    (void)to;
    return json_is_object(value) ? 0 : wrong_type(value, field->shown, "zerolog.Logger", err);
}

static int read_enabled(const struct field *field, const json_t *value, void *to, struct err *err)
{
    struct proxy_request *request = to;
    request->enabled = &request->enabled_value;
    return read_bool(field, value, &request->enabled_value, err);
}

static const struct field proxy_fields[] = {
    {"name", read_string, "Proxy.name", offsetof(struct proxy_request, name)},
    {"listen", read_string, "Proxy.listen", offsetof(struct proxy_request, listen)},
    {"upstream", read_string, "Proxy.upstream", offsetof(struct proxy_request, upstream)},
    {"toxics", read_any, "Proxy.toxics", offsetof(struct proxy_request, toxics)},
    {"logger", read_logger, "Proxy.Logger", 0},
    {"enabled", read_enabled, "Proxy.enabled", 0},
    {.key = NULL},
};

int codec_read_proxy(const json_t *value, struct proxy_request *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    if (check_object(value, "Proxy", err) < 0)
        return -1;
    return read_fields(value, proxy_fields, out, err);
}

static int read_shared_rate(const struct field *field, const json_t *value, void *to,
                            struct err *err)
{
    int64_t *out = to;
    if (!json_is_integer(value))
        return wrong_type(value, field->shown, "int64", err);
    json_int_t rate = json_integer_value(value);
    if (rate < 0 || rate > RATE_GATE_KB_PER_S_MAX)
        return err_set(err, BAD_BODY "%s must be between 0 (no limit) and %" PRId64, field->shown,
                       RATE_GATE_KB_PER_S_MAX);
    *out = rate;
    return 0;
}

static const struct field rate_fields[] = {
    {"upstream", read_shared_rate, CODEC_SHARED_RATE, TOXIC_UPSTREAM * sizeof(int64_t)},
    {"downstream", read_shared_rate, CODEC_SHARED_RATE, TOXIC_DOWNSTREAM * sizeof(int64_t)},
    {.key = NULL},
};

static int read_shared_rates(const struct field *field, const json_t *value, void *to,
                             struct err *err)
{
    if (!json_is_object(value))
        return wrong_type(value, field->shown, "object", err);
    return read_fields(value, rate_fields, to, err);
}

static const struct field option_fields[] = {
    {"half_close", read_bool, "Proxy.half_close", offsetof(struct proxy_options, half_close)},
    {"pass_reset", read_bool, "Proxy.pass_reset", offsetof(struct proxy_options, pass_reset)},
    {CODEC_SHARED_RATE, read_shared_rates, "Proxy." CODEC_SHARED_RATE,
     offsetof(struct proxy_options, kb_per_s)},
    {.key = NULL},
};

int codec_read_options(const json_t *value, struct proxy_options *options, struct err *err)
{
    struct proxy_options next = *options;
    if (read_fields(value, option_fields, &next, err) < 0)
        return -1;
    *options = next;
    return 0;
}

static int read_toxicity(const struct field *field, const json_t *value, void *to, struct err *err)
{
    struct toxic_request *request = to;
    if (!json_is_number(value))
        return wrong_type(value, field->shown, "float32", err);
    double number = json_number_value(value);
    /* The largest double that rounds to a finite float is half a step above FLT_MAX. */
    if (fabs(number) >= FLT_MAX * (1 + 0.25 * (double)FLT_EPSILON))
        return wrong_type(value, field->shown, "float32", err);
    request->toxicity_value = (float)number;
    request->toxicity = &request->toxicity_value;
    return 0;
}

static int read_chunk_toxicity(const struct field *field, const json_t *value, void *to,
                               struct err *err)
{
    struct toxic_request *request = to;
    if (!json_is_number(value))
        return wrong_type(value, field->shown, "float64", err);
    request->chunk_toxicity_value = json_number_value(value);
    request->chunk_toxicity = &request->chunk_toxicity_value;
    return 0;
}

static int read_attributes(const struct field *field, const json_t *value, void *to,
                           struct err *err)
{
    if (!json_is_object(value))
        return wrong_type(value, field->shown, "object", err);
    return read_any(field, value, to, err);
}

static const struct field toxic_fields[] = {
    {"name", read_string, "ToxicWrapper.name", offsetof(struct toxic_request, name)},
    {"type", read_string, "ToxicWrapper.type", offsetof(struct toxic_request, type)},
    {"stream", read_string, "ToxicWrapper.stream", offsetof(struct toxic_request, stream)},
    {"toxicity", read_toxicity, "ToxicWrapper.toxicity", 0},
    {"chunk_toxicity", read_chunk_toxicity, "ToxicWrapper.chunk_toxicity", 0},
    {"attributes", read_attributes, "attributes", offsetof(struct toxic_request, attributes)},
    {.key = NULL},
};

int codec_read_toxic(const json_t *value, struct toxic_request *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    if (check_object(value, "ToxicWrapper", err) < 0)
        return -1;
    return read_fields(value, toxic_fields, out, err);
}

static int read_attribute(const json_t *value, const struct toxic_ops *ops,
                          const struct toxic_attr *attr, struct toxic_values *values,
                          struct err *err)
{
    int rc;
    if (attr->kind == TOXIC_ATTR_FLOAT && json_is_number(value))
        rc = toxic_attr_set_float(ops, values, attr, json_number_value(value), err);
    else if (attr->kind == TOXIC_ATTR_INT && json_is_integer(value))
        rc = toxic_attr_set_int(ops, values, attr, json_integer_value(value), err);
    else
        return wrong_type(value, attr->name, attr->kind == TOXIC_ATTR_INT ? "int64" : "float64",
                          err);
    if (rc < 0)
        err_prefix(err, "bad request body");
    return rc;
}

int codec_read_attributes(const json_t *attributes, const struct toxic_ops *ops,
                          struct toxic_values *values, struct err *err)
{
    const char *key;
    json_t *item;
    struct toxic_values next = *values;
    json_object_foreach((json_t *)attributes, key, item)
    {
        const struct toxic_attr *attr = toxic_attr_find(ops, key);
        if (!attr || json_is_null(item))
            continue;
        if (read_attribute(item, ops, attr, &next, err) < 0)
            return -1;
    }
    *values = next;
    return 0;
}

static int set_values(const struct toxic_request *r, struct toxic *t, struct err *err)
{
    if (codec_read_attributes(r->attributes, t->ops, &t->values, err) < 0)
        return -1;
    if (r->chunk_toxicity && toxic_set_chunk_toxicity(t, *r->chunk_toxicity, err) < 0)
        return err_prefix(err, "bad request body");
    return 0;
}

struct toxic *codec_make_toxic(const json_t *value, bool (*taken)(void *arg, const char *name),
                               void *arg, int *status, struct err *err)
{
    struct toxic_request r;
    enum toxic_stream stream;
    *status = 400;
    if (codec_read_toxic(value, &r, err) < 0)
        return NULL;
    if (toxic_stream_parse(r.stream ? r.stream : "downstream", &stream) < 0) {
        err_set(err, "stream was invalid, can be either upstream or downstream");
        return NULL;
    }
    const struct toxic_ops *ops = r.type ? toxic_type_find(r.type) : NULL;
    if (!ops) {
        err_set(err, "invalid toxic type");
        return NULL;
    }
    struct toxic *t = toxic_new(ops, r.name, r.stream, r.toxicity ? *r.toxicity : 1.0f, err);
    if (!t) {
        *status = 500;
        return NULL;
    }
    if (taken(arg, t->name)) {
        *status = 409;
        err_set(err, "toxic already exists");
    } else if (set_values(&r, t, err) == 0) {
        return t;
    }
    toxic_free(t);
    return NULL;
}
