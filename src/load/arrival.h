/* SPDX-License-Identifier: MIT */
/*
 * When operations are to start. A specification is a sum of sources; a source is a sequence of
 * parts, each with a shape, evenly spaced or random. One seed gives one sequence of starts. No
 * clock: starts are counted from 0.
 *
 * How it works: every shape has a cumulative count, how many operations are due until t. The k-th
 * start is where that count reaches k (even), or where it has grown by a further exponentially
 * distributed amount (Poisson); the inverse of the count gives the time. So rates are met exactly
 * over any length, and a change of rate loses nothing.
 */
#ifndef LOAD_ARRIVAL_H
#define LOAD_ARRIVAL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"

#define ARRIVAL_SOURCES_MAX 4
#define ARRIVAL_PARTS_MAX 16    /* of one source */
#define ARRIVAL_STEPS_MAX 10000 /* of stairs */
#define ARRIVAL_RATE_MAX 1e7    /* per second, of one part */
#define ARRIVAL_HELP                                                                               \
    "constant, poisson, 'ramp 1k..50k 60s', 'stairs 1k..9k by 2k every 10s', 'burst 500 every 1s'" \
    ", 'closed think 10ms'"

enum arrival_shape {
    ARRIVAL_CONSTANT, /* `from` per second */
    ARRIVAL_RAMP,     /* from `from` to `to` over the length */
    ARRIVAL_STAIRS,   /* the same in `steps` steps of equal length */
    ARRIVAL_BURST,    /* `burst` at once every `every_ns` */
};

struct arrival_part {
    enum arrival_shape shape;
    bool poisson;
    double from_per_s, to_per_s;
    double burst;
    ns_t every_ns;
    unsigned steps;
    ns_t length_ns; /* NS_NEVER: no end */
};

struct arrival_source {
    struct arrival_part parts[ARRIVAL_PARTS_MAX];
    unsigned part_count;
    bool repeat; /* else the last part goes on, a ramp or stairs at their last rate */
};

struct arrival_spec {
    bool closed; /* no schedule: each worker starts again when it has an answer, and has thought */
    ns_t think_ns;
    struct arrival_source sources[ARRIVAL_SOURCES_MAX];
    unsigned source_count;
};

/*
 * Reads a specification (docs/load.md has the language). `rate_per_s` is used where the text names
 * no rate; 0 = there is none, and with a text of "constant" that means the closed loop. Returns 0
 * or -1.
 */
int arrival_parse(const char *text, double rate_per_s, struct arrival_spec *out, struct err *err);

/* The expected number of starts in [0, t); 0 for a closed loop. */
double arrival_expected(const struct arrival_spec *spec, ns_t t);

/* Where one source stands. */
struct arrival_stream {
    struct rng rng;
    unsigned part, step;
    ns_t base_ns; /* where the present piece begins */
    double done;  /* count within it */
    double gap;   /* count to the next start */
    bool holding; /* the last part has ended and goes on */
    ns_t next_ns;
};

struct arrival {
    const struct arrival_spec *spec; /* borrowed */
    struct arrival_stream streams[ARRIVAL_SOURCES_MAX];
};

/* Not for a closed loop. */
void arrival_init(struct arrival *arrival, const struct arrival_spec *spec, uint64_t seed);

/* The next start; never earlier than the one before. NS_NEVER when there is none any more. */
ns_t arrival_next(struct arrival *arrival);
/* The same without taking it. */
ns_t arrival_peek(const struct arrival *arrival);

#endif
