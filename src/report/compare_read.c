/* SPDX-License-Identifier: MIT */
#include "report/compare.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- reading ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

static json_t *load(const char *path, struct err *err)
{
    json_error_t error;
    struct stat st;
    FILE *file = fopen(path, "re");
    if (!file) {
        err_set(err, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    json_t *root = NULL;
    if (fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size > (off_t)COMPARE_FILE_BYTES_MAX)
        err_set(err, "%s: larger than %u bytes", path, COMPARE_FILE_BYTES_MAX);
    else if (!(root = json_loadf(file, 0, &error)))
        err_set(err, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    fclose(file);
    return root;
}

static int check_document(const json_t *root, const char *path, struct err *err)
{
    const json_t *runs = json_object_get(root, "runs");
    const json_t *version = json_object_get(root, "schema_version");
    if (!json_is_integer(version) || !json_is_array(runs))
        return err_set(err, "%s: is not a result of memchaos -json", path);
    if (json_integer_value(version) != RESULT_SCHEMA_VERSION)
        return err_set(err, "%s: schema_version %lld is not known here, only %d", path,
                       (long long)json_integer_value(version), RESULT_SCHEMA_VERSION);
    if (json_array_size(runs) == 0)
        return err_set(err, "%s: holds no run", path);
    for (size_t i = 0; i < json_array_size(runs); i++) {
        if (!json_is_array(json_object_get(json_array_get(runs, i), "figures")))
            return err_set(err, "%s: run %zu holds no figures", path, i + 1);
    }
    return 0;
}

static void read_session(const json_t *root, const char *path, struct compare_session *out)
{
    const json_t *host = json_object_get(root, "host");
    out->path = path;
    copy_text(out->version, sizeof(out->version), text_of(root, "memchaos_version"));
    copy_text(out->command, sizeof(out->command), text_of(root, "command"));
    snprintf(out->host, sizeof(out->host), "%.80s, %lld CPUs, memcached %.20s",
             text_of(host, "kernel"), (long long)json_integer_value(json_object_get(host, "cpus")),
             text_of(host, "memcached_version"));
}

/* The options of A that B has otherwise, the seed apart. */
static void read_options(json_t *a, json_t *b, struct comparison *c)
{
    const char *name;
    json_t *value;
    const json_t *others = json_object_get(b, "options");
    json_object_foreach(json_object_get(a, "options"), name, value)
    {
        const char *mine = json_string_value(value), *other = text_of(others, name);
        if (!mine || strcmp(mine, other) == 0 || strcmp(name, "seed") == 0 ||
            c->option_count == COMPARE_OPTIONS_MAX)
            continue;
        copy_text(c->options[c->option_count].name, sizeof(c->options[0].name), name);
        copy_text(c->options[c->option_count].values[0], sizeof(c->options[0].values[0]), mine);
        copy_text(c->options[c->option_count].values[1], sizeof(c->options[0].values[1]), other);
        c->option_count++;
    }
}

/* ---- runs ---- */

static struct compare_scenario *scenario_of(struct comparison *c, const char *name)
{
    for (size_t i = 0; i < c->scenario_count; i++) {
        if (strcmp(c->scenarios[i]->name, name) == 0)
            return c->scenarios[i];
    }
    struct compare_scenario *made =
        c->scenario_count < COMPARE_SCENARIOS_MAX ? calloc(1, sizeof(*made)) : NULL;
    if (!made)
        return NULL;
    copy_text(made->name, sizeof(made->name), name);
    made->rows = calloc(FIGURES_MAX, sizeof(*made->rows));
    if (!made->rows) {
        free(made);
        return NULL;
    }
    c->scenarios[c->scenario_count++] = made;
    return made;
}

static struct compare_row *row_of(struct compare_scenario *s, const json_t *figure)
{
    const char *name = text_of(figure, "name");
    for (size_t i = 0; i < s->row_count; i++) {
        if (strcmp(s->rows[i].name, name) == 0)
            return &s->rows[i];
    }
    if (s->row_count == FIGURES_MAX || name[0] == '\0')
        return NULL;
    struct compare_row *row = &s->rows[s->row_count++];
    copy_text(row->name, sizeof(row->name), name);
    row->unit = figure_unit_by_name(text_of(figure, "unit"));
    row->more_is_better = strcmp(text_of(figure, "better"), "more") == 0;
    return row;
}

static void add_figure(struct compare_scenario *s, const json_t *figure, int side)
{
    struct compare_row *row = row_of(s, figure);
    const json_t *value = json_object_get(figure, "value");
    bool never = json_is_true(json_object_get(figure, "never"));
    if (!row || row->unit == CHECK_UNIT_KINDS || (!never && !json_is_number(value)))
        return;
    struct compare_sample *sample = side == 0 ? &row->a : &row->b;
    if (sample->count < RESULT_RUNS_MAX)
        sample->values[sample->count++] = never ? INFINITY : json_number_value(value);
}

static enum verdict verdict_by_name(const char *name)
{
    for (int i = 0; i < VERDICT_COUNT; i++) {
        if (strcmp(verdict_name((enum verdict)i), name) == 0)
            return (enum verdict)i;
    }
    return VERDICT_INVALID;
}

static int add_run(struct comparison *c, const json_t *run, int side, struct err *err)
{
    struct compare_scenario *s = scenario_of(c, text_of(run, "scenario"));
    const json_t *figures = json_object_get(run, "figures");
    if (!s)
        return err_set(err, "%s: more than %d scenarios", c->sessions[side].path,
                       COMPARE_SCENARIOS_MAX);
    enum verdict verdict = verdict_by_name(text_of(run, "verdict"));
    s->verdicts[side][verdict]++;
    if (verdict == VERDICT_INVALID || verdict == VERDICT_INTERRUPTED)
        return 0;
    for (size_t i = 0; i < json_array_size(figures); i++)
        add_figure(s, json_array_get(figures, i), side);
    return 0;
}

static int add_runs(struct comparison *c, const json_t *root, int side, struct err *err)
{
    const json_t *runs = json_object_get(root, "runs");
    for (size_t i = 0; i < json_array_size(runs); i++) {
        if (add_run(c, json_array_get(runs, i), side, err) < 0)
            return -1;
    }
    return 0;
}

static int compare(struct comparison *c, json_t *roots[2], const char *const paths[2],
                   struct err *err)
{
    for (int side = 0; side < 2; side++) {
        if (check_document(roots[side], paths[side], err) < 0)
            return -1;
        read_session(roots[side], paths[side], &c->sessions[side]);
        if (add_runs(c, roots[side], side, err) < 0)
            return -1;
    }
    read_options(roots[0], roots[1], c);
    for (size_t i = 0; i < c->scenario_count; i++) {
        for (size_t k = 0; k < c->scenarios[i]->row_count; k++)
            compare_row_judge(&c->scenarios[i]->rows[k], &c->config);
    }
    return 0;
}

struct comparison *comparison_read(const char *a_path, const char *b_path,
                                   const struct compare_config *config, struct err *err)
{
    const char *const paths[2] = {a_path, b_path};
    json_t *roots[2] = {load(a_path, err), NULL};
    struct comparison *c = calloc(1, sizeof(*c));
    int rc = -1;
    if (!c)
        err_set(err, "out of memory");
    else if (roots[0] && (roots[1] = load(b_path, err))) {
        c->config = *config;
        rc = compare(c, roots, paths, err);
    }
    json_decref(roots[0]);
    json_decref(roots[1]);
    if (rc == 0)
        return c;
    comparison_free(c);
    return NULL;
}
