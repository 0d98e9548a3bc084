/* SPDX-License-Identifier: MIT */
/* What the workers do. A new workload is one file, one line in registry.c and one test. */
#ifndef LOAD_WORKLOAD_H
#define LOAD_WORKLOAD_H

#include "load/session.h"

struct workload {
    const char *name;
    const char *help;
    /* One operation, or a few that belong together; all randomness from session->rng. */
    void (*step)(struct session *session);

    /* What holds unless the user says otherwise; the texts are those of the flags. */
    const char *keys;
    const char *values;
    const char *rate;    /* NULL: LOAD_RATE_DEFAULT */
    const char *arrival; /* NULL: constant */
    bool prefill;        /* store all keys before the run begins */

    const char *key_prefix;                             /* NULL: none */
    uint32_t counters;                                  /* that the steps use */
    uint32_t counters_of_worker;                        /* further ones, for each worker */
    void (*adapt_client)(struct driver_config *config); /* NULL: the client is as it is */
};

extern const struct workload workload_mixed;
extern const struct workload workload_constant;
extern const struct workload workload_burst;
extern const struct workload workload_get;
extern const struct workload workload_get_heavy;
extern const struct workload workload_set_heavy;
extern const struct workload workload_batch;
extern const struct workload workload_counters;
extern const struct workload workload_poison;
extern const struct workload workload_churn;
extern const struct workload workload_stampede;
extern const struct workload workload_hot_keys;
extern const struct workload workload_large_values;
extern const struct workload workload_loadtest;

/* All workloads, ending with NULL; the first is the default. */
extern const struct workload *const workloads[];

/* The workload called `name`; NULL with a suggestion in `err`. */
const struct workload *workload_by_name(const char *name, struct err *err);

#endif
