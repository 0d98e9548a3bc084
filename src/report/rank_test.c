/* SPDX-License-Identifier: MIT */
#include "report/rank_test.h"

#include <math.h>
#include <stdlib.h>

/* A value of either sample with twice its rank, which is a whole number with ties too. */
struct ranked {
    double value;
    size_t sample;
    size_t rank2;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* Sorts and ranks; returns the sum of t³ - t over all groups of t equal values. */
static double rank_all(struct ranked *all, size_t count)
{
    double ties = 0;
    qsort(all, count, sizeof(*all), compare_ranked);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && !(all[end].value > all[i].value); end++)
            ;
        for (size_t k = i; k < end; k++)
            all[k].rank2 = i + 1 + end; /* 2 × the mean of i + 1 … end */
        double t = (double)(end - i);
        ties += t * t * t - t;
    }
    return ties;
}

/* ways[k * (max + 1) + s]: how many sets of k values have ranks that sum up to s. */
static double *count_ways(const struct ranked *all, size_t count, size_t picked, size_t max)
{
    double *ways = calloc((picked + 1) * (max + 1), sizeof(*ways));
    if (!ways)
        return NULL;
    ways[0] = 1;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = picked; k > 0; k--) {
            double *to = &ways[k * (max + 1)], *from = to - (max + 1);
            for (size_t s = max; s >= all[i].rank2; s--)
                to[s] += from[s - all[i].rank2];
        }
    }
    return ways;
}

static double exact(const struct ranked *all, size_t count, size_t picked, double sum2)
{
    size_t max = count * (count + 1);
    double *ways = count_ways(all, count, picked, max);
    if (!ways)
        return 1;
    double expected = (double)picked * (double)(count + 1), extreme = 0, total = 0;
    for (size_t s = 0; s <= max; s++) {
        double n = ways[picked * (max + 1) + s];
        total += n;
        if (fabs((double)s - expected) >= fabs(sum2 - expected))
            extreme += n;
    }
    free(ways);
    return extreme / total;
}

static double approximate(size_t a_count, size_t b_count, double sum2, double ties)
{
    double n = (double)a_count, m = (double)b_count, all = n + m;
    double variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
    double distance = fabs(sum2 - n * (all + 1)) / 2 - 0.5;
    if (variance <= 0 || distance <= 0)
        return 1;
    return erfc(distance / sqrt(2 * variance));
}

double rank_test(const double *a, size_t a_count, const double *b, size_t b_count)
{
    size_t count = a_count + b_count;
    struct ranked *all = a_count > 0 && b_count > 0 ? calloc(count, sizeof(*all)) : NULL;
    double sum2 = 0;
    if (!all)
        return 1;
    for (size_t i = 0; i < count; i++)
        all[i] = (struct ranked){i < a_count ? a[i] : b[i - a_count], i < a_count ? 0 : 1, 0};
    double ties = rank_all(all, count);
    for (size_t i = 0; i < count; i++)
        sum2 += all[i].sample == 0 ? (double)all[i].rank2 : 0;
    double p = count <= RANK_TEST_EXACT_MAX ? exact(all, count, a_count, sum2)
                                            : approximate(a_count, b_count, sum2, ties);
    free(all);
    return fmin(p, 1);
}

double rank_test_least(size_t a_count, size_t b_count)
{
    double ways = 1;
    if (a_count == 0 || b_count == 0)
        return 1;
    for (size_t i = 1; i <= a_count; i++)
        ways *= (double)(b_count + i) / (double)i;
    return fmin(2 / ways, 1);
}
