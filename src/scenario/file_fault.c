/* SPDX-License-Identifier: MIT */
#include "scenario/file_fault.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "scenario/reader.h"

#define NAMES_MAX 64
#define RAMP_STEPS_DEFAULT 10

static int find_family(struct yaml_doc *doc, yaml_node_t *place, const struct fault_nodes *nodes,
                       enum fault_family *out, struct err *err)
{
    int found = 0;
    for (int i = 0; i < FAULT_FAMILY_COUNT; i++) {
        if (nodes->family[i] == NULL)
            continue;
        found++;
        *out = (enum fault_family)i;
    }
    if (found == 1)
        return 0;
    return yaml_fail(doc, place, err,
                     "a step needs one fault: \"toxic: TYPE\", \"proxy: down\", \"node: FAULT\" or "
                     "\"network: FAULT\"");
}

static const struct fault_type *find_type(struct yaml_doc *doc, yaml_node_t *node,
                                          enum fault_family family, struct err *err)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    const struct fault_type *type;
    size_t count = 0;
    const char *word = yaml_scalar(node);
    const struct fault_type *found = word != NULL ? fault_type_find(family, word) : NULL;
    if (found != NULL)
        return found;
    for (size_t i = 0; (type = fault_type_at(i)) != NULL && count < NAMES_MAX; i++)
        if (type->family == family)
            names[count++] = type->name;
    static const char *const what[] = {"toxic", "proxy state", "fault of a node",
                                       "fault of the network"};
    yaml_fail_unknown(doc, node, err, what[family], names);
    return NULL;
}

/* What an attribute may be: "must be an integer from 0 to 100". */
static int fail_limits(struct yaml_doc *doc, yaml_node_t *node, const struct fault_param *p,
                       struct err *err)
{
    const char *kind = p->whole ? "an integer" : "a number";
    if (p->min > -1e18 && p->max < 1e18)
        return yaml_fail(doc, node, err, "%s (%s) must be %s from %g to %g", p->name, p->unit, kind,
                         p->min, p->max);
    if (p->min > -1e18)
        return yaml_fail(doc, node, err, "%s (%s) must be %s of at least %g", p->name, p->unit,
                         kind, p->min);
    return yaml_fail(doc, node, err, "%s (%s) must be %s", p->name, p->unit, kind);
}

/* A number, or one that moves while the fault is on. */
struct ramp {
    yaml_node_t *places[2];
    double ends[2]; /* the same for a number */
    double steps;   /* 0 for a number */
};

static int ramp_from(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct ramp *ramp = target;
    ramp->places[0] = node;
    return yaml_number(doc, node, "from", &ramp->ends[0], err);
}

static int ramp_to(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct ramp *ramp = target;
    ramp->places[1] = node;
    return yaml_number(doc, node, "to", &ramp->ends[1], err);
}

static int ramp_steps(struct yaml_doc *doc, yaml_node_t *node, void *target, struct err *err)
{
    struct ramp *ramp = target;
    if (yaml_number(doc, node, "steps", &ramp->steps, err) != 0)
        return -1;
    if (ramp->steps < 2 || ramp->steps > SCENARIO_RAMP_STEPS_MAX ||
        ramp->steps != nearbyint(ramp->steps))
        return yaml_fail(doc, node, err, "steps must be an integer from 2 to %d",
                         SCENARIO_RAMP_STEPS_MAX);
    return 0;
}

static int read_ramp(struct yaml_doc *doc, yaml_node_t *node, const char *what,
                     const struct fault_type *type, struct ramp *out, struct err *err)
{
    static const struct yaml_key keys[] = {
        {"from", ramp_from}, {"to", ramp_to}, {"steps", ramp_steps}, {NULL, NULL}};
    *out = (struct ramp){.places = {node, node}, .steps = RAMP_STEPS_DEFAULT};
    if (node->type != YAML_MAPPING_NODE) {
        out->steps = 0;
        int rc = yaml_number(doc, node, what, &out->ends[0], err);
        out->ends[1] = out->ends[0];
        return rc;
    }
    uint32_t seen;
    if (read_mapping(doc, node, what, keys, out, &seen, err) != 0)
        return -1;
    if ((seen & 3) != 3)
        return yaml_fail(doc, node, err, "a ramp needs \"from\" and \"to\"");
    if (type->ops->update == NULL)
        return yaml_fail(doc, node, err, "\"%s: %s\" cannot change while it is on",
                         fault_family_names[type->family], type->name);
    return 0;
}

/* The most values of any ramp of a step are the values that all of them go through. */
static void step_add_ramp(struct scenario_step *step, const struct ramp *ramp)
{
    if (ramp->steps > step->ramp_steps)
        step->ramp_steps = (unsigned)ramp->steps;
}

static int read_attribute(struct yaml_doc *doc, yaml_node_pair_t *pair,
                          const struct fault_param *params, size_t count,
                          struct scenario_step *step, struct err *err)
{
    yaml_node_t *key = yaml_doc_node(doc, pair->key), *node = yaml_doc_node(doc, pair->value);
    const char *names[FAULT_PARAMS_MAX + 1] = {NULL};
    const char *word = yaml_scalar(key);
    size_t i;
    for (i = 0; i < count; i++)
        names[i] = params[i].name;
    for (i = 0; i < count && (word == NULL || strcmp(names[i], word) != 0); i++)
        continue;
    if (i == count)
        return yaml_fail_unknown(doc, key, err, "attribute", names);
    if (step->values.given & (1u << i))
        return yaml_fail(doc, key, err, "attribute \"%s\" is given twice", word);
    struct ramp ramp;
    if (read_ramp(doc, node, word, step->fault, &ramp, err) != 0)
        return -1;
    for (int end = 0; end < 2; end++)
        if (ramp.ends[end] < params[i].min || ramp.ends[end] > params[i].max ||
            (params[i].whole && ramp.ends[end] != nearbyint(ramp.ends[end])))
            return fail_limits(doc, ramp.places[end], &params[i], err);
    step->values.v[i] = ramp.ends[0];
    step->values_to.v[i] = ramp.ends[1];
    step->values.given |= 1u << i;
    step->values_to.given |= 1u << i;
    step_add_ramp(step, &ramp);
    return 0;
}

static int read_attributes(struct yaml_doc *doc, yaml_node_t *place, yaml_node_t *node,
                           struct scenario_step *step, struct err *err)
{
    struct fault_param params[FAULT_PARAMS_MAX];
    size_t count = fault_params(step->fault, params);
    step->values = step->values_to = fault_values_default(step->fault);
    if (node != NULL && node->type != YAML_MAPPING_NODE)
        return yaml_fail(doc, node, err, "attributes must be a mapping of names to numbers");
    if (node != NULL && count == 0)
        return yaml_fail(doc, node, err, "\"%s: %s\" has no attributes",
                         fault_family_names[step->fault->family], step->fault->name);
    for (yaml_node_pair_t *pair = node != NULL ? node->data.mapping.pairs.start : NULL;
         pair != NULL && pair < node->data.mapping.pairs.top; pair++)
        if (read_attribute(doc, pair, params, count, step, err) != 0)
            return -1;
    for (size_t i = 0; i < count; i++)
        if (params[i].required && !(step->values.given & (1u << i)))
            return yaml_fail(doc, node != NULL ? node : place, err,
                             "\"%s: %s\" needs the attribute %s (%s)",
                             fault_family_names[step->fault->family], step->fault->name,
                             params[i].name, params[i].unit);
    return 0;
}

static int read_stream(struct yaml_doc *doc, yaml_node_t *node, struct scenario_step *step,
                       struct err *err)
{
    static const char *const known[] = {"upstream", "downstream", "both", NULL};
    const char *text = yaml_scalar(node);
    if (step->fault->streams == 0)
        return yaml_fail(doc, node, err, "stream does not belong to \"%s: %s\"",
                         fault_family_names[step->fault->family], step->fault->name);
    for (unsigned i = 0; text != NULL && known[i] != NULL; i++) {
        if (strcmp(known[i], text) == 0) {
            step->streams = i + 1; /* the bits, in this order */
            return 0;
        }
    }
    return yaml_fail_unknown(doc, node, err, "stream", known);
}

static int read_toxicity(struct yaml_doc *doc, yaml_node_t *node, struct scenario_step *step,
                         struct err *err)
{
    if (!step->fault->has_toxicity)
        return yaml_fail(doc, node, err, "toxicity belongs to a toxic, not to \"%s: %s\"",
                         fault_family_names[step->fault->family], step->fault->name);
    struct ramp ramp;
    if (read_ramp(doc, node, "toxicity", step->fault, &ramp, err) != 0)
        return -1;
    for (int end = 0; end < 2; end++)
        if (ramp.ends[end] < 0 || ramp.ends[end] > 1)
            return yaml_fail(doc, ramp.places[end], err, "toxicity must lie between 0 and 1");
    step->toxicity = ramp.ends[0];
    step->toxicity_to = ramp.ends[1];
    step_add_ramp(step, &ramp);
    return 0;
}

int fault_read(struct yaml_doc *doc, yaml_node_t *place, const struct fault_nodes *nodes,
               struct scenario_step *step, struct err *err)
{
    enum fault_family family = FAULT_FAMILY_TOXIC;
    if (find_family(doc, place, nodes, &family, err) != 0)
        return -1;
    step->fault = find_type(doc, nodes->family[family], family, err);
    if (step->fault == NULL)
        return -1;
    step->streams = step->fault->streams;
    step->toxicity = step->toxicity_to = 1;
    if (nodes->stream != NULL && read_stream(doc, nodes->stream, step, err) != 0)
        return -1;
    if (nodes->toxicity != NULL && read_toxicity(doc, nodes->toxicity, step, err) != 0)
        return -1;
    return read_attributes(doc, place, nodes->attributes, step, err);
}
