/* SPDX-License-Identifier: MIT */
/*
 * One load: what was asked for, as text and understood (load_spec), and what all workers of a run
 * share (load).
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "load/arrival.h"
#include "load/keyspace.h"
#include "load/oracle.h"
#include "load/tally.h"
#include "load/value.h"
#include "load/value_sizes.h"

#define LOAD_RATE_DEFAULT "10k"

struct workload;

/* NULL or "": what the workload brings along. */
struct load_text {
    const char *workload; /* NULL or "": the first */
    const char *rate;     /* "20k"; "0" with no arrival: closed loop */
    const char *arrival;
    const char *keys;
    const char *values;
    const char *hit_ratio; /* "90%": share of the reads that go to keys which are ever written */
    const char *prefill;   /* "on", "off", "auto" = when the workload or a hit ratio asks for it */
};

struct load_spec {
    const struct workload *workload;
    struct load_text text; /* the effective one; borrowed */
    struct arrival_spec arrival;
    struct keyspace_spec keys;
    struct value_sizes values;
    double absent_share; /* of the reads */
    bool prefill;
};

/* Returns 0, or -1 with the name of the part that is wrong ("arrival: ..."). */
int load_spec_parse(const struct load_text *text, struct load_spec *out, struct err *err);

struct load {
    const struct load_spec *spec; /* borrowed */
    struct keyspace keys;
    struct oracle *oracle;
    struct tally *tally;
    uint32_t run; /* tells the values of this run from those of others on the same servers */
    char filler[VALUE_FILLER_SIZE];
};

/* `run` may be any number that other runs do not have. NULL without memory. */
struct load *load_new(const struct load_spec *spec, unsigned workers, uint64_t seed, uint32_t run);
void load_free(struct load *load);

#endif
