/* SPDX-License-Identifier: MIT */
#include "report/check_figures.h"

#include <math.h>

/* Standard errors that a share may lie below what is expected of it by chance. */
#define NOISE_FACTOR 3

/* How much was asked for, and how much of that was answered. */
struct demand {
    double asked; /* arrivals, or seconds when the load follows the answers */
    double answered;
    double operations;
};

static uint64_t succeeded_on(const struct run_result *run, size_t phase,
                             const struct check_scope *s)
{
    uint64_t sum = 0;
    if (s->all_nodes)
        return run->phases[phase].counts.succeeded;
    for (unsigned node = 0; node < run->node_count; node++) {
        if ((s->nodes & (UINT64_C(1) << node)) && run->nodes[node].phases)
            sum += run->nodes[node].phases[phase].succeeded;
    }
    return sum;
}

static void demand_add(struct demand *d, const struct check_scope *s, size_t phase)
{
    const struct result_phase *p = &s->run->phases[phase];
    d->asked += s->run->open_loop ? (double)p->counts.offered
                                  : (double)(p->end_ns - p->start_ns) / (double)NS_PER_SEC;
    d->answered += (double)succeeded_on(s->run, phase, s);
    d->operations += (double)p->counts.attempted + (double)p->counts.dropped;
}

/* The phase that is meant; without one, those with faults. */
static struct demand demand_of(const struct check_scope *s)
{
    struct demand d = {0};
    for (size_t i = 0; i < s->run->phase_count; i++) {
        bool meant = s->phase == (int)i;
        if (s->phase == CHECK_PHASE_ALL)
            meant = check_faulted_nodes(s->run, (int)i) != 0 || s->run->fault_count == 0;
        if (meant)
            demand_add(&d, s, i);
    }
    return d;
}

double check_goodput(const struct check_scope *s)
{
    struct demand before = {0};
    if (s->run->baseline_phase < 0 || (size_t)s->run->baseline_phase >= s->run->phase_count)
        return check_unknown(s, "there is no baseline to compare with");
    demand_add(&before, s, (size_t)s->run->baseline_phase);
    struct demand now = demand_of(s);
    if (before.answered == 0 || before.asked == 0)
        return check_unknown(s, "nothing succeeded in the baseline");
    if (now.asked == 0)
        return check_unknown(s, "nothing was asked for");
    return (now.answered / now.asked) / (before.answered / before.asked);
}

static uint64_t attempted_in_baseline(const struct run_result *run, unsigned node)
{
    if (run->baseline_phase < 0 || !run->nodes[node].phases)
        return 0;
    return run->nodes[node].phases[run->baseline_phase].attempted;
}

/* The share of these nodes: of the operations of the baseline, which the key map sent to them, or
 * else of the key space. */
static double share_of(const struct check_scope *s, uint64_t nodes, double *operations)
{
    double all = 0, theirs = 0, keys = 0, key_share = 0;
    for (unsigned node = 0; node < s->run->node_count; node++) {
        bool meant = nodes & (UINT64_C(1) << node);
        double n = (double)attempted_in_baseline(s->run, node);
        double share =
            node < s->facts->result->node_count ? s->facts->result->nodes[node].key_share : 0;
        all += n;
        theirs += meant ? n : 0;
        keys += share;
        key_share += meant ? share : 0;
    }
    *operations = all;
    if (all > 0)
        return theirs / all;
    return keys > 0 ? key_share / keys : NAN;
}

double check_healthy_share(const struct check_scope *s)
{
    double baseline;
    double lost = share_of(s, check_faulted_nodes(s->run, s->phase), &baseline);
    struct demand d = demand_of(s);
    if (isnan(lost))
        return check_unknown(s, "the client does not tell which node a key belongs to");
    if (d.operations == 0)
        return check_unknown(s, "nothing was asked for");
    double noise = lost * (1 - lost) / d.operations;
    noise += baseline > 0 ? lost * (1 - lost) / baseline : 0;
    return fmax(0, 1 - lost - NOISE_FACTOR * sqrt(noise));
}
