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
#include "scenario/reader.h"
#include "scenario/scenario.h"

#define FILE_BYTES_MAX (1u << 20)

const char *const scenario_load_keys[LOAD_KEY_COUNT + 1] = {
    "workload", "arrival", "rate", "concurrency", "keys", "values", NULL};

/* The keys of a step. */

static int step_at(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_duration(doc, node, "at", 0, &((struct scenario_step *)target)->at_ns, err);
}

static int step_for(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_duration(doc, node, "for", NS_PER_MS, &((struct scenario_step *)target)->for_ns,
                         err);
}

static int step_every(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_duration(doc, node, "every", 10 * NS_PER_MS,
                         &((struct scenario_step *)target)->every_ns, err);
}

static int step_jitter(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_duration(doc, node, "jitter", 0, &((struct scenario_step *)target)->jitter_ns, err);
}

static int step_stagger(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_duration(doc, node, "stagger", 0, &((struct scenario_step *)target)->stagger_ns,
                         err);
}

static int step_target(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    const char *text = yaml_scalar(node);
    struct err reason;
    if (target_parse(text != NULL ? text : "", &((struct scenario_step *)target)->target,
                     &reason) != 0)
        return yaml_fail(doc, node, err, "%s", reason.text);
    return 0;
}

/* Found by its name once all phases are known. */
static int read_later(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    (void)doc;
    (void)node;
    (void)target;
    (void)err;
    return 0;
}

static int step_toxic(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario_step *step = target;
    step->kind = FAULT_TOXIC;
    return read_word(doc, node, "toxic", step->toxic, sizeof step->toxic, err);
}

static int step_proxy(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    static const char *const known[] = {"down", NULL};
    const char *text = yaml_scalar(node);
    if (text == NULL || strcmp(text, "down") != 0)
        return yaml_fail_unknown(doc, node, err, "proxy state", known);
    ((struct scenario_step *)target)->kind = FAULT_PROXY_DOWN;
    return 0;
}

static int step_stream(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    static const char *const known[] = {"upstream", "downstream", "both", NULL};
    const char *text = yaml_scalar(node);
    for (unsigned i = 0; text != NULL && known[i] != NULL; i++) {
        if (strcmp(known[i], text) == 0) {
            ((struct scenario_step *)target)->streams = i + 1; /* the bits, in this order */
            return 0;
        }
    }
    return yaml_fail_unknown(doc, node, err, "stream", known);
}

static int step_toxicity(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    double *toxicity = &((struct scenario_step *)target)->toxicity;
    if (read_number(doc, node, "toxicity", toxicity, err) != 0)
        return -1;
    if (*toxicity < 0 || *toxicity > 1)
        return yaml_fail(doc, node, err, "toxicity must lie between 0 and 1");
    return 0;
}

/* Which attributes a toxic has is the proxy's business: it refuses the others when the step starts.
 */
static int step_attributes(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario_step *step = target;
    if (node->type != YAML_MAPPING_NODE)
        return yaml_fail(doc, node, err, "attributes must be a mapping of names to numbers");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_doc_node(doc, pair->key);
        if (step->attribute_count == SCENARIO_ATTRIBUTES_MAX)
            return yaml_fail(doc, key, err, "more than %d attributes", SCENARIO_ATTRIBUTES_MAX);
        struct scenario_attribute *attribute = &step->attributes[step->attribute_count++];
        if (read_word(doc, key, "attribute", attribute->name, sizeof attribute->name, err) != 0 ||
            read_number(doc, yaml_doc_node(doc, pair->value), attribute->name, &attribute->value,
                        err) != 0)
            return -1;
    }
    return 0;
}

enum step_key { STEP_TARGET, STEP_TOXIC, STEP_PROXY, STEP_STREAM, STEP_TOXICITY, STEP_ATTRIBUTES };

static const struct yaml_key step_keys[] = {
    [STEP_TARGET] = {"target", step_target},
    [STEP_TOXIC] = {"toxic", step_toxic},
    [STEP_PROXY] = {"proxy", step_proxy},
    [STEP_STREAM] = {"stream", step_stream},
    [STEP_TOXICITY] = {"toxicity", step_toxicity},
    [STEP_ATTRIBUTES] = {"attributes", step_attributes},
    {"phase", read_later},
    {"at", step_at},
    {"for", step_for},
    {"every", step_every},
    {"jitter", step_jitter},
    {"stagger", step_stagger},
    {NULL, NULL},
};

/* The fault of a step: that there is exactly one, and that what is said about it belongs to it. */
static int check_step_fault(struct yaml_doc *doc, yaml_node_t *node, uint32_t seen, struct err *err)
{
    bool toxic = seen & (1u << STEP_TOXIC), proxy = seen & (1u << STEP_PROXY);
    if (toxic == proxy)
        return yaml_fail(doc, node, err,
                         "a step needs one fault: \"toxic: TYPE\" or \"proxy: down\"");
    if (proxy && (seen & ((1u << STEP_STREAM) | (1u << STEP_TOXICITY) | (1u << STEP_ATTRIBUTES))))
        return yaml_fail(
            doc, node, err,
            "stream, toxicity and attributes belong to a toxic, not to \"proxy: down\"");
    return 0;
}

/* Where to point at for a step's key: its value, or the step when it is not given. */
static const yaml_node_t *place_of(struct yaml_doc *doc, const yaml_node_t *step, const char *key)
{
    const yaml_node_t *value = yaml_doc_find(doc, step, key);
    return value != NULL ? value : step;
}

/* What the times of a step say about each other and about its phase. */
static int check_step_times(struct yaml_doc *doc, yaml_node_t *node, ns_t phase_ns,
                            const struct scenario_step *step, struct err *err)
{
    if (step->every_ns != 0 && step->for_ns >= step->every_ns)
        return yaml_fail(doc, place_of(doc, node, "every"), err,
                         "\"every\" needs a \"for\" that is shorter than it");
    if (step->every_ns != 0 && step->jitter_ns > step->every_ns - step->for_ns)
        return yaml_fail(doc, place_of(doc, node, "jitter"), err,
                         "\"for\" and \"jitter\" together are longer than \"every\"");
    if (step->at_ns >= phase_ns)
        return yaml_fail(doc, place_of(doc, node, "at"), err,
                         "the step starts after its phase has ended");
    return 0;
}

/* The phase that a step names, or the first fault phase. */
static int step_phase(struct yaml_doc *doc, yaml_node_t *step, const struct scenario *scenario,
                      size_t *out, struct err *err)
{
    yaml_node_t *node = yaml_doc_find(doc, step, "phase");
    const char *name = node != NULL ? yaml_scalar(node) : NULL, *known[SCENARIO_PHASES_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < scenario->phase_count; i++) {
        const struct scenario_phase *phase = &scenario->phases[i];
        if (phase->kind != PHASE_FAULT)
            continue;
        known[count++] = phase->name;
        if (node == NULL || (name != NULL && strcmp(phase->name, name) == 0)) {
            *out = i;
            return 0;
        }
    }
    known[count] = NULL;
    if (count == 0)
        return yaml_fail(doc, step, err, "there are steps but no fault phase");
    return yaml_fail_unknown(doc, node, err, "fault phase", known);
}

static int read_step(struct yaml_doc *doc, yaml_node_t *node, const struct scenario *scenario,
                     struct scenario_step *step, struct err *err)
{
    *step =
        (struct scenario_step){.for_ns = NS_NEVER, .streams = STREAM_DOWNSTREAM, .toxicity = 1.0};
    uint32_t seen = 0;
    int rc = read_mapping(doc, node, "a step", step_keys, step, &seen, err);
    if (node->type != YAML_MAPPING_NODE)
        return -1;
    if (!(seen & (1u << STEP_TARGET)))
        rc = yaml_fail(doc, node, err, "a step needs a target");
    /* A fault that is not understood is an error already, and so is a bad time. */
    if (rc == 0)
        rc = check_step_fault(doc, node, seen, err);
    if (scenario->phase_count == 0)
        return rc;
    if (step_phase(doc, node, scenario, &step->phase, err) != 0)
        return -1;
    if (rc == 0)
        rc = check_step_times(doc, node, scenario->phases[step->phase].length_ns, step, err);
    return rc;
}

/* The keys of the file. */

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
        else if (rules != NULL && rules->load_check(rules->arg, word, load->text[i], &reason) != 0)
            rc = yaml_fail(doc, value, err, "%s", reason.text);
    }
    return rc;
}

static int read_steps(struct yaml_doc *doc, yaml_node_t *node, struct scenario *scenario,
                      struct err *err)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_fail(doc, node, err, "steps must be a list");
    int rc = 0;
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *step = yaml_doc_node(doc, *item);
        if (scenario->step_count == SCENARIO_STEPS_MAX)
            return yaml_fail(doc, step, err, "more than %d steps", SCENARIO_STEPS_MAX);
        if (read_step(doc, step, scenario, &scenario->steps[scenario->step_count++], err) != 0)
            rc = -1;
    }
    return rc;
}

static const struct yaml_key file_keys[] = {
    {"name", file_name},  {"description", file_description}, {"group", file_group},
    {"load", read_later}, {"phases", file_phases},           {"steps", read_later},
    {NULL, NULL},
};

/* The keys that must be there. */
static int check_missing(struct yaml_doc *doc, yaml_node_t *root, struct err *err)
{
    static const char *const needed[] = {"name", "description", "phases"};
    int rc = 0;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (yaml_doc_find(doc, root, needed[i]) == NULL)
            rc = yaml_fail(doc, root, err, "key \"%s\" is missing", needed[i]);
    return rc;
}

static int read_file(struct yaml_doc *doc, yaml_node_t *root, const struct scenario_rules *rules,
                     struct scenario *out, struct err *err)
{
    uint32_t seen = 0;
    int rc = read_mapping(doc, root, "a scenario file", file_keys, out, &seen, err);
    yaml_node_t *load = yaml_doc_find(doc, root, "load"),
                *steps = yaml_doc_find(doc, root, "steps");
    if (load != NULL && read_load(doc, load, &out->load, rules, err) != 0)
        rc = -1;
    if (steps != NULL && read_steps(doc, steps, out, err) != 0)
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
