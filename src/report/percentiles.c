/* SPDX-License-Identifier: MIT */
#include "report/percentiles.h"

#include "base/hist_packed.h"

size_t percentiles_of(const struct hist *h, struct percentile out[static PERCENTILES_MAX])
{
    uint64_t total = hist_count(h);
    size_t count = 0;
    double share = 0, step = 0.5 / PERCENTILES_PER_HALVING;
    while (total > 0 && count + 1 < PERCENTILES_MAX) {
        ns_t value = hist_value_at_percentile(h, 100 * share);
        uint64_t reached = hist_count_up_to(h, value);
        if (reached >= total)
            break;
        out[count++] = (struct percentile){share, value, reached};
        share += step;
        if (count % PERCENTILES_PER_HALVING == 0)
            step /= 2;
    }
    if (total > 0)
        out[count++] = (struct percentile){1, hist_max(h), total};
    return count;
}

void percentiles_add_run(const struct run_result *run, enum percentiles_time time, struct hist *to)
{
    for (size_t i = 0; i < run->phase_count; i++) {
        const struct result_phase *p = &run->phases[i];
        const struct hist_packed *packed =
            time == PERCENTILES_SERVICE ? p->service_hist : p->response_hist;
        if (packed)
            hist_packed_add(packed, to);
    }
}
