/* SPDX-License-Identifier: MIT */
/*
 * Keeps values in the process for a while and does not hear of the writes of other threads: reads
 * that are older than writes which have been acknowledged.
 */
#include "core.h"

const struct defects defects = {.name = "stale_cache", .caches_values = true};
