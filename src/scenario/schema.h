/* SPDX-License-Identifier: MIT */
/* The JSON schema of a scenario file, for editors: made from the tables that read the file. */
#ifndef SCENARIO_SCHEMA_H
#define SCENARIO_SCHEMA_H

#include "base/jsonw.h"

#define SCENARIO_SCHEMA_VERSION 1

void scenario_schema_write(struct jsonw *json);

#endif
