/* SPDX-License-Identifier: MIT */
/*
 * Tells the author of a driver program what is wrong with it: starts one real memcached and goes
 * through what docs/driver-protocol.md asks for, each point with a hint. Signals are the caller's
 * business, SIGPIPE must be ignored. Main thread only.
 */
#ifndef RIG_DRIVER_CHECK_H
#define RIG_DRIVER_CHECK_H

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"

struct driver_check_config {
    const char *command;
    FILE *out;
    struct log *log; /* gets the program's standard error */
    bool colour;
    int cancel_fd; /* readable: no further checks */
};

struct driver_check_result {
    unsigned passed, failed, skipped;
    bool interrupted;
};

/* Returns 0, or -1 when nothing could be checked: no memcached. */
int driver_check_run(const struct driver_check_config *config, struct driver_check_result *out,
                     struct err *err);

#endif
