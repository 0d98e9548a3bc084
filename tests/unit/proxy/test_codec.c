/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/codec.h"

static const struct {
    float value;
    const char *text;
} floats[] = {
    {1.0f, "1"},
    {0.0f, "0"},
    {0.1f, "0.1"},
    {0.3333333333f, "0.33333334"},
    {0.30000001192092896f, "0.3"},
    {0.5f, "0.5"},
    {-1.0f, "-1"},
    {2.0f, "2"},
    {100.0f, "100"},
    {123.25f, "123.25"},
    {1e20f, "100000000000000000000"},
    {1e21f, "1e+21"},
    {3.4028235e38f, "3.4028235e+38"},
    {1e-6f, "0.000001"},
    {1e-7f, "1e-7"},
    {1.5e-7f, "1.5e-7"},
    {1e-45f, "1e-45"},
};

static void prints_the_shortest_float32(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        char out[CODEC_NUMBER_MAX];
        codec_format_float32(floats[i].value, out);
        assert_string_equal(out, floats[i].text);
        assert_true(strtof(out, NULL) == floats[i].value);
    }
}

static const struct {
    const char *in;
    const char *out;
} strings[] = {
    {"plain", "\"plain\""},
    {"<a&b>", "\"\\u003ca\\u0026b\\u003e\""},
    {"q\"b\\n\n\r\t", "\"q\\\"b\\\\n\\n\\r\\t\""},
    {"\x01\x7f", "\"\\u0001\x7f\""},
    {"\xe2\x80\xa8\xe2\x80\xa9\xc3\xa9", "\"\\u2028\\u2029\xc3\xa9\""},
    {"a\xe2", "\"a\\ufffd\""},
};

static void escapes_as_go_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        struct evbuffer *out = evbuffer_new();
        codec_put_string(out, strings[i].in);
        evbuffer_add(out, "", 1);
        assert_string_equal((char *)evbuffer_pullup(out, -1), strings[i].out);
        evbuffer_free(out);
    }
}

static const struct {
    const char *body;
    const char *error; /* NULL = fine */
} bodies[] = {
    {"{}", NULL},
    {" null", NULL},
    {"{\"a\":1} garbage", NULL},
    {"", "bad request body: EOF"},
    {" \n", "bad request body: EOF"},
    {"{\"a\":", "bad request body: unexpected EOF"},
    {"x", "bad request body: invalid character 'x' looking for beginning of value"},
};

static void tells_why_a_body_is_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        json_t *value;
        struct err err = {.text = ""};
        int rc = codec_parse(bodies[i].body, strlen(bodies[i].body), &value, &err);
        assert_int_equal(rc, bodies[i].error ? -1 : 0);
        if (bodies[i].error)
            assert_string_equal(err.text, bodies[i].error);
        json_decref(value);
    }
}

static json_t *parse(const char *body)
{
    json_t *value;
    assert_int_equal(codec_parse(body, strlen(body), &value, NULL), 0);
    return value;
}

static void reads_a_proxy_in_any_case(void **state)
{
    (void)state;
    struct proxy_request r;
    json_t *v = parse("{\"NAME\":\"n\xff\",\"UpStream\":\"u\",\"listen\":null,\"enabled\":false,"
                      "\"Logger\":{},\"other\":[1]}");
    assert_int_equal(codec_read_proxy(v, &r, NULL), 0);
    assert_string_equal(r.name, "n\xef\xbf\xbd");
    assert_string_equal(r.upstream, "u");
    assert_null(r.listen);
    assert_non_null(r.enabled);
    assert_false(*r.enabled);
    json_decref(v);
    v = parse("null");
    assert_int_equal(codec_read_proxy(v, &r, NULL), 0);
    assert_null(r.name);
    assert_null(r.enabled);
    json_decref(v);
}

static void refuses_wrong_types(void **state)
{
    (void)state;
    static const char *const proxies[] = {
        "[]",
        "\"x\"",
        "{\"name\":1}",
        "{\"enabled\":\"true\"}",
        "{\"enabled\":1}",
        "{\"listen\":{}}",
        "{\"Logger\":1}",
    };
    static const char *const toxics[] = {
        "[]",
        "{\"type\":1}",
        "{\"toxicity\":\"1\"}",
        "{\"toxicity\":1e39}",
        "{\"attributes\":[]}",
        "{\"stream\":true}",
    };
    struct err err;
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        struct proxy_request r;
        json_t *v = parse(proxies[i]);
        assert_int_equal(codec_read_proxy(v, &r, &err), -1);
        assert_memory_equal(err.text, "bad request body: ", 18);
        json_decref(v);
    }
    for (size_t i = 0; i < sizeof toxics / sizeof toxics[0]; i++) {
        struct toxic_request r;
        json_t *v = parse(toxics[i]);
        assert_int_equal(codec_read_toxic(v, &r, &err), -1);
        assert_memory_equal(err.text, "bad request body: ", 18);
        json_decref(v);
    }
}

static void takes_any_float32_as_toxicity(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        float value;
    } rows[] = {
        {"{\"Toxicity\":2}", 2},
        {"{\"toxicity\":-1}", -1},
        {"{\"toxicity\":1e21}", 1e21f},
        {"{\"toxicity\":0.2}", 0.2f},
        {"{\"toxicity\":3.4028235e38}", 3.4028235e38f},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct toxic_request r;
        json_t *v = parse(rows[i].body);
        assert_int_equal(codec_read_toxic(v, &r, NULL), 0);
        assert_non_null(r.toxicity);
        assert_true(*r.toxicity == rows[i].value);
        json_decref(v);
    }
}

static void applies_all_attributes_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *attributes;
        int rc;
        int64_t latency;
        int64_t jitter;
    } rows[] = {
        {"{}", 0, 7, 8},
        {"{\"LATENCY\":100,\"unknown\":\"x\"}", 0, 100, 8},
        {"{\"latency\":1,\"jitter\":2}", 0, 1, 2},
        {"{\"latency\":null,\"jitter\":5}", 0, 7, 5},
        {"{\"latency\":1,\"jitter\":2.0}", -1, 7, 8},
        {"{\"latency\":1,\"jitter\":\"2\"}", -1, 7, 8},
        {"{\"jitter\":3,\"latency\":true}", -1, 7, 8},
        {"{\"latency\":1e2}", -1, 7, 8},
    };
    const struct toxic_ops *ops = toxic_type_find("latency");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct toxic_values values = toxic_values_default(ops);
        struct err err;
        values.v[0].i = 7;
        values.v[1].i = 8;
        json_t *v = parse(rows[i].attributes);
        assert_int_equal(codec_read_attributes(v, ops, &values, &err), rows[i].rc);
        assert_int_equal(values.v[0].i, rows[i].latency);
        assert_int_equal(values.v[1].i, rows[i].jitter);
        json_decref(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_the_shortest_float32),
        cmocka_unit_test(escapes_as_go_does),
        cmocka_unit_test(tells_why_a_body_is_bad),
        cmocka_unit_test(reads_a_proxy_in_any_case),
        cmocka_unit_test(refuses_wrong_types),
        cmocka_unit_test(takes_any_float32_as_toxicity),
        cmocka_unit_test(applies_all_attributes_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
