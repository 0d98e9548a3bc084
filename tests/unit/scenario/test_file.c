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
                   "- {target: all, proxy: down}\n"
                   "checks:\n- wrong_values == 0\n- {check: 'fault.max < 1s', abort: true}\n",
              &s, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_string_equal(s.name, "x");
    assert_true(scenario_in_group(&s, "g"));
    assert_int_equal(scenario_length(&s), 6 * NS_PER_SEC);
    assert_int_equal(s.step_count, 2);
    assert_int_equal(s.check_count, 2);
    assert_string_equal(s.checks[0].text, "wrong_values == 0");
    assert_true(!s.checks[0].abort && s.checks[1].abort);
    assert_string_equal(s.checks[1].left.phase, "fault");
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

/* A bad file, the place that its message must name, and words that it must hold. */
struct mistake {
    const char *text, *place, *words;
};

static const struct mistake file_mistakes[] = {
    {"", "f.yaml", "empty"},
    {"name: [x", "f.yaml:", ""},
    {"- a\n", "f.yaml:1:1", "mapping"},
    {"nmae: x\n", "f.yaml:1:1", "did you mean \"name\""},
    {"name: x\nname: y\n", "f.yaml:2:1", "twice"},
    {"name: X Y\n", "f.yaml:1:7", "may hold"},
    {HEAD, "f.yaml", "\"phases\" is missing"},
    {HEAD PHASES STEP "checks: 5\n", "f.yaml:7:9", "must be a list"},
    {HEAD PHASES STEP "checks:\n- fault.eror_rate < 1\n", "f.yaml:8:9", "\"error_rate\""},
    {HEAD PHASES STEP "checks:\n- \"recovery.max < 5\"\n", "f.yaml:8:19", "write 5ms"},
    {HEAD PHASES STEP "checks:\n- >-\n  max <\n  5\n", "f.yaml:8:3", "write 5ms"},
    {HEAD PHASES STEP "checks:\n- [max]\n", "f.yaml:8:3", "a check is a text"},
    {HEAD PHASES STEP "checks:\n- {abort: true}\n", "f.yaml:8:3", "needs its text"},
    {HEAD PHASES STEP "checks:\n- {chek: x}\n", "f.yaml:8:4", "did you mean \"check\""},
    {HEAD PHASES STEP "checks:\n- {check: max < 0, abort: 1}\n", "f.yaml:8:27", "true or"},
    {HEAD PHASES STEP "checks:\n- {check: max < 0, check: a}\n", "f.yaml:8:20", "twice"},
    {HEAD "phases: {baseline: 5s}\nchecks: [fault.max < 0]\n", "f.yaml:4:10", "unknown phase"},
    {"description: d\n" PHASES STEP, "f.yaml", "\"name\" is missing"},
    {HEAD "phases: {baseline: 5}\n", "f.yaml:3:20", "unit"},
    {HEAD "phases: {baseline: 0s}\n", "f.yaml:3:20", "too short"},
    {HEAD "phases: {basline: 5s}\n", "f.yaml:3:10", "did you mean \"baseline\""},
    {HEAD "phases: {fault: 5s, recovery: 5s}\n", "f.yaml:3:9", "baseline"},
    {HEAD "phases: {baseline: 5s, fault: 5s}\n", "f.yaml:3:9", "together"},
    {HEAD PHASES, "f.yaml", "no step"},
    {HEAD "phases: {baseline: 5s}\n" STEP, "f.yaml", "no fault phase"},
    {HEAD PHASES "steps: 1\n", "f.yaml:4:8", "list"},
    {HEAD "phases: [baseline]\n", "f.yaml:3:9", "mapping of names"},
    {HEAD "phases: {A: 5s}\n", "f.yaml:3:10", "may hold"},
    {HEAD "phases: {baseline: 5s, baseline: 5s}\n", "f.yaml:3:24", "twice"},
    {HEAD "phases: {slow: 5s, baseline: 5s, recovery: 5s}\n", "f.yaml:3:30", "the first"},
    {HEAD "phases: {baseline: 5s, recovery: 5s, slow: 5s}\n", "f.yaml:3:9", "together"},
    {HEAD "phases: {baseline: 5s, a: 5s, recovery: 5s, b: 5s}\n", "f.yaml:3:41", "the last"},
    {HEAD "phases: {baseline: 5s, a: 5s, recvery: 5s}\n", "f.yaml:3:31", "\"recovery\""},
    {HEAD "group: []\ngroup: x\n" PHASES STEP, "f.yaml:4:1", "twice"},
    {HEAD "group: [a, b, a]\n" PHASES STEP, "f.yaml:3:15", "group \"a\" is given twice"},
    {HEAD "group: {a: b}\n" PHASES STEP, "f.yaml:3:8", "must be text"},
    {HEAD "group: [a, b, c, d, e, f, g, h, i]\n" PHASES STEP, "f.yaml:3:33", "more than 8"},
    {HEAD "load: 5\n" PHASES STEP, "f.yaml:3:7", "mapping"},
    {HEAD "load: {rat: 5}\n" PHASES STEP, "f.yaml:3:8", "did you mean \"rate\""},
    {HEAD "load: {rate: 5, rate: 6}\n" PHASES STEP, "f.yaml:3:17", "twice"},
    {HEAD "load: {rate: [5]}\n" PHASES STEP, "f.yaml:3:14", "must be text"},
    {HEAD PHASES STEP "checks: {}\n", "f.yaml:7:9", "list"},
    {HEAD PHASES STEP "---\n" HEAD, "f.yaml", "more than one document"},
};

static const struct mistake step_mistakes[] = {
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
    {ONE_STEP("proxy: down, phase: falt"), "f.yaml:5:37", "did you mean \"fault\""},
    {ONE_STEP("proxy: down, phase: baseline"), "f.yaml:5:37", "unknown fault phase"},
    {ONE_STEP("proxy: down, phase: {}"), "f.yaml:5:37", "must be a word"},
    {ONE_STEP("proxy: down, for: 1s, jitter: x"), "f.yaml:5:47", "jitter"},
    {ONE_STEP("proxy: down, for: 1s, stagger: -1s"), "f.yaml:5:48", "too short"},
    {ONE_STEP("proxy: down, for: 1s, every: 1ms"), "f.yaml:5:46", "too short"},
    {ONE_STEP("proxy: down, for: 1s, every: 2s, jitter: 1001ms"), "f.yaml:5:58", "longer than"},
    {ONE_STEP("proxy: down, every: 1s, jitter: 1s"), "f.yaml:5:37", "\"for\""},
    {ONE_STEP("toxic: latency, attributes: {latency: {to: 5}}"), "f.yaml:5:55", "\"from\""},
    {ONE_STEP("toxic: latency, attributes: {latency: {form: 5}}"), "f.yaml:5:56", "\"from\""},
    {ONE_STEP("toxic: latency, attributes: {latency: {from: 1, to: x}}"), "f.yaml:5:69",
     "to must be a number"},
    {ONE_STEP("toxic: bandwidth, attributes: {rate: {from: 1, to: -2}}"), "f.yaml:5:68",
     "at least 0"},
    {ONE_STEP("toxic: latency, attributes: {latency: {from: 1, to: 2, steps: 1}}"), "f.yaml:5:79",
     "from 2 to 1000"},
    {ONE_STEP("toxic: noop, toxicity: {from: 0, to: 2}"), "f.yaml:5:54", "0 and 1"},
};

static void expect_mistakes(const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct mistake *m = &mistakes[i];
        struct scenario s;
        struct err err;
        int rc = parse(m->text, &s, &err);
        if (rc == 0 || strncmp(err.text, m->place, strlen(m->place)) != 0 ||
            strstr(err.text, m->words) == NULL)
            fail_msg("case %zu: rc %d, \"%s\" should begin %s and hold %s", i, rc, err.text,
                     m->place, m->words);
    }
}

static void names_the_place_and_the_value_of_every_mistake(void **state)
{
    (void)state;
    expect_mistakes(file_mistakes, sizeof file_mistakes / sizeof file_mistakes[0]);
    expect_mistakes(step_mistakes, sizeof step_mistakes / sizeof step_mistakes[0]);
}

static size_t problems_of(const char *text, const struct scenario_rules *rules,
                          struct yaml_problems *problems)
{
    struct scenario scenario;
    struct scenario_source source = {
        .name = "f.yaml", .text = text, .length = strlen(text), .rules = rules};
    int rc = scenario_read(&source, &scenario, problems);
    assert_int_equal(rc, problems->count > 0 ? -1 : 0);
    return problems->count;
}

static void all_mistakes_of_a_file_are_told_each_once(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *places[4];
    } cases[] = {
        {"nmae: x\ndescription: d\nphases: {baseline: 5, fault: 1s, recovery: x}\n" STEP,
         {"f.yaml:1:1", "f.yaml:3:20", "f.yaml:3:44"}},
        {HEAD PHASES "steps:\n- {target: al, proxy: dwon, at: 9s, phase: nope}\n",
         {"f.yaml:5:12", "f.yaml:5:44"}},
        {HEAD PHASES "steps:\n- {target: all, proxy: dwon}\n- {target: all, toxic: noop, for: 1}\n"
                     "checks: [fault.eror_rate < 1%, nope]\n",
         {"f.yaml:5:24", "f.yaml:6:35", "f.yaml:7:", "f.yaml:7:"}},
        {HEAD "phases: {basline: 5s}\n" STEP, {"f.yaml:3:10"}},
        {HEAD PHASES "steps:\n- {target: all}\n- 5\nx: 1\n",
         {"f.yaml:7:1", "f.yaml:5:3", "f.yaml:6:3"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct yaml_problems problems;
        size_t count = problems_of(cases[i].text, NULL, &problems), expected = 0;
        for (; expected < 4 && cases[i].places[expected] != NULL; expected++)
            if (expected >= count ||
                strncmp(problems.errors[expected].text, cases[i].places[expected],
                        strlen(cases[i].places[expected])) != 0)
                fail_msg("case %zu: problem %zu of %zu is \"%s\"", i, expected, count,
                         expected < count ? problems.errors[expected].text : "");
        if (count != expected)
            fail_msg("case %zu: one more is \"%s\"", i, problems.errors[expected].text);
    }
}

static void more_mistakes_than_are_kept_are_counted_up_to_the_bound(void **state)
{
    (void)state;
    char text[2000] = HEAD PHASES STEP;
    size_t used = strlen(text);
    for (int i = 0; i < 2 * YAML_PROBLEMS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "bad: 1\n");
    struct yaml_problems problems;
    assert_int_equal(problems_of(text, NULL, &problems), YAML_PROBLEMS_MAX);
}

static int no_rate_above_nine(void *arg, enum scenario_load_key key, const char *text,
                              struct err *err)
{
    *(int *)arg += 1;
    if (key == LOAD_RATE && strlen(text) > 1)
        return err_set(err, "rate is too much");
    return 0;
}

static void the_layers_above_check_the_load(void **state)
{
    (void)state;
    int calls = 0;
    struct scenario_rules rules = {.load_check = no_rate_above_nine, .arg = &calls};
    struct yaml_problems problems;
    assert_int_equal(
        problems_of(HEAD "load: {workload: w, rate: 9}\n" PHASES STEP, &rules, &problems), 0);
    assert_int_equal(calls, 2);
    assert_int_equal(problems_of(HEAD "load: {rate: 10}\n" PHASES STEP, &rules, &problems), 1);
    assert_non_null(strstr(problems.errors[0].text, "f.yaml:3:14: rate is too much"));
}

static void reads_phases_groups_load_and_what_moves(void **state)
{
    (void)state;
    struct scenario s;
    struct err err;
    int rc = parse(HEAD "group: [main, smoke]\nload: {workload: mixed, rate: 20k}\n"
                        "phases: {baseline: 1s, slow: 2s, down: 3s, recovery: 4s}\nsteps:\n"
                        "- {target: minority, proxy: down, phase: down, stagger: 500ms}\n"
                        "- {target: hottest, toxic: latency, for: 1s, every: 2s, jitter: 1s,\n"
                        "   attributes: {latency: {from: 5, to: 50, steps: 7}, jitter: 3}}\n",
                   &s, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_true(scenario_in_group(&s, "main") && scenario_in_group(&s, "smoke"));
    assert_false(scenario_in_group(&s, "user"));
    assert_string_equal(s.load.text[LOAD_WORKLOAD], "mixed");
    assert_string_equal(s.load.text[LOAD_RATE], "20k");
    assert_string_equal(s.load.text[LOAD_KEYS], "");
    assert_int_equal(s.phase_count, 4);
    assert_int_equal(scenario_phase_find(&s, "down"), 2);
    assert_int_equal(scenario_phase_find(&s, "up"), -1);
    assert_int_equal(s.phases[1].kind, PHASE_FAULT);
    assert_int_equal(s.phases[3].kind, PHASE_RECOVERY);
    assert_int_equal(s.steps[0].phase, 2);
    assert_int_equal(s.steps[1].phase, 1);
    assert_int_equal(s.steps[0].stagger_ns, 500 * NS_PER_MS);
    assert_int_equal(s.steps[1].jitter_ns, NS_PER_SEC);
    assert_int_equal(s.steps[1].ramp_steps, 7);
    assert_true(s.steps[1].values.v[0] == 5 && s.steps[1].values_to.v[0] == 50);
    assert_true(s.steps[1].values.v[1] == 3 && s.steps[1].values_to.v[1] == 3);
    assert_int_equal(s.steps[1].values_to.given, 3);
}

#define BLANKS_50 "                                                  "
#define LONG_LINE HEAD "phases: {baseline: 1s," BLANKS_50 BLANKS_50 "                  BAD: 1s}\n"

static void a_message_shows_the_line_with_a_caret(void **state)
{
    (void)state;
    struct scenario s;
    struct err err;
    assert_int_equal(parse("name: x\n  bad: [\n", &s, &err), -1);
    assert_int_equal(parse(HEAD "phases: {basline: 5s}\n", &s, &err), -1);
    assert_non_null(strstr(err.text, "\n  phases: {basline: 5s}\n           ^"));
    assert_int_equal(parse(LONG_LINE, &s, &err), -1);
    assert_non_null(strstr(err.text, "f.yaml:3:141: "));
    assert_non_null(strstr(err.text, "\n  " BLANKS_50 "BAD: 1s}\n  " BLANKS_50 "^"));
}

static void every_split_of_a_file_is_refused_or_read(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "group: [a, b]\nload: {rate: 5}\n"
             "phases: {baseline: 1s, slow: 2s, down: 2s, recovery: 3s}\nsteps:\n"
             "- target: random 2\n  toxic: latency\n  phase: down\n  stream: both\n  for: 100ms\n"
             "  every: 1s\n  jitter: 5ms\n  stagger: 1ms\n"
             "  attributes: {latency: {from: 1, to: 2, steps: 2}, jitter: 5}\n"
             "checks:\n- {check: \"down.error_rate < 40%\", abort: true}\n";
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

static void a_group_is_all_scenarios_that_name_it(void **state)
{
    (void)state;
    static struct scenario list[CATALOG_MAX];
    struct err err = {""};
    size_t count = catalog_find("smoke", NULL, list, &err);
    ns_t length = 0;
    assert_true(count >= 2);
    for (size_t i = 0; i < count; i++) {
        assert_true(scenario_in_group(&list[i], "smoke"));
        length += scenario_length(&list[i]);
    }
    assert_true(length < 60 * NS_PER_SEC); /* it is what CI runs */
    assert_int_equal(catalog_find("smok", NULL, list, &err), 0);
    assert_non_null(strstr(err.text, "did you mean \"smoke\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(names_the_place_and_the_value_of_every_mistake),
        cmocka_unit_test(all_mistakes_of_a_file_are_told_each_once),
        cmocka_unit_test(more_mistakes_than_are_kept_are_counted_up_to_the_bound),
        cmocka_unit_test(the_layers_above_check_the_load),
        cmocka_unit_test(reads_phases_groups_load_and_what_moves),
        cmocka_unit_test(a_group_is_all_scenarios_that_name_it),
        cmocka_unit_test(a_message_shows_the_line_with_a_caret),
        cmocka_unit_test(every_split_of_a_file_is_refused_or_read),
        cmocka_unit_test(all_shipped_scenarios_are_valid),
        cmocka_unit_test(finds_scenarios_by_name_group_and_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
