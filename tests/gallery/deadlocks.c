/* SPDX-License-Identifier: MIT */
/*
 * A call that ran into its timeout waits for a wake-up that nobody sends any more. It cannot be
 * interrupted, and cutting its connection does not help: the rig has to end without it.
 */
#include "core.h"

const struct defects defects = {.name = "deadlocks", .sleeps_on = true};
