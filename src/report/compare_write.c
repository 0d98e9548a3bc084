/* SPDX-License-Identifier: MIT */
#include "report/compare.h"

#include "base/jsonw.h"
#include "report/table.h"

#include <math.h>

/* ---- text ---- */

static const char *const words[COMPARE_WORD_COUNT] = {
    [COMPARE_SAME] = "no difference",
    [COMPARE_BETTER] = "better",
    [COMPARE_WORSE] = "WORSE",
    [COMPARE_TOO_FEW] = "too few runs to tell",
};

static void cell_change(struct table *t, double change)
{
    if (isinf(change))
        table_cell(t, change > 0 ? "more" : "less");
    else
        table_cellf(t, "%+.1f %%", 100 * change);
}

static void cell_median(struct table *t, const struct compare_row *row,
                        const struct compare_sample *sample, bool ascii)
{
    char buf[HUMAN_SIZE];
    table_cell(t, sample->count > 0 ? figure_text(row->unit, sample->median, ascii, buf) : "-");
}

static void print_verdicts(FILE *out, const struct compare_scenario *s)
{
    for (int side = 0; side < 2; side++) {
        bool any = false;
        fprintf(out, "  %c:", 'A' + side);
        for (int v = 0; v < VERDICT_COUNT; v++) {
            if (s->verdicts[side][v] == 0)
                continue;
            fprintf(out, "%s %llu %s", any ? "," : "", (unsigned long long)s->verdicts[side][v],
                    verdict_name((enum verdict)v));
            any = true;
        }
        fputs(any ? "" : " no run", out);
    }
    fputc('\n', out);
}

static void print_scenario(FILE *out, const struct compare_scenario *s, struct report_style style)
{
    static const char *const head[] = {"figure", "A", "B", "change", "chance", ""};
    struct table t;
    fprintf(out, "\n%s%s%s ", style.colour ? "\033[1m" : "", s->name,
            style.colour ? "\033[0m" : "");
    print_verdicts(out, s);
    if (s->row_count == 0)
        return;
    table_init(&t, "lrrrrl");
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        table_cell(&t, head[i]);
    for (size_t i = 0; i < s->row_count; i++) {
        const struct compare_row *row = &s->rows[i];
        table_cell(&t, row->name);
        cell_median(&t, row, &row->a, style.ascii);
        cell_median(&t, row, &row->b, style.ascii);
        if (row->a.count > 0 && row->b.count > 0)
            cell_change(&t, row->change);
        else
            table_cell(&t, "-");
        table_cellf(&t, "%.3f", row->p);
        table_cell(&t, words[row->word]);
    }
    table_print(&t, out, 2);
    table_deinit(&t);
}

static void print_sessions(FILE *out, const struct comparison *c)
{
    for (int i = 0; i < 2; i++) {
        const struct compare_session *s = &c->sessions[i];
        fprintf(out, "%c  %s  (memchaos %s, %s)\n", 'A' + i, s->path, s->version, s->host);
    }
    for (size_t i = 0; i < c->option_count; i++)
        fprintf(out, "   -%s: \"%s\" in A, \"%s\" in B\n", c->options[i].name,
                c->options[i].values[0], c->options[i].values[1]);
}

int comparison_text(FILE *out, const struct comparison *c, struct report_style style)
{
    size_t judged = 0;
    print_sessions(out, c);
    for (size_t i = 0; i < c->scenario_count; i++)
        print_scenario(out, c->scenarios[i], style);
    for (int word = 0; word < COMPARE_TOO_FEW; word++)
        judged += comparison_count(c, (enum compare_word)word);
    fprintf(out,
            "\nA and B are medians. A figure differs when chance explains it with less than %g\n"
            "and the medians are at least %g %% apart; of %zu figures that many runs can tell, "
            "%.1f\nwould by chance alone pass the first.\n",
            c->config.alpha, 100 * c->config.threshold, judged, c->config.alpha * (double)judged);
    fprintf(out, "result: %zu worse, %zu better, %zu without a difference, %zu with too few runs\n",
            comparison_count(c, COMPARE_WORSE), comparison_count(c, COMPARE_BETTER),
            comparison_count(c, COMPARE_SAME), comparison_count(c, COMPARE_TOO_FEW));
    return ferror(out) ? -1 : 0;
}

/* ---- JSON ---- */

static void key_number(struct jsonw *j, const char *key, double value)
{
    if (isnan(value) || isinf(value))
        jsonw_key_null(j, key);
    else
        jsonw_key_double(j, key, value);
}

static void write_sample(struct jsonw *j, const char *key, const struct compare_sample *s)
{
    jsonw_key_object(j, key);
    jsonw_key_uint(j, "count", s->count);
    key_number(j, "median", s->median);
    jsonw_key_bool(j, "never", s->count > 0 && isinf(s->median));
    jsonw_object_end(j);
}

static void write_scenario(struct jsonw *j, const struct compare_scenario *s)
{
    jsonw_object(j);
    jsonw_key_string(j, "scenario", s->name);
    for (int side = 0; side < 2; side++) {
        jsonw_key_object(j, side == 0 ? "a_runs" : "b_runs");
        for (int v = 0; v < VERDICT_COUNT; v++)
            jsonw_key_uint(j, verdict_name((enum verdict)v), s->verdicts[side][v]);
        jsonw_object_end(j);
    }
    jsonw_key_array(j, "figures");
    for (size_t i = 0; i < s->row_count; i++) {
        const struct compare_row *row = &s->rows[i];
        jsonw_object(j);
        jsonw_key_string(j, "name", row->name);
        jsonw_key_string(j, "unit", figure_unit_name(row->unit));
        write_sample(j, "a", &row->a);
        write_sample(j, "b", &row->b);
        key_number(j, "change_ratio", row->a.count > 0 && row->b.count > 0 ? row->change : NAN);
        key_number(j, "chance_ratio", row->p);
        jsonw_key_string(j, "verdict", compare_word_name(row->word));
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
}

static void write_session(struct jsonw *j, const char *key, const struct compare_session *s)
{
    jsonw_key_object(j, key);
    jsonw_key_string(j, "file", s->path);
    jsonw_key_string(j, "memchaos_version", s->version);
    jsonw_key_string(j, "host", s->host);
    jsonw_key_string(j, "command", s->command);
    jsonw_object_end(j);
}

int comparison_json(FILE *out, const struct comparison *c)
{
    struct jsonw j;
    jsonw_init(&j, out, JSONW_PRETTY);
    jsonw_object(&j);
    jsonw_key_int(&j, "comparison_version", 1);
    jsonw_key_int(&j, "exit_code", comparison_exit_code(c));
    jsonw_key_double(&j, "alpha_ratio", c->config.alpha);
    jsonw_key_double(&j, "threshold_ratio", c->config.threshold);
    for (int word = 0; word < COMPARE_WORD_COUNT; word++)
        jsonw_key_uint(&j, compare_word_name((enum compare_word)word),
                       comparison_count(c, (enum compare_word)word));
    write_session(&j, "a", &c->sessions[0]);
    write_session(&j, "b", &c->sessions[1]);
    jsonw_key_array(&j, "scenarios");
    for (size_t i = 0; i < c->scenario_count; i++)
        write_scenario(&j, c->scenarios[i]);
    jsonw_array_end(&j);
    jsonw_object_end(&j);
    return jsonw_finish(&j);
}
