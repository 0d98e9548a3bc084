/* SPDX-License-Identifier: MIT */
/*
 * One breaker for all nodes: when one node fails, the keys of healthy nodes fail with it.
 */
#include "core.h"

const struct defects defects = {.name = "shared_breaker", .shares_breaker = true};
