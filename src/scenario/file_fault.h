/* SPDX-License-Identifier: MIT */
/* The part of a step that says which fault it is: one family's key, and what belongs to it. */
#ifndef SCENARIO_FILE_FAULT_H
#define SCENARIO_FILE_FAULT_H

#include "scenario/document.h"
#include "scenario/scenario.h"

/* The values of the step's keys; NULL = the key is absent. */
struct fault_nodes {
    yaml_node_t *family[FAULT_FAMILY_COUNT];
    yaml_node_t *attributes;
    yaml_node_t *stream;
    yaml_node_t *toxicity;
    yaml_node_t *chunk_toxicity;
};

/*
 * Fills fault, values, streams and toxicity of the step, `place` is the step itself. Every
 * attribute is checked against the fault's parameters. Returns 0 or -1.
 */
int fault_read(struct yaml_doc *doc, yaml_node_t *place, const struct fault_nodes *nodes,
               struct scenario_step *step, struct err *err);

#endif
