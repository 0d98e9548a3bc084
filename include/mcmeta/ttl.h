/* SPDX-License-Identifier: MIT */
/*
 * Expiry times as memcached takes them. A TTL of the protocol is a number of seconds: 0 never
 * expires, up to 30 days counts from now, everything above is a Unix time in the server's clock.
 * These functions make that number from a span or from a moment; they read no clock.
 *
 * The protocol cannot say anything after 2038-01-19 (INT32_MAX): some servers refuse a later time
 * and others expire the item at once, so the number is clamped to it, and *clamped tells.
 */
#ifndef MCMETA_TTL_H
#define MCMETA_TTL_H

#include <mcmeta/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Never expires. */
#define MCM_TTL_NONE 0u

/* The longest TTL that counts from now, in seconds: 30 days. */
#define MCM_TTL_RELATIVE_MAX 2592000

/*
 * `span` nanoseconds from now. Parts of a second are rounded up, so that nothing expires earlier
 * than asked; 0 and less mean never. `unix_now_s` (seconds since 1970, as the server sees it) is
 * only used above 30 days. `clamped` may be NULL.
 */
MCM_API uint32_t mcm_ttl_after(mcm_ns span, int64_t unix_now_s, bool *clamped);

/*
 * At the Unix time `unix_s`. A moment in the past, or so early that the protocol would take it for
 * a span, expires at once; 0 means never. `clamped` may be NULL.
 */
MCM_API uint32_t mcm_ttl_at(int64_t unix_s, bool *clamped);

#ifdef __cplusplus
}
#endif

#endif
