/* SPDX-License-Identifier: MIT */
/* The HDR log and the percentile distribution, read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hist_codec.h"
#include "base/hist_packed.h"
#include "example.h"
#include "report/percentiles.h"
#include "report/registry.h"

#define MS NS_PER_MS

static struct hist_packed *hist_of(ns_t value, uint64_t count, ns_t other)
{
    struct hist h;
    assert_int_equal(hist_init(&h, &LATENCY_HIST_CONFIG, NULL), 0);
    for (uint64_t i = 0; i < count; i++)
        hist_record(&h, value);
    hist_record(&h, other);
    struct hist_packed *packed = hist_pack(&h);
    assert_non_null(packed);
    hist_deinit(&h);
    return packed;
}

/* Two phases, of 1 ms and of 2 ms with one operation of 50 ms; one interval. */
struct fixture {
    struct result *result;
    struct hist_packed *fast, *slow;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct run_result *run = example_run();
    f->result = example_result();
    f->fast = hist_of(1 * MS, 99, 1 * MS);
    f->slow = hist_of(2 * MS, 899, 50 * MS);
    run->phases[0].service_hist = f->fast;
    run->phases[1].service_hist = f->slow;
    run->phases[0].response_hist = f->slow;
    run->intervals[0].service_hist = f->slow;
    run->intervals[0].response_hist = f->fast;
    result_add_run(f->result, run);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    result_free(f->result);
    free(f->fast);
    free(f->slow);
    free(f);
    return 0;
}

static char *written(const struct fixture *f, const char *format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(report_format_find(format, strlen(format))->write(out, f->result), 0);
    fclose(out);
    return text;
}

static void the_log_has_the_histograms_of_each_interval(void **state)
{
    char *text = written(*state, "hlog");
    assert_non_null(strstr(text, "#[Histogram log format version 1.3]\n"));
    assert_non_null(strstr(text, "#[StartTime: 1700000000.000 (seconds since epoch), "));
    char *line = strstr(text, "\n10.000,2.000,50.000000,HISTFAAAA");
    assert_non_null(line);
    char *code = strstr(line, "HISTFAAAA");
    code[strcspn(code, "\n")] = '\0';
    struct hist h;
    struct err err = {""};
    assert_int_equal(hist_decode(code, &h, &err), 0);
    assert_int_equal(hist_count(&h), 900);
    assert_in_range(hist_value_at_percentile(&h, 50), 2 * MS, 2 * MS + 20 * NS_PER_US);
    hist_deinit(&h);
    line = code + strlen(code) + 1;
    assert_memory_equal(line, "Tag=response,10.000,2.000,1.000000,HISTFAAAA", 44);
    free(text);
}

static void the_distribution_merges_the_phases_and_ends_with_the_maximum(void **state)
{
    char *text = written(*state, "hgrm");
    assert_non_null(strstr(text, "   50.000000 1.000000000000       1000\n"));
    assert_non_null(strstr(text, "Max     =    50.000000, Total count    =         1000]"));
    double value, share;
    unsigned long long count;
    char *first = strstr(text, "\n\n");
    assert_int_equal(sscanf(first, "%lf %lf %llu", &value, &share, &count), 3);
    assert_true(value > 0.99 && value < 1.02); /* in ms */
    assert_int_equal(count, 100);
    free(text);
    text = written(*state, "hgrm-response");
    assert_non_null(strstr(text, "Total count    =          900]"));
    free(text);
}

static void percentiles_grow_denser_and_end_at_the_whole(void **state)
{
    const struct fixture *f = *state;
    struct percentile points[PERCENTILES_MAX];
    struct hist h;
    assert_int_equal(hist_init(&h, &LATENCY_HIST_CONFIG, NULL), 0);
    assert_int_equal(percentiles_of(&h, points), 0);
    percentiles_add_run(f->result->runs[0], PERCENTILES_SERVICE, &h);
    size_t count = percentiles_of(&h, points);
    assert_in_range(count, 6, PERCENTILES_MAX);
    for (size_t i = 1; i < count; i++) {
        assert_true(points[i].share > points[i - 1].share);
        assert_true(points[i].value_ns >= points[i - 1].value_ns);
        assert_true(points[i].count >= points[i - 1].count);
    }
    assert_true(points[0].share == 0 && points[5].share == 0.5);
    assert_true(points[count - 1].share == 1);
    assert_int_equal(points[count - 1].value_ns, 50 * MS);
    assert_int_equal(points[count - 1].count, 1000);
    hist_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_log_has_the_histograms_of_each_interval, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            the_distribution_merges_the_phases_and_ends_with_the_maximum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(percentiles_grow_denser_and_end_at_the_whole, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
