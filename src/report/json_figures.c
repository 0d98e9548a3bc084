/* SPDX-License-Identifier: MIT */
/* Figures and their spread as JSON. What never came has no number: value null, "never" true. */
#include "report/figures.h"
#include "report/spread.h"

#include <math.h>
#include <stdlib.h>

static void key_value(struct jsonw *j, const char *key, double value)
{
    if (isnan(value) || isinf(value))
        jsonw_key_null(j, key);
    else
        jsonw_key_double(j, key, value);
}

void figures_write(struct jsonw *j, const struct result *result, const struct run_result *run)
{
    struct figure figures[FIGURES_MAX];
    size_t count = figures_of(run, result, figures);
    jsonw_key_array(j, "figures");
    for (size_t i = 0; i < count; i++) {
        const struct figure *f = &figures[i];
        jsonw_object(j);
        jsonw_key_string(j, "name", f->name);
        jsonw_key_string(j, "unit", figure_unit_name(f->unit));
        jsonw_key_string(j, "better", f->more_is_better ? "more" : "less");
        key_value(j, "value", f->value);
        jsonw_key_bool(j, "never", isinf(f->value));
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
}

static void write_scenario(struct jsonw *j, const struct spread *s)
{
    jsonw_object(j);
    jsonw_key_string(j, "scenario", s->scenario);
    jsonw_key_uint(j, "runs", s->runs);
    jsonw_key_uint(j, "left_out", s->left_out);
    jsonw_key_array(j, "figures");
    for (size_t i = 0; i < s->figure_count; i++) {
        const struct spread_figure *f = &s->figures[i];
        jsonw_object(j);
        jsonw_key_string(j, "name", f->name);
        jsonw_key_string(j, "unit", figure_unit_name(f->unit));
        jsonw_key_uint(j, "count", f->count);
        key_value(j, "min", f->min);
        key_value(j, "median", f->median);
        key_value(j, "max", f->max);
        key_value(j, "relative_ratio", f->relative);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
}

void spread_write(struct jsonw *j, const struct result *result)
{
    struct spread *s = malloc(sizeof(*s));
    jsonw_key_array(j, "spread");
    for (size_t i = 0; s && i < result->run_count; i++) {
        if (spread_is_first(result, i) && spread_of(result, i, s))
            write_scenario(j, s);
    }
    jsonw_array_end(j);
    free(s);
}
