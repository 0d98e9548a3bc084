/* SPDX-License-Identifier: MIT */
/*
 * Leaves out the last key of a batch, which its caller can only take for a miss.
 */
#include "core.h"

const struct defects defects = {.name = "short_batch", .short_batch = true};
