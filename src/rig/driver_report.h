/* SPDX-License-Identifier: MIT */
/* What a driver has to say about itself at the end of a run, and the checks that come of it. */
#ifndef RIG_DRIVER_REPORT_H
#define RIG_DRIVER_REPORT_H

#include "driver/driver.h"
#include "report/result.h"

struct driver_report {
    struct driver_finding findings[DRIVER_FINDING_COUNT];
    size_t finding_count;
    bool has_about;
    struct driver_about about;
};

/* After the last worker has been closed, before the client is. */
void driver_report_take(struct driver_report *report, const struct driver *driver, void *client);

/* A failed check for each kind of finding, and one that tells what the talk to it cost. Returns -1
 * without memory. */
int driver_report_checks(const struct driver_report *report, struct run_result *out);

#endif
