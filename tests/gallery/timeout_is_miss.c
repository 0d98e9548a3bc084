/* SPDX-License-Identifier: MIT */
/*
 * Tells a timeout as a miss, so that error rates stay at zero. The application then fetches
 * everything from its database, which is what the cache was there to prevent.
 */
#include "core.h"

const struct defects defects = {.name = "timeout_is_miss", .timeout_is_miss = true};
