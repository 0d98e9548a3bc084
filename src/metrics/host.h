/* SPDX-License-Identifier: MIT */
/*
 * What the machine did meanwhile: CPU, memory, network, TCP and the kernel's pressure stall
 * information (PSI), so that a run can tell whether the client or the rig was the limit.
 *
 * A sample holds counters since boot; a use is the difference of two samples, and uses of
 * neighbouring times add up to that of the whole. What /proc does not tell is HOST_UNKNOWN, never
 * 0, and whatever is made of it is unknown too. No I/O here: host_reader.h reads the files.
 */
#ifndef METRICS_HOST_H
#define METRICS_HOST_H

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

#define HOST_UNKNOWN UINT64_MAX

enum host_resource { HOST_CPU, HOST_MEMORY, HOST_IO, HOST_RESOURCE_COUNT };

/* Counters, X(name): they only grow, and their differences add up. Times are in nanoseconds; CPU
 * times are summed over all CPUs. */
#define HOST_COUNTERS(X)                                                                 \
    X(cpu_ns)           /* all there is: busy and idle */                                \
    X(cpu_busy_ns)      /* neither idle nor waiting for a disk */                        \
    X(cpu_steal_ns)     /* of that, taken by the hypervisor for others */                \
    X(generator_cpu_ns) /* of that, this process: workers, client and proxy */           \
    X(nodes_cpu_ns)     /* of that, the memcached processes that we started */           \
    X(received_bytes)   /* on all interfaces but loopback */                             \
    X(sent_bytes)                                                                        \
    X(loopback_bytes)                                                                    \
    X(tcp_segments)     /* sent */                                                       \
    X(tcp_retransmits)  /* segments sent again */                                        \
    X(tcp_accept_drops) /* connections dropped because a queue of a listener was full */ \
    X(cpu_pressure_ns)  /* PSI "some": at least one task waited for a CPU */             \
    X(memory_pressure_ns)                                                                \
    X(io_pressure_ns)

struct host_sample {
    ns_t at_ns;
#define X(name) uint64_t name;
    HOST_COUNTERS(X)
#undef X
    uint64_t memory_bytes;           /* of the machine */
    uint64_t memory_available_bytes; /* now */
    uint64_t generator_memory_bytes; /* resident memory of this process, now */
};

struct host_use {
    ns_t length_ns;
#define X(name) uint64_t name;
    HOST_COUNTERS(X)
#undef X
    uint64_t memory_bytes;
    uint64_t memory_available_min_bytes;
    uint64_t generator_memory_max_bytes;
};

/* Everything unknown. */
struct host_sample host_sample_unknown(ns_t now);
/* That of no time at all: what uses are added to. */
struct host_use host_use_none(void);

/* Counters that went down, as that of nodes does when one is restarted, start from 0. */
struct host_use host_use_between(const struct host_sample *before, const struct host_sample *after);
void host_use_add(struct host_use *sum, const struct host_use *more);

/* `part` of `whole`, 0 to 1; NAN when either is unknown or `whole` is 0. */
double host_share(uint64_t part, uint64_t whole);
double host_pressure(const struct host_use *use, enum host_resource resource);

/*
 * Parsers of the files of /proc; each fills what it finds. Times in ticks are multiplied by
 * `tick_ns`. Text that is something else changes nothing.
 */
void host_parse_stat(const char *text, ns_t tick_ns, struct host_sample *out);
void host_parse_meminfo(const char *text, struct host_sample *out);
/* /proc/net/dev, and /proc/net/snmp or netstat. */
void host_parse_net_dev(const char *text, struct host_sample *out);
void host_parse_net_tcp(const char *text, struct host_sample *out);
/* /proc/pressure/... */
void host_parse_pressure(const char *text, enum host_resource resource, struct host_sample *out);
/* /proc/PID/stat: user and system time, resident pages. False when it is none. */
bool host_parse_process(const char *text, ns_t tick_ns, uint64_t *cpu_ns, uint64_t *pages);

#endif
