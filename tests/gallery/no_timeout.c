/* SPDX-License-Identifier: MIT */
/*
 * Waits for an answer as long as it takes. The commonest default of client libraries, and harmless
 * on every day but one: a paused or unreachable server then holds a thread for as long as it likes.
 */
#include "core.h"

const struct defects defects = {.name = "no_timeout", .waits_for_ever = true};
