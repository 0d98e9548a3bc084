/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/codec_text.h"

static const struct {
    const char *in;
    const char *out;
} table[] = {
    {"", ""},
    {"{\"a\":[1,-2.5e3,true,null]}", "{\"a\":[1,-2.5e3,true,null]}"},
    /* Text that is not UTF-8, inside and outside of strings. */
    {"\"a\xff\"", "\"a\xef\xbf\xbd\""},
    {"\"\xe2\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\"\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xe2\x82\xac\xf0\x9f\x98\x80\""},
    /* Escapes. */
    {"\"\\u0000\"", "\"\\ufffd\""},
    {"\"\\u00e9\"", "\"\\u00e9\""},
    {"\"\\ud83d\\uDE00\"", "\"\\ud83d\\uDE00\""},
    {"\"\\ud83d\"", "\"\\ufffd\""},
    {"\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\""},
    {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
    {"\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\""},
    {"\"\\ud83dx\"", "\"\\ufffdx\""},
    {"\"\\\\u0000\"", "\"\\\\u0000\""},
    {"\"\\\"\\u0000\"", "\"\\\"\\ufffd\""},
    {"\"\\u00\"", "\"\\u00\""},
    {"\"\\u", "\"\\u"},
    {"\"\\", "\"\\"},
    {"\"\\\xff\"", "\"\\\xef\xbf\xbd\""},
    {"\\u0000", "\\u0000"},
    /* Numbers; digits in strings are text. */
    {"9223372036854775807", "9223372036854775807"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"9223372036854775808", "9223372036854775808e0"},
    {"-9223372036854775809", "-9223372036854775809e0"},
    {"[18446744073709551616]", "[18446744073709551616e0]"},
    {"\"18446744073709551616\"", "\"18446744073709551616\""},
    {"1e308", "1e308"},
    {"1e309", "1e308"},
    {"-1.5E+999", "-1e308"},
    {"1e-999", "1e-999"},
    {"9e308,", "1e308,"},
    {"1e", "1e"},
    {"--1e999", "--1e999"},
};

static void reads_as_go_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t size;
        char *out = codec_text_normal(table[i].in, strlen(table[i].in), &size);
        assert_non_null(out);
        assert_string_equal(out, table[i].out);
        assert_int_equal(size, strlen(table[i].out));
        free(out);
    }
}

/* Cut anywhere: nothing is read beyond the end, and the beginning stays the same. */
static void takes_every_prefix(void **state)
{
    (void)state;
    static const char text[] =
        "{\"\\ud83d\\ude00\\u0000\":[9223372036854775808,1e999,\"\xe2\x82\xac\"]}";
    for (size_t n = 0; n < sizeof text; n++) {
        char *copy = malloc(n > 0 ? n : 1);
        assert_non_null(copy);
        memcpy(copy, text, n);
        size_t size;
        char *out = codec_text_normal(copy, n, &size);
        assert_non_null(out);
        assert_int_equal(out[size], '\0');
        free(out);
        free(copy);
    }
}

static void gives_what_the_parser_takes(void **state)
{
    (void)state;
    static const char text[] = "[9223372036854775808,-1e999,\"\\u0000\\ud800\xff\"]";
    size_t size;
    char *out = codec_text_normal(text, sizeof text - 1, &size);
    assert_non_null(out);
    json_t *value = json_loadb(out, size, 0, NULL);
    assert_non_null(value);
    assert_int_equal(json_array_size(value), 3);
    json_decref(value);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_as_go_does),
        cmocka_unit_test(takes_every_prefix),
        cmocka_unit_test(gives_what_the_parser_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
