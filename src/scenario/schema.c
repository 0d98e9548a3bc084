/* SPDX-License-Identifier: MIT */
#include "scenario/schema.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "scenario/file_step.h"
#include "scenario/scenario.h"

#define WORD_PATTERN "^[a-z0-9_-]+$"

/* Writes the value of one key's property, after its description. */
typedef void (*property_fn)(struct jsonw *j);

struct property {
    const char *name;
    const char *help;
    property_fn write;
};

static void refer(struct jsonw *j, const char *definition)
{
    char text[64];
    snprintf(text, sizeof text, "#/$defs/%s", definition);
    jsonw_key_string(j, "$ref", text);
}

static void write_word(struct jsonw *j)
{
    jsonw_key_string(j, "type", "string");
    jsonw_key_string(j, "pattern", WORD_PATTERN);
}

static void write_text(struct jsonw *j)
{
    jsonw_key_string(j, "type", "string");
    jsonw_key_int(j, "minLength", 1);
}

static void write_duration(struct jsonw *j)
{
    refer(j, "duration");
}

static void write_number_or_ramp(struct jsonw *j)
{
    refer(j, "value");
}

/* A property that is the same as this when it is one of several. */
static void write_as_item(struct jsonw *j, property_fn write)
{
    jsonw_object(j);
    write(j);
    jsonw_object_end(j);
}

static void write_groups(struct jsonw *j)
{
    jsonw_key_array(j, "anyOf");
    write_as_item(j, write_word);
    jsonw_object(j);
    jsonw_key_string(j, "type", "array");
    jsonw_key_int(j, "maxItems", SCENARIO_GROUPS_MAX);
    jsonw_key_object(j, "items");
    write_word(j);
    jsonw_object_end(j);
    jsonw_object_end(j);
    jsonw_array_end(j);
}

static void write_load(struct jsonw *j)
{
    jsonw_key_string(j, "type", "object");
    jsonw_key_bool(j, "additionalProperties", false);
    jsonw_key_object(j, "properties");
    for (size_t i = 0; i < LOAD_KEY_COUNT; i++) {
        char help[64];
        snprintf(help, sizeof help, "As the flag -%s, which wins when it is given.",
                 scenario_load_flags[i]);
        jsonw_key_object(j, scenario_load_keys[i]);
        jsonw_key_string(j, "description", help);
        jsonw_key_array(j, "type");
        jsonw_string(j, "string");
        jsonw_string(j, "number");
        jsonw_array_end(j);
        jsonw_object_end(j);
    }
    jsonw_object_end(j);
}

static void write_phases(struct jsonw *j)
{
    jsonw_key_string(j, "type", "object");
    jsonw_key_array(j, "required");
    jsonw_string(j, "baseline");
    jsonw_array_end(j);
    jsonw_key_int(j, "maxProperties", SCENARIO_PHASES_MAX);
    jsonw_key_object(j, "propertyNames");
    jsonw_key_string(j, "pattern", WORD_PATTERN);
    jsonw_object_end(j);
    jsonw_key_object(j, "additionalProperties");
    write_duration(j);
    jsonw_object_end(j);
}

static void write_steps(struct jsonw *j)
{
    jsonw_key_string(j, "type", "array");
    jsonw_key_int(j, "maxItems", SCENARIO_STEPS_MAX);
    jsonw_key_object(j, "items");
    refer(j, "step");
    jsonw_object_end(j);
}

static void write_checks(struct jsonw *j)
{
    jsonw_key_string(j, "type", "array");
    jsonw_key_int(j, "maxItems", CHECK_RULES_MAX);
    jsonw_key_object(j, "items");
    jsonw_key_array(j, "anyOf");
    write_as_item(j, write_text);
    jsonw_object(j);
    jsonw_key_string(j, "type", "object");
    jsonw_key_bool(j, "additionalProperties", false);
    jsonw_key_array(j, "required");
    jsonw_string(j, "check");
    jsonw_array_end(j);
    jsonw_key_object(j, "properties");
    jsonw_key_object(j, "check");
    write_text(j);
    jsonw_object_end(j);
    jsonw_key_object(j, "abort");
    jsonw_key_string(j, "description", "End the run as soon as the check is known to fail.");
    jsonw_key_string(j, "type", "boolean");
    jsonw_object_end(j);
    jsonw_object_end(j);
    jsonw_object_end(j);
    jsonw_array_end(j);
    jsonw_object_end(j);
}

/* "^(all|one|node [0-9]+|nodes( [0-9]+)+)$" of all words there are. */
static void target_pattern(char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "^(");
    for (size_t i = 0; target_words[i] != NULL; i++)
        used += (size_t)snprintf(text + used, size - used, "%s|", target_words[i]);
    for (size_t i = 0; target_words_with_numbers[i] != NULL; i++) {
        bool list = strcmp(target_words_with_numbers[i], "nodes") == 0;
        used += (size_t)snprintf(text + used, size - used, "%s%s%s", i > 0 ? "|" : "",
                                 target_words_with_numbers[i], list ? "( [0-9]+)+" : " [0-9]+");
    }
    used += (size_t)snprintf(text + used, size - used, ")$");
    assert(used < size);
}

static void write_target(struct jsonw *j)
{
    char pattern[256];
    target_pattern(pattern, sizeof pattern);
    jsonw_key_string(j, "type", "string");
    jsonw_key_string(j, "pattern", pattern);
    jsonw_key_array(j, "examples");
    for (size_t i = 0; target_words[i] != NULL; i++)
        jsonw_string(j, target_words[i]);
    jsonw_string(j, "node 2");
    jsonw_string(j, "nodes 1 3");
    jsonw_string(j, "random 2");
    jsonw_array_end(j);
}

static void write_family(struct jsonw *j, enum fault_family family)
{
    const struct fault_type *type;
    jsonw_key_array(j, "enum");
    for (size_t i = 0; (type = fault_type_at(i)) != NULL; i++)
        if (type->family == family)
            jsonw_string(j, type->name);
    jsonw_array_end(j);
}

static void write_toxics(struct jsonw *j)
{
    write_family(j, FAULT_FAMILY_TOXIC);
}

static void write_proxy(struct jsonw *j)
{
    write_family(j, FAULT_FAMILY_PROXY);
}

static void write_node(struct jsonw *j)
{
    write_family(j, FAULT_FAMILY_NODE);
}

static void write_network(struct jsonw *j)
{
    write_family(j, FAULT_FAMILY_NETWORK);
}

static void write_streams(struct jsonw *j)
{
    jsonw_key_array(j, "enum");
    for (unsigned bits = STREAM_UPSTREAM; bits <= STREAM_BOTH; bits++)
        jsonw_string(j, stream_names[bits]);
    jsonw_array_end(j);
}

static void write_attributes(struct jsonw *j)
{
    jsonw_key_string(j, "type", "object");
    jsonw_key_object(j, "additionalProperties");
    write_number_or_ramp(j);
    jsonw_object_end(j);
}

static const struct property file_properties[] = {
    {"name", "How -scenario calls it.", write_word},
    {"description", "The real event that this stands for, in a paragraph.", write_text},
    {"group", "What it belongs to: -scenario all runs the group main.", write_groups},
    {"load", "The load that it needs; flags that the user gives win.", write_load},
    {"phases",
     "Their lengths, in order: baseline, then fault phases of any name and recovery, or neither.",
     write_phases},
    {"steps", "What is done to whom, and when. Steps go on side by side.", write_steps},
    {"checks", "What must hold, such as fault.error_rate < 40%: see docs/checks.md.", write_checks},
    {NULL, NULL, NULL},
};

static const struct property step_properties[] = {
    {"target", "Whom it hits; what is drawn is drawn from the seed.", write_target},
    {"toxic", "A toxic on the target's proxy.", write_toxics},
    {"proxy", "Something with the target's proxy as a whole.", write_proxy},
    {"node", "Something with the target's memcached process.", write_node},
    {"network", "Something with the packets to and from the target.", write_network},
    {"stream", "The direction: upstream are requests, downstream answers.", write_streams},
    {"toxicity", "The share of the connections that is hit, 0 to 1.", write_number_or_ramp},
    {"attributes", "Numbers of the fault, or ramps {from, to, steps}.", write_attributes},
    {"phase", "The fault phase; the first one by default.", write_word},
    {"at", "Start within the phase; moves with it when -duration stretches it.", write_duration},
    {"for", "How long; to the end of the phase by default.", write_duration},
    {"every", "Start again and again, this far apart.", write_duration},
    {"jitter", "Each start is late by up to this much, drawn from the seed.", write_duration},
    {"stagger", "How much later each next node of the target starts.", write_duration},
    {NULL, NULL, NULL},
};

/* One property for each key that the reader knows. */
static void write_properties(struct jsonw *j, const struct yaml_key *keys,
                             const struct property *properties)
{
    jsonw_key_bool(j, "additionalProperties", false);
    jsonw_key_object(j, "properties");
    for (size_t i = 0; keys[i].name != NULL; i++) {
        const struct property *p = properties;
        while (p->name != NULL && strcmp(p->name, keys[i].name) != 0)
            p++;
        assert(p->name != NULL);
        jsonw_key_object(j, p->name);
        jsonw_key_string(j, "description", p->help);
        p->write(j);
        jsonw_object_end(j);
    }
    jsonw_object_end(j);
}

static void write_bound(struct jsonw *j, const char *key, double bound)
{
    if (bound > -1e15 && bound < 1e15)
        jsonw_key_double(j, key, bound);
}

static void write_end(struct jsonw *j, const struct fault_param *param)
{
    jsonw_object(j);
    jsonw_key_string(j, "type", param->whole ? "integer" : "number");
    write_bound(j, "minimum", param->min);
    write_bound(j, "maximum", param->max);
    jsonw_object_end(j);
}

/* A number within the limits of the parameter, or a ramp between two of them. */
static void write_param(struct jsonw *j, const struct fault_param *param, bool ramps)
{
    char help[300];
    snprintf(help, sizeof help, "%s%s%s%s", param->help != NULL ? param->help : param->name,
             param->unit != NULL && param->unit[0] != '\0' ? " (" : "",
             param->unit != NULL ? param->unit : "",
             param->unit != NULL && param->unit[0] != '\0' ? ")" : "");
    jsonw_key_object(j, param->name);
    jsonw_key_string(j, "description", help);
    jsonw_key_array(j, "anyOf");
    write_end(j, param);
    if (ramps) {
        jsonw_object(j);
        refer(j, "ramp");
        jsonw_key_object(j, "properties");
        jsonw_key(j, "from");
        write_end(j, param);
        jsonw_key(j, "to");
        write_end(j, param);
        jsonw_object_end(j);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
}

static void write_params(struct jsonw *j, const struct fault_type *type)
{
    struct fault_param params[FAULT_PARAMS_MAX];
    size_t count = fault_params(type, params);
    bool required = false;
    jsonw_key_object(j, "attributes");
    jsonw_key_bool(j, "additionalProperties", false);
    jsonw_key_object(j, "properties");
    for (size_t i = 0; i < count; i++) {
        write_param(j, &params[i], type->ops->update != NULL);
        required = required || params[i].required;
    }
    jsonw_object_end(j);
    if (required) {
        jsonw_key_array(j, "required");
        for (size_t i = 0; i < count; i++)
            if (params[i].required)
                jsonw_string(j, params[i].name);
        jsonw_array_end(j);
    }
    jsonw_object_end(j);
}

/* What belongs to a step with this fault. */
static void write_fault_rule(struct jsonw *j, const struct fault_type *type)
{
    const char *family = fault_family_names[type->family];
    struct fault_param params[FAULT_PARAMS_MAX];
    jsonw_object(j);
    jsonw_key_object(j, "if");
    jsonw_key_array(j, "required");
    jsonw_string(j, family);
    jsonw_array_end(j);
    jsonw_key_object(j, "properties");
    jsonw_key_object(j, family);
    jsonw_key_string(j, "const", type->name);
    jsonw_object_end(j);
    jsonw_object_end(j);
    jsonw_object_end(j);
    jsonw_key_object(j, "then");
    jsonw_key_object(j, "properties");
    if (fault_params(type, params) > 0)
        write_params(j, type);
    else
        jsonw_key_bool(j, "attributes", false);
    if (type->streams == 0)
        jsonw_key_bool(j, "stream", false);
    if (!type->has_toxicity)
        jsonw_key_bool(j, "toxicity", false);
    if (type->momentary)
        jsonw_key_bool(j, "for", false);
    jsonw_object_end(j);
    jsonw_object_end(j);
    jsonw_object_end(j);
}

static void write_step(struct jsonw *j)
{
    jsonw_key_object(j, "step");
    jsonw_key_string(j, "type", "object");
    jsonw_key_array(j, "required");
    jsonw_string(j, "target");
    jsonw_array_end(j);
    write_properties(j, step_keys, step_properties);
    jsonw_key_array(j, "oneOf");
    for (size_t i = 0; i < FAULT_FAMILY_COUNT; i++) {
        jsonw_object(j);
        jsonw_key_array(j, "required");
        jsonw_string(j, fault_family_names[i]);
        jsonw_array_end(j);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_key_array(j, "allOf");
    for (size_t i = 0; i < fault_type_count(); i++)
        write_fault_rule(j, fault_type_at(i));
    jsonw_array_end(j);
    jsonw_object_end(j);
}

static void write_ramp(struct jsonw *j)
{
    static const char *const keys[] = {"from", "to", "steps"};
    jsonw_key_object(j, "ramp");
    jsonw_key_string(j, "description",
                     "A value that moves in equal steps while the fault is on (10 by default).");
    jsonw_key_string(j, "type", "object");
    jsonw_key_bool(j, "additionalProperties", false);
    jsonw_key_array(j, "required");
    jsonw_string(j, keys[0]);
    jsonw_string(j, keys[1]);
    jsonw_array_end(j);
    jsonw_key_object(j, "properties");
    for (size_t i = 0; i < 3; i++) {
        jsonw_key_object(j, keys[i]);
        jsonw_key_string(j, "type", i < 2 ? "number" : "integer");
        if (i == 2) {
            jsonw_key_int(j, "minimum", 2);
            jsonw_key_int(j, "maximum", SCENARIO_RAMP_STEPS_MAX);
        }
        jsonw_object_end(j);
    }
    jsonw_object_end(j);
    jsonw_object_end(j);
}

static void write_definitions(struct jsonw *j)
{
    jsonw_key_object(j, "$defs");
    jsonw_key_object(j, "duration");
    jsonw_key_string(j, "description", "As in Go: 250ms, 10s, 1m30s.");
    jsonw_key_string(j, "type", "string");
    jsonw_key_string(j, "pattern", "^([0-9]+(\\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$");
    jsonw_object_end(j);
    write_ramp(j);
    jsonw_key_object(j, "value");
    jsonw_key_array(j, "anyOf");
    jsonw_object(j);
    jsonw_key_string(j, "type", "number");
    jsonw_object_end(j);
    jsonw_object(j);
    refer(j, "ramp");
    jsonw_object_end(j);
    jsonw_array_end(j);
    jsonw_object_end(j);
    write_step(j);
    jsonw_object_end(j);
}

void scenario_schema_write(struct jsonw *j)
{
    jsonw_object(j);
    jsonw_key_string(j, "$schema", "https://json-schema.org/draft/2020-12/schema");
    jsonw_key_string(j, "title", "memchaos scenario, version 1");
    jsonw_key_string(j, "description", "Written by memchaos schema; see docs/scenarios.md.");
    jsonw_key_string(j, "type", "object");
    jsonw_key_array(j, "required");
    for (size_t i = 0; scenario_keys_required[i] != NULL; i++)
        jsonw_string(j, scenario_keys_required[i]);
    jsonw_array_end(j);
    write_properties(j, scenario_keys, file_properties);
    write_definitions(j);
    jsonw_object_end(j);
}
