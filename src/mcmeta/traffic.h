/* SPDX-License-Identifier: MIT */
/* Counts of finished operations. Whoever has one guards it with the lock it holds anyway. */
#ifndef MCMETA_TRAFFIC_H
#define MCMETA_TRAFFIC_H

#include "mcmeta/conn.h"

struct mcm_traffic {
    uint64_t operations[MCM_OPERATION_COUNT];
    uint64_t hits, misses;
    uint64_t bytes_sent, bytes_received;
};

/* Counts `op`, which was answered. */
static inline void mcm_traffic_count(struct mcm_traffic *traffic, const struct mcm_op *op)
{
    static const enum mcm_operation kinds[MCM_COMMAND_COUNT] = {
        [MCM_COMMAND_GET] = MCM_OPERATION_GET,       [MCM_COMMAND_SET] = MCM_OPERATION_STORE,
        [MCM_COMMAND_DELETE] = MCM_OPERATION_DELETE, [MCM_COMMAND_ARITH] = MCM_OPERATION_ARITHMETIC,
        [MCM_COMMAND_NOOP] = MCM_OPERATION_OTHER,    [MCM_COMMAND_TEXT] = MCM_OPERATION_OTHER,
    };
    if (!mcm_outcome_is_answer(op->outcome) && op->outcome != MCM_E_BUFFER)
        return;
    traffic->operations[kinds[op->command]]++;
    if (op->command == MCM_COMMAND_GET) {
        traffic->misses += op->outcome == MCM_MISS;
        traffic->hits += op->outcome != MCM_MISS;
        traffic->bytes_received += op->value_size;
    } else if (op->command == MCM_COMMAND_SET) {
        traffic->bytes_sent += op->value.size;
    }
}

/* Adds `more` to `sum`. */
void mcm_traffic_add(struct mcm_traffic *sum, const struct mcm_traffic *more);

#endif
