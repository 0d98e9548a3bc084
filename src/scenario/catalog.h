/* SPDX-License-Identifier: MIT */
/* The shipped scenarios: the files of scenarios/, embedded at build time in the order of their
 * names. */
#ifndef SCENARIO_CATALOG_H
#define SCENARIO_CATALOG_H

#include <stddef.h>

#include "scenario/scenario.h"

struct catalog_file {
    const char *name; /* of the file */
    const char *text;
    size_t length;
};

extern const struct catalog_file catalog_files[];
extern const size_t catalog_file_count;

#define CATALOG_MAX 128

/*
 * Fills `out` (room for CATALOG_MAX) with the scenarios that `what` names: a scenario, a group,
 * "all" (the group "main"), or a path of a file (a word with a '/' or ending in .yaml). Returns how
 * many, or 0 with the reason and the nearest name. `rules` are for files and may be NULL.
 */
size_t catalog_find(const char *what, const struct scenario_rules *rules, struct scenario *out,
                    struct err *err);

/* Whether catalog_find() takes it as a path. */
bool catalog_is_path(const char *what);

/* All shipped scenarios, in order. */
size_t catalog_all(struct scenario *out, struct err *err);

#endif
