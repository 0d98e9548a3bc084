/* SPDX-License-Identifier: MIT */
#include "report/bottleneck.h"

#include <assert.h>
#include <math.h>

static const struct {
    const char *name;
    const char *text;
} bottlenecks[BOTTLENECK_COUNT] = {
#define X(id, name, text) [BOTTLENECK_##id] = {name, text},
    BOTTLENECKS(X)
#undef X
};

const char *bottleneck_name(enum bottleneck bottleneck)
{
    assert(bottleneck < BOTTLENECK_COUNT);
    return bottlenecks[bottleneck].name;
}

const char *bottleneck_text(enum bottleneck bottleneck)
{
    assert(bottleneck < BOTTLENECK_COUNT);
    return bottlenecks[bottleneck].text;
}

bool bottleneck_is_limit(enum bottleneck bottleneck)
{
    return bottleneck != BOTTLENECK_NONE && bottleneck != BOTTLENECK_UNKNOWN;
}

static double or_zero(double share)
{
    return isnan(share) ? 0 : share;
}

/* Who had the most of the CPU time. */
static enum bottleneck cpu_user(const struct host_use *host)
{
    double generator = or_zero(host_share(host->generator_cpu_ns, host->cpu_ns));
    double nodes = or_zero(host_share(host->nodes_cpu_ns, host->cpu_ns));
    double others = or_zero(host_share(host->cpu_busy_ns, host->cpu_ns)) - generator - nodes;
    if (others > generator && others > nodes)
        return BOTTLENECK_HOST_CPU;
    return generator >= nodes ? BOTTLENECK_GENERATOR : BOTTLENECK_NODES;
}

/* Comparisons with NAN are false: what is unknown is no limit. */
enum bottleneck bottleneck_of(const struct host_use *host, const struct recorder_counts *counts,
                              const struct latency *lateness)
{
    double busy = host_share(host->cpu_busy_ns, host->cpu_ns);
    if (busy >= BOTTLENECK_CPU_BUSY || host_pressure(host, HOST_CPU) >= BOTTLENECK_CPU_PRESSURE)
        return cpu_user(host);
    if (host_pressure(host, HOST_MEMORY) >= BOTTLENECK_MEMORY_PRESSURE)
        return BOTTLENECK_HOST_MEMORY;
    if (host_pressure(host, HOST_IO) >= BOTTLENECK_IO_PRESSURE)
        return BOTTLENECK_HOST_IO;
    double dropped = counts->offered > 0 ? (double)counts->dropped / (double)counts->offered : 0;
    if (dropped > BOTTLENECK_DROPPED || lateness->p50_ns > BOTTLENECK_LATE_NS)
        return BOTTLENECK_WORKERS;
    return isnan(busy) ? BOTTLENECK_UNKNOWN : BOTTLENECK_NONE;
}
