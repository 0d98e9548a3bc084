/* SPDX-License-Identifier: MIT */
#include "load/zipf.h"

#include <math.h>

static double density(const struct zipf *z, double x)
{
    return exp(-z->s * log(x));
}

/* The integral of the density from 1 to x, and its inverse. At s = 1 it is the logarithm. */
static double integral(const struct zipf *z, double x)
{
    double t = (1 - z->s) * log(x);
    return fabs(t) > 1e-8 ? expm1(t) / (1 - z->s) : log(x);
}

static double integral_inverse(const struct zipf *z, double y)
{
    double t = y * (1 - z->s);
    if (t < -1)
        t = -1; /* rounding */
    return fabs(t) > 1e-8 ? exp(log1p(t) / (1 - z->s)) : exp(y);
}

void zipf_init(struct zipf *z, uint64_t n, double s)
{
    *z = (struct zipf){.n = (double)n, .s = s};
    z->low = integral(z, 1.5) - 1;
    z->high = integral(z, z->n + 0.5);
    z->squeeze = 2 - integral_inverse(z, integral(z, 2.5) - density(z, 2));
}

uint64_t zipf_choose(const struct zipf *z, struct rng *rng)
{
    for (;;) { /* more than four rounds in five end with the first */
        double y = z->high + rng_double(rng) * (z->low - z->high);
        double x = integral_inverse(z, y);
        double k = floor(x + 0.5);
        k = k < 1 ? 1 : k > z->n ? z->n : k;
        if (k - x <= z->squeeze || y >= integral(z, k + 0.5) - density(z, k))
            return (uint64_t)k - 1;
    }
}
