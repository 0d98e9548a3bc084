/* SPDX-License-Identifier: MIT */
/* Encoding requests and reading response lines. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mcmeta/request.h"
#include "mcmeta/response.h"

static struct mcm_slice slice(const char *text)
{
    return (struct mcm_slice){.data = text, .size = strlen(text)};
}

static void expect_line(const struct mcm_request *request, const char *opaque, const char *expected)
{
    char line[MCM_REQUEST_LINE_MAX + 1];
    size_t size = mcm_request_encode(request, opaque, line);
    line[size] = '\0';
    assert_string_equal(line, expected);
}

static void encodes_every_command(void **state)
{
    (void)state;
    expect_line(&(struct mcm_request){.command = MCM_COMMAND_NOOP}, "abcde", "mn\r\n");
    expect_line(&(struct mcm_request){.command = MCM_COMMAND_GET,
                                      .key = slice("k"),
                                      .flags = MCM_REQUEST_VALUE | MCM_REQUEST_TELL_CAS},
                "abcde", "mg k v c Oabcde\r\n");
    expect_line(&(struct mcm_request){.command = MCM_COMMAND_SET,
                                      .key = slice("k"),
                                      .value = slice("hello"),
                                      .flags = MCM_REQUEST_TTL | MCM_REQUEST_CLIENT_FLAGS |
                                               MCM_REQUEST_COMPARE | MCM_REQUEST_APPEND,
                                      .ttl = 60,
                                      .client_flags = UINT32_MAX,
                                      .compare = UINT64_MAX},
                NULL, "ms k 5 T60 C18446744073709551615 F4294967295 MA\r\n");
    expect_line(&(struct mcm_request){.command = MCM_COMMAND_DELETE, .key = slice("k")}, NULL,
                "md k\r\n");
    expect_line(&(struct mcm_request){.command = MCM_COMMAND_ARITH,
                                      .key = slice("k"),
                                      .flags = MCM_REQUEST_VALUE | MCM_REQUEST_DELTA |
                                               MCM_REQUEST_INITIAL | MCM_REQUEST_VIVIFY |
                                               MCM_REQUEST_DECREMENT,
                                      .delta = 3,
                                      .initial = 0,
                                      .vivify_ttl = 7},
                NULL, "ma k v N7 D3 J0 MD\r\n");
}

static void longest_request_line_fits(void **state)
{
    (void)state;
    char key[MCM_KEY_SIZE_MAX];
    memset(key, 'k', sizeof(key));
    struct mcm_request request = {
        .command = MCM_COMMAND_SET,
        .key = {key, sizeof(key)},
        .flags = UINT32_MAX,
        .value = {NULL, SIZE_MAX},
        .ttl = UINT32_MAX,
        .vivify_ttl = UINT32_MAX,
        .client_flags = UINT32_MAX,
        .compare = UINT64_MAX,
        .delta = UINT64_MAX,
        .initial = UINT64_MAX,
    };
    char line[MCM_REQUEST_LINE_MAX];
    assert_true(mcm_request_encode(&request, "abcde", line) <= MCM_REQUEST_LINE_MAX);
}

static void refuses_every_key_byte_that_could_split_the_line(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char key[3] = {'a', (char)byte, 'b'};
        bool expected = byte > 0x20 && byte != 0x7f;
        assert_int_equal(mcm_key_is_valid((struct mcm_slice){key, 3}), expected);
    }
    /* Several bytes are looked at together: each byte at each place among good ones. */
    for (size_t size = 1; size <= 20; size++) {
        for (int i = 0; i < (int)size * 256; i++) {
            char key[20];
            unsigned char byte = (unsigned char)(i % 256);
            memset(key, i % 3 == 0 ? '!' : 0xff, size);
            key[i / 256] = (char)byte;
            assert_int_equal(mcm_key_is_valid((struct mcm_slice){key, size}),
                             byte > 0x20 && byte != 0x7f);
        }
    }
    char longest[MCM_KEY_SIZE_MAX + 1];
    memset(longest, 'k', sizeof(longest));
    assert_false(mcm_key_is_valid((struct mcm_slice){longest, 0}));
    assert_true(mcm_key_is_valid((struct mcm_slice){longest, MCM_KEY_SIZE_MAX}));
    assert_false(mcm_key_is_valid((struct mcm_slice){longest, MCM_KEY_SIZE_MAX + 1}));
}

static void opaque_tokens_differ_and_are_printable(void **state)
{
    (void)state;
    char previous[MCM_OPAQUE_SIZE] = {0};
    for (uint32_t sequence = 0xfffffff0u; sequence != 200; sequence++) {
        char token[MCM_OPAQUE_SIZE];
        mcm_opaque_format(sequence, token);
        assert_memory_not_equal(token, previous, MCM_OPAQUE_SIZE);
        assert_true(mcm_key_is_valid((struct mcm_slice){token, MCM_OPAQUE_SIZE}));
        memcpy(previous, token, sizeof(previous));
    }
}

/* Feeds `text` in two pieces, cut at `cut`; *total is what was consumed. */
static enum mcm_reader_result feed_cut(struct mcm_reader *reader, const char *text, size_t size,
                                       size_t cut, size_t *total)
{
    size_t used;
    mcm_reader_reset(reader);
    enum mcm_reader_result result = mcm_reader_feed(reader, text, cut, &used);
    *total = used;
    if (result != MCM_READER_MORE)
        return result;
    assert_int_equal(used, cut);
    result = mcm_reader_feed(reader, text + cut, size - cut, &used);
    *total += used;
    return result;
}

static void reads_good_lines_at_every_cut(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum mcm_status status;
        uint64_t value_size, cas;
        uint32_t client_flags;
        int64_t ttl;
        const char *opaque;
    } cases[] = {
        {"HD\r\n", MCM_STATUS_HD, 0, 0, 0, 0, ""},
        {"HD\n", MCM_STATUS_HD, 0, 0, 0, 0, ""},
        {"HD \r\n", MCM_STATUS_HD, 0, 0, 0, 0, ""},
        {"EN\r\n", MCM_STATUS_EN, 0, 0, 0, 0, ""},
        {"MN\r\n", MCM_STATUS_MN, 0, 0, 0, 0, ""},
        {"NF Oab\r\n", MCM_STATUS_NF, 0, 0, 0, 0, "ab"},
        {"EX c0 Oab\r\n", MCM_STATUS_EX, 0, 0, 0, 0, "ab"},
        {"VA 0\r\n", MCM_STATUS_VA, 0, 0, 0, 0, ""},
        {"VA 1048576 c18446744073709551615 f4294967295 t-1 s1048576 Oabcde\r\n", MCM_STATUS_VA,
         1048576, UINT64_MAX, UINT32_MAX, -1, "abcde"},
        {"VA 5 kkey b t3600 h1 l20 y9 W X Z\r\n", MCM_STATUS_VA, 5, 0, 0, 3600, ""},
        {"ERROR\r\n", MCM_STATUS_ERROR, 0, 0, 0, 0, ""},
        {"ERROR Too many open connections\r\n", MCM_STATUS_ERROR, 0, 0, 0, 0, ""},
        {"CLIENT_ERROR bad\r\n", MCM_STATUS_CLIENT_ERROR, 0, 0, 0, 0, ""},
        {"SERVER_ERROR: shutdown not enabled\r\n", MCM_STATUS_SERVER_ERROR, 0, 0, 0, 0, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i].line);
        for (size_t cut = 0; cut <= size; cut++) {
            struct mcm_reader reader;
            size_t used;
            assert_int_equal(feed_cut(&reader, cases[i].line, size, cut, &used), MCM_READER_DONE);
            assert_int_equal(used, size);
            const struct mcm_response *r = &reader.response;
            assert_int_equal(r->status, cases[i].status);
            assert_true(r->value_size == cases[i].value_size && r->cas == cases[i].cas);
            assert_true(r->client_flags == cases[i].client_flags && r->ttl == cases[i].ttl);
            assert_int_equal(r->opaque_size, strlen(cases[i].opaque));
            assert_memory_equal(r->opaque, cases[i].opaque, r->opaque_size);
        }
    }
}

static void refuses_bad_lines_at_every_cut(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\r\n",
        "OK\r\n",
        "hd\r\n",
        "HDX\r\n",
        "HD:\r\n",
        "HD\rX",
        "VA\r\n",
        "VA \r\n",
        "VA x\r\n",
        "VA -1\r\n",
        "VA 1x\r\n",
        "VA 1073741825\r\n",
        "VA 18446744073709551616\r\n",
        "VA 99999999999999999999999\r\n",
        "HD c\r\n",
        "HD c-1\r\n",
        "HD cx\r\n",
        "HD f4294967296\r\n",
        "HD t-2\r\n",
        "HD t--1\r\n",
        "HD t9223372036854775808\r\n",
        "HD 1\r\n",
        "HD {\r\n",
        "HD O123456789012345678901234567890123\r\n",
        "SERVER_ERROR_TOO_LONG x\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i]);
        for (size_t cut = 0; cut <= size; cut++) {
            struct mcm_reader reader;
            size_t used;
            assert_int_equal(feed_cut(&reader, cases[i], size, cut, &used), MCM_READER_BAD);
            assert_int_equal(mcm_reader_feed(&reader, "HD\r\n", 4, &used), MCM_READER_BAD);
        }
    }
}

static void stops_after_the_line(void **state)
{
    (void)state;
    struct mcm_reader reader;
    mcm_reader_reset(&reader);
    size_t used;
    assert_int_equal(mcm_reader_feed(&reader, "VA 2\r\nhi\r\n", 10, &used), MCM_READER_DONE);
    assert_int_equal(used, 6);
}

static void keeps_error_text_bounded_and_printable(void **state)
{
    (void)state;
    char line[400] = "SERVER_ERROR \x1b[31m";
    size_t size = strlen(line);
    memset(line + size, 'x', 300);
    memcpy(line + size + 300, "\r\n", 3);
    struct mcm_reader reader;
    mcm_reader_reset(&reader);
    size_t used;
    assert_int_equal(mcm_reader_feed(&reader, line, strlen(line), &used), MCM_READER_DONE);
    assert_int_equal(strlen(reader.response.text), MCM_TEXT_SIZE - 1);
    assert_memory_equal(reader.response.text, "SERVER_ERROR ?[31m", 18);
}

static void refuses_an_endless_line(void **state)
{
    (void)state;
    struct mcm_reader reader;
    mcm_reader_reset(&reader);
    size_t used;
    assert_int_equal(mcm_reader_feed(&reader, "SERVER_ERROR ", 13, &used), MCM_READER_MORE);
    for (size_t i = 13; i < MCM_RESPONSE_LINE_MAX; i++)
        assert_int_equal(mcm_reader_feed(&reader, "x", 1, &used), MCM_READER_MORE);
    assert_int_equal(mcm_reader_feed(&reader, "x", 1, &used), MCM_READER_BAD);
}

static void every_outcome_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < MCM_OUTCOME_COUNT; i++) {
        assert_true(strlen(mcm_outcome_text((enum mcm_outcome)i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(mcm_outcome_name((enum mcm_outcome)i),
                                    mcm_outcome_name((enum mcm_outcome)j));
    }
    assert_string_equal(mcm_outcome_name(MCM_OUTCOME_COUNT), "unknown");
    assert_int_equal(mcm_outcome_count(MCM_MISS), MCM_COUNT_SUCCESS);
    assert_int_equal(mcm_outcome_count(MCM_E_TIMEOUT_POOL), MCM_COUNT_EXCLUDED);
    assert_int_equal(mcm_outcome_count(MCM_E_CANCELLED), MCM_COUNT_EXCLUDED);
    assert_int_equal(mcm_outcome_count(MCM_E_CLIENT), MCM_COUNT_SUCCESS);
    assert_int_equal(mcm_outcome_count(MCM_E_TIMEOUT_READ), MCM_COUNT_FAILURE);
    assert_int_equal(mcm_outcome_count(MCM_E_BREAKER_OPEN), MCM_COUNT_NONE);
    assert_int_equal(mcm_outcome_class(MCM_E_CONNECT_REFUSED), MCM_CLASS_CONNECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_every_command),
        cmocka_unit_test(longest_request_line_fits),
        cmocka_unit_test(refuses_every_key_byte_that_could_split_the_line),
        cmocka_unit_test(opaque_tokens_differ_and_are_printable),
        cmocka_unit_test(reads_good_lines_at_every_cut),
        cmocka_unit_test(refuses_bad_lines_at_every_cut),
        cmocka_unit_test(stops_after_the_line),
        cmocka_unit_test(keeps_error_text_bounded_and_printable),
        cmocka_unit_test(refuses_an_endless_line),
        cmocka_unit_test(every_outcome_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests_name("mcmeta/codec", tests, NULL, NULL);
}
