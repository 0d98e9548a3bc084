/* SPDX-License-Identifier: MIT */
/* Which toxics there are. A new one is a file of its own and a line here (and in stage.h). */
#include <string.h>

#include "toxic/stage.h"

static const struct toxic_ops *const types[] = {
    &toxic_latency,    &toxic_bandwidth,  &toxic_slow_close,  &toxic_timeout,   &toxic_reset_peer,
    &toxic_slicer,     &toxic_limit_data, &toxic_packet_loss, &toxic_blackhole, &toxic_slow_open,
    &toxic_limit_time, &toxic_reset,      &toxic_corrupt,     &toxic_noop,
};

const struct toxic_ops *const *toxic_types(size_t *count_out)
{
    *count_out = sizeof(types) / sizeof(types[0]);
    return types;
}

const struct toxic_ops *toxic_type_find(const char *type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i]->type, type) == 0)
            return types[i];
    }
    return NULL;
}

const char *toxic_type_name(const struct toxic_ops *ops)
{
    return ops->type;
}

const char *toxic_type_help(const struct toxic_ops *ops)
{
    return ops->help;
}

const struct toxic_attr *toxic_type_attrs(const struct toxic_ops *ops, size_t *count_out)
{
    *count_out = ops->attr_count;
    return ops->attrs;
}
