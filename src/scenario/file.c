/* SPDX-License-Identifier: MIT */
/*
 * A scenario file is a YAML mapping. Each mapping of it is read through a table of keys; a key that
 * is unknown or given twice is an error at its place, and so is a value that does not fit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "scenario/scenario.h"
#include "scenario/document.h"
#include "scenario/file_fault.h"

#define FILE_BYTES_MAX (1u << 20)
#define KEYS_MAX 16

const char *const phase_names[PHASE_COUNT + 1] = {"baseline", "fault", "recovery", NULL};

/* Reads the value of one key into `target`. */
typedef int (*read_fn)(struct yaml_doc *doc, yaml_node_t *value, void *target, struct err *err);

struct key {
    const char *name; /* NULL ends the table */
    read_fn read;
};

static int read_mapping(struct yaml_doc *doc, yaml_node_t *node, const char *what,
                        const struct key *keys, void *target, uint32_t *seen_out, struct err *err)
{
    if (node->type != YAML_MAPPING_NODE)
        return yaml_fail(doc, node, err, "%s must be a mapping of keys to values", what);
    const char *names[KEYS_MAX + 1] = {NULL};
    for (size_t i = 0; keys[i].name != NULL; i++)
        names[i] = keys[i].name;
    uint32_t seen = 0;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_doc_node(doc, pair->key);
        const char *word = yaml_scalar(key);
        size_t i = 0;
        while (word != NULL && names[i] != NULL && strcmp(names[i], word) != 0)
            i++;
        if (word == NULL || names[i] == NULL)
            return yaml_fail_unknown(doc, key, err, "key", names);
        if (seen & (1u << i))
            return yaml_fail(doc, key, err, "key \"%s\" is given twice", word);
        seen |= 1u << i;
        if (keys[i].read(doc, yaml_doc_node(doc, pair->value), target, err) != 0)
            return -1;
    }
    *seen_out = seen;
    return 0;
}

static int read_text(struct yaml_doc *doc, yaml_node_t *node, const char *what, char *out,
                     size_t size, struct err *err)
{
    const char *text = yaml_scalar(node);
    if (text == NULL || text[0] == '\0')
        return yaml_fail(doc, node, err, "%s must be text", what);
    if (strlen(text) >= size)
        return yaml_fail(doc, node, err, "%s is longer than %zu bytes", what, size - 1);
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

static int read_word(struct yaml_doc *doc, yaml_node_t *node, const char *what, char *out,
                     size_t size, struct err *err)
{
    if (read_text(doc, node, what, out, size, err) != 0)
        return -1;
    if (out[strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-_")] != '\0')
        return yaml_fail(doc, node, err, "%s \"%s\" may hold a-z, 0-9, - and _ only", what, out);
    return 0;
}

static int read_duration(struct yaml_doc *doc, yaml_node_t *node, const char *what, ns_t min,
                         ns_t *out, struct err *err)
{
    struct err reason = {""};
    const char *text = yaml_scalar(node);
    if (text == NULL)
        return yaml_fail(doc, node, err, "%s must be a duration such as 250ms or 1m30s", what);
    if (duration_parse(text, out, &reason) != 0)
        return yaml_fail(doc, node, err, "%s: %s", what, reason.text);
    if (*out < min)
        return yaml_fail(doc, node, err, "%s %s is too short", what, text);
    return 0;
}

/* The keys of a step. */

struct step_reading {
    struct scenario_step step; /* first: the readers of its own keys see nothing else */
    struct fault_nodes nodes;
};

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

/* The numbers of a list such as " 1 3" as a set; 0 when it is not one. */
static uint64_t node_set(const char *list)
{
    uint64_t nodes = 0;
    while (*list == ' ') {
        char *end;
        unsigned long n = strtoul(list, &end, 10);
        if (end == list || n < 1 || n > SCENARIO_NODES_MAX)
            return 0;
        nodes |= UINT64_C(1) << (n - 1);
        list = end;
    }
    return *list == '\0' ? nodes : 0;
}

/* "all", "node 2" or "nodes 1 3". */
static int step_target(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario_step *step = target;
    const char *text = yaml_scalar(node);
    if (text == NULL)
        step->nodes = 0;
    else if (strcmp(text, "all") == 0)
        step->nodes = UINT64_MAX;
    else if (strncmp(text, "nodes ", 6) == 0)
        step->nodes = node_set(text + 5);
    else if (strncmp(text, "node ", 5) == 0)
        step->nodes = node_set(text + 4);
    if (step->nodes == 0)
        return yaml_fail(doc, node, err,
                         "target must be \"all\", \"node N\" or \"nodes N M\", counted from 1");
    return 0;
}

/* Which fault it is can only be read when all of its keys have been seen. */
#define STEP_NODE(key, member)                                                                    \
    static int step_##key(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err) \
    {                                                                                             \
        (void)doc;                                                                                \
        (void)err;                                                                                \
        ((struct step_reading *)target)->nodes.member = node;                                     \
        return 0;                                                                                 \
    }

STEP_NODE(toxic, family[FAULT_FAMILY_TOXIC])
STEP_NODE(proxy, family[FAULT_FAMILY_PROXY])
STEP_NODE(node, family[FAULT_FAMILY_NODE])
STEP_NODE(network, family[FAULT_FAMILY_NETWORK])
STEP_NODE(stream, stream)
STEP_NODE(toxicity, toxicity)
STEP_NODE(attributes, attributes)

enum step_key { STEP_TARGET, STEP_FOR };

static const struct key step_keys[] = {
    [STEP_TARGET] = {"target", step_target},
    [STEP_FOR] = {"for", step_for},
    {"toxic", step_toxic},
    {"proxy", step_proxy},
    {"node", step_node},
    {"network", step_network},
    {"stream", step_stream},
    {"toxicity", step_toxicity},
    {"attributes", step_attributes},
    {"at", step_at},
    {"every", step_every},
    {NULL, NULL},
};

/* A fault that is over at once has a length all the same, so that it has an end. */
#define MOMENT_NS NS_PER_MS

static int read_step(struct yaml_doc *doc, yaml_node_t *node, struct scenario_step *step,
                     struct err *err)
{
    struct step_reading reading = {.step = {.for_ns = NS_NEVER}};
    uint32_t seen;
    if (read_mapping(doc, node, "a step", step_keys, &reading, &seen, err) != 0)
        return -1;
    *step = reading.step;
    if (!(seen & (1u << STEP_TARGET)))
        return yaml_fail(doc, node, err, "a step needs a target");
    if (fault_read(doc, node, &reading.nodes, step, err) != 0)
        return -1;
    if (step->fault->momentary && (seen & (1u << STEP_FOR)))
        return yaml_fail(doc, node, err, "\"%s: %s\" is over at once and takes no \"for\"",
                         fault_family_names[step->fault->family], step->fault->name);
    if (step->fault->momentary)
        step->for_ns = MOMENT_NS;
    if (step->every_ns != 0 && step->for_ns >= step->every_ns)
        return yaml_fail(doc, node, err, "\"every\" needs a \"for\" that is shorter than it");
    return 0;
}

/* The keys of the file. */

static int file_name(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario *scenario = target;
    return read_word(doc, node, "name", scenario->name, sizeof scenario->name, err);
}

static int file_group(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario *scenario = target;
    return read_word(doc, node, "group", scenario->group, sizeof scenario->group, err);
}

static int file_description(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario *scenario = target;
    return read_text(doc, node, "description", scenario->description, sizeof scenario->description,
                     err);
}

static int read_phase(struct yaml_doc *doc, yaml_node_t *node, void *target, enum phase phase,
                      struct err *err)
{
    return read_duration(doc, node, phase_names[phase], NS_PER_MS,
                         &((struct scenario *)target)->phase_ns[phase], err);
}

static int phase_baseline(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_phase(doc, node, target, PHASE_BASELINE, err);
}

static int phase_fault(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_phase(doc, node, target, PHASE_FAULT, err);
}

static int phase_recovery(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    return read_phase(doc, node, target, PHASE_RECOVERY, err);
}

static int file_phases(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    static const struct key keys[] = {
        [PHASE_BASELINE] = {"baseline", phase_baseline},
        [PHASE_FAULT] = {"fault", phase_fault},
        [PHASE_RECOVERY] = {"recovery", phase_recovery},
        {NULL, NULL},
    };
    uint32_t seen;
    if (read_mapping(doc, node, "phases", keys, target, &seen, err) != 0)
        return -1;
    if (!(seen & (1u << PHASE_BASELINE)))
        return yaml_fail(doc, node, err, "phases need a baseline: a fault is judged against it");
    if (!(seen & (1u << PHASE_FAULT)) != !(seen & (1u << PHASE_RECOVERY)))
        return yaml_fail(doc, node, err, "a fault phase and a recovery phase come together");
    return 0;
}

static int file_steps(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct scenario *scenario = target;
    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_fail(doc, node, err, "steps must be a list");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *step = yaml_doc_node(doc, *item);
        if (scenario->step_count == SCENARIO_STEPS_MAX)
            return yaml_fail(doc, step, err, "more than %d steps", SCENARIO_STEPS_MAX);
        if (read_step(doc, step, &scenario->steps[scenario->step_count++], err) != 0)
            return -1;
    }
    return 0;
}

static int check_file(struct yaml_doc *doc, yaml_node_t *root, uint32_t seen,
                      const struct key *keys, const struct scenario *scenario, struct err *err)
{
    for (size_t i = 0; keys[i].name != NULL; i++)
        if (!(seen & (1u << i)) && keys[i].read != file_steps && keys[i].read != file_group)
            return yaml_fail(doc, root, err, "key \"%s\" is missing", keys[i].name);
    if ((scenario->step_count > 0) != (scenario->phase_ns[PHASE_FAULT] > 0))
        return yaml_fail(doc, root, err,
                         scenario->step_count > 0 ? "there are steps but no fault phase"
                                                  : "there is a fault phase but no step");
    for (size_t i = 0; i < scenario->step_count; i++)
        if (scenario->steps[i].at_ns >= scenario->phase_ns[PHASE_FAULT])
            return yaml_fail(doc, root, err, "step %zu starts after the fault phase has ended",
                             i + 1);
    return 0;
}

int scenario_parse(const char *source, const char *text, size_t length, struct scenario *out,
                   struct err *err)
{
    static const struct key keys[] = {
        {"name", file_name},     {"group", file_group}, {"description", file_description},
        {"phases", file_phases}, {"steps", file_steps}, {NULL, NULL},
    };
    struct yaml_doc doc;
    *out = (struct scenario){.group = "user"};
    if (yaml_doc_init(&doc, source, text, length, err) != 0)
        return -1;
    yaml_node_t *root = yaml_doc_root(&doc);
    uint32_t seen;
    int rc = root != NULL ? 0 : err_set(err, "%s: the file is empty", source);
    if (rc == 0)
        rc = read_mapping(&doc, root, "a scenario file", keys, out, &seen, err);
    if (rc == 0)
        rc = check_file(&doc, root, seen, keys, out, err);
    yaml_doc_deinit(&doc);
    return rc;
}

int scenario_load(const char *path, struct scenario *out, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_set(err, "cannot open scenario file %s: %s", path, strerror(errno));
    int rc = -1;
    char *text = malloc(FILE_BYTES_MAX + 1);
    size_t length = text != NULL ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;
    if (text == NULL)
        err_set(err, "%s: out of memory", path);
    else if (ferror(file))
        err_set(err, "cannot read scenario file %s: %s", path, strerror(errno));
    else if (length > FILE_BYTES_MAX)
        err_set(err, "%s: larger than %u bytes", path, FILE_BYTES_MAX);
    else
        rc = scenario_parse(path, text, length, out, err);
    free(text);
    fclose(file);
    return rc;
}

ns_t scenario_length(const struct scenario *scenario)
{
    ns_t sum = 0;
    for (int i = 0; i < PHASE_COUNT; i++)
        sum = ns_add(sum, scenario->phase_ns[i]);
    return sum;
}
