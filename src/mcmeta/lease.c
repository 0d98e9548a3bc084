/* SPDX-License-Identifier: MIT */
/*
 * Leases are made of plain gets: N makes an empty item on a miss and tells one caller that it won
 * (W); the others see an empty value that is taken (Z). Both are told with every later get, until
 * the winner has stored. R does the same for an item that is about to expire, and an invalidated
 * item (X) has a winner too.
 */
#include <mcmeta/lease.h>

#include "base/rng.h"
#include "base/time.h"
#include "mcmeta/handle.h"
#include "mcmeta/token.h"

/* Between two looks of a waiting caller; true when there was time for it. */
static bool pause_for(mcm_ns pause, mcm_ns until)
{
    if (ns_add(ns_now(), pause) >= until || mcm_cancel_is_due())
        return false;
    struct timespec timespec = ns_to_timespec(pause);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &timespec, NULL);
    return true;
}

static enum mcm_lease_state state_of(const struct mcm_result *result)
{
    /* In a miss that was turned into an empty item nobody has stored anything yet. */
    bool has_value = result->value.size > 0;
    if (!mcm_outcome_is_answer(result->outcome))
        return MCM_LEASE_ERROR;
    if (result->outcome == MCM_MISS)
        return MCM_LEASE_WAIT;
    if (result->won)
        return has_value || result->stale ? MCM_LEASE_WON_STALE : MCM_LEASE_WON_MISS;
    if (result->taken)
        return has_value || result->stale ? MCM_LEASE_HIT_STALE : MCM_LEASE_WAIT;
    return result->stale ? MCM_LEASE_HIT_STALE : MCM_LEASE_HIT;
}

enum mcm_lease_state mcm_get_or_lease(struct mcm_client *client, struct mcm_slice key, void *buffer,
                                      size_t buffer_size, const struct mcm_lease_options *options,
                                      mcm_ns deadline, struct mcm_fill *fill,
                                      struct mcm_result *result)
{
    static const struct mcm_lease_options defaults = MCM_LEASE_OPTIONS_DEFAULT;
    if (options == NULL)
        options = &defaults;
    *fill = (struct mcm_fill){0};
    if (options->size != sizeof(*options) || options->lease_ttl == 0 || options->pause < 0) {
        mcm_result_refuse(result, MCM_E_ARG);
        return MCM_LEASE_ERROR;
    }
    struct mcm_get_options get = MCM_GET_OPTIONS_DEFAULT;
    get.vivify = true;
    get.vivify_ttl = options->lease_ttl;
    get.recache = options->recache_below > 0;
    get.recache_ttl = options->recache_below;
    mcm_ns start = ns_now(), until = ns_min(deadline, ns_add(start, options->patience));
    mcm_ns pause = ns_max(options->pause, NS_PER_MS), longest = pause * 8;
    struct rng rng = rng_fork((uint64_t)start, (uintptr_t)&get);
    for (;;) {
        mcm_get_with(client, key, buffer, buffer_size, &get, deadline, result);
        enum mcm_lease_state state = state_of(result);
        /* Also when the old value did not fit the buffer. */
        if (result->won)
            fill->cas = result->cas;
        mcm_ns jittered = pause / 2 + (mcm_ns)rng_below(&rng, (uint64_t)pause / 2);
        if (state != MCM_LEASE_WAIT || !pause_for(jittered, until))
            return state;
        pause = ns_min(pause * 2, longest);
    }
}

enum mcm_outcome mcm_fill(struct mcm_client *client, struct mcm_slice key, struct mcm_slice value,
                          const struct mcm_fill *fill, uint32_t ttl, mcm_ns deadline,
                          struct mcm_result *result)
{
    if (fill->cas == 0)
        return mcm_result_refuse(result, MCM_E_ARG);
    mcm_cas(client, key, value, fill->cas, ttl, deadline, result);
    if (result->outcome == MCM_NOT_FOUND)
        mcm_add(client, key, value, ttl, deadline, result);
    return result->outcome;
}

enum mcm_outcome mcm_fill_failed(struct mcm_client *client, struct mcm_slice key,
                                 const struct mcm_fill *fill, mcm_ns deadline,
                                 struct mcm_result *result)
{
    struct mcm_delete_options options = {
        .size = sizeof(options), .compare = true, .cas = fill->cas};
    if (fill->cas == 0)
        return mcm_result_refuse(result, MCM_E_ARG);
    return mcm_delete_with(client, key, &options, deadline, result);
}

enum mcm_outcome mcm_invalidate(struct mcm_client *client, struct mcm_slice key,
                                uint32_t serve_stale_s, mcm_ns deadline, struct mcm_result *result)
{
    struct mcm_delete_options options = {
        .size = sizeof(options), .invalidate = true, .ttl = serve_stale_s};
    return mcm_delete_with(client, key, &options, deadline, result);
}
