/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/base64.h"
#include "base/rng.h"

static void agrees_with_the_standard(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16], back[16];
        size_t size = strlen(rows[i][0]), length = strlen(rows[i][1]), got;
        assert_int_equal(base64_length(size), length);
        base64_encode(text, rows[i][0], size);
        assert_memory_equal(text, rows[i][1], length);
        assert_int_equal(base64_size(text, length), size);
        assert_true(base64_decode(back, &got, text, length));
        assert_int_equal(got, size);
        assert_memory_equal(back, rows[i][0], size);
    }
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    struct rng rng = rng_seeded(1);
    for (size_t size = 0; size < 200; size++) {
        unsigned char data[200], back[200];
        char text[300];
        size_t got;
        for (size_t i = 0; i < size; i++)
            data[i] = (unsigned char)rng_u64(&rng);
        base64_encode(text, data, size);
        assert_true(base64_decode(back, &got, text, base64_length(size)));
        assert_int_equal(got, size);
        assert_memory_equal(back, data, size);
    }
}

static void refuses_what_is_not_base64(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Z", "Zm9", "Zm9v=", "Z===", "====", "Zm9*", "Zm=v", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char back[16];
        size_t got;
        assert_false(base64_decode(back, &got, rows[i], strlen(rows[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_standard),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(refuses_what_is_not_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
