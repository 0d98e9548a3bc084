/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/address.h"

static const struct {
    const char *text;
    const char *error; /* NULL = valid */
    const char *host;
    uint16_t port;
} splits[] = {
    {"127.0.0.1:80", NULL, "127.0.0.1", 80},
    {"localhost:0", NULL, "localhost", 0},
    {"", NULL, "", 0},
    {":8080", NULL, "", 8080},
    {"host:", NULL, "host", 0},
    {"[::1]:18004", NULL, "::1", 18004},
    {"h:http", NULL, "h", 80},
    {"h:+80", NULL, "h", 80},
    {"bad", "address bad: missing port in address", NULL, 0},
    {"::1:18990", "address ::1:18990: too many colons in address", NULL, 0},
    {"[::1]", "address [::1]: missing port in address", NULL, 0},
    {"[::1", "address [::1: missing ']' in address", NULL, 0},
    {"[::1:5", "address [::1:5: missing ']' in address", NULL, 0},
    {"[::1]x:5", "address [::1]x:5: missing port in address", NULL, 0},
    {"a]:5", "address a]:5: unexpected ']' in address", NULL, 0},
    {"a[:5", "address a[:5: unexpected '[' in address", NULL, 0},
    {"h:99999", "address 99999: invalid port", NULL, 0},
    {"h:-1", "address -1: invalid port", NULL, 0},
    {"h:no-such-service", "address tcp/no-such-service: unknown port", NULL, 0},
};

static void splits_as_go_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
        struct address_hostport out;
        struct err err = {.text = ""};
        int rc = address_split(splits[i].text, &out, &err);
        if (splits[i].error) {
            assert_int_equal(rc, -1);
            assert_string_equal(err.text, splits[i].error);
        } else {
            assert_int_equal(rc, 0);
            assert_string_equal(out.host, splits[i].host);
            assert_int_equal(out.port, splits[i].port);
        }
    }
}

static const struct {
    const char *text;
    const char *formatted; /* NULL = needs a name server */
} known[] = {
    {"127.0.0.1:80", "127.0.0.1:80"},
    {"localhost:81", "127.0.0.1:81"},
    {"[::1]:82", "[::1]:82"},
    {":83", "[::]:83"},
    {"0.0.0.0:84", "[::]:84"},
    {"[::]:85", "[::]:85"},
    {"[::ffff:1.2.3.4]:86", "1.2.3.4:86"},
    {"example.com:87", NULL},
    {"1.2.3:88", NULL},
};

static void formats_the_address_it_would_bind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct address_hostport hostport;
        struct address_list list;
        char text[ADDRESS_TEXT_MAX];
        assert_int_equal(address_split(known[i].text, &hostport, NULL), 0);
        bool found = address_known(&hostport, &list);
        assert_int_equal(found, known[i].formatted != NULL);
        if (!found)
            continue;
        address_format(address_to_bind(&list), text);
        assert_string_equal(text, known[i].formatted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_as_go_does),
        cmocka_unit_test(formats_the_address_it_would_bind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
