/* SPDX-License-Identifier: MIT */
/*
 * Hands the answer of one thread to another now and then, as a pool does that gives the same
 * connection to two threads, or a pipeline that counts wrongly. No fault is needed.
 */
#include "core.h"

const struct defects defects = {.name = "swaps_answers", .swaps_answers = true};
