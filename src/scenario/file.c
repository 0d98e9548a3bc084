/* SPDX-License-Identifier: MIT */
/*
 * A scenario file is a YAML mapping. Each mapping of it is read through a table of keys; a key that
 * is unknown or given twice is an error at its place, and so is a value that does not fit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "scenario/checks_file.h"
#include "scenario/file_step.h"
#include "scenario/reader.h"
#include "scenario/scenario.h"

#define FILE_BYTES_MAX (1u << 20)

const char *const scenario_load_keys[LOAD_KEY_COUNT + 1] = {
    "workload", "arrival", "rate", "concurrency", "keys", "values", "hit_ratio", "prefill", NULL};
const char *const scenario_load_flags[LOAD_KEY_COUNT + 1] = {"workload",    "arrival", "rate",
                                                             "concurrency", "keys",    "value-size",
                                                             "hit-ratio",   "prefill", NULL};

static int file_name(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario *scenario = target;
    return read_word(doc, node, "name", scenario->name, sizeof scenario->name, err);
}

static int add_group(struct yaml_doc *doc, yaml_node_t *node, struct scenario *scenario,
                     struct err *err)
{
    if (scenario->group_count == SCENARIO_GROUPS_MAX)
        return yaml_fail(doc, node, err, "more than %d groups", SCENARIO_GROUPS_MAX);
    char *group = scenario->groups[scenario->group_count];
    if (read_word(doc, node, "group", group, sizeof scenario->groups[0], err) != 0)
        return -1;
    if (scenario_in_group(scenario, group))
        return yaml_fail(doc, node, err, "group \"%s\" is given twice", group);
    scenario->group_count++;
    return 0;
}

/* One word or a list of words. */
static int file_group(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return add_group(doc, node, target, err);
    int rc = 0;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (add_group(doc, yaml_doc_node(doc, *item), target, err) != 0)
            rc = -1;
    return rc;
}

static int file_description(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario *scenario = target;
    return read_text(doc, node, "description", scenario->description, sizeof scenario->description,
                     err);
}

static enum phase_kind phase_kind_of(const char *name)
{
    if (strcmp(name, "baseline") == 0)
        return PHASE_BASELINE;
    return strcmp(name, "recovery") == 0 ? PHASE_RECOVERY : PHASE_FAULT;
}

static int read_phase(struct yaml_doc *doc, const yaml_node_pair_t *pair, struct scenario *scenario,
                      struct err *err)
{
    yaml_node_t *key = yaml_doc_node(doc, pair->key);
    if (scenario->phase_count == SCENARIO_PHASES_MAX)
        return yaml_fail(doc, key, err, "more than %d phases", SCENARIO_PHASES_MAX);
    struct scenario_phase *phase = &scenario->phases[scenario->phase_count];
    if (read_word(doc, key, "phase", phase->name, sizeof phase->name, err) != 0)
        return -1;
    if (scenario_phase_find(scenario, phase->name) >= 0)
        return yaml_fail(doc, key, err, "key \"%s\" is given twice", phase->name);
    phase->kind = phase_kind_of(phase->name);
    if (read_duration(doc, yaml_doc_node(doc, pair->value), phase->name, NS_PER_MS,
                      &phase->length_ns, err) != 0)
        return -1;
    scenario->phase_count++;
    return 0;
}

/* A phase may have any name, so a mistyped "baseline" or "recovery" shows only when that is
 * missing.
 */
static int phase_missing(struct yaml_doc *doc, yaml_node_t *phases, const char *missing,
                         const char *text, struct err *err)
{
    const char *const known[] = {missing, NULL};
    for (yaml_node_pair_t *pair = phases->data.mapping.pairs.start;
         pair < phases->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_doc_node(doc, pair->key);
        if (suggest_best(yaml_scalar(key), known) != NULL)
            return yaml_fail_unknown(doc, key, err, "phase", known);
    }
    return yaml_fail(doc, phases, err, "%s", text);
}

static int check_phases(struct yaml_doc *doc, yaml_node_t *node, const struct scenario *scenario,
                        struct err *err)
{
    int baseline = scenario_phase_find(scenario, "baseline");
    int recovery = scenario_phase_find(scenario, "recovery");
    if (baseline < 0)
        return phase_missing(doc, node, "baseline",
                             "phases need a baseline: a fault is judged against it", err);
    if (baseline > 0)
        return yaml_fail(doc, yaml_doc_find(doc, node, "baseline"), err,
                         "the baseline must be the first phase");
    if (recovery < 0 && scenario->phase_count > 1)
        return phase_missing(doc, node, "recovery",
                             "a fault phase and a recovery phase come together", err);
    if (recovery == 1)
        return yaml_fail(doc, node, err, "a fault phase and a recovery phase come together");
    if (recovery >= 0 && (size_t)recovery + 1 < scenario->phase_count)
        return yaml_fail(doc, yaml_doc_find(doc, node, "recovery"), err,
                         "the recovery must be the last phase");
    return 0;
}

static int file_phases(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario *scenario = target;
    if (node->type != YAML_MAPPING_NODE)
        return yaml_fail(doc, node, err, "phases must be a mapping of names to durations");
    int rc = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        if (read_phase(doc, pair, scenario, err) != 0)
            rc = -1;
    if (rc == 0)
        rc = check_phases(doc, node, scenario, err);
    if (rc != 0)
        scenario->phase_count = 0; /* nothing that refers to phases is looked at then */
    return rc;
}

static int read_load(struct yaml_doc *doc, yaml_node_t *node, struct scenario_load *load,
                     const struct scenario_rules *rules, struct err *err)
{
    if (node->type != YAML_MAPPING_NODE)
        return yaml_fail(doc, node, err, "load must be a mapping of keys to values");
    int rc = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_doc_node(doc, pair->key), *value = yaml_doc_node(doc, pair->value);
        const char *word = yaml_scalar(key);
        size_t i = 0;
        while (word != NULL && i < LOAD_KEY_COUNT && strcmp(scenario_load_keys[i], word) != 0)
            i++;
        struct err reason;
        if (word == NULL || i == LOAD_KEY_COUNT)
            rc = yaml_fail_unknown(doc, key, err, "key", scenario_load_keys);
        else if (load->text[i][0] != '\0')
            rc = yaml_fail(doc, key, err, "key \"%s\" is given twice", word);
        else if (read_text(doc, value, word, load->text[i], sizeof load->text[i], err) != 0)
            rc = -1;
        else if (rules != NULL && rules->load_check(rules->arg, (enum scenario_load_key)i,
                                                    load->text[i], &reason) != 0)
            rc = yaml_fail(doc, value, err, "%s", reason.text);
    }
    return rc;
}

const struct yaml_key scenario_keys[] = {
    {"name", file_name},     {"description", file_description},
    {"group", file_group},   {"load", read_later},
    {"phases", file_phases}, {"steps", read_later},
    {"checks", read_later},  {NULL, NULL},
};

const char *const scenario_keys_required[] = {"name", "description", "phases", NULL};

static int check_missing(struct yaml_doc *doc, yaml_node_t *root, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; scenario_keys_required[i] != NULL; i++)
        if (yaml_doc_find(doc, root, scenario_keys_required[i]) == NULL)
            rc = yaml_fail(doc, root, err, "key \"%s\" is missing", scenario_keys_required[i]);
    return rc;
}

/* Last of all, when the phases are known. */
static int read_checks(struct yaml_doc *doc, yaml_node_t *root, struct scenario *scenario,
                       struct err *err)
{
    const char *phases[SCENARIO_PHASES_MAX + 1] = {NULL};
    yaml_node_t *checks = yaml_doc_find(doc, root, "checks");
    for (size_t i = 0; i < scenario->phase_count; i++)
        phases[i] = scenario->phases[i].name;
    if (checks == NULL || scenario->phase_count == 0)
        return 0;
    return checks_file_read(doc, checks, phases, scenario->checks, &scenario->check_count, err);
}

static int read_file(struct yaml_doc *doc, yaml_node_t *root, const struct scenario_rules *rules,
                     struct scenario *out, struct err *err)
{
    uint32_t seen = 0;
    int rc = read_mapping(doc, root, "a scenario file", scenario_keys, out, &seen, err);
    yaml_node_t *load = yaml_doc_find(doc, root, "load"),
                *steps = yaml_doc_find(doc, root, "steps");
    if (load != NULL && read_load(doc, load, &out->load, rules, err) != 0)
        rc = -1;
    if (steps != NULL && steps_read(doc, steps, out, err) != 0)
        rc = -1;
    if (read_checks(doc, root, out, err) != 0)
        rc = -1;
    if (rc == 0)
        rc = check_missing(doc, root, err);
    if (rc == 0 && out->step_count == 0 && out->phase_count > 1)
        rc = yaml_fail(doc, yaml_doc_find(doc, root, "phases"), err,
                       "there is a fault phase but no step");
    if (out->group_count == 0)
        snprintf(out->groups[out->group_count++], sizeof out->groups[0], "user");
    return rc;
}

int scenario_read(const struct scenario_source *source, struct scenario *out,
                  struct yaml_problems *problems)
{
    struct yaml_doc doc;
    struct err err = {""};
    *out = (struct scenario){0};
    *problems = (struct yaml_problems){0};
    int rc = yaml_doc_init(&doc, source->name, source->text, source->length, problems, &err);
    if (rc == 0) {
        yaml_node_t *root = yaml_doc_root(&doc);
        rc = root != NULL ? read_file(&doc, root, source->rules, out, &err)
                          : err_set(&err, "%s: the file is empty", source->name);
        yaml_doc_deinit(&doc);
    }
    if (rc != 0 && problems->count == 0)
        problems->errors[problems->count++] = err;
    return rc;
}

int scenario_parse(const char *source, const char *text, size_t length, struct scenario *out,
                   struct err *err)
{
    struct scenario_source from = {.name = source, .text = text, .length = length};
    struct yaml_problems problems;
    if (scenario_read(&from, out, &problems) == 0)
        return 0;
    return err_set(err, "%s", problems.errors[0].text);
}

/* The file's text, to be freed; NULL with the reason. */
static char *file_text(const char *path, size_t *length, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        err_set(err, "cannot open scenario file %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = malloc(FILE_BYTES_MAX + 1);
    *length = text != NULL ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
    bool ok = false;
    if (text == NULL)
        err_set(err, "%s: out of memory", path);
    else if (ferror(file))
        err_set(err, "cannot read scenario file %s: %s", path, strerror(errno));
    else if (*length > FILE_BYTES_MAX)
        err_set(err, "%s: larger than %u bytes", path, FILE_BYTES_MAX);
    else
        ok = true;
    fclose(file);
    if (!ok) {
        free(text);
        text = NULL;
    }
    return text;
}

int scenario_load(const char *path, const struct scenario_rules *rules, struct scenario *out,
                  struct yaml_problems *problems)
{
    *problems = (struct yaml_problems){0};
    struct scenario_source source = {.name = path, .rules = rules};
    char *text = file_text(path, &source.length, &problems->errors[0]);
    if (text == NULL) {
        problems->count = 1;
        return -1;
    }
    source.text = text;
    int rc = scenario_read(&source, out, problems);
    free(text);
    return rc;
}

ns_t scenario_length(const struct scenario *scenario)
{
    ns_t sum = 0;
    for (size_t i = 0; i < scenario->phase_count; i++)
        sum = ns_add(sum, scenario->phases[i].length_ns);
    return sum;
}

bool scenario_in_group(const struct scenario *scenario, const char *group)
{
    for (size_t i = 0; i < scenario->group_count; i++)
        if (strcmp(scenario->groups[i], group) == 0)
            return true;
    return false;
}

int scenario_phase_find(const struct scenario *scenario, const char *name)
{
    for (size_t i = 0; i < scenario->phase_count; i++)
        if (strcmp(scenario->phases[i].name, name) == 0)
            return (int)i;
    return -1;
}
