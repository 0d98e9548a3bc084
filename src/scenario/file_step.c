/* SPDX-License-Identifier: MIT */
#include "scenario/file_step.h"

#include <string.h>

#include "scenario/file_fault.h"

/* A fault that is over at once has a length all the same, so that it has an end. */
#define MOMENT_NS NS_PER_MS

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

/* What says which fault it is can only be read when all of its keys are known. */
const struct yaml_key step_keys[] = {
    {"target", step_target},
    {"toxic", read_later},
    {"proxy", read_later},
    {"node", read_later},
    {"network", read_later},
    {"stream", read_later},
    {"toxicity", read_later},
    {"chunk_toxicity", read_later},
    {"attributes", read_later},
    {"phase", read_later},
    {"at", step_at},
    {"for", step_for},
    {"every", step_every},
    {"jitter", step_jitter},
    {"stagger", step_stagger},
    {NULL, NULL},
};

/* Where to point at for a step's key: its value, or the step when it is not given. */
static const yaml_node_t *place_of(struct yaml_doc *doc, const yaml_node_t *step, const char *key)
{
    const yaml_node_t *value = yaml_doc_find(doc, step, key);
    return value != NULL ? value : step;
}

static int read_fault(struct yaml_doc *doc, yaml_node_t *node, struct scenario_step *step,
                      struct err *err)
{
    struct fault_nodes nodes = {
        .attributes = yaml_doc_find(doc, node, "attributes"),
        .stream = yaml_doc_find(doc, node, "stream"),
        .toxicity = yaml_doc_find(doc, node, "toxicity"),
        .chunk_toxicity = yaml_doc_find(doc, node, "chunk_toxicity"),
    };
    for (int i = 0; i < FAULT_FAMILY_COUNT; i++)
        nodes.family[i] = yaml_doc_find(doc, node, fault_family_names[i]);
    if (fault_read(doc, node, &nodes, step, err) != 0)
        return -1;
    yaml_node_t *length = yaml_doc_find(doc, node, "for");
    if (step->fault->momentary && length != NULL)
        return yaml_fail(doc, length, err, "\"%s: %s\" is over at once and takes no \"for\"",
                         fault_family_names[step->fault->family], step->fault->name);
    if (step->fault->momentary)
        step->for_ns = MOMENT_NS;
    return 0;
}

/* What the times of a step say about each other and about its phase. */
static int check_times(struct yaml_doc *doc, yaml_node_t *node, ns_t phase_ns,
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
static int find_phase(struct yaml_doc *doc, yaml_node_t *step, const struct scenario *scenario,
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
    *step = (struct scenario_step){.for_ns = NS_NEVER};
    uint32_t seen = 0;
    int rc = read_mapping(doc, node, "a step", step_keys, step, &seen, err);
    if (node->type != YAML_MAPPING_NODE)
        return -1;
    bool times_ok = rc == 0;
    if (yaml_doc_find(doc, node, "target") == NULL)
        rc = yaml_fail(doc, node, err, "a step needs a target");
    /* A misspelled key of a fault must not be called a missing fault as well. */
    if (times_ok && read_fault(doc, node, step, err) != 0)
        rc = -1;
    if (scenario->phase_count == 0)
        return rc;
    if (find_phase(doc, node, scenario, &step->phase, err) != 0)
        return -1;
    ns_t phase_ns = scenario->phases[step->phase].length_ns;
    if (times_ok && check_times(doc, node, phase_ns, step, err) != 0)
        rc = -1;
    return rc;
}

int steps_read(struct yaml_doc *doc, yaml_node_t *node, struct scenario *scenario, struct err *err)
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
