/* SPDX-License-Identifier: MIT */
#include "metrics/node_stats.h"

#include <assert.h>

const char *breaker_view_name(enum breaker_view view)
{
    static const char *const names[BREAKER_VIEW_COUNT] = {
        [BREAKER_VIEW_NONE] = "none",
        [BREAKER_VIEW_CLOSED] = "closed",
        [BREAKER_VIEW_OPEN] = "open",
        [BREAKER_VIEW_HALF_OPEN] = "half-open",
    };
    assert(view < BREAKER_VIEW_COUNT);
    return names[view];
}
