/* SPDX-License-Identifier: MIT */
/* The target's proxy disabled: its connections are closed, new ones refused. */
#include <stdio.h>

#include "scenario/fault.h"

static int proxy_probe(const struct fault_type *type, const struct fault_means *means,
                       struct err *err)
{
    if (means->proxies)
        return 0;
    return err_set(err, "proxy %s needs a proxy before each node", type->name);
}

static int proxy_set(const struct fault_env *env, const struct fault *fault, bool enabled,
                     struct err *err)
{
    int rc = apiclient_set_enabled(env->api, env->proxies[fault->node], enabled, err);
    return rc == APICLIENT_OK ? 0 : -1;
}

static int proxy_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    return proxy_set(env, fault, false, err);
}

static int proxy_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    return proxy_set(env, fault, true, err);
}

static void proxy_count(const struct fault_env *env, struct fault *fault, int sign)
{
    struct apiclient_stats stats;
    int rc = apiclient_stats(env->api, env->proxies[fault->node], &stats, NULL);
    fault->victims.counted = rc == APICLIENT_OK;
    if (rc == APICLIENT_OK)
        fault->victims.connections_cut += (uint64_t)(int64_t)sign * stats.connections_cut;
}

static void proxy_dead_man(const struct fault_env *env, const struct fault *fault,
                           struct watchdog_order *order)
{
    order->kind = WATCHDOG_PROXY;
    snprintf(order->proxy, sizeof order->proxy, "%s", env->proxies[fault->node]);
}

static const struct fault_ops down = {
    .probe = proxy_probe,
    .on = proxy_on,
    .off = proxy_off,
    .count = proxy_count,
    .dead_man = proxy_dead_man,
};

static const struct fault_type types[] = {
    {.family = FAULT_FAMILY_PROXY,
     .name = "down",
     .ops = &down,
     .overdue_ns = 5 * NS_PER_SEC,
     .help = "connections are closed, new ones refused"},
};

const struct fault_table fault_table_proxy = {types, sizeof types / sizeof types[0]};
