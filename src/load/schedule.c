/* SPDX-License-Identifier: MIT */
#include "load/schedule.h"

void schedule_init(struct schedule *schedule, ns_t start_ns, double rate_per_s)
{
    schedule->start_ns = start_ns;
    schedule->rate_per_s = rate_per_s;
    atomic_init(&schedule->next, 0);
}

ns_t schedule_take(struct schedule *schedule, ns_t now)
{
    if (schedule->rate_per_s <= 0)
        return now;
    uint64_t ticket = atomic_fetch_add_explicit(&schedule->next, 1, memory_order_relaxed);
    return schedule->start_ns +
           (ns_t)((double)ticket * ((double)NS_PER_SEC / schedule->rate_per_s));
}
