/* SPDX-License-Identifier: MIT */
/* A plan as text and as JSON: what a scenario would do, and when. `seed` is the session's. */
#ifndef CLI_SCENARIO_SHOW_H
#define CLI_SCENARIO_SHOW_H

#include <stdio.h>

#include "base/jsonw.h"
#include "scenario/plan.h"

void scenario_show_text(FILE *out, const struct plan *plan, uint64_t seed, size_t node_count);
void scenario_show_json(struct jsonw *json, const struct plan *plan, uint64_t seed,
                        size_t node_count);

#endif
