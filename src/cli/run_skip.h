/* SPDX-License-Identifier: MIT */
/* Which scenarios can be run here: found out before anything is started. */
#ifndef CLI_RUN_SKIP_H
#define CLI_RUN_SKIP_H

#include <stddef.h>

#include "base/log.h"
#include "net/namespace.h"
#include "report/result.h"
#include "scenario/scenario.h"

/* One that cannot. */
struct run_skip {
    char scenario[64];
    char reason[512];
};

struct run_skips {
    struct run_skip *list; /* to be freed */
    size_t count;
    bool network; /* one that can be run has faults of the network: enter the namespace */
};

/* Completes the means with what the kernel can do, if a scenario needs to know. `foreign`: nodes or
 * proxies are elsewhere, out of reach for a private network. */
void run_skip_probe(const struct scenario *scenarios, size_t count, bool foreign,
                    struct fault_means *means, struct net_support *support);

/*
 * Takes out of `scenarios` those that cannot be run with these means, and logs why. Returns how
 * many are left, or -1 without memory.
 */
int run_skip_choose(struct scenario *scenarios, size_t count, const struct fault_means *means,
                    struct log *log, struct run_skips *out);

/* Copies them into the result. Returns 0 or -1. */
int run_skip_report(const struct run_skips *skips, struct result *result);

#endif
