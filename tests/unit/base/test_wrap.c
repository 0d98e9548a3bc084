/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/wrap.h"

static void breaks_at_blanks_within_the_width(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t column, indent, width;
        const char *expected;
    } cases[] = {
        {"", 0, 2, 10, ""},
        {"one", 0, 2, 10, "  one\n"},
        {"one two three", 0, 2, 10, "  one two\n  three\n"},
        {"exactly8 x", 0, 2, 10, "  exactly8\n  x\n"},
        {"one two", 3, 4, 8, " one\n    two\n"},
        {"abcdefghijkl mn", 0, 0, 5, "abcde\nfghij\nkl mn\n"},
        {"a b", 0, 5, 3, "     a\n     b\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        wrap_print(out, cases[i].text, cases[i].column, cases[i].indent, cases[i].width);
        fclose(out);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(breaks_at_blanks_within_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
