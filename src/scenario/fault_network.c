/* SPDX-License-Identifier: MIT */
/*
 * Faults of the network itself: the kernel drops, delays, reorders or duplicates packets between
 * the client and the address it connects to (the target's proxy, or the node without proxies). The
 * whole run then lives in a private network namespace.
 */
#include "net/rules.h"
#include "scenario/fault.h"

static struct rules rules_of(const struct fault_env *env, const struct fault *fault)
{
    return (struct rules){
        .id = (unsigned)fault->index,
        .port = env->network_ports[fault->node],
        .upstream = fault->streams & STREAM_UPSTREAM,
        .downstream = fault->streams & STREAM_DOWNSTREAM,
    };
}

static void count_hits(struct fault *fault, const struct rules_hits *hits)
{
    fault->victims.counted = true;
    fault->victims.packets += hits->packets;
    fault->victims.bytes += hits->bytes;
}

static int probe_with(const struct fault_type *type, const char *missing, struct err *err)
{
    return missing == NULL ? 0 : err_set(err, "network %s: %s", type->name, missing);
}

/* loss, partition */

enum { RATE };

static const struct fault_param loss_params[] = {
    [RATE] = {"rate", "share", .required = true, .min = 0, .max = 1,
              .help = "share of the packets that are dropped"},
};

static int drop_probe(const struct fault_type *type, const struct fault_means *means,
                      struct err *err)
{
    return probe_with(type, means->network_missing, err);
}

/* A partition has no parameter: all is dropped. */
static double drop_share(const struct fault *fault)
{
    return fault->type->param_count > 0 ? fault->values.v[RATE] : 1;
}

static int drop_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct rules rules = rules_of(env, fault);
    return rules_drop_on(&rules, drop_share(fault), err);
}

static int drop_update(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct rules rules = rules_of(env, fault);
    return rules_drop_change(&rules, drop_share(fault), err);
}

static int drop_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct rules rules = rules_of(env, fault);
    struct rules_hits hits;
    if (rules_drop_off(&rules, &hits, err) != 0)
        return -1;
    count_hits(fault, &hits);
    return 0;
}

static void drop_dead_man(const struct fault_env *env, const struct fault *fault,
                          struct watchdog_order *order)
{
    order->kind = WATCHDOG_DROP;
    order->rules = rules_of(env, fault);
}

static const struct fault_ops ops_loss = {
    .probe = drop_probe,
    .on = drop_on,
    .off = drop_off,
    .update = drop_update,
    .dead_man = drop_dead_man,
};
static const struct fault_ops ops_partition = {
    .probe = drop_probe,
    .on = drop_on,
    .off = drop_off,
    .dead_man = drop_dead_man,
};

/* delay, reorder, duplicate */

enum { DELAY, JITTER };
enum { SHARE, GAP };

#define DELAY_MS_MAX 60000

static const struct fault_param delay_params[] = {
    [DELAY] = {"delay", "ms", .required = true, .min = 0, .max = DELAY_MS_MAX,
               .help = "of each packet"},
    [JITTER] = {"jitter", "ms", .min = 0, .max = DELAY_MS_MAX, .help = "how far it varies"},
};
static const struct fault_param reorder_params[] = {
    [SHARE] = {"share", "share", .required = true, .min = 0, .max = 1,
               .help = "of the packets overtake those before them"},
    [GAP] = {"delay", "ms", .initial = 10, .min = 1, .max = DELAY_MS_MAX,
             .help = "by which all others are late"},
};
static const struct fault_param duplicate_params[] = {
    [SHARE] = {"share", "share", .required = true, .min = 0, .max = 1,
               .help = "of the packets come twice"},
};

static int netem_probe(const struct fault_type *type, const struct fault_means *means,
                       struct err *err)
{
    if (means->network_missing != NULL)
        return probe_with(type, means->network_missing, err);
    return probe_with(type, means->netem_missing, err);
}

static struct netem netem_of(const struct fault *fault)
{
    const double *v = fault->values.v;
    if (fault->type->params == delay_params)
        return (struct netem){.delay_ms = v[DELAY], .jitter_ms = v[JITTER]};
    if (fault->type->params == reorder_params)
        return (struct netem){.delay_ms = v[GAP], .reorder_share = v[SHARE]};
    return (struct netem){.duplicate_share = v[SHARE]};
}

static int netem_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct rules rules = rules_of(env, fault);
    struct netem netem = netem_of(fault);
    if (rules.id >= RULES_NETEM_MAX)
        return err_set(err, "netem serves the first %d faults of a scenario only", RULES_NETEM_MAX);
    return rules_netem_on(&rules, &netem, err);
}

static int netem_update(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct rules rules = rules_of(env, fault);
    struct netem netem = netem_of(fault);
    return rules_netem_change(&rules, &netem, err);
}

static int netem_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    struct rules rules = rules_of(env, fault);
    struct rules_hits hits;
    if (rules.id >= RULES_NETEM_MAX)
        return 0;
    if (rules_netem_off(&rules, &hits, err) != 0)
        return -1;
    count_hits(fault, &hits);
    return 0;
}

static void netem_dead_man(const struct fault_env *env, const struct fault *fault,
                           struct watchdog_order *order)
{
    order->kind = WATCHDOG_NETEM;
    order->rules = rules_of(env, fault);
}

static const struct fault_ops ops_netem = {
    .probe = netem_probe,
    .on = netem_on,
    .off = netem_off,
    .update = netem_update,
    .dead_man = netem_dead_man,
};

#define NETWORK(type)                                                       \
    .family = FAULT_FAMILY_NETWORK, .name = (type), .streams = STREAM_BOTH, \
    .overdue_ns = 10 * NS_PER_SEC

static const struct fault_type types[] = {
    {NETWORK("loss"), .ops = &ops_loss, .params = loss_params, .param_count = 1,
     .help = "the kernel drops a share of the packets; TCP sends them again"},
    {NETWORK("partition"), .ops = &ops_partition,
     .help = "the kernel drops all packets; with a stream of one direction: a one-way partition"},
    {NETWORK("delay"), .ops = &ops_netem, .params = delay_params, .param_count = 2,
     .help = "packets come later (netem)"},
    {NETWORK("reorder"), .ops = &ops_netem, .params = reorder_params, .param_count = 2,
     .help = "packets overtake each other (netem)"},
    {NETWORK("duplicate"), .ops = &ops_netem, .params = duplicate_params, .param_count = 1,
     .help = "packets come twice (netem)"},
};

const struct fault_table fault_table_network = {types, sizeof types / sizeof types[0]};
