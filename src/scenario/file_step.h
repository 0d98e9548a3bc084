/* SPDX-License-Identifier: MIT */
/* The list of steps in a scenario file. */
#ifndef SCENARIO_FILE_STEP_H
#define SCENARIO_FILE_STEP_H

#include "scenario/reader.h"
#include "scenario/scenario.h"

/* The keys of a step, for the schema. */
extern const struct yaml_key step_keys[];

/* Reads the steps into `scenario`, whose phases are known; with no phases (they were wrong) nothing
 * that refers to them is looked at. Returns 0 or -1. */
int steps_read(struct yaml_doc *doc, yaml_node_t *node, struct scenario *scenario, struct err *err);

#endif
