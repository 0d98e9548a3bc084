/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonw.h"
#include "base/rng.h"

struct capture {
    char *text;
    size_t len;
    FILE *out;
    struct jsonw w;
};

static void capture_start(struct capture *c, enum jsonw_style style)
{
    c->out = open_memstream(&c->text, &c->len);
    assert_non_null(c->out);
    jsonw_init(&c->w, c->out, style);
}

static void capture_end(struct capture *c, const char *expected)
{
    assert_int_equal(jsonw_finish(&c->w), 0);
    assert_string_equal(c->text, expected);
    fclose(c->out);
    free(c->text);
}

static void write_sample(struct jsonw *w)
{
    jsonw_object(w);
    jsonw_key_string(w, "name", "p1");
    jsonw_key_int(w, "min", INT64_MIN);
    jsonw_key_uint(w, "max", UINT64_MAX);
    jsonw_key_array(w, "list");
    jsonw_double(w, 0.1);
    jsonw_bool(w, true);
    jsonw_null(w);
    jsonw_object(w);
    jsonw_object_end(w);
    jsonw_array(w);
    jsonw_array_end(w);
    jsonw_array_end(w);
    jsonw_key_object(w, "in");
    jsonw_key_bool(w, "ok", false);
    jsonw_key_null(w, "none");
    jsonw_key_double(w, "half", 0.5);
    jsonw_object_end(w);
    jsonw_object_end(w);
}

static void writes_compact_documents(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, JSONW_COMPACT);
    write_sample(&c.w);
    capture_end(&c, "{\"name\":\"p1\",\"min\":-9223372036854775808,\"max\":18446744073709551615,"
                    "\"list\":[0.1,true,null,{},[]],"
                    "\"in\":{\"ok\":false,\"none\":null,\"half\":0.5}}\n");
}

static void writes_pretty_documents(void **state)
{
    (void)state;
    struct capture c;
    capture_start(&c, JSONW_PRETTY);
    write_sample(&c.w);
    capture_end(&c, "{\n  \"name\": \"p1\",\n  \"min\": -9223372036854775808,\n"
                    "  \"max\": 18446744073709551615,\n  \"list\": [\n    0.1,\n    true,\n"
                    "    null,\n    {},\n    []\n  ],\n  \"in\": {\n    \"ok\": false,\n"
                    "    \"none\": null,\n    \"half\": 0.5\n  }\n}\n");
}

static void escapes_strings_and_mends_broken_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *json;
    } rows[] = {
        {"", "\"\"\n"},
        {NULL, "null\n"},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\"\n"},
        {"\b\t\n\f\r\x01\x1f\x7f", "\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\"\n"},
        {"µ€😀", "\"µ€😀\"\n"},
        {"\xff", "\"\xef\xbf\xbd\"\n"},
        {"\xc3", "\"\xef\xbf\xbd\"\n"},
        {"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"\n"},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"\n"},
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"\n"},
        {"\xe2\x82x", "\"\xef\xbf\xbd\xef\xbf\xbdx\"\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct capture c;
        capture_start(&c, JSONW_COMPACT);
        jsonw_string(&c.w, rows[i].raw);
        capture_end(&c, rows[i].json);
    }
    struct capture c;
    capture_start(&c, JSONW_COMPACT);
    jsonw_string_n(&c.w, "a\0b", 3);
    capture_end(&c, "\"a\\u0000b\"\n");
}

static void writes_the_shortest_number_that_reads_back(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *json;
    } rows[] = {
        {0.0, "0\n"},          {1.0, "1\n"},    {-2.5, "-2.5\n"},
        {0.1, "0.1\n"},        {0.3, "0.3\n"},  {0.1 + 0.2, "0.30000000000000004\n"},
        {1e21, "1e+21\n"},     {NAN, "null\n"}, {INFINITY, "null\n"},
        {-INFINITY, "null\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct capture c;
        capture_start(&c, JSONW_COMPACT);
        jsonw_double(&c.w, rows[i].value);
        capture_end(&c, rows[i].json);
    }
    struct rng rng = rng_seeded(7);
    for (int i = 0; i < 2000; i++) {
        uint64_t bits = rng_u64(&rng);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        struct capture c;
        capture_start(&c, JSONW_COMPACT);
        jsonw_double(&c.w, value);
        assert_int_equal(jsonw_finish(&c.w), 0);
        assert_true(strtod(c.text, NULL) == value);
        fclose(c.out);
        free(c.text);
    }
}

static void reports_a_stream_that_failed(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    struct jsonw w;
    jsonw_init(&w, full, JSONW_COMPACT);
    jsonw_null(&w);
    assert_int_equal(jsonw_finish(&w), -1);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_compact_documents),
        cmocka_unit_test(writes_pretty_documents),
        cmocka_unit_test(escapes_strings_and_mends_broken_utf8),
        cmocka_unit_test(writes_the_shortest_number_that_reads_back),
        cmocka_unit_test(reports_a_stream_that_failed),
    };
    return cmocka_run_group_tests_name("jsonw", tests, NULL, NULL);
}
