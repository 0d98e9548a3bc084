/* SPDX-License-Identifier: MIT */
/*
 * Tries again at once, as often as fits into the deadline. Every failure becomes thousands of
 * connections to a server that is already in trouble.
 */
#include "core.h"

const struct defects defects = {.name = "retries_without_limit", .tries_for_ever = true};
