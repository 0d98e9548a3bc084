/* SPDX-License-Identifier: MIT */
/* The keys of a scenario file, and its list of steps. */
#ifndef SCENARIO_FILE_STEP_H
#define SCENARIO_FILE_STEP_H

#include "scenario/reader.h"
#include "scenario/scenario.h"

/* The keys of the file and of a step, for the schema too. */
extern const struct yaml_key scenario_keys[];
extern const struct yaml_key step_keys[];
extern const char *const scenario_keys_required[]; /* NULL-terminated */

/* Reads the steps into `scenario`, whose phases are known; with no phases (they were wrong) nothing
 * that refers to them is looked at. Returns 0 or -1. */
int steps_read(struct yaml_doc *doc, yaml_node_t *node, struct scenario *scenario, struct err *err);

#endif
