/* SPDX-License-Identifier: MIT */
#include "load/rate_search.h"

#include <math.h>

void rate_search_init(struct rate_search *s, double max, double close)
{
    *s = (struct rate_search){.max = max, .close = close};
}

/* Three digits are plenty, and easier to read. */
static double rounded(double rate)
{
    double unit = pow(10, floor(log10(rate)) - 2);
    return floor(rate / unit) * unit;
}

double rate_search_next(const struct rate_search *s)
{
    if (s->trials == RATE_SEARCH_TRIALS_MAX)
        return 0;
    if (s->trials == 0)
        return fmin(RATE_SEARCH_FIRST, s->max);
    if (s->fails <= 0)
        return s->holds >= s->max ? 0 : fmin(2 * s->holds, s->max);
    if (s->holds <= 0)
        return s->fails / 2 >= RATE_SEARCH_MIN ? s->fails / 2 : 0;
    double middle = rounded(sqrt(s->holds * s->fails));
    return s->fails / s->holds <= s->close || middle <= s->holds ? 0 : middle;
}

void rate_search_tell(struct rate_search *s, double rate, bool held)
{
    s->trials++;
    if (held)
        s->holds = fmax(s->holds, rate);
    else
        s->fails = s->fails <= 0 ? rate : fmin(s->fails, rate);
}
