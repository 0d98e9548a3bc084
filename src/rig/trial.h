/* SPDX-License-Identifier: MIT */
/* A short run of load without faults, to see what one rate comes to. */
#ifndef RIG_TRIAL_H
#define RIG_TRIAL_H

#include "driver/driver.h"
#include "load/workload.h"
#include "metrics/latency.h"
#include "rig/topology.h"

struct trial_config {
    struct topology *topology;
    const struct driver *driver;
    struct driver_config client; /* servers and names are filled in */
    const struct load_spec *load;
    unsigned workers;
    ns_t timeout_ns;
    ns_t warm_up_ns; /* not measured */
    ns_t length_ns;  /* measured */
    uint64_t seed;
    int signal_fd; /* readable = stop now */
};

struct trial {
    bool interrupted;
    struct recorder_counts counts; /* of the measured part */
    struct latency response;       /* successes, from the intended start */
};

/* Returns 0, or -1 when it could not begin. */
int trial_run(const struct trial_config *config, struct trial *out, struct err *err);

#endif
