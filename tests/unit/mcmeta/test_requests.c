/* SPDX-License-Identifier: MIT */
/* Every flag of every command on the wire, keys by each rule, raw tokens, TTLs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <mcmeta/ttl.h>

#include "base/rng.h"
#include "base/time.h"
#include "mcmeta/request.h"

static struct mcm_slice slice(const char *text)
{
    return (struct mcm_slice){.data = text, .size = strlen(text)};
}

static void every_flag_has_its_letter(void **state)
{
    (void)state;
    static const struct {
        enum mcm_command command;
        uint32_t flag;
        const char *line;
    } cases[] = {
        {MCM_COMMAND_GET, MCM_REQUEST_VALUE, "mg k v\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TTL, "mg k T1\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_VIVIFY, "mg k N2\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_COMPARE, "mg k C3\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TELL_FLAGS, "mg k f\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TELL_CAS, "mg k c\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TELL_TTL, "mg k t\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TELL_HIT, "mg k h\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TELL_ACCESS, "mg k l\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TELL_SIZE, "mg k s\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_TELL_KEY, "mg k k\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_BASE64, "mg k b\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_NO_BUMP, "mg k u\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_NEW_CAS, "mg k E8\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_RECACHE, "mg k R9\r\n"},
        {MCM_COMMAND_GET, MCM_REQUEST_QUIET, "mg k q\r\n"},
        {MCM_COMMAND_SET, MCM_REQUEST_CLIENT_FLAGS, "ms k 2 F5\r\n"},
        {MCM_COMMAND_SET, MCM_REQUEST_INVALIDATE, "ms k 2 I\r\n"},
        {MCM_COMMAND_SET, MCM_REQUEST_ADD, "ms k 2 ME\r\n"},
        {MCM_COMMAND_SET, MCM_REQUEST_REPLACE, "ms k 2 MR\r\n"},
        {MCM_COMMAND_SET, MCM_REQUEST_APPEND, "ms k 2 MA\r\n"},
        {MCM_COMMAND_SET, MCM_REQUEST_PREPEND, "ms k 2 MP\r\n"},
        {MCM_COMMAND_DELETE, MCM_REQUEST_INVALIDATE, "md k I\r\n"},
        {MCM_COMMAND_DELETE, MCM_REQUEST_DROP_VALUE, "md k x\r\n"},
        {MCM_COMMAND_ARITH, MCM_REQUEST_DELTA, "ma k D6\r\n"},
        {MCM_COMMAND_ARITH, MCM_REQUEST_INITIAL, "ma k J7\r\n"},
        {MCM_COMMAND_ARITH, MCM_REQUEST_DECREMENT, "ma k MD\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mcm_request request = {.command = cases[i].command,
                                      .flags = cases[i].flag,
                                      .key = slice("k"),
                                      .value = slice("vv"),
                                      .ttl = 1,
                                      .vivify_ttl = 2,
                                      .compare = 3,
                                      .client_flags = 5,
                                      .delta = 6,
                                      .initial = 7,
                                      .new_cas = 8,
                                      .recache_ttl = 9};
        char line[MCM_REQUEST_LINE_MAX + 1];
        line[mcm_request_encode(&request, NULL, line)] = '\0';
        assert_string_equal(line, cases[i].line);
    }
}

static void a_touch_comes_before_the_ttl_that_is_told(void **state)
{
    (void)state;
    struct mcm_request request = {.command = MCM_COMMAND_GET,
                                  .key = slice("k"),
                                  .flags = MCM_REQUEST_TELL_TTL | MCM_REQUEST_TTL,
                                  .ttl = 5};
    char line[MCM_REQUEST_LINE_MAX + 1];
    line[mcm_request_encode(&request, NULL, line)] = '\0';
    assert_string_equal(line, "mg k T5 t\r\n");
}

static void the_longest_raw_and_classic_lines_fit(void **state)
{
    (void)state;
    char key[MCM_KEY_SIZE_MAX], tokens[MCM_TOKENS_SIZE_MAX], line[MCM_REQUEST_LINE_MAX];
    memset(key, 'k', sizeof(key));
    memset(tokens, 'O', sizeof(tokens));
    struct mcm_request request = {.command = MCM_COMMAND_SET,
                                  .key = {key, sizeof(key)},
                                  .value = {NULL, SIZE_MAX},
                                  .tokens = {tokens, sizeof(tokens)},
                                  .flags = MCM_REQUEST_BASE64};
    assert_true(mcm_request_encode(&request, "abcde", line) <= sizeof(line));
    request = (struct mcm_request){.command = MCM_COMMAND_TEXT, .key = slice("stats items")};
    assert_int_equal(mcm_request_encode(&request, "abcde", line), 13);
    assert_memory_equal(line, "stats items\r\n", 13);
    request.key = slice("get");
    request.value = slice("a b");
    assert_int_equal(mcm_request_encode(&request, NULL, line), 4);
    assert_memory_equal(line, "get ", 4);
}

static void every_byte_is_judged_by_the_rule(void **state)
{
    (void)state;
    struct mcm_wire_key wire;
    for (int byte = 0; byte < 256; byte++) {
        char key[3] = {'a', (char)byte, 'b'};
        struct mcm_slice bytes = {key, 3};
        bool plain = byte > 0x20 && byte != 0x7f;
        bool splits = byte == 0 || byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
        assert_int_equal(mcm_key_prepare(MCM_KEYS_DEFAULT, bytes, &wire), plain);
        assert_int_equal(mcm_key_prepare(MCM_KEYS_STRICT_ASCII, bytes, &wire),
                         plain && byte < 0x80);
        assert_int_equal(mcm_key_prepare(MCM_KEYS_LENIENT, bytes, &wire), !splits);
        assert_true(mcm_key_prepare(MCM_KEYS_AUTO_BASE64, bytes, &wire));
        assert_int_equal(wire.base64, !plain);
        assert_true(mcm_key_is_valid(wire.key));
    }
}

static void base64_is_padded_and_fits(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *encoded;
    } cases[] = {{" ", "IA=="}, {" f", "IGY="}, {" fo", "IGZv"}, {" fooba", "IGZvb2Jh"}};
    struct mcm_wire_key wire;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(mcm_key_prepare(MCM_KEYS_AUTO_BASE64, slice(cases[i].raw), &wire));
        assert_int_equal(wire.key.size, strlen(cases[i].encoded));
        assert_memory_equal(wire.key.data, cases[i].encoded, wire.key.size);
    }
    char longest[MCM_KEY_BASE64_MAX + 1];
    memset(longest, ' ', sizeof(longest));
    struct mcm_slice fits = {longest, MCM_KEY_BASE64_MAX}, over = {longest, sizeof(longest)};
    assert_true(mcm_key_prepare(MCM_KEYS_AUTO_BASE64, fits, &wire));
    assert_int_equal(wire.key.size, 248);
    assert_false(mcm_key_prepare(MCM_KEYS_AUTO_BASE64, over, &wire));
    assert_false(mcm_key_prepare(MCM_KEYS_AUTO_BASE64, slice(""), &wire));
}

static void tokens_cannot_break_the_line(void **state)
{
    (void)state;
    static const char *const good[] = {"", "v", "v t T60", "Oabc", "P~!@#$%^&*()"};
    static const char *const bad[] = {" ", " v", "v ", "v  t", "1", "v\n", "v\rx", "v \x80", "-"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(mcm_tokens_are_valid(slice(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(mcm_tokens_are_valid(slice(bad[i])));
    assert_false(mcm_tokens_are_valid(slice("a a a a a a a a a a a a a a a a a")));
    assert_true(mcm_tokens_have(slice("v Ox q"), 'O'));
    assert_true(mcm_tokens_have(slice("v Ox q"), 'q'));
    assert_false(mcm_tokens_have(slice("v xO aq"), 'O'));
    /* Whatever is accepted has no byte that could end or split the line. */
    struct rng rng = rng_seeded(3);
    for (int i = 0; i < 20000; i++) {
        char bytes[8];
        size_t size = (size_t)rng_below(&rng, sizeof(bytes) + 1);
        for (size_t b = 0; b < size; b++)
            bytes[b] = (char)(rng_below(&rng, 4) ? 'a' + (char)rng_below(&rng, 26)
                                                 : (char)rng_below(&rng, 256));
        if (mcm_tokens_are_valid((struct mcm_slice){bytes, size})) {
            for (size_t b = 0; b < size; b++)
                assert_true(bytes[b] >= 0x20 && bytes[b] < 0x7f);
        }
    }
}

static void spans_and_moments_become_seconds(void **state)
{
    (void)state;
    const int64_t now = 1700000000, month = MCM_TTL_RELATIVE_MAX;
    bool clamped;
    assert_int_equal(mcm_ttl_after(0, now, NULL), 0);
    assert_int_equal(mcm_ttl_after(-5, now, NULL), 0);
    assert_int_equal(mcm_ttl_after(MCM_NS_NEVER, now, NULL), 0);
    assert_int_equal(mcm_ttl_after(1, now, NULL), 1);
    assert_int_equal(mcm_ttl_after(NS_PER_SEC / 2, now, NULL), 1);
    assert_int_equal(mcm_ttl_after(NS_PER_SEC, now, NULL), 1);
    assert_int_equal(mcm_ttl_after(3 * NS_PER_SEC / 2, now, NULL), 2);
    assert_int_equal(mcm_ttl_after(month * NS_PER_SEC, now, &clamped), month);
    assert_false(clamped);
    assert_int_equal(mcm_ttl_after(month * NS_PER_SEC + 1, now, &clamped), now + month + 1);
    assert_false(clamped);
    assert_int_equal(mcm_ttl_after(INT64_MAX - 1, now, &clamped), INT32_MAX);
    assert_true(clamped);
    assert_int_equal(mcm_ttl_after(month * NS_PER_SEC + 1, -now, NULL), month + 1);
    assert_int_equal(mcm_ttl_at(0, NULL), 0);
    assert_int_equal(mcm_ttl_at(1, NULL), month + 1);
    assert_int_equal(mcm_ttl_at(-7, NULL), month + 1);
    assert_int_equal(mcm_ttl_at(month, NULL), month + 1);
    assert_int_equal(mcm_ttl_at(now, NULL), now);
    assert_int_equal(mcm_ttl_at(INT32_MAX, &clamped), INT32_MAX);
    assert_false(clamped);
    assert_int_equal(mcm_ttl_at((int64_t)INT32_MAX + 1, &clamped), INT32_MAX);
    assert_true(clamped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flag_has_its_letter),
        cmocka_unit_test(a_touch_comes_before_the_ttl_that_is_told),
        cmocka_unit_test(the_longest_raw_and_classic_lines_fit),
        cmocka_unit_test(every_byte_is_judged_by_the_rule),
        cmocka_unit_test(base64_is_padded_and_fits),
        cmocka_unit_test(tokens_cannot_break_the_line),
        cmocka_unit_test(spans_and_moments_become_seconds),
    };
    return cmocka_run_group_tests_name("mcmeta/requests", tests, NULL, NULL);
}
