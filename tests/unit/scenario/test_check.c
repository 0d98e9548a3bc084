/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "scenario/check.h"

static const char *const phases[] = {"baseline", "fault", "recovery", "slow-start", NULL};

static struct check_rule parsed(const char *text)
{
    struct check_rule rule;
    struct err err = {""};
    size_t at;
    int rc = check_parse(text, phases, &rule, &at, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_string_equal(rule.text, text);
    return rule;
}

static void reads_every_kind_of_check(void **state)
{
    (void)state;
    static const struct {
        const char *text, *left;
        enum check_metric metric;
        enum check_op op;
        double right;
    } table[] = {
        {"fault.error_rate < 0.40", "fault.error_rate", CHECK_METRIC_ERROR_RATE, CHECK_OP_LT, 0.4},
        {"fault.error_rate<40%", "fault.error_rate", CHECK_METRIC_ERROR_RATE, CHECK_OP_LT, 0.4},
        {"recovery.p(99) < 5ms", "recovery.p(99)", CHECK_METRIC_P, CHECK_OP_LT, 5e6},
        {"p( 99.9 ) <= 1m30s", "p(99.9)", CHECK_METRIC_P, CHECK_OP_LE, 90e9},
        {"breaker(node1).opened_within < 2s", "breaker(node1).opened_within",
         CHECK_METRIC_OPENED_WITHIN, CHECK_OP_LT, 2e9},
        {"node12.recovered_within < 5s", "node12.recovered_within", CHECK_METRIC_RECOVERED_WITHIN,
         CHECK_OP_LT, 5e9},
        {"other_nodes.error_rate == 0", "other_nodes.error_rate", CHECK_METRIC_ERROR_RATE,
         CHECK_OP_EQ, 0},
        {"slow-start.faulted_nodes.succeeded != 10k", "slow-start.faulted_nodes.succeeded",
         CHECK_METRIC_SUCCEEDED, CHECK_OP_NE, 1e4},
        {"goodput_per_s >= 1.5M", "goodput_per_s", CHECK_METRIC_GOODPUT_PER_S, CHECK_OP_GE, 1.5e6},
        {"wrong_values == 0", "wrong_values", CHECK_METRIC_WRONG_VALUES, CHECK_OP_EQ, 0},
        {"fault.breaker( faulted_nodes ).rejected > 0", "fault.breaker(faulted_nodes).rejected",
         CHECK_METRIC_REJECTED, CHECK_OP_GT, 0},
        {"max < 0", "max", CHECK_METRIC_MAX, CHECK_OP_LT, 0},
        {"max < -250\xc2\xb5s", "max", CHECK_METRIC_MAX, CHECK_OP_LT, -250e3},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[128];
        struct check_rule rule = parsed(table[i].text);
        assert_string_equal(check_ref_text(&rule.left, text, sizeof text), table[i].left);
        assert_int_equal(rule.left.metric, table[i].metric);
        assert_int_equal(rule.op, table[i].op);
        assert_int_equal(rule.term_count, 1);
        assert_int_equal(rule.terms[0].kind, CHECK_TERM_CONSTANT);
        assert_true(fabs(rule.terms[0].factor - table[i].right) < 1e-6);
    }
}

static void reads_sums_of_names_and_metrics(void **state)
{
    (void)state;
    struct check_rule rule = parsed("max_operation < timeout + 50ms");
    assert_int_equal(rule.term_count, 2);
    assert_int_equal(rule.terms[0].kind, CHECK_TERM_TIMEOUT);
    assert_true(rule.terms[0].factor == 1 && rule.terms[1].factor == 50e6);
    rule = parsed("goodput >= 0.9 * healthy_share - 1%");
    assert_int_equal(rule.terms[0].kind, CHECK_TERM_HEALTHY_SHARE);
    assert_true(rule.terms[0].factor == 0.9 && rule.terms[1].factor == -0.01);
    rule = parsed("fault.other_nodes.p(99) < 2*baseline.other_nodes.p(99) + 1ms");
    assert_int_equal(rule.terms[0].kind, CHECK_TERM_METRIC);
    assert_true(rule.terms[0].factor == 2);
    assert_string_equal(rule.terms[0].ref.phase, "baseline");
    assert_int_equal(rule.terms[0].ref.nodes, CHECK_NODES_OTHERS);
}

static void reads_sets_of_error_kinds(void **state)
{
    (void)state;
    struct check_rule rule = parsed("fault.errors only [timeout, breaker_open]");
    assert_int_equal(rule.op, CHECK_OP_ONLY);
    assert_int_equal(rule.kinds, 3); /* the first two of the table */
    assert_string_equal(check_kinds[0].name, "timeout");
    assert_string_equal(check_kinds[1].name, "breaker_open");
    assert_int_equal(parsed("errors only []").kinds, 0);
}

static void every_metric_can_be_written_and_read(void **state)
{
    (void)state;
    for (int i = 0; i < CHECK_METRIC_COUNT; i++) {
        char path[128], text[160];
        struct check_ref ref = {.metric = (enum check_metric)i, .argument = 99};
        if (check_metrics[i].scope & CHECK_SCOPE_PHASE)
            memcpy(ref.phase, "fault", sizeof "fault");
        if (check_metrics[i].scope & (CHECK_SCOPE_NODES | CHECK_SCOPE_BREAKER))
            ref.nodes = CHECK_NODES_OTHERS;
        snprintf(text, sizeof text, "%s%s", check_ref_text(&ref, path, sizeof path),
                 i == CHECK_METRIC_ERRORS ? " only []" : " < 0");
        assert_int_equal(parsed(text).left.metric, i);
        assert_true(strlen(check_metrics[i].help) > 3);
    }
}

/* `place` is what must stand at the place that the message points at. */
static void names_the_place_of_every_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *words;
    } table[] = {
        {"", "", "expected a metric"},
        {"fault.eror_rate < 1", "eror_rate", "did you mean \"error_rate\""},
        {"fualt.error_rate < 1", "fualt", "did you mean \"fault\""},
        {"fault.other_node.p(99) < 1ms", "other_node.", "did you mean \"other_nodes\""},
        {"fault.fault.error_rate < 1", "fault.error_rate", "unknown node \"fault\""},
        {"node1.fault.error_rate < 1", "fault.error", "unknown node \"fault\""},
        {"breaker(fault).opened > 0", "fault)", "unknown node \"fault\""},
        {"node65.error_rate < 1", "node65", "node"},
        {"node0.error_rate < 1", "node0", "node"},
        {"opened_within < 2s", "opened_within", "breaker(node1).opened_within"},
        {"breaker(node1).error_rate < 2", "error_rate", "no figure of a breaker"},
        {"node1.offered < 2", "offered", "not known by node"},
        {"fault.leaked_connections == 0", "leaked", "not known by phase"},
        {"p < 5ms", " < 5ms", "p(99)"},
        {"p(98) < 5ms", "98", "known for 50, 90"},
        {"max(3) < 5ms", "(3)", "takes no number"},
        {"p(99) < 5", "5", "a duration: write 5ms"},
        {"p(99) < 5%", "5%", "a duration"},
        {"p(99) < 0%", "0%", "a duration"},
        {"error_rate < 5ms", "5ms", "a share"},
        {"succeeded > 5%", "5%", "a number"},
        {"p(99) < healthy_share", "healthy_share", "a duration"},
        {"goodput < timeout", "timeout", "a share"},
        {"goodput < 1 * p(99)", "p(99)", "a share"},
        {"goodput = 1", "= 1", "expected one of <"},
        {"goodput", "", "expected one of <"},
        {"goodput < 1 1", "1", "expected the end"},
        {"goodput < ", "", "expected a number"},
        {"goodput < 1.2.3", "1.2.3", "no number"},
        {"goodput < 1x", "1x", "no number"},
        {"goodput < 1 +", "", "expected a number"},
        {"max < timeout-50ms", "timeout-50ms", "unknown metric"},
        {"max < timeot", "timeot", "unknown metric"},
        {"goodput < 1+1+1+1+1+1+1", "1", "more than 6 terms"},
        {"errors < 5", "< 5", "errors only"},
        {"errors only [timeouts]", "timeouts", "did you mean \"timeout\""},
        {"errors only [timeout", "", "expected \"]\""},
        {"errors only timeout", "timeout", "expected \"[\""},
        {"error_rate only [timeout]", "only", "expected one of <"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct check_rule rule;
        struct err err = {""};
        size_t at;
        assert_int_equal(check_parse(table[i].text, phases, &rule, &at, &err), -1);
        if (strstr(err.text, table[i].words) == NULL ||
            strncmp(table[i].text + at, table[i].place, strlen(table[i].place)) != 0)
            fail_msg("%s: at %zu: %s", table[i].text, at, err.text);
    }
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    struct check_rule rule;
    struct err err;
    size_t at;
    char text[CHECK_TEXT_SIZE + 10];
    memset(text, 'x', sizeof text);
    text[CHECK_TEXT_SIZE + 5] = '\0';
    assert_int_equal(check_parse(text, phases, &rule, &at, &err), -1);
    assert_non_null(strstr(err.text, "longer than 199 bytes"));
    text[CHECK_PHASE_SIZE + 5] = '\0';
    assert_int_equal(check_parse(text, phases, &rule, &at, &err), -1);
    assert_non_null(strstr(err.text, "longer than 63 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind_of_check),
        cmocka_unit_test(reads_sums_of_names_and_metrics),
        cmocka_unit_test(reads_sets_of_error_kinds),
        cmocka_unit_test(every_metric_can_be_written_and_read),
        cmocka_unit_test(names_the_place_of_every_mistake),
        cmocka_unit_test(refuses_what_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
