/* SPDX-License-Identifier: MIT */
#include "metrics/host.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024

struct host_sample host_sample_unknown(ns_t now)
{
    return (struct host_sample){
        .at_ns = now,
#define X(name) .name = HOST_UNKNOWN,
        HOST_COUNTERS(X)
#undef X
            .memory_bytes = HOST_UNKNOWN,
        .memory_available_bytes = HOST_UNKNOWN,
        .generator_memory_bytes = HOST_UNKNOWN,
    };
}

struct host_use host_use_none(void)
{
    return (struct host_use){
        .memory_bytes = HOST_UNKNOWN,
        .memory_available_min_bytes = HOST_UNKNOWN,
        .generator_memory_max_bytes = HOST_UNKNOWN,
    };
}

static uint64_t difference(uint64_t before, uint64_t after)
{
    if (before == HOST_UNKNOWN || after == HOST_UNKNOWN)
        return HOST_UNKNOWN;
    return after >= before ? after - before : after;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a == HOST_UNKNOWN || b == HOST_UNKNOWN ? HOST_UNKNOWN : a + b;
}

struct host_use host_use_between(const struct host_sample *before, const struct host_sample *after)
{
    return (struct host_use){
        .length_ns = after->at_ns - before->at_ns,
#define X(name) .name = difference(before->name, after->name),
        HOST_COUNTERS(X)
#undef X
            .memory_bytes = after->memory_bytes,
        .memory_available_min_bytes = after->memory_available_bytes,
        .generator_memory_max_bytes = after->generator_memory_bytes,
    };
}

void host_use_add(struct host_use *use, const struct host_use *more)
{
    use->length_ns += more->length_ns;
#define X(name) use->name = sum(use->name, more->name);
    HOST_COUNTERS(X)
#undef X
    if (more->memory_bytes != HOST_UNKNOWN)
        use->memory_bytes = more->memory_bytes;
    /* The unknown is the largest number there is. */
    if (more->memory_available_min_bytes < use->memory_available_min_bytes)
        use->memory_available_min_bytes = more->memory_available_min_bytes;
    if (more->generator_memory_max_bytes != HOST_UNKNOWN &&
        (use->generator_memory_max_bytes == HOST_UNKNOWN ||
         more->generator_memory_max_bytes > use->generator_memory_max_bytes))
        use->generator_memory_max_bytes = more->generator_memory_max_bytes;
}

double host_share(uint64_t part, uint64_t whole)
{
    if (part == HOST_UNKNOWN || whole == HOST_UNKNOWN || whole == 0)
        return NAN;
    return (double)part / (double)whole;
}

double host_pressure(const struct host_use *use, enum host_resource resource)
{
    uint64_t stalled = resource == HOST_CPU      ? use->cpu_pressure_ns
                       : resource == HOST_MEMORY ? use->memory_pressure_ns
                                                 : use->io_pressure_ns;
    return host_share(stalled, (uint64_t)use->length_ns);
}

/* ---- parsers ---- */

static const char *next_line(const char *at)
{
    const char *end = strchr(at, '\n');
    return end != NULL ? end + 1 : at + strlen(at);
}

void host_parse_stat(const char *text, ns_t tick_ns, struct host_sample *out)
{
    /* user, nice, system, idle, iowait, irq, softirq, steal; what guests get is in user already */
    uint64_t t[8] = {0};
    int n = sscanf(text,
                   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %" SCNu64 " %" SCNu64,
                   &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
    if (n < 4)
        return;
    uint64_t all = 0, tick = (uint64_t)tick_ns;
    for (int i = 0; i < n; i++)
        all += t[i];
    out->cpu_ns = all * tick;
    out->cpu_busy_ns = (all - t[3] - t[4]) * tick;
    out->cpu_steal_ns = t[7] * tick;
}

static void take_kib(const char *line, const char *name, uint64_t *out)
{
    uint64_t kib;
    size_t size = strlen(name);
    if (strncmp(line, name, size) == 0 && sscanf(line + size, "%" SCNu64 " kB", &kib) == 1)
        *out = kib * KIB;
}

void host_parse_meminfo(const char *text, struct host_sample *out)
{
    for (const char *line = text; *line != '\0'; line = next_line(line)) {
        take_kib(line, "MemTotal:", &out->memory_bytes);
        take_kib(line, "MemAvailable:", &out->memory_available_bytes);
    }
}

static void count_more(uint64_t *total, uint64_t more)
{
    *total = *total == HOST_UNKNOWN ? more : *total + more;
}

void host_parse_net_dev(const char *text, struct host_sample *out)
{
    for (const char *line = text; *line != '\0'; line = next_line(line)) {
        char name[32];
        uint64_t received, sent;
        if (sscanf(line, " %31[^: \n]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name,
                   &received, &sent) != 3)
            continue;
        if (strcmp(name, "lo") == 0) {
            out->loopback_bytes = received;
            continue;
        }
        count_more(&out->received_bytes, received);
        count_more(&out->sent_bytes, sent);
    }
}

/* The file has pairs of lines, "Tcp: name name ..." and "Tcp: number number ...". */
static void take_named(const char *names, const char *numbers, const char *wanted, uint64_t *out)
{
    size_t size = strlen(wanted);
    while (*names != '\0' && *names != '\n' && *numbers != '\0' && *numbers != '\n') {
        size_t name = strcspn(names, " \n"), number = strcspn(numbers, " \n");
        if (name == size && memcmp(names, wanted, size) == 0) {
            *out = strtoull(numbers, NULL, 10);
            return;
        }
        names += name + strspn(names + name, " ");
        numbers += number + strspn(numbers + number, " ");
    }
}

void host_parse_net_tcp(const char *text, struct host_sample *out)
{
    for (const char *names = text; *names != '\0';) {
        const char *numbers = next_line(names);
        size_t label = strcspn(names, ":\n");
        if (names[label] != ':' || strncmp(names, numbers, label + 1) != 0) {
            names = numbers;
            continue;
        }
        if (strncmp(names, "Tcp:", 4) == 0) {
            take_named(names, numbers, "OutSegs", &out->tcp_segments);
            take_named(names, numbers, "RetransSegs", &out->tcp_retransmits);
        } else if (strncmp(names, "TcpExt:", 7) == 0) {
            /* Counts those of ListenOverflows too. */
            take_named(names, numbers, "ListenDrops", &out->tcp_accept_drops);
        }
        names = next_line(numbers);
    }
}

void host_parse_pressure(const char *text, enum host_resource resource, struct host_sample *out)
{
    uint64_t *const to[HOST_RESOURCE_COUNT] = {
        [HOST_CPU] = &out->cpu_pressure_ns,
        [HOST_MEMORY] = &out->memory_pressure_ns,
        [HOST_IO] = &out->io_pressure_ns,
    };
    uint64_t us;
    if (sscanf(text, "some avg10=%*f avg60=%*f avg300=%*f total=%" SCNu64, &us) == 1)
        *to[resource] = us * NS_PER_US;
}

bool host_parse_process(const char *text, ns_t tick_ns, uint64_t *cpu_ns, uint64_t *pages)
{
    /* The second field is a name in parentheses, which may have anything in it. */
    const char *after = strrchr(text, ')');
    uint64_t user, system;
    if (after == NULL || sscanf(after + 1,
                                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                                " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNu64,
                                &user, &system, pages) != 3)
        return false;
    *cpu_ns = (user + system) * (uint64_t)tick_ns;
    return true;
}
