/* SPDX-License-Identifier: MIT */
#include "proxy/metrics.h"

#include <dirent.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* On cache lines of its own, which its thread need not share. */
struct metrics_shard {
    _Alignas(64) struct traffic traffic[2];
};

static void series_free(struct metrics_series *s)
{
    if (!s)
        return;
    free(s->shards);
    free(s->proxy);
    free(s->listener);
    free(s->upstream);
    free(s);
}

void metrics_init(struct metrics *m, unsigned threads)
{
    *m = (struct metrics){.threads = threads};
}

void metrics_deinit(struct metrics *m)
{
    for (size_t i = 0; i < m->count; i++)
        series_free(m->series[i]);
    free(m->series);
    memset(m, 0, sizeof *m);
}

static struct metrics_series *series_new(const struct metrics *m, const char *proxy,
                                         const char *listener, const char *upstream)
{
    struct metrics_series *s = calloc(1, sizeof *s);
    size_t shards_size = (m->threads - 1) * sizeof *s->shards;
    if (!s)
        return NULL;
    s->proxy = strdup(proxy);
    s->listener = strdup(listener);
    s->upstream = strdup(upstream);
    if (shards_size > 0)
        s->shards = aligned_alloc(_Alignof(struct metrics_shard), shards_size);
    if (s->shards)
        memset(s->shards, 0, shards_size);
    if (s->proxy && s->listener && s->upstream && (s->shards || shards_size == 0))
        return s;
    series_free(s);
    return NULL;
}

struct traffic *metrics_traffic(struct metrics_series *s, enum toxic_stream stream, unsigned thread)
{
    if (!s)
        return NULL;
    return thread == 0 ? &s->traffic[stream] : &s->shards[thread - 1].traffic[stream];
}

void traffic_move(struct traffic *to, struct traffic *from)
{
    to->received_bytes += from->received_bytes;
    to->sent_bytes += from->sent_bytes;
    *from = (struct traffic){0};
}

static void series_gather(struct metrics_series *s, unsigned threads)
{
    for (unsigned i = 1; i < threads; i++)
        for (int stream = 0; stream < 2; stream++)
            traffic_move(&s->traffic[stream], &s->shards[i - 1].traffic[stream]);
}

void metrics_gather(struct metrics *m)
{
    for (size_t i = 0; i < m->count; i++)
        series_gather(m->series[i], m->threads);
}

/* Forgets the oldest series without users, to stay within METRICS_SERIES_MAX. */
static void forget_one(struct metrics *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->series[i]->users > 0)
            continue;
        series_free(m->series[i]);
        memmove(&m->series[i], &m->series[i + 1], (m->count - i - 1) * sizeof m->series[0]);
        m->count--;
        return;
    }
}

static int reserve(struct metrics *m)
{
    if (m->count >= METRICS_SERIES_MAX)
        forget_one(m);
    if (m->count < m->capacity)
        return 0;
    size_t capacity = m->capacity > 0 ? 2 * m->capacity : 16;
    struct metrics_series **series = reallocarray(m->series, capacity, sizeof(*series));
    if (!series)
        return -1;
    m->series = series;
    m->capacity = capacity;
    return 0;
}

struct metrics_series *metrics_acquire(struct metrics *m, const char *proxy, const char *listener,
                                       const char *upstream)
{
    for (size_t i = 0; i < m->count; i++) {
        struct metrics_series *s = m->series[i];
        if (strcmp(s->proxy, proxy) == 0 && strcmp(s->listener, listener) == 0 &&
            strcmp(s->upstream, upstream) == 0) {
            s->users++;
            return s;
        }
    }
    struct metrics_series *s = series_new(m, proxy, listener, upstream);
    if (!s || reserve(m) < 0) {
        series_free(s);
        return NULL;
    }
    s->users = 1;
    m->series[m->count++] = s;
    return s;
}

void metrics_release(struct metrics_series *s)
{
    if (s)
        s->users--;
}

static void print_label(struct evbuffer *out, const char *name, const char *value)
{
    evbuffer_add_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            evbuffer_add(out, "\\n", 2);
        else if (*value == '"' || *value == '\\')
            evbuffer_add_printf(out, "\\%c", *value);
        else
            evbuffer_add(out, value, 1);
    }
    evbuffer_add(out, "\"", 1);
}

void metrics_print_header(struct evbuffer *out, const char *name, const char *type,
                          const char *help)
{
    evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_print_sample(struct evbuffer *out, const char *name,
                          const struct metrics_label *labels, double value)
{
    const char *separator = "{";
    evbuffer_add(out, name, strlen(name));
    for (; labels->value; labels++) {
        evbuffer_add(out, separator, 1);
        print_label(out, labels->name, labels->value);
        separator = ",";
    }
    /* Exact for every counter below 10^15. */
    evbuffer_add_printf(out, "} %.15g\n", value);
}

static void print_family(const struct metrics *m, struct evbuffer *out, const char *name,
                         size_t field_offset)
{
    evbuffer_add_printf(out, "# HELP %s \n# TYPE %s counter\n", name, name);
    for (int stream = 1; stream >= 0; stream--) {
        for (size_t i = 0; i < m->count; i++) {
            const struct metrics_series *s = m->series[i];
            uint64_t value;
            memcpy(&value, (const char *)&s->traffic[stream] + field_offset, sizeof value);
            evbuffer_add_printf(out, "%s{direction=\"%s\",", name,
                                toxic_stream_name((enum toxic_stream)stream));
            print_label(out, "listener", s->listener);
            evbuffer_add(out, ",", 1);
            print_label(out, "proxy", s->proxy);
            evbuffer_add(out, ",", 1);
            print_label(out, "upstream", s->upstream);
            evbuffer_add_printf(out, "} %" PRIu64 "\n", value);
        }
    }
}

void metrics_print_proxies(const struct metrics *m, struct evbuffer *out)
{
    if (m->count == 0)
        return;
    print_family(m, out, "toxiproxy_proxy_received_bytes_total",
                 offsetof(struct traffic, received_bytes));
    print_family(m, out, "toxiproxy_proxy_sent_bytes_total", offsetof(struct traffic, sent_bytes));
}

void metrics_print_handler(struct evbuffer *out)
{
    static const char name[] = "promhttp_metric_handler_errors_total";
    evbuffer_add_printf(out,
                        "# HELP %s Total number of internal errors encountered by the promhttp "
                        "metric handler.\n# TYPE %s counter\n%s{cause=\"encoding\"} 0\n"
                        "%s{cause=\"gathering\"} 0\n",
                        name, name, name, name);
}

static void print_value(struct evbuffer *out, const char *name, const char *type, double value)
{
    evbuffer_add_printf(out, "# HELP %s \n# TYPE %s %s\n%s %.10g\n", name, name, type, name, value);
}

static size_t count_open_fds(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

struct process_numbers {
    unsigned long long threads, start_ticks, virtual_bytes;
    long resident_pages;
    unsigned long long limit;
};

/* Fields 20 and 22 to 25 of /proc/self/stat, counted from the state after the command name. */
static struct process_numbers read_process(void)
{
    struct process_numbers n = {0};
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    if (!f)
        return n;
    size_t size = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[size] = '\0';
    const char *state = strrchr(text, ')');
    if (state)
        (void)sscanf(state + 1,
                     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d"
                     " %llu %*d %llu %llu %ld",
                     &n.threads, &n.start_ticks, &n.virtual_bytes, &n.resident_pages);
    return n;
}

static double boot_time_seconds(void)
{
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
}

void metrics_print_process(struct evbuffer *out, const char *version)
{
    struct process_numbers n = read_process();
    struct rusage usage;
    struct rlimit files, memory;
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_AS, &memory);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;

    /* Stand-ins under the names that scripts look for; there is no Go runtime here. */
    print_value(out, "go_goroutines", "gauge", (double)n.threads);
    evbuffer_add_printf(out,
                        "# HELP go_info \n# TYPE go_info gauge\ngo_info{version=\"none\"} 1\n");
    print_value(out, "go_threads", "gauge", (double)n.threads);
    evbuffer_add_printf(out, "# HELP memchaos_build_info \n# TYPE memchaos_build_info gauge\n"
                             "memchaos_build_info{");
    print_label(out, "version", version);
    evbuffer_add_printf(out, "} 1\n");
    print_value(out, "process_cpu_seconds_total", "counter", cpu);
    print_value(out, "process_max_fds", "gauge", (double)files.rlim_cur);
    print_value(out, "process_open_fds", "gauge", (double)count_open_fds());
    print_value(out, "process_resident_memory_bytes", "gauge",
                (double)n.resident_pages * (double)sysconf(_SC_PAGESIZE));
    print_value(out, "process_start_time_seconds", "gauge",
                boot_time_seconds() + (double)n.start_ticks / (double)sysconf(_SC_CLK_TCK));
    print_value(out, "process_virtual_memory_bytes", "gauge", (double)n.virtual_bytes);
    print_value(out, "process_virtual_memory_max_bytes", "gauge",
                memory.rlim_cur == RLIM_INFINITY ? -1 : (double)memory.rlim_cur);
}
