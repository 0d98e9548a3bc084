/* SPDX-License-Identifier: MIT */
#include "cli/run_skip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_network_fault(const struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->step_count; i++)
        if (scenario->steps[i].fault->family == FAULT_FAMILY_NETWORK)
            return true;
    return false;
}

void run_skip_probe(const struct scenario *scenarios, size_t count, bool foreign,
                    struct fault_means *means, struct net_support *support)
{
    static const char outside[] = "the nodes of -servers and the proxies of -toxiproxy are outside "
                                  "of a private network";
    bool needed = false;
    for (size_t i = 0; i < count && !needed; i++)
        needed = has_network_fault(&scenarios[i]);
    *support = (struct net_support){{0}, {0}};
    if (foreign)
        means->network_missing = outside;
    if (!needed || foreign)
        return;
    net_probe(support);
    if (support->loss_missing[0] != '\0')
        means->network_missing = support->loss_missing;
    if (support->netem_missing[0] != '\0')
        means->netem_missing = support->netem_missing;
}

static int probe_scenario(const struct scenario *scenario, const struct fault_means *means,
                          struct err *err)
{
    for (size_t i = 0; i < scenario->step_count; i++)
        if (fault_probe(scenario->steps[i].fault, means, err) != 0)
            return -1;
    return 0;
}

int run_skip_choose(struct scenario *scenarios, size_t count, const struct fault_means *means,
                    struct log *log, struct run_skips *out)
{
    int left = 0;
    *out = (struct run_skips){.list = calloc(count + 1, sizeof *out->list)};
    if (out->list == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct err err;
        if (probe_scenario(&scenarios[i], means, &err) != 0) {
            struct run_skip *skip = &out->list[out->count++];
            memcpy(skip->scenario, scenarios[i].name, sizeof skip->scenario);
            memcpy(skip->reason, err.text, sizeof skip->reason);
            log_warn(log, "scenario %s is skipped: %s", skip->scenario, skip->reason);
            continue;
        }
        out->network = out->network || has_network_fault(&scenarios[i]);
        if ((size_t)left != i)
            memcpy(&scenarios[left], &scenarios[i], sizeof *scenarios);
        left++;
    }
    return left;
}

int run_skip_report(const struct run_skips *skips, struct result *result)
{
    struct result_skip *list = arena_array(&result->arena, skips->count, sizeof *list);
    if (list == NULL && skips->count > 0)
        return -1;
    for (size_t i = 0; i < skips->count; i++) {
        list[i].scenario = arena_text(&result->arena, skips->list[i].scenario);
        list[i].reason = arena_text(&result->arena, skips->list[i].reason);
        if (list[i].scenario == NULL || list[i].reason == NULL)
            return -1;
    }
    result->skipped = list;
    result->skipped_count = skips->count;
    return 0;
}
