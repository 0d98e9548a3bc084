/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "example.h"
#include "report/compare.h"
#include "report/rank_test.h"
#include "report/spread.h"
#include "report/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define US NS_PER_US

static void assert_near(double value, double expected)
{
    if (fabs(value - expected) > 1e-9)
        fail_msg("%.12g is not %.12g", value, expected);
}

/* Probabilities from published tables: 2 × (ways at least as extreme) ÷ ways. */
static void the_rank_test_is_exact_for_small_samples(void **state)
{
    (void)state;
    static const double low[] = {1, 2, 3, 4, 5}, high[] = {6, 7, 8, 9, 10};
    static const double mixed[] = {1, 3, 5, 7, 9}, other[] = {2, 4, 6, 8, 10};
    static const double same[] = {7, 7, 7}, never[] = {INFINITY, INFINITY, INFINITY, INFINITY};
    assert_near(rank_test(low, 5, high, 5), 2.0 / 252);
    assert_near(rank_test(high, 5, low, 5), 2.0 / 252);
    assert_near(rank_test(low, 4, high, 4), 2.0 / 70);
    assert_near(rank_test(low, 3, high, 3), 2.0 / 20);
    assert_near(rank_test(low, 2, high, 3), 2.0 / 10);
    assert_near(rank_test(mixed, 5, other, 5), 174.0 / 252);
    assert_near(rank_test(same, 3, same, 3), 1);
    assert_near(rank_test(never, 4, never, 4), 1);
    assert_near(rank_test(low, 4, never, 4), 2.0 / 70);
    assert_near(rank_test(low, 0, high, 5), 1);
    assert_near(rank_test_least(5, 5), 2.0 / 252);
    assert_near(rank_test_least(1, 1), 1);
    assert_near(rank_test_least(0, 5), 1);
}

static void the_rank_test_of_large_samples_agrees_with_the_exact_one(void **state)
{
    (void)state;
    double a[31], b[31];
    for (int i = 0; i < 31; i++) {
        a[i] = i;
        b[i] = i + 8.5;
    }
    double exact = rank_test(a, 30, b, 30), approximate = rank_test(a, 31, b, 31);
    assert_true(exact > 0.0005 && exact < 0.005);
    assert_true(fabs(exact - approximate) < 0.001);
    for (int i = 0; i < 31; i++)
        b[i] = a[i];
    assert_near(rank_test(a, 31, b, 31), 1);
}

static void the_median_lies_in_the_middle(void **state)
{
    (void)state;
    assert_near(spread_median((double[]){3, 1, 2}, 3), 2);
    assert_near(spread_median((double[]){4, 1, 2, 3}, 4), 2.5);
    assert_true(isinf(spread_median((double[]){1, INFINITY, INFINITY}, 3)));
    assert_near(spread_median((double[]){1, 2, INFINITY}, 3), 2);
    assert_true(isnan(spread_median(NULL, 0)));
}

static struct compare_row row_of(size_t runs, double a, double b, double noise, bool more_is_better)
{
    struct compare_row row = {.more_is_better = more_is_better};
    row.a.count = row.b.count = runs;
    for (size_t i = 0; i < runs; i++) {
        row.a.values[i] = a + noise * (double)(i % 5);
        row.b.values[i] = b + noise * (double)((i + 2) % 5);
    }
    compare_row_judge(&row, &COMPARE_CONFIG_DEFAULT);
    return row;
}

static void a_figure_differs_when_it_is_improbable_and_big(void **state)
{
    (void)state;
    static const struct {
        size_t runs;
        double a, b, noise;
        bool more_is_better;
        enum compare_word word;
    } rows[] = {
        {5, 100, 100, 1, false, COMPARE_SAME},
        {5, 100, 200, 1, false, COMPARE_WORSE},
        {5, 200, 100, 1, false, COMPARE_BETTER},
        {5, 100, 200, 1, true, COMPARE_BETTER},
        {5, 200, 100, 1, true, COMPARE_WORSE},
        {5, 100, 109, 1, false, COMPARE_SAME},  /* certain, but small */
        {5, 100, 130, 50, false, COMPARE_SAME}, /* big, but within the noise */
        {4, 100, 200, 1, false, COMPARE_TOO_FEW},
        {0, 0, 0, 0, false, COMPARE_TOO_FEW},
        {20, 0, 0, 0, false, COMPARE_SAME},
        {5, 0, 3, 0, false, COMPARE_WORSE}, /* from nothing to something */
        {5, 100, INFINITY, 0, false, COMPARE_WORSE},
        {5, INFINITY, 100, 0, false, COMPARE_BETTER},
        {5, INFINITY, INFINITY, 0, false, COMPARE_SAME},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct compare_row row =
            row_of(rows[i].runs, rows[i].a, rows[i].b, rows[i].noise, rows[i].more_is_better);
        if (row.word != rows[i].word)
            fail_msg("row %zu: %s, p %g, change %g", i, compare_word_name(row.word), row.p,
                     row.change);
    }
}

/* ---- files ---- */

/* A session of runs whose p99 of the fault phase is that of the example plus an offset. */
static char *session_file(size_t runs, ns_t offset_ns, enum verdict verdict)
{
    char *path = strdup("/tmp/memchaos-compare-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    struct result *r = example_result();
    for (size_t i = 0; i < runs; i++) {
        struct run_result *run = example_run();
        run->phases[1].service.p99_ns += offset_ns + (ns_t)(i * 3) * US;
        verdict_judge(run, r, &VERDICT_CONFIG_DEFAULT);
        run->verdict = verdict;
        result_add_run(r, run);
    }
    assert_int_equal(report_json(file, r), 0);
    fclose(file);
    result_free(r);
    return path;
}

static struct comparison *compare_sessions(char *a, char *b)
{
    struct err err = {""};
    struct comparison *c = comparison_read(a, b, &COMPARE_CONFIG_DEFAULT, &err);
    assert_string_equal(err.text, "");
    assert_non_null(c);
    return c;
}

static const struct compare_row *find_row(const struct comparison *c, const char *name)
{
    assert_int_equal(c->scenario_count, 1);
    for (size_t i = 0; i < c->scenarios[0]->row_count; i++) {
        if (strcmp(c->scenarios[0]->rows[i].name, name) == 0)
            return &c->scenarios[0]->rows[i];
    }
    fail_msg("no figure %s", name);
    return NULL;
}

static void drop(char *path)
{
    unlink(path);
    free(path);
}

static void identical_sessions_do_not_differ_and_shifted_ones_do(void **state)
{
    (void)state;
    char *a = session_file(6, 0, VERDICT_PASSED), *same = session_file(6, 0, VERDICT_PASSED);
    char *slower = session_file(6, 1000 * US, VERDICT_FAILED);
    struct comparison *c = compare_sessions(a, same);
    assert_int_equal(comparison_exit_code(c), 0);
    assert_int_equal(comparison_count(c, COMPARE_WORSE), 0);
    assert_int_equal(comparison_count(c, COMPARE_BETTER), 0);
    assert_true(comparison_count(c, COMPARE_SAME) > 15);
    comparison_free(c);

    c = compare_sessions(a, slower);
    assert_int_equal(comparison_exit_code(c), 99);
    assert_int_equal(comparison_count(c, COMPARE_WORSE), 1);
    const struct compare_row *row = find_row(c, "fault.p(99)");
    assert_int_equal(row->word, COMPARE_WORSE);
    assert_int_equal(row->unit, CHECK_UNIT_DURATION);
    assert_near(row->a.median, 1057500);
    assert_int_equal(c->scenarios[0]->verdicts[1][VERDICT_FAILED], 6);
    comparison_free(c);

    c = compare_sessions(slower, a);
    assert_int_equal(comparison_exit_code(c), 0);
    assert_int_equal(find_row(c, "fault.p(99)")->word, COMPARE_BETTER);
    comparison_free(c);
    drop(a);
    drop(same);
    drop(slower);
}

static void few_or_invalid_runs_tell_nothing(void **state)
{
    (void)state;
    char *a = session_file(6, 0, VERDICT_PASSED), *few = session_file(3, 0, VERDICT_PASSED);
    char *invalid = session_file(6, 0, VERDICT_INVALID);
    struct comparison *c = compare_sessions(few, few);
    assert_int_equal(comparison_exit_code(c), 98);
    assert_int_equal(find_row(c, "fault.p(99)")->word, COMPARE_TOO_FEW);
    comparison_free(c);
    c = compare_sessions(a, invalid);
    assert_int_equal(comparison_exit_code(c), 98);
    assert_int_equal(c->scenarios[0]->verdicts[1][VERDICT_INVALID], 6);
    comparison_free(c);
    drop(a);
    drop(few);
    drop(invalid);
}

static void both_reports_say_what_differs(void **state)
{
    (void)state;
    char *a = session_file(6, 0, VERDICT_PASSED), *b = session_file(6, 900 * US, VERDICT_PASSED);
    struct comparison *c = compare_sessions(a, b);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(comparison_text(out, c, (struct report_style){.ascii = true}), 0);
    fclose(out);
    assert_non_null(strstr(text, "fault.p(99)"));
    assert_non_null(strstr(text, "+85.1 %   0.002  WORSE"));
    assert_non_null(strstr(text, "result: 1 worse, 0 better"));
    free(text);
    out = open_memstream(&text, &size);
    assert_int_equal(comparison_json(out, c), 0);
    fclose(out);
    assert_non_null(strstr(text, "\"exit_code\": 99"));
    assert_non_null(strstr(text, "\"verdict\": \"worse\""));
    free(text);
    comparison_free(c);
    drop(a);
    drop(b);
}

static void files_that_are_no_results_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "1:0"},
        {"[1, 2", ":1:"},
        {"{}", "is not a result"},
        {"{\"schema_version\": 2, \"runs\": []}", "schema_version 2"},
        {"{\"schema_version\": 1, \"runs\": []}", "holds no run"},
        {"{\"schema_version\": 1, \"runs\": [1]}", "run 1 holds no figures"},
    };
    struct err err;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char path[] = "/tmp/memchaos-compare-XXXXXX";
        int fd = mkstemp(path);
        assert_int_equal(write(fd, bad[i].text, strlen(bad[i].text)), strlen(bad[i].text));
        close(fd);
        assert_null(comparison_read(path, path, &COMPARE_CONFIG_DEFAULT, &err));
        if (strstr(err.text, path) == NULL || strstr(err.text, bad[i].words) == NULL)
            fail_msg("%s", err.text);
        unlink(path);
    }
    assert_null(comparison_read("/nowhere/a", "/nowhere/b", &COMPARE_CONFIG_DEFAULT, &err));
    assert_non_null(strstr(err.text, "/nowhere/a"));
}

/* ---- spread ---- */

static void repeated_runs_have_a_spread_and_invalid_ones_are_left_out(void **state)
{
    (void)state;
    static struct spread s;
    struct result *r = example_result();
    for (int i = 0; i < 4; i++) {
        struct run_result *run = example_run();
        run->verdict = i == 3 ? VERDICT_INVALID : VERDICT_PASSED;
        run->longest_op_ns = (100 + 10 * i) * NS_PER_MS;
        if (i == 2)
            run->faults[0].times.steady_ns = NS_NEVER;
        result_add_run(r, run);
        assert_int_equal(spread_is_first(r, (size_t)i), i == 0);
        assert_int_equal(spread_of(r, 0, &s), i >= 1);
    }
    assert_int_equal(s.runs, 3);
    assert_int_equal(s.left_out, 1);
    bool found = false;
    for (size_t i = 0; i < s.figure_count; i++) {
        const struct spread_figure *f = &s.figures[i];
        if (strcmp(f->name, "max_operation") == 0) {
            found = true;
            assert_int_equal(f->count, 3);
            assert_near(f->min, 100e6);
            assert_near(f->median, 110e6);
            assert_near(f->max, 120e6);
            assert_near(f->relative, 20.0 / 110);
        } else if (strcmp(f->name, "recovered_within") == 0) {
            assert_true(isinf(f->max) && isnan(f->relative));
            assert_near(f->median, 1100e6);
        }
    }
    assert_true(found);
    result_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rank_test_is_exact_for_small_samples),
        cmocka_unit_test(the_rank_test_of_large_samples_agrees_with_the_exact_one),
        cmocka_unit_test(the_median_lies_in_the_middle),
        cmocka_unit_test(a_figure_differs_when_it_is_improbable_and_big),
        cmocka_unit_test(identical_sessions_do_not_differ_and_shifted_ones_do),
        cmocka_unit_test(few_or_invalid_runs_tell_nothing),
        cmocka_unit_test(both_reports_say_what_differs),
        cmocka_unit_test(files_that_are_no_results_are_named),
        cmocka_unit_test(repeated_runs_have_a_spread_and_invalid_ones_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
