/* SPDX-License-Identifier: MIT */
/*
 * The core without a defect: the control, which every scenario of the gallery must pass. A test
 * that fails everybody proves nothing.
 */
#include "core.h"

const struct defects defects = {.name = "correct"};
