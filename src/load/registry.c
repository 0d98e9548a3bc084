/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "base/suggest.h"
#include "load/workload.h"

const struct workload *const workloads[] = {
    &workload_mixed,        &workload_constant,  &workload_burst,
    &workload_get,          &workload_get_heavy, &workload_set_heavy,
    &workload_hot_keys,     &workload_batch,     &workload_counters,
    &workload_stampede,     &workload_churn,     &workload_poison,
    &workload_large_values, &workload_loadtest,  NULL,
};

const struct workload *workload_by_name(const char *name, struct err *err)
{
    struct suggest nearest = suggest_start(name);
    for (size_t i = 0; workloads[i] != NULL; i++) {
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
        suggest_offer(&nearest, workloads[i]->name);
    }
    if (nearest.best != NULL)
        err_set(err, "no workload \"%.80s\"; did you mean \"%s\"?", name, nearest.best);
    else
        err_set(err, "no workload \"%.80s\"; see memchaos -list", name);
    return NULL;
}
