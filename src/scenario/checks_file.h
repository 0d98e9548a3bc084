/* SPDX-License-Identifier: MIT */
/* The key "checks" of a scenario file: a list of texts (see check.h) or mappings
 * {check: "...", abort: true}. */
#ifndef SCENARIO_CHECKS_FILE_H
#define SCENARIO_CHECKS_FILE_H

#include "scenario/check.h"
#include "scenario/document.h"

/* Reads the list `node` into `out`, which has room for CHECK_RULES_MAX. `phases` (NULL-terminated)
 * are those of the scenario. Returns 0, or -1 after all that is wrong was told. */
int checks_file_read(struct yaml_doc *doc, yaml_node_t *node, const char *const *phases,
                     struct check_rule *out, size_t *count, struct err *err);

#endif
