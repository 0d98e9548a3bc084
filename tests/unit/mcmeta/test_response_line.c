/* SPDX-License-Identifier: MIT */
/* The short way through a response line never disagrees with the machine it replaces. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "mcmeta/response.h"

static void expect_same(const char *data, size_t size, const struct mcm_response *quick,
                        size_t quick_used)
{
    struct mcm_reader reader;
    size_t used;
    memset(&reader, 0, sizeof(reader));
    mcm_reader_reset(&reader);
    enum mcm_reader_result result = mcm_reader_feed(&reader, data, size, &used);
    const struct mcm_response *slow = &reader.response;
    if (result != MCM_READER_DONE || used != quick_used || slow->status != quick->status ||
        slow->seen != quick->seen || slow->value_size != quick->value_size ||
        slow->cas != quick->cas || slow->item_size != quick->item_size || slow->ttl != quick->ttl ||
        slow->client_flags != quick->client_flags || slow->opaque_size != quick->opaque_size ||
        memcmp(slow->opaque, quick->opaque, slow->opaque_size) != 0)
        fail_msg("differs on \"%.*s\"", (int)size, data);
}

/* Whether the short way took the line; either way nothing is wrong. */
static bool try_line(const char *data, size_t size)
{
    struct mcm_reader reader;
    size_t used;
    memset(&reader, 0, sizeof(reader));
    mcm_reader_reset(&reader);
    bool taken = mcm_reader_take_line(&reader, data, size, &used);
    if (taken)
        expect_same(data, size, &reader.response, used);
    else
        assert_true(reader.line_size == 0 && reader.response.status == MCM_STATUS_COUNT &&
                    reader.response.seen == 0 && reader.response.opaque_size == 0);
    return taken;
}

static void takes_plain_lines_and_leaves_the_others(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "HD\r\n",        "EN Oabcde\r\n",       "VA 100 f0 c12345 Oabcde\r\nxxx",
        "VA 0\r\n\r\n",  "NS s7\r\n",           "HD c18 f4294967295 s1 Oabcde\r\nHD\r\n",
        "NF Oa b\r\nxx", "EX c0 Oabcdefgh\r\n",
    };
    static const char *const others[] = {
        "HD",
        "HD\r",
        "HD\n",
        "MN\r\n",
        "ERROR\r\n",
        "VA\r\n",
        "VA x\r\n",
        "VA -1\r\n",
        "HD t-1\r\n",
        "HD f4294967296\r\n",
        "HDx\r\n",
        "HD W\r\n",
        "HD  c1\r\n",
        "VA 1073741825\r\n",
        "HD c\r\n",
        "HD c1x\r\n",
        "HD c1",
        "HD c1\rx",
        "HD \r\n",
        "HD kabc\r\n",
        "HD c99999999999999999999\r\n",
        "EN O0123456789012345678901234567890123\r\n",
    };
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        bool taken = try_line(plain[i], strlen(plain[i]));
        if (taken != (strncmp(plain[i], "NF Oa b", 7) != 0))
            fail_msg("%s", plain[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(try_line(others[i], strlen(others[i])));
}

static void agrees_on_random_lines(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "HD", "VA 5", "EN", " c12", " f7", " s0", " t9",  " Oab", "\r\n", "\n",
        "\r", " ",    "9",  "O",    "x",   " W",  " t-1", "NS",   " kab", " c1844674407370955161"};
    struct rng rng = rng_seeded(11);
    unsigned taken = 0;
    for (int round = 0; round < 50000; round++) {
        char line[128];
        size_t size = 0;
        unsigned count = 1 + (unsigned)rng_below(&rng, 5);
        for (unsigned i = 0; i < count; i++) {
            size_t most = i == 0 ? 3 : sizeof(pieces) / sizeof(pieces[0]);
            const char *piece = pieces[rng_below(&rng, most)];
            memcpy(line + size, piece, strlen(piece));
            size += strlen(piece);
        }
        memcpy(line + size, "\r\n", 2);
        taken += try_line(line, size + 2);
    }
    assert_true(taken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_plain_lines_and_leaves_the_others),
        cmocka_unit_test(agrees_on_random_lines),
    };
    return cmocka_run_group_tests_name("mcmeta/response_line", tests, NULL, NULL);
}
