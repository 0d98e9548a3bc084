/* SPDX-License-Identifier: MIT */
/* Where a session stands, as a small JSON document for whoever watches it (schema/status.v1.json).
 */
#ifndef REPORT_STATUS_H
#define REPORT_STATUS_H

#include "report/result.h"

#include <stdio.h>

#define STATUS_SCHEMA_VERSION 1

struct status {
    const struct result *result;
    bool ended;
    ns_t now;
    uint64_t run; /* the number of the run in progress, from 1; 0 = none */
    const char *scenario;
    const char *phase; /* NULL before the first */
    ns_t run_start_ns;
    ns_t run_length_ns; /* as planned */
    unsigned faults_on;
    uint64_t succeeded, failed, dropped; /* in the run, up to the last interval */
    const struct interval *interval;     /* the last one; NULL = none has ended yet */
};

int status_write(FILE *out, const struct status *s);

#endif
