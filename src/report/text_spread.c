/* SPDX-License-Identifier: MIT */
#include "report/report.h"
#include "report/spread.h"
#include "report/table.h"

#include <math.h>
#include <stdlib.h>

static void row(struct table *t, const struct spread_figure *f, bool ascii)
{
    char buf[HUMAN_SIZE];
    table_cell(t, f->name);
    table_cell(t, figure_text(f->unit, f->min, ascii, buf));
    table_cell(t, figure_text(f->unit, f->median, ascii, buf));
    table_cell(t, figure_text(f->unit, f->max, ascii, buf));
    if (isnan(f->relative))
        table_cell(t, "-");
    else
        table_cellf(t, "%.1f %%", 100 * f->relative);
}

static void write_scenario(FILE *out, const struct spread *s, struct report_style style)
{
    static const char *const head[] = {"figure", "min", "median", "max", "(max - min) / median"};
    struct table t;
    table_init(&t, "lrrrr");
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        table_cell(&t, head[i]);
    for (size_t i = 0; i < s->figure_count; i++)
        row(&t, &s->figures[i], style.ascii);
    fprintf(out, "\n%sSpread of %zu runs of %s%s\n", style.colour ? "\033[1m" : "", s->runs,
            s->scenario, style.colour ? "\033[0m" : "");
    if (s->left_out > 0)
        fprintf(out, "  without %zu that %s invalid or interrupted\n", s->left_out,
                s->left_out == 1 ? "was" : "were");
    table_print(&t, out, 2);
    table_deinit(&t);
}

void report_text_spread(FILE *out, const struct result *r, struct report_style style)
{
    struct spread *s = malloc(sizeof(*s));
    for (size_t i = 0; s && i < r->run_count; i++) {
        if (spread_is_first(r, i) && spread_of(r, i, s))
            write_scenario(out, s, style);
    }
    free(s);
}
