/* SPDX-License-Identifier: MIT */
/* Spans and moments as the protocol's seconds. */
#include <mcmeta/ttl.h>

#include "base/time.h"

static uint32_t clamp(int64_t seconds, bool *clamped)
{
    bool late = seconds > INT32_MAX;
    if (clamped != NULL)
        *clamped = late;
    return late ? INT32_MAX : (uint32_t)seconds;
}

uint32_t mcm_ttl_after(mcm_ns span, int64_t unix_now_s, bool *clamped)
{
    if (span <= 0 || span == MCM_NS_NEVER)
        return clamp(MCM_TTL_NONE, clamped);
    int64_t seconds = span / NS_PER_SEC + (span % NS_PER_SEC != 0);
    if (seconds <= MCM_TTL_RELATIVE_MAX)
        return clamp(seconds, clamped);
    int64_t at;
    if (__builtin_add_overflow(seconds, unix_now_s, &at))
        at = INT64_MAX;
    /* With a clock before 1970 the sum could be taken for a span. */
    return clamp(at > MCM_TTL_RELATIVE_MAX ? at : MCM_TTL_RELATIVE_MAX + 1, clamped);
}

uint32_t mcm_ttl_at(int64_t unix_s, bool *clamped)
{
    if (unix_s == 0)
        return clamp(MCM_TTL_NONE, clamped);
    return clamp(unix_s > MCM_TTL_RELATIVE_MAX ? unix_s : MCM_TTL_RELATIVE_MAX + 1, clamped);
}
