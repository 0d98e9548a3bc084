/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "proxy/route.h"

static const struct {
    const char *pattern;
    const char *path;
    bool match;
    const char *params[ROUTE_PARAMS_MAX];
} matches[] = {
    {"/version", "/version", true, {NULL, NULL}},
    {"/version", "/version/", false, {NULL, NULL}},
    {"/version", "/Version", false, {NULL, NULL}},
    {"/proxies/{}", "/proxies/a b", true, {"a b", NULL}},
    {"/proxies/{}", "/proxies/", false, {NULL, NULL}},
    {"/proxies/{}", "/proxies/a/b", false, {NULL, NULL}},
    {"/proxies/{}/toxics", "/proxies/a/toxics", true, {"a", NULL}},
    {"/proxies/{}/toxics/{}", "/proxies/a/toxics/t", true, {"a", "t"}},
    {"/proxies/{}/toxics/{}", "/proxies/a/toxics/", false, {NULL, NULL}},
};

static void matches_segments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        char *params[ROUTE_PARAMS_MAX];
        assert_int_equal(route_match(matches[i].pattern, matches[i].path, params),
                         matches[i].match);
        for (size_t k = 0; matches[i].match && k < ROUTE_PARAMS_MAX; k++) {
            if (matches[i].params[k])
                assert_string_equal(params[k], matches[i].params[k]);
            else
                assert_null(params[k]);
            free(params[k]);
        }
    }
}

static const struct {
    const char *path;
    const char *clean; /* NULL = clean already */
} paths[] = {
    {"/", NULL},          {"/proxies", NULL}, {"/proxies/", NULL}, {"//x", "/x"}, {"/a/../b", "/b"},
    {"/a/./b/", "/a/b/"}, {"/..", "/"},       {"/a//", "/a/"},     {"", "/"},
};

static void cleans_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char *clean = route_clean(paths[i].path);
        if (paths[i].clean)
            assert_string_equal(clean, paths[i].clean);
        else
            assert_null(clean);
        free(clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_segments),
        cmocka_unit_test(cleans_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
