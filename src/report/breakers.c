/* SPDX-License-Identifier: MIT */
#include "report/breakers.h"

struct breaker_summary breaker_summary_of(const struct run_result *run, unsigned node)
{
    const uint64_t *outcomes = run->nodes[node].counts.by_outcome;
    struct breaker_summary s = {.rejected = outcomes[OUTCOME_BREAKER_OPEN] +
                                            outcomes[OUTCOME_BREAKER_BUSY]};
    for (size_t i = 0; i < run->transition_count; i++) {
        const struct transition *t = &run->transitions[i];
        if (t->node != node)
            continue;
        bool probed = t->from == BREAKER_VIEW_HALF_OPEN;
        s.opened += t->to == BREAKER_VIEW_OPEN;
        s.probes += t->to == BREAKER_VIEW_HALF_OPEN;
        s.probes_succeeded += probed && t->to == BREAKER_VIEW_CLOSED;
        s.probes_failed += probed && t->to == BREAKER_VIEW_OPEN;
    }
    return s;
}
