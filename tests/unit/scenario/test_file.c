/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "scenario/catalog.h"
#include "scenario/scenario.h"

#define HEAD "name: x\ndescription: d\n"
#define PHASES "phases: {baseline: 1s, fault: 2s, recovery: 3s}\n"
#define ONE_STEP(fault) HEAD PHASES "steps:\n- {target: all, " fault "}\n"
#define STEP "steps:\n- target: node 1\n  proxy: down\n"

static int parse(const char *text, struct scenario *scenario, struct err *err)
{
    err->text[0] = '\0';
    return scenario_parse("f.yaml", text, strlen(text), scenario, err);
}

static void reads_every_key(void **state)
{
    (void)state;
    struct scenario s;
    struct err err;
    int rc =
        parse(HEAD "group: g\n" PHASES "steps:\n"
                   "- {target: nodes 1 3, toxic: latency, stream: both, toxicity: 0.5,\n"
                   "   attributes: {latency: 500, jitter: 50}, at: 1s, for: 100ms, every: 1s}\n"
                   "- {target: all, proxy: down}\n",
              &s, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_string_equal(s.name, "x");
    assert_true(scenario_in_group(&s, "g"));
    assert_int_equal(scenario_length(&s), 6 * NS_PER_SEC);
    assert_int_equal(s.step_count, 2);
    assert_int_equal(s.steps[0].target.nodes, 5);
    assert_int_equal(s.steps[0].fault->family, FAULT_FAMILY_TOXIC);
    assert_string_equal(s.steps[0].fault->name, "latency");
    assert_int_equal(s.steps[0].streams, STREAM_UPSTREAM | STREAM_DOWNSTREAM);
    assert_int_equal(s.steps[0].values.given, 3);
    assert_true(s.steps[0].values.v[1] == 50 && s.steps[0].toxicity == 0.5);
    assert_int_equal(s.steps[0].at_ns, NS_PER_SEC);
    assert_int_equal(s.steps[0].for_ns, 100 * NS_PER_MS);
    assert_int_equal(s.steps[0].every_ns, NS_PER_SEC);
    assert_true(s.steps[1].target.kind == TARGET_ALL &&
                s.steps[1].fault->family == FAULT_FAMILY_PROXY);
    assert_true(s.steps[1].for_ns == NS_NEVER && s.steps[1].toxicity == 1);
}

/* Each bad file with the place and the words its message must hold. */
static void names_the_place_and_the_value_of_every_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *words;
    } cases[] = {
        {"", "f.yaml", "empty"},
        {"name: [x", "f.yaml:", ""},
        {"- a\n", "f.yaml:1:1", "mapping"},
        {"nmae: x\n", "f.yaml:1:1", "did you mean \"name\""},
        {"name: x\nname: y\n", "f.yaml:2:1", "twice"},
        {"name: X Y\n", "f.yaml:1:7", "may hold"},
        {HEAD, "f.yaml", "\"phases\" is missing"},
        {"description: d\n" PHASES STEP, "f.yaml", "\"name\" is missing"},
        {HEAD "phases: {baseline: 5}\n", "f.yaml:3:20", "unit"},
        {HEAD "phases: {baseline: 0s}\n", "f.yaml:3:20", "too short"},
        {HEAD "phases: {basline: 5s}\n", "f.yaml:3:10", "did you mean \"baseline\""},
        {HEAD "phases: {fault: 5s, recovery: 5s}\n", "f.yaml:3:9", "baseline"},
        {HEAD "phases: {baseline: 5s, fault: 5s}\n", "f.yaml:3:9", "together"},
        {HEAD PHASES, "f.yaml", "no step"},
        {HEAD "phases: {baseline: 5s}\n" STEP, "f.yaml", "no fault phase"},
        {HEAD PHASES "steps: 1\n", "f.yaml:4:8", "list"},
        {HEAD PHASES "steps:\n- {proxy: down}\n", "f.yaml:5:3", "target"},
        {HEAD PHASES "steps:\n- {target: node 1}\n", "f.yaml:5:3", "one fault"},
        {HEAD PHASES "steps:\n- {target: node 0, proxy: down}\n", "f.yaml:5:12", "counted from 1"},
        {HEAD PHASES "steps:\n- {target: node 65, proxy: down}\n", "f.yaml:5:12", "counted"},
        {HEAD PHASES "steps:\n- {target: node, proxy: down}\n", "f.yaml:5:12", "node N"},
        {HEAD PHASES "steps:\n- {target: node 1x, proxy: down}\n", "f.yaml:5:12", "node N"},
        {HEAD PHASES "steps:\n- {target: all, proxy: dwon}\n", "f.yaml:5:24", "\"down\""},
        {ONE_STEP("toxic: noop, stream: up"), "f.yaml:5:38", "upstream"},
        {ONE_STEP("toxic: noop, toxicity: 2"), "f.yaml:5:40", "0 and 1"},
        {ONE_STEP("toxic: noop, toxicity: x"), "f.yaml:5:40", "number"},
        {ONE_STEP("toxic: latncy"), "f.yaml:5:24", "did you mean \"latency\""},
        {ONE_STEP("toxic: {a: 1}"), "f.yaml:5:24", "must be a word"},
        {ONE_STEP("toxic: noop, attributes: {a: 1}"), "f.yaml:5:42", "has no attributes"},
        {ONE_STEP("toxic: latency, attributes: 5"), "f.yaml:5:45", "mapping"},
        {ONE_STEP("toxic: latency, attributes: {l: 1}"), "f.yaml:5:46", "latency, jitter"},
        {ONE_STEP("attributes: {latncy: 1}, toxic: latency"), "f.yaml:5:30", "did you mean"},
        {ONE_STEP("toxic: latency, attributes: {latency: 1h}"), "f.yaml:5:55", "number"},
        {ONE_STEP("toxic: latency, attributes: {latency: 1.5}"), "f.yaml:5:55", "an integer"},
        {ONE_STEP("toxic: latency, attributes: {jitter: 1, jitter: 2}"), "f.yaml:5:57", "twice"},
        {ONE_STEP("toxic: bandwidth, attributes: {rate: -1}"), "f.yaml:5:54", "at least 0"},
        {ONE_STEP("toxic: packet_loss, attributes: {loss_rate: 5}"), "f.yaml:5:61", "from 0 to 1"},
        {ONE_STEP("toxic: noop, proxy: down"), "f.yaml:5:3", "one fault"},
        {ONE_STEP("proxy: down, stream: both"), "f.yaml:5:38", "does not belong to"},
        {ONE_STEP("proxy: down, toxicity: 1"), "f.yaml:5:40", "belongs to a toxic"},
        {ONE_STEP("proxy: down, attributes: {}"), "f.yaml:5:42", "has no attributes"},
        {HEAD PHASES "steps:\n- {target: all, proxy: down, every: 1s}\n", "f.yaml:5:37", "\"for\""},
        {HEAD PHASES "steps:\n- {target: all, proxy: down, at: 2s}\n", "f.yaml:5:34",
         "after its phase"},
        {HEAD PHASES STEP "---\n" HEAD, "f.yaml", "more than one document"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scenario s;
        struct err err;
        int rc = parse(cases[i].text, &s, &err);
        if (rc == 0 || strncmp(err.text, cases[i].place, strlen(cases[i].place)) != 0 ||
            strstr(err.text, cases[i].words) == NULL)
            fail_msg("case %zu: rc %d, \"%s\" should begin %s and hold %s", i, rc, err.text,
                     cases[i].place, cases[i].words);
    }
}

static void a_message_shows_the_line_with_a_caret(void **state)
{
    (void)state;
    struct scenario s;
    struct err err;
    assert_int_equal(parse("name: x\n  bad: [\n", &s, &err), -1);
    assert_int_equal(parse(HEAD "phases: {basline: 5s}\n", &s, &err), -1);
    assert_non_null(strstr(err.text, "\n  phases: {basline: 5s}\n           ^"));
}

static void every_split_of_a_file_is_refused_or_read(void **state)
{
    (void)state;
    static const char text[] = HEAD PHASES STEP;
    for (size_t length = 0; length < sizeof text; length++) {
        struct scenario s;
        struct err err = {""};
        if (scenario_parse("f", text, length, &s, &err) != 0)
            assert_true(err.text[0] != '\0');
    }
}

static void all_shipped_scenarios_are_valid(void **state)
{
    (void)state;
    static struct scenario list[CATALOG_MAX];
    struct err err = {""};
    size_t count = catalog_all(list, &err);
    assert_string_equal(err.text, "");
    assert_true(count >= 9);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(strstr(catalog_files[i].name, list[i].name));
    }
}

static void finds_scenarios_by_name_group_and_file(void **state)
{
    (void)state;
    static struct scenario list[CATALOG_MAX];
    struct err err = {""};
    assert_int_equal(catalog_find("latency", NULL, list, &err), 1);
    assert_string_equal(list[0].name, "latency");
    assert_true(catalog_find("all", NULL, list, &err) >= 6);
    assert_int_equal(catalog_find("original", NULL, list, &err), 2);
    assert_int_equal(catalog_find("packet-los", NULL, list, &err), 0);
    assert_non_null(strstr(err.text, "did you mean \"packet-loss\""));
    assert_int_equal(catalog_find("./nowhere.yaml", NULL, list, &err), 0);
    assert_non_null(strstr(err.text, "./nowhere.yaml: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(names_the_place_and_the_value_of_every_mistake),
        cmocka_unit_test(a_message_shows_the_line_with_a_caret),
        cmocka_unit_test(every_split_of_a_file_is_refused_or_read),
        cmocka_unit_test(all_shipped_scenarios_are_valid),
        cmocka_unit_test(finds_scenarios_by_name_group_and_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
