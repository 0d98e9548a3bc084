/* SPDX-License-Identifier: MIT */
/* A result made by hand: one scenario with a blackout of node1, as the tests of reports and verdict
 * want it. */
#ifndef TESTS_REPORT_EXAMPLE_H
#define TESTS_REPORT_EXAMPLE_H

#include "report/result.h"

#define EXAMPLE_START (INT64_C(5000) * NS_PER_SEC)

struct run_result *example_run(void);
/* With the run, not yet judged nor added. */
struct result *example_result(void);

#endif
