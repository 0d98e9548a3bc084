/* SPDX-License-Identifier: MIT */
/*
 * Faults of the target's memcached process. What each did is counted where it does it: what is lost
 * at the moment of the blow, what waited or was refused at its end.
 */
#include "node/control.h"
#include "scenario/fault.h"

/* In a node that is short of memory even the smallest item takes so many bytes: then some thirty
 * items fill it, and a fault of seconds is felt by a light workload. */
#define SCARCE_ITEM_BYTES 65536

static int node_fault_probe(const struct fault_type *type, const struct fault_means *means,
                            struct err *err)
{
    if (means->own_nodes)
        return 0;
    return err_set(err,
                   "node %s needs nodes that memchaos has started; those of -servers are "
                   "somebody else's processes",
                   type->name);
}

static struct node *target(const struct fault_env *env, const struct fault *fault)
{
    return env->nodes[fault->node];
}

static int off_nothing(const struct fault_env *env, struct fault *fault, struct err *err)
{
    (void)env;
    (void)fault;
    (void)err;
    return 0;
}

/* What dies with the process. One that does not answer has items all the same, but not counted. */
static void count_loss(struct node *node, struct victims *victims)
{
    struct node_sockets sockets;
    struct node_counters counters;
    node_sockets(node, &sockets);
    node_counters(node, &counters, NULL);
    victims->counted = true;
    victims->connections_cut += sockets.established;
    victims->items_lost += counters.items;
}

/* Who waits for a stopped process. */
static void count_waiting(struct node *node, struct fault *fault)
{
    struct node_sockets sockets;
    node_sockets(node, &sockets);
    ns_t length = ns_now() - fault->on_ns;
    fault->victims.counted = true;
    fault->victims.connections += sockets.waiting;
    fault->victims.bytes += sockets.unread_bytes;
    fault->victims.delay_ms += sockets.waiting * (uint64_t)(length / NS_PER_MS);
}

/* pause */

static int pause_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    return node_pause(target(env, fault), err);
}

static int pause_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    count_waiting(target(env, fault), fault);
    return node_resume(target(env, fault), err);
}

static void pause_dead_man(const struct fault_env *env, const struct fault *fault,
                           struct watchdog_order *order)
{
    order->kind = WATCHDOG_PROCESS;
    order->pid = node_pid(target(env, fault));
}

/* kill, restart */

static int kill_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    count_loss(target(env, fault), &fault->victims);
    return node_kill(target(env, fault), err);
}

static int kill_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    return node_revive(target(env, fault), err);
}

/* Whom the dead node's address refused is known to the proxy that tried. */
static void kill_count(const struct fault_env *env, struct fault *fault, int sign)
{
    struct apiclient_stats stats;
    if (env->api != NULL &&
        apiclient_stats(env->api, env->proxies[fault->node], &stats, NULL) == APICLIENT_OK)
        fault->victims.connections_refused += (uint64_t)(int64_t)sign * stats.dial_failures;
}

static int restart_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    count_loss(target(env, fault), &fault->victims);
    return node_restart(target(env, fault), err);
}

static int slow_start_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    return node_restart_paused(target(env, fault), err);
}

/* connection_limit */

enum { LIMIT };

static const struct fault_param limit_params[] = {
    [LIMIT] = {"limit", "connections", .whole = true, .initial = 1, .min = 0, .max = 1000,
               .help = "how many the node serves at the same time"},
};

static int limit_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct node *node = target(env, fault);
    unsigned reserve;
    if (node_connection_reserve(node, &reserve, err) != 0)
        return -1;
    /* One more for our own questions. */
    node_limits(node)->connections_max = (unsigned)fault->values.v[LIMIT] + reserve + 1;
    return node_restart(node, err);
}

static int limit_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct node *node = target(env, fault);
    struct node_counters counters;
    node_counters(node, &counters, NULL);
    fault->victims.counted = true;
    fault->victims.connections_refused += counters.connections_rejected;
    node_limits(node)->connections_max = 0;
    return node_restart(node, err);
}

/* out_of_memory */

enum { MEMORY, EVICT };

static const struct fault_param memory_params[] = {
    [MEMORY] = {"memory", "MB", .whole = true, .initial = 2, .min = 2, .max = 1024,
                .help = "what the node may use for items (-m)"},
    [EVICT] = {"evict", "0 or 1", .whole = true, .initial = 0, .min = 0, .max = 1,
               .help = "1: old items make room; 0: stores are refused (-M)"},
};

static int memory_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct node_limits *limits = node_limits(target(env, fault));
    limits->memory_mb = (unsigned)fault->values.v[MEMORY];
    limits->item_bytes_min = SCARCE_ITEM_BYTES;
    limits->no_eviction = fault->values.v[EVICT] == 0;
    return node_restart(target(env, fault), err);
}

static int memory_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct node_limits *limits = node_limits(target(env, fault));
    struct node_counters counters;
    node_counters(target(env, fault), &counters, NULL);
    fault->victims.counted = true;
    fault->victims.items_lost += counters.evictions;
    fault->victims.stores_refused += counters.stores_refused;
    limits->memory_mb = limits->item_bytes_min = 0;
    limits->no_eviction = false;
    return node_restart(target(env, fault), err);
}

/* flush_all */

static int flush_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct node *node = target(env, fault);
    struct node_counters counters;
    if (node_counters(node, &counters, err) != 0)
        return -1;
    fault->victims.counted = true;
    fault->victims.items_lost += counters.items;
    return node_flush(node, err);
}

static const struct fault_ops ops_pause = {
    .probe = node_fault_probe, .on = pause_on, .off = pause_off, .dead_man = pause_dead_man};
static const struct fault_ops ops_kill = {
    .probe = node_fault_probe, .on = kill_on, .off = kill_off, .count = kill_count};
static const struct fault_ops ops_restart = {
    .probe = node_fault_probe, .on = restart_on, .off = off_nothing};
static const struct fault_ops ops_slow_start = {
    .probe = node_fault_probe, .on = slow_start_on, .off = pause_off, .dead_man = pause_dead_man};
static const struct fault_ops ops_limit = {
    .probe = node_fault_probe, .on = limit_on, .off = limit_off};
static const struct fault_ops ops_memory = {
    .probe = node_fault_probe, .on = memory_on, .off = memory_off};
static const struct fault_ops ops_flush = {
    .probe = node_fault_probe, .on = flush_on, .off = off_nothing};

/* A start may take 5 s, and then it says so itself. */
#define OVERDUE (10 * NS_PER_SEC)
#define NODE(type) .family = FAULT_FAMILY_NODE, .name = (type), .overdue_ns = OVERDUE

static const struct fault_type types[] = {
    {NODE("pause"), .ops = &ops_pause,
     .help = "SIGSTOP: connections stay, new ones are accepted, nobody answers"},
    {NODE("kill"), .ops = &ops_kill,
     .help = "SIGKILL, and a cold start on the same port at the end"},
    {NODE("restart"), .ops = &ops_restart, .momentary = true,
     .help = "killed and started again at once, cold"},
    {NODE("slow_start"), .ops = &ops_slow_start,
     .help = "killed and started again; accepts, but answers at the end only, cold"},
    {NODE("connection_limit"), .ops = &ops_limit, .params = limit_params, .param_count = 1,
     .help = "restarted with a small -c: further connections are told ERROR and closed"},
    {NODE("out_of_memory"), .ops = &ops_memory, .params = memory_params, .param_count = 2,
     .help = "restarted with a small -m: stores are refused, or old items evicted"},
    {NODE("flush_all"), .ops = &ops_flush, .momentary = true, .help = "all items expire"},
};

const struct fault_table fault_table_node = {types, sizeof types / sizeof types[0]};
