/* SPDX-License-Identifier: MIT */
#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    enum check_metric metric;
    double argument;
} of_each_phase[] = {
    {CHECK_METRIC_GOODPUT_PER_S, 0},
    {CHECK_METRIC_ERROR_RATE, 0},
    {CHECK_METRIC_P, 50},
    {CHECK_METRIC_P, 99},
};

static const enum check_metric of_the_run[] = {
    CHECK_METRIC_GOODPUT,       CHECK_METRIC_FAILED,
    CHECK_METRIC_DROPPED,       CHECK_METRIC_MAX_OPERATION,
    CHECK_METRIC_POOL_MAX,      CHECK_METRIC_LEAKED_CONNECTIONS,
    CHECK_METRIC_REJECTED,      CHECK_METRIC_FIRST_ERROR_WITHIN,
    CHECK_METRIC_OPENED_WITHIN, CHECK_METRIC_FIRST_SUCCESS_WITHIN,
    CHECK_METRIC_CLOSED_WITHIN, CHECK_METRIC_RECOVERED_WITHIN,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(RECORDER_PHASES_MAX *COUNT(of_each_phase) + COUNT(of_the_run) <= FIGURES_MAX,
               "every run fits");

static const char *const unit_names[] = {
    [CHECK_UNIT_COUNT] = "count",   [CHECK_UNIT_RATE] = "per_s",  [CHECK_UNIT_RATIO] = "ratio",
    [CHECK_UNIT_FACTOR] = "factor", [CHECK_UNIT_DURATION] = "ns",
};

const char *figure_unit_name(enum check_unit unit)
{
    return unit_names[unit];
}

enum check_unit figure_unit_by_name(const char *name)
{
    for (size_t i = 0; i < COUNT(unit_names); i++) {
        if (strcmp(unit_names[i], name) == 0)
            return (enum check_unit)i;
    }
    return CHECK_UNIT_KINDS;
}

const char *figure_text(enum check_unit unit, double value, bool ascii, char buf[static HUMAN_SIZE])
{
    if (isinf(value))
        snprintf(buf, HUMAN_SIZE, "never");
    else if (unit == CHECK_UNIT_DURATION)
        human_ns((ns_t)value, ascii, buf);
    else if (unit == CHECK_UNIT_RATIO)
        snprintf(buf, HUMAN_SIZE, "%.4g %%", 100 * value);
    else if (unit == CHECK_UNIT_FACTOR)
        snprintf(buf, HUMAN_SIZE, "%.3g", value);
    else
        human_count(value < 1e18 ? (uint64_t)(value + 0.5) : UINT64_MAX, buf);
    return buf;
}

static void add(const struct check_facts *facts, const struct check_ref *ref, struct figure *out,
                size_t *count)
{
    const char *why;
    struct figure *f = &out[*count];
    f->value = check_value(facts, ref, &why);
    if (isnan(f->value))
        return;
    f->unit = check_metrics[ref->metric].unit;
    f->more_is_better =
        ref->metric == CHECK_METRIC_GOODPUT || ref->metric == CHECK_METRIC_GOODPUT_PER_S;
    check_ref_text(ref, f->name, sizeof(f->name));
    (*count)++;
}

size_t figures_of(const struct run_result *run, const struct result *result,
                  struct figure out[static FIGURES_MAX])
{
    struct check_facts facts = {.run = run, .result = result};
    size_t count = 0;
    for (size_t p = 0; p < run->phase_count; p++) {
        for (size_t i = 0; i < COUNT(of_each_phase); i++) {
            struct check_ref ref = {.metric = of_each_phase[i].metric,
                                    .argument = of_each_phase[i].argument};
            snprintf(ref.phase, sizeof(ref.phase), "%s", run->phases[p].name);
            add(&facts, &ref, out, &count);
        }
    }
    for (size_t i = 0; i < COUNT(of_the_run); i++) {
        struct check_ref ref = {.metric = of_the_run[i]};
        add(&facts, &ref, out, &count);
    }
    return count;
}
