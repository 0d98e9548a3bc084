/* SPDX-License-Identifier: MIT */
/* The tables of faults: complete, consistent, and each says what it needs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "scenario/fault.h"
#include "toxic/toxic.h"

static void every_toxic_of_the_proxy_is_a_fault(void **state)
{
    (void)state;
    size_t count, faults = 0;
    const struct toxic_ops *const *toxics = toxic_types(&count);
    for (size_t i = 0; i < count; i++)
        if (fault_type_find(FAULT_FAMILY_TOXIC, toxic_type_name(toxics[i])) == NULL)
            fail_msg("%s is missing in fault_toxic.c", toxic_type_name(toxics[i]));
    for (size_t i = 0; i < fault_type_count(); i++)
        faults += fault_type_at(i)->family == FAULT_FAMILY_TOXIC;
    assert_int_equal(faults, count);
}

static void every_entry_is_found_and_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < fault_type_count(); i++) {
        const struct fault_type *type = fault_type_at(i);
        assert_ptr_equal(fault_type_find(type->family, type->name), type);
        assert_true(type->ops->probe != NULL && type->ops->on != NULL && type->ops->off != NULL);
        assert_true(type->help[0] != '\0' && type->overdue_ns > 0);
        struct fault_param params[FAULT_PARAMS_MAX];
        size_t count = fault_params(type, params);
        assert_true(count <= FAULT_PARAMS_MAX);
        for (size_t p = 0; p < count; p++) {
            assert_true(params[p].name[0] != '\0' && params[p].unit[0] != '\0');
            assert_true(params[p].min <= params[p].initial && params[p].initial <= params[p].max);
        }
    }
    assert_null(fault_type_at(fault_type_count()));
}

static void each_fault_says_what_it_needs(void **state)
{
    (void)state;
    const struct fault_means all = {.proxies = true, .own_nodes = true};
    const struct fault_means none = {.network_missing = "no nft", .netem_missing = "no netem"};
    struct err reason = {""};
    const struct fault_means no_netem = {.netem_missing = "no netem"};
    assert_int_equal(
        fault_probe(fault_type_find(FAULT_FAMILY_NETWORK, "delay"), &no_netem, &reason), -1);
    assert_string_equal(reason.text, "network delay: no netem");
    for (size_t i = 0; i < fault_type_count(); i++) {
        struct err err = {""};
        assert_int_equal(fault_probe(fault_type_at(i), &all, &err), 0);
        assert_int_equal(fault_probe(fault_type_at(i), &none, &err), -1);
        assert_true(err.text[0] != '\0');
    }
}

static void a_fault_is_told_in_words(void **state)
{
    (void)state;
    char text[100];
    const struct fault_type *type = fault_type_find(FAULT_FAMILY_TOXIC, "latency");
    struct fault_values values = fault_values_default(type);
    values.v[1] = 50;
    values.given = 2;
    fault_text(type, STREAM_BOTH, 0.5, &values, text, sizeof text);
    assert_string_equal(text, "latency both ways jitter=50 toxicity=0.5");
    type = fault_type_find(FAULT_FAMILY_PROXY, "down");
    values = fault_values_default(type);
    fault_text(type, 0, 1, &values, text, sizeof text);
    assert_string_equal(text, "proxy down");
    fault_text(type, 0, 1, &values, text, 5);
    assert_string_equal(text, "prox");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_toxic_of_the_proxy_is_a_fault),
        cmocka_unit_test(every_entry_is_found_and_complete),
        cmocka_unit_test(each_fault_says_what_it_needs),
        cmocka_unit_test(a_fault_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
