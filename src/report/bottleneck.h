/* SPDX-License-Identifier: MIT */
/*
 * Whether a phase was limited by something else than the client under test, from what the machine
 * did and how late operations were started. docs/results.md has the definition for people. Pure
 * functions.
 */
#ifndef REPORT_BOTTLENECK_H
#define REPORT_BOTTLENECK_H

#include "base/jsonw.h"
#include "metrics/host.h"
#include "metrics/latency.h"
#include "metrics/recorder.h"

#define BOTTLENECK_CPU_BUSY 0.90     /* share of all CPUs that was busy */
#define BOTTLENECK_CPU_PRESSURE 0.50 /* share of the time in which a task waited for a CPU */
#define BOTTLENECK_MEMORY_PRESSURE 0.10
#define BOTTLENECK_IO_PRESSURE 0.50
#define BOTTLENECK_DROPPED 0.01 /* share of the scheduled arrivals that no worker could start */
#define BOTTLENECK_LATE_NS (20 * NS_PER_MS) /* half of the starts were later */

/* X(identifier, name, text) */
#define BOTTLENECKS(X)                                                                           \
    X(NONE, "none", "nothing but the client and what was done to its nodes")                     \
    X(UNKNOWN, "unknown", "the machine does not tell what it did")                               \
    X(GENERATOR, "generator", "the generator: it used the most CPU time, and there was no more") \
    X(NODES, "nodes", "the nodes: they used the most CPU time, and there was no more")           \
    X(HOST_CPU, "host_cpu", "the host: other processes used the most CPU time")                  \
    X(HOST_MEMORY, "host_memory", "the host: it was short of memory")                            \
    X(HOST_IO, "host_io", "the host: tasks waited for its disks")                                \
    X(WORKERS, "workers", "the workers: all were busy when operations were due")

enum bottleneck {
#define X(id, name, text) BOTTLENECK_##id,
    BOTTLENECKS(X)
#undef X
        BOTTLENECK_COUNT,
};

const char *bottleneck_name(enum bottleneck bottleneck);
const char *bottleneck_text(enum bottleneck bottleneck);
/* Something was limited: neither NONE nor UNKNOWN. */
bool bottleneck_is_limit(enum bottleneck bottleneck);

enum bottleneck bottleneck_of(const struct host_use *host, const struct recorder_counts *counts,
                              const struct latency *lateness);

struct run_result;

/* Parts of the JSON report. What is unknown is null. */
void host_use_write(struct jsonw *j, const char *key, const struct host_use *use);
void bottleneck_write(struct jsonw *j, const struct run_result *run);

#endif
