/* SPDX-License-Identifier: MIT */
#include "mcmeta/failover.h"

#include <time.h>

#include "base/time.h"
#include "mcmeta/handle.h"

void mcm_rate_init(struct mcm_rate *rate, unsigned per_second)
{
    rate->interval = per_second > 0 ? NS_PER_SEC / per_second : 0;
    atomic_init(&rate->next, 0);
}

bool mcm_rate_take(struct mcm_rate *rate, mcm_ns now)
{
    if (rate->interval == 0)
        return true;
    int_least64_t next = atomic_load_explicit(&rate->next, memory_order_relaxed), later;
    do {
        later = ns_max(next, now) + rate->interval;
        /* A second's worth may be taken in advance. */
        if (later - now > NS_PER_SEC)
            return false;
    } while (!atomic_compare_exchange_weak(&rate->next, &next, later));
    return true;
}

bool mcm_outcome_is_down(enum mcm_outcome outcome)
{
    return mcm_outcome_class(outcome) == MCM_CLASS_REFUSED ||
           mcm_outcome_class(outcome) == MCM_CLASS_CONNECT;
}

bool mcm_failover_goes_on(const struct mcm_client *client, const struct mcm_topology *topology,
                          unsigned round)
{
    switch (client->on_failure) {
    case MCM_ON_FAILURE_ERROR:
    case MCM_ON_FAILURE_MISS: break;
    case MCM_ON_FAILURE_NEXT:
        return round + 1 < client->failure_choices && round + 1 < topology->count &&
               round + 1 < MCM_FAILOVER_CHOICES_MAX;
    case MCM_ON_FAILURE_GUTTER: return round == 0;
    }
    return false;
}

static size_t gutter_server(const struct mcm_client *client, const struct mcm_topology *topology,
                            struct mcm_slice key)
{
    size_t index = mcm_selector_pick(client->gutter->selector, key.data, key.size);
    return index == MCM_SELECTOR_NONE ? index : topology->count + index;
}

size_t mcm_failover_server(const struct mcm_client *client, const struct mcm_topology *topology,
                           struct mcm_slice key, unsigned round)
{
    size_t choices[MCM_FAILOVER_CHOICES_MAX];
    if (client->on_failure == MCM_ON_FAILURE_GUTTER)
        return gutter_server(client, topology, key);
    size_t count = mcm_selector_rank(topology->selector, key.data, key.size, choices, round + 1);
    return round < count ? choices[round] : MCM_SELECTOR_NONE;
}

#define TTL_RELATIVE_MAX (UINT32_C(30) * 24 * 60 * 60)

static uint32_t capped_ttl(uint32_t ttl, uint32_t max)
{
    if (max == 0)
        return ttl;
    /* An absolute time is kept when it comes before the cap: it may be in the past. */
    if (ttl > TTL_RELATIVE_MAX)
        return (int64_t)ttl - (int64_t)time(NULL) < (int64_t)max ? ttl : max;
    return ttl == 0 || ttl > max ? max : ttl;
}

struct mcm_request mcm_failover_request(const struct mcm_request *request, uint32_t ttl_max)
{
    struct mcm_request copy = *request;
    if (copy.command == MCM_COMMAND_SET && !(copy.flags & MCM_REQUEST_TTL) && ttl_max > 0) {
        copy.flags |= MCM_REQUEST_TTL;
        copy.ttl = 0;
    }
    if (copy.flags & MCM_REQUEST_TTL)
        copy.ttl = capped_ttl(copy.ttl, ttl_max);
    if (copy.flags & MCM_REQUEST_VIVIFY)
        copy.vivify_ttl = capped_ttl(copy.vivify_ttl, ttl_max);
    return copy;
}
