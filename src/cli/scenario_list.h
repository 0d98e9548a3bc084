/* SPDX-License-Identifier: MIT */
#ifndef CLI_SCENARIO_LIST_H
#define CLI_SCENARIO_LIST_H

#include <stdio.h>

#include "base/err.h"

/* Scenarios by group, then workloads and drivers: what -list shows. Returns the exit code. */
int scenario_list_print(FILE *out, struct err *err);

#endif
