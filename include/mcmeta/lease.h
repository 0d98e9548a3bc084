/* SPDX-License-Identifier: MIT */
/*
 * Protection from stampedes: of all callers that miss a key, one is told to make the value, and the
 * others wait for it or take the old one.
 *
 *     struct mcm_lease_options options = MCM_LEASE_OPTIONS_DEFAULT;
 *     struct mcm_fill fill;
 *     switch (mcm_get_or_lease(client, key, buffer, sizeof(buffer), &options, deadline, &fill,
 *                              &result)) {
 *     case MCM_LEASE_HIT:
 *     case MCM_LEASE_HIT_STALE:              // use result.value
 *     case MCM_LEASE_WON_STALE:              // it may be used meanwhile, but make a new one
 *     case MCM_LEASE_WON_MISS:               // make a new one, then mcm_fill() or
 * mcm_fill_failed() case MCM_LEASE_WAIT:                   // somebody makes it and was not done in
 * time case MCM_LEASE_ERROR:                  // result.outcome says what
 *     }
 *
 * A winner that dies delays the others by `lease_ttl`, so that is a few seconds. Callers that use
 * plain gets see an empty value while one is made: let all readers of such keys use leases.
 */
#ifndef MCMETA_LEASE_H
#define MCMETA_LEASE_H

#include <mcmeta/commands.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mcm_lease_state {
    MCM_LEASE_HIT,       /* there is a value */
    MCM_LEASE_HIT_STALE, /* there is an old value, and somebody makes a new one */
    MCM_LEASE_WON_STALE, /* there is an old value, and this caller is to make a new one */
    MCM_LEASE_WON_MISS,  /* there is none, and this caller is to make one */
    MCM_LEASE_WAIT,      /* there is none, somebody makes it, and the patience is at its end */
    MCM_LEASE_ERROR      /* result->outcome is no normal answer */
};

struct mcm_lease_options {
    size_t size;
    uint32_t lease_ttl;     /* seconds a winner has; at least 1 */
    uint32_t recache_below; /* with fewer seconds left one caller wins; 0 = off */
    mcm_ns patience;        /* wait for somebody else's value so long; 0 = not at all */
    mcm_ns pause;           /* first pause between two looks; grows to 8 times, halved at random */
};

#define MCM_LEASE_OPTIONS_DEFAULT                                                                 \
    {                                                                                             \
        .size = sizeof(struct mcm_lease_options), .lease_ttl = 5, .patience = INT64_C(100000000), \
        .pause = INT64_C(5000000),                                                                \
    }

/* The right to fill a key. Plain data. */
struct mcm_fill {
    uint64_t cas; /* 0: no right */
};

/* As mcm_get(), and fills *fill for the two WON states. Waits at most until `deadline`. */
MCM_API enum mcm_lease_state mcm_get_or_lease(struct mcm_client *client, struct mcm_slice key,
                                              void *buffer, size_t buffer_size,
                                              const struct mcm_lease_options *options,
                                              mcm_ns deadline, struct mcm_fill *fill,
                                              struct mcm_result *result);

/*
 * Stores the value that a winner made: only if nobody changed the item meanwhile. When the lease
 * has expired and the key is gone, the value is added. MCM_OK; MCM_EXISTS or MCM_NOT_STORED when
 * somebody else was faster, whose value then stands.
 */
MCM_API enum mcm_outcome mcm_fill(struct mcm_client *client, struct mcm_slice key,
                                  struct mcm_slice value, const struct mcm_fill *fill, uint32_t ttl,
                                  mcm_ns deadline, struct mcm_result *result);

/* The winner could not make a value: removes the empty item, so that the next caller wins. MCM_OK;
 * MCM_NOT_FOUND or MCM_EXISTS when there is nothing of it any more. */
MCM_API enum mcm_outcome mcm_fill_failed(struct mcm_client *client, struct mcm_slice key,
                                         const struct mcm_fill *fill, mcm_ns deadline,
                                         struct mcm_result *result);

/* Marks the value as stale and keeps it `serve_stale_s` seconds for those who cannot wait; the next
 * reader wins. MCM_OK, MCM_NOT_FOUND. */
MCM_API enum mcm_outcome mcm_invalidate(struct mcm_client *client, struct mcm_slice key,
                                        uint32_t serve_stale_s, mcm_ns deadline,
                                        struct mcm_result *result);

#ifdef __cplusplus
}
#endif

#endif
