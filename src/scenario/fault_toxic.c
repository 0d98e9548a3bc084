/* SPDX-License-Identifier: MIT */
/*
 * Toxics: added to and removed from the target's proxy through its API, one per direction. Their
 * attributes are those of the toxic registry.
 */
#include <stdio.h>
#include <string.h>

#include "scenario/fault.h"
#include "toxic/toxic.h"

static void toxic_name(const struct fault *fault, unsigned stream, char *text, size_t size)
{
    snprintf(text, size, "%s_%s", fault->name, stream_names[stream]);
}

static int toxic_probe(const struct fault_type *type, const struct fault_means *means,
                       struct err *err)
{
    if (means->proxies)
        return 0;
    return err_set(err, "the toxic %s needs a proxy before each node", type->name);
}

typedef int (*toxic_call)(struct apiclient *api, const char *proxy,
                          const struct apiclient_toxic *toxic, struct err *err);

static int toxic_send(const struct fault_env *env, const struct fault *fault, unsigned stream,
                      toxic_call call, struct err *err)
{
    struct fault_param params[FAULT_PARAMS_MAX];
    struct apiclient_attribute attributes[FAULT_PARAMS_MAX];
    size_t count = fault_params(fault->type, params), given = 0;
    for (size_t i = 0; i < count; i++)
        if (fault->values.given & (1u << i))
            attributes[given++] =
                (struct apiclient_attribute){.name = params[i].name, .value = fault->values.v[i]};
    char name[64];
    toxic_name(fault, stream, name, sizeof name);
    struct apiclient_toxic toxic = {
        .name = name,
        .type = fault->type->name,
        .stream = stream_names[stream],
        .toxicity = fault->toxicity,
        .attributes = attributes,
        .attribute_count = given,
    };
    return call(env->api, env->proxies[fault->node], &toxic, err) == APICLIENT_OK ? 0 : -1;
}

static int toxic_on(const struct fault_env *env, struct fault *fault, struct err *err)
{
    for (unsigned stream = STREAM_UPSTREAM; stream <= STREAM_DOWNSTREAM; stream++)
        if ((fault->streams & stream) &&
            toxic_send(env, fault, stream, apiclient_toxic_add, err) != 0)
            return -1;
    return 0;
}

static int toxic_update(const struct fault_env *env, struct fault *fault, struct err *err)
{
    for (unsigned stream = STREAM_UPSTREAM; stream <= STREAM_DOWNSTREAM; stream++)
        if ((fault->streams & stream) &&
            toxic_send(env, fault, stream, apiclient_toxic_update, err) != 0)
            return -1;
    return 0;
}

static int toxic_off(const struct fault_env *env, struct fault *fault, struct err *err)
{
    int result = 0;
    for (unsigned stream = STREAM_UPSTREAM; stream <= STREAM_DOWNSTREAM; stream++) {
        if (!(fault->streams & stream))
            continue;
        char name[64];
        toxic_name(fault, stream, name, sizeof name);
        struct err reason;
        int rc = apiclient_toxic_remove(env->api, env->proxies[fault->node], name, &reason);
        if (rc != APICLIENT_OK && rc != APICLIENT_NOT_FOUND && result == 0)
            result = err_set(err, "%s", reason.text);
    }
    return result;
}

/* Adds what a removed toxic did. */
static void count_removed(struct victims *victims, const struct apiclient_stats *stats,
                          const char *name, int sign)
{
    uint64_t factor = (uint64_t)(int64_t)sign; /* modulo 2^64 */
    for (size_t i = 0; i < stats->removed_count; i++) {
        const struct apiclient_toxic_stats *t = &stats->removed[i];
        if (strcmp(t->name, name) != 0)
            continue;
        victims->connections += factor * t->connections;
        victims->chunks += factor * t->chunks;
        victims->bytes += factor * t->bytes;
        victims->bytes_dropped += factor * t->bytes_dropped;
        victims->delay_ms += factor * t->delay_ms;
        victims->resets += factor * t->resets;
    }
}

static void toxic_count(const struct fault_env *env, struct fault *fault, int sign)
{
    struct apiclient_stats stats;
    int rc = apiclient_stats(env->api, env->proxies[fault->node], &stats, NULL);
    fault->victims.counted = rc == APICLIENT_OK;
    if (rc != APICLIENT_OK)
        return;
    for (unsigned stream = STREAM_UPSTREAM; stream <= STREAM_DOWNSTREAM; stream++) {
        char name[64];
        toxic_name(fault, stream, name, sizeof name);
        count_removed(&fault->victims, &stats, name, sign);
    }
}

static void toxic_dead_man(const struct fault_env *env, const struct fault *fault,
                           struct watchdog_order *order)
{
    order->kind = WATCHDOG_TOXICS;
    snprintf(order->proxy, sizeof order->proxy, "%s", env->proxies[fault->node]);
    for (unsigned stream = STREAM_UPSTREAM; stream <= STREAM_DOWNSTREAM; stream++)
        if (fault->streams & stream)
            toxic_name(fault, stream, order->toxics[stream - 1], sizeof order->toxics[0]);
}

static const struct fault_ops toxic_fault = {
    .probe = toxic_probe,
    .on = toxic_on,
    .off = toxic_off,
    .update = toxic_update,
    .count = toxic_count,
    .dead_man = toxic_dead_man,
};

#define TOXIC(type)                                                                \
    {                                                                              \
        .family = FAULT_FAMILY_TOXIC, .name = (type), .ops = &toxic_fault,         \
        .streams = STREAM_DOWNSTREAM, .has_toxicity = true, .overdue_ns = OVERDUE, \
        .help = "a toxic of the proxy: see docs/toxics",                           \
    }
#define OVERDUE (5 * NS_PER_SEC)

/* A test compares this list with the registry of toxics. */
static const struct fault_type types[] = {
    TOXIC("latency"),    TOXIC("bandwidth"), TOXIC("slow_close"), TOXIC("timeout"),
    TOXIC("reset_peer"), TOXIC("slicer"),    TOXIC("limit_data"), TOXIC("packet_loss"),
    TOXIC("blackhole"),  TOXIC("slow_open"), TOXIC("limit_time"), TOXIC("reset"),
    TOXIC("corrupt"),    TOXIC("noop"),
};

const struct fault_table fault_table_toxic = {types, sizeof types / sizeof types[0]};
