/* SPDX-License-Identifier: MIT */
/*
 * Zipf's law: rank k of n with a probability proportional to 1 / k^s. Constant time and memory by
 * rejection-inversion (Hörmann and Derflinger, 1996).
 */
#ifndef LOAD_ZIPF_H
#define LOAD_ZIPF_H

#include "base/rng.h"

struct zipf {
    double n, s;
    double low, high; /* of the integral of the density */
    double squeeze;
};

void zipf_init(struct zipf *zipf, uint64_t n, double s);

/* A rank from 0 (the most frequent) to n - 1. */
uint64_t zipf_choose(const struct zipf *zipf, struct rng *rng);

#endif
