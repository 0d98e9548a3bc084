/* SPDX-License-Identifier: MIT */
#include "metrics/host_reader.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* /proc/stat has a line per CPU and interrupt, of which only the first is needed. */
#define FILE_MAX_BYTES (16 * 1024)

/* Returns the beginning of the file, "" when there is none. */
static const char *file_read(const char *proc, const char *name, char text[static FILE_MAX_BYTES])
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", proc, name);
    text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return text;
    size_t size = 0;
    ssize_t n = 1;
    while (n > 0 && size < FILE_MAX_BYTES - 1) {
        n = read(fd, text + size, FILE_MAX_BYTES - 1 - size);
        size += n > 0 ? (size_t)n : 0;
    }
    text[size] = '\0';
    close(fd);
    return text;
}

static void processes_read(const char *proc, const pid_t *nodes, size_t node_count, ns_t tick_ns,
                           char *text, struct host_sample *out)
{
    uint64_t cpu_ns, pages;
    if (host_parse_process(file_read(proc, "self/stat", text), tick_ns, &cpu_ns, &pages)) {
        out->generator_cpu_ns = cpu_ns;
        out->generator_memory_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    for (size_t i = 0; i < node_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%ld/stat", (long)nodes[i]);
        if (nodes[i] <= 0 ||
            !host_parse_process(file_read(proc, name, text), tick_ns, &cpu_ns, &pages))
            continue;
        out->nodes_cpu_ns = out->nodes_cpu_ns == HOST_UNKNOWN ? cpu_ns : out->nodes_cpu_ns + cpu_ns;
    }
}

struct host_sample host_read(const char *proc, const pid_t *nodes, size_t node_count, ns_t now)
{
    char text[FILE_MAX_BYTES];
    struct host_sample sample = host_sample_unknown(now);
    ns_t tick_ns = NS_PER_SEC / sysconf(_SC_CLK_TCK);
    host_parse_stat(file_read(proc, "stat", text), tick_ns, &sample);
    host_parse_meminfo(file_read(proc, "meminfo", text), &sample);
    host_parse_net_dev(file_read(proc, "net/dev", text), &sample);
    host_parse_net_tcp(file_read(proc, "net/snmp", text), &sample);
    host_parse_net_tcp(file_read(proc, "net/netstat", text), &sample);
    host_parse_pressure(file_read(proc, "pressure/cpu", text), HOST_CPU, &sample);
    host_parse_pressure(file_read(proc, "pressure/memory", text), HOST_MEMORY, &sample);
    host_parse_pressure(file_read(proc, "pressure/io", text), HOST_IO, &sample);
    processes_read(proc, nodes, node_count, tick_ns, text, &sample);
    return sample;
}
