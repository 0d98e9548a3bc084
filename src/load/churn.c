/* SPDX-License-Identifier: MIT */
/* Connections that are replaced all the time. */
#include "load/workload.h"

#define GET_PERCENT 50
#define TTL_S 60

#define LIFETIME_NS (100 * NS_PER_MS)
#define IDLE_NS (50 * NS_PER_MS)
#define HEALTH_NS (20 * NS_PER_MS)

/* Shorter, unless the user wants them shorter still. */
static void shorten(ns_t *value, ns_t most)
{
    if (*value <= 0 || *value > most)
        *value = most;
}

static void adapt_client(struct driver_config *config)
{
    shorten(&config->lifetime_max_ns, LIFETIME_NS);
    shorten(&config->idle_max_ns, IDLE_NS);
    shorten(&config->health_period_ns, HEALTH_NS);
}

static void step(struct session *s)
{
    session_get_or_set(s, GET_PERCENT, TTL_S);
}

const struct workload workload_churn = {
    .name = "churn",
    .help = "half get, half set on 50 keys; connections live for 100 ms",
    .step = step,
    .keys = "50",
    .values = "60..600",
    .adapt_client = adapt_client,
};
