/* SPDX-License-Identifier: MIT */
/*
 * Do two small samples come from the same distribution? The Mann-Whitney (Wilcoxon rank sum) test,
 * two-sided: no assumption about the shape of the noise, infinite values allowed, ties get the mean
 * of their ranks. Exact up to RANK_TEST_EXACT_MAX values in all, by counting every way to deal the
 * ranks out; beyond, the normal approximation with the correction for ties.
 */
#ifndef REPORT_RANK_TEST_H
#define REPORT_RANK_TEST_H

#include <stddef.h>

#define RANK_TEST_EXACT_MAX 60

/* The probability of a difference at least this big by chance; 1 without values or memory. */
double rank_test(const double *a, size_t a_count, const double *b, size_t b_count);

/* The smallest probability that samples of these sizes can show. */
double rank_test_least(size_t a_count, size_t b_count);

#endif
