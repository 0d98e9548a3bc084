/* SPDX-License-Identifier: MIT */
/* Sums of traffic counts, and the names of what is counted. */
#include "mcmeta/traffic.h"

void mcm_traffic_add(struct mcm_traffic *sum, const struct mcm_traffic *more)
{
    for (int i = 0; i < MCM_OPERATION_COUNT; i++)
        sum->operations[i] += more->operations[i];
    sum->hits += more->hits;
    sum->misses += more->misses;
    sum->bytes_sent += more->bytes_sent;
    sum->bytes_received += more->bytes_received;
}

const char *mcm_operation_name(enum mcm_operation operation)
{
    static const char *const names[MCM_OPERATION_COUNT] = {
        [MCM_OPERATION_GET] = "get",       [MCM_OPERATION_STORE] = "store",
        [MCM_OPERATION_DELETE] = "delete", [MCM_OPERATION_ARITHMETIC] = "arithmetic",
        [MCM_OPERATION_OTHER] = "other",
    };
    return (unsigned)operation < MCM_OPERATION_COUNT ? names[operation] : "unknown";
}
