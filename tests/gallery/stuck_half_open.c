/* SPDX-License-Identifier: MIT */
/*
 * A breaker that lets one probe through when it is half-open, and never takes the probe's place
 * back when that fails. The node returns, and this client never asks it again.
 */
#include "core.h"

const struct defects defects = {.name = "stuck_half_open", .keeps_probe = true};
