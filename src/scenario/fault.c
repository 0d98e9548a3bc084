/* SPDX-License-Identifier: MIT */
#include "scenario/fault.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "toxic/toxic.h"

const char *const fault_family_names[FAULT_FAMILY_COUNT + 1] = {"toxic", "proxy", "node", "network",
                                                                NULL};
const char *const stream_names[4] = {"", "upstream", "downstream", "both"};

static const struct fault_table *const tables[FAULT_FAMILY_COUNT] = {
    [FAULT_FAMILY_TOXIC] = &fault_table_toxic,
    [FAULT_FAMILY_PROXY] = &fault_table_proxy,
    [FAULT_FAMILY_NODE] = &fault_table_node,
    [FAULT_FAMILY_NETWORK] = &fault_table_network,
};

size_t fault_type_count(void)
{
    size_t count = 0;
    for (int i = 0; i < FAULT_FAMILY_COUNT; i++)
        count += tables[i]->count;
    return count;
}

const struct fault_type *fault_type_at(size_t index)
{
    for (int i = 0; i < FAULT_FAMILY_COUNT; i++) {
        if (index < tables[i]->count)
            return &tables[i]->types[index];
        index -= tables[i]->count;
    }
    return NULL;
}

const struct fault_type *fault_type_find(enum fault_family family, const char *name)
{
    assert(family < FAULT_FAMILY_COUNT);
    const struct fault_table *table = tables[family];
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->types[i].name, name) == 0)
            return &table->types[i];
    return NULL;
}

static struct fault_param param_of_attr(const struct toxic_attr *attr)
{
    bool whole = attr->kind == TOXIC_ATTR_INT;
    return (struct fault_param){
        .name = attr->name,
        .unit = attr->unit,
        .whole = whole,
        .initial = whole ? (double)attr->initial.i : attr->initial.f,
        .min = whole ? (double)attr->min.i : attr->min.f,
        .max = whole ? (double)attr->max.i : attr->max.f,
        .help = attr->help,
    };
}

size_t fault_params(const struct fault_type *type, struct fault_param out[FAULT_PARAMS_MAX])
{
    size_t count = type->param_count;
    if (type->family != FAULT_FAMILY_TOXIC) {
        if (count > 0)
            memcpy(out, type->params, count * sizeof *out);
        return count;
    }
    const struct toxic_attr *attrs = toxic_type_attrs(toxic_type_find(type->name), &count);
    for (size_t i = 0; i < count; i++)
        out[i] = param_of_attr(&attrs[i]);
    return count;
}

struct fault_values fault_values_default(const struct fault_type *type)
{
    struct fault_values values = {0};
    struct fault_param params[FAULT_PARAMS_MAX];
    size_t count = fault_params(type, params);
    for (size_t i = 0; i < count; i++)
        values.v[i] = params[i].initial;
    return values;
}

void fault_text(const struct fault_type *type, unsigned streams, double toxicity,
                const struct fault_values *values, char *text, size_t size)
{
    static const char *const ways[4] = {"", " upstream", " downstream", " both ways"};
    const char *family = type->family == FAULT_FAMILY_TOXIC ? "" : fault_family_names[type->family];
    int n = snprintf(text, size, "%s%s%s%s", family, family[0] != '\0' ? " " : "", type->name,
                     type->streams != 0 ? ways[streams & STREAM_BOTH] : "");
    struct fault_param params[FAULT_PARAMS_MAX];
    size_t count = fault_params(type, params);
    for (size_t i = 0; i < count && n >= 0 && (size_t)n < size; i++)
        if (values->given & (1u << i))
            n += snprintf(text + n, size - (size_t)n, " %s=%g", params[i].name, values->v[i]);
    if (toxicity < 1 && n >= 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, " toxicity=%g", toxicity);
}

int fault_probe(const struct fault_type *type, const struct fault_means *means, struct err *err)
{
    return type->ops->probe(type, means, err);
}
