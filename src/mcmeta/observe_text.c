/* SPDX-License-Identifier: MIT */
/* Statistics and histograms in the text format of Prometheus. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "mcmeta/handle.h"

#define LINE_SIZE 1024
#define LABEL_SIZE 512

struct writer {
    struct mcm_client *client;
    mcm_write_fn write;
    void *arg;
    const char *family; /* being written */
};

__attribute__((format(printf, 2, 3))) static void print(struct writer *w, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (size > 0)
        w->write(w->arg, line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

/* The value of a label, with what the format wants escaped. */
static void escape(const char *name, char label[LABEL_SIZE])
{
    size_t used = 0;
    for (; *name != '\0' && used < LABEL_SIZE - 3; name++) {
        if (*name == '\\' || *name == '"' || *name == '\n')
            label[used++] = '\\';
        label[used++] = *name == '\n' ? 'n' : *name;
    }
    label[used] = '\0';
}

static bool get_server(struct writer *w, unsigned index, struct mcm_server_stats *stats,
                       char label[LABEL_SIZE])
{
    unsigned phase = mcm_client_enter(w->client);
    const struct mcm_backend *backend = mcm_client_backend(w->client, index);
    if (backend != NULL)
        escape(backend->name, label);
    mcm_client_leave(w->client, phase);
    stats->size = sizeof(*stats);
    return backend != NULL && mcm_client_stats(w->client, index, stats) == 0;
}

static void begin_family(struct writer *w, const char *name, const char *type, const char *help)
{
    w->family = name;
    print(w, "# HELP mcmeta_%s %s\n# TYPE mcmeta_%s %s\n", name, help, name, type);
}

static const struct counter {
    const char *name, *help;
    size_t offset;
} counters[] = {
#define COUNTER(name, field, help)                           \
    {                                                        \
        name, help, offsetof(struct mcm_server_stats, field) \
    }
    COUNTER("connections_created_total", created, "Connections made."),
    COUNTER("connections_destroyed_total", destroyed, "Connections closed."),
    COUNTER("connect_failures_total", connect_failures, "Connections that could not be made."),
    COUNTER("acquired_total", acquired, "Calls that got a connection."),
    COUNTER("waits_total", waits, "Calls that had to wait for a connection."),
    COUNTER("stale_total", stale, "Kept connections found dead before use."),
    COUNTER("health_checks_total", health_checks, "Pings of unused connections."),
    COUNTER("health_failures_total", health_failures, "Pings that were not answered."),
    COUNTER("retries_total", retries, "Requests sent a second time."),
    COUNTER("failovers_total", failovers, "Requests tried on a server that stands in."),
    COUNTER("failovers_refused_total", failovers_refused, "Those beyond the rate limit."),
    COUNTER("hits_total", hits, "Fetches that found an item."),
    COUNTER("misses_total", misses, "Fetches that found none."),
    COUNTER("value_bytes_sent_total", bytes_sent, "Bytes of values stored."),
    COUNTER("value_bytes_received_total", bytes_received, "Bytes of values fetched."),
    COUNTER("sends_total", sends, "System calls that send."),
    COUNTER("receives_total", receives, "System calls that receive."),
    COUNTER("breaker_opened_total", breaker_opened, "Times the circuit breaker opened."),
    COUNTER("breaker_rejected_total", breaker_rejected, "Calls the circuit breaker kept back."),
    COUNTER("breaker_trips_refused_total", breaker_trips_refused,
            "Failures that too many open breakers kept from opening it."),
#undef COUNTER
};

static void write_counter(struct writer *w, const struct counter *counter)
{
    struct mcm_server_stats stats;
    char label[LABEL_SIZE];
    begin_family(w, counter->name, "counter", counter->help);
    for (unsigned i = 0; get_server(w, i, &stats, label); i++) {
        uint64_t value;
        memcpy(&value, (const char *)&stats + counter->offset, sizeof(value));
        print(w, "mcmeta_%s{server=\"%s\"} %" PRIu64 "\n", w->family, label, value);
    }
}

static void write_gauges(struct writer *w)
{
    struct mcm_server_stats stats;
    char label[LABEL_SIZE];
    begin_family(w, "connections", "gauge", "Connections by state.");
    for (unsigned i = 0; get_server(w, i, &stats, label); i++) {
        print(w, "mcmeta_connections{server=\"%s\",state=\"idle\"} %u\n", label, stats.idle);
        print(w, "mcmeta_connections{server=\"%s\",state=\"active\"} %u\n", label, stats.active);
        print(w, "mcmeta_connections{server=\"%s\",state=\"connecting\"} %u\n", label,
              stats.connecting);
    }
    begin_family(w, "waiting", "gauge", "Calls waiting for a connection.");
    for (unsigned i = 0; get_server(w, i, &stats, label); i++)
        print(w, "mcmeta_waiting{server=\"%s\"} %u\n", label, stats.waiting);
    begin_family(w, "breaker_state", "gauge", "0 closed, 1 half-open, 2 open.");
    for (unsigned i = 0; get_server(w, i, &stats, label); i++) {
        if (stats.has_breaker)
            print(w, "mcmeta_breaker_state{server=\"%s\"} %d\n", label, (int)stats.breaker_state);
    }
}

/* Only outcomes that occurred. */
static void write_results(struct writer *w)
{
    struct mcm_server_stats stats;
    char label[LABEL_SIZE];
    begin_family(w, "results_total", "counter", "Ends of operations by outcome.");
    for (unsigned i = 0; get_server(w, i, &stats, label); i++) {
        for (int k = 0; k < MCM_OPERATION_COUNT * MCM_OUTCOME_COUNT; k++) {
            int operation = k / MCM_OUTCOME_COUNT, outcome = k % MCM_OUTCOME_COUNT;
            if (stats.results[operation][outcome] == 0)
                continue;
            print(w,
                  "mcmeta_results_total{server=\"%s\",operation=\"%s\",outcome=\"%s\"} %" PRIu64
                  "\n",
                  label, mcm_operation_name((enum mcm_operation)operation),
                  mcm_outcome_name((enum mcm_outcome)outcome), stats.results[operation][outcome]);
        }
    }
}

/* A line for each doubling: every eighth bucket. `scale` makes seconds of nanoseconds. */
static void write_histogram(struct writer *w, const char *labels,
                            const struct mcm_histogram *histogram, double scale)
{
    uint64_t below = 0;
    for (unsigned i = 0; i < MCM_HISTOGRAM_BUCKETS - 1; i++) {
        below += histogram->buckets[i];
        if (i % 8 == 7)
            print(w, "mcmeta_%s_bucket{%s,le=\"%.9g\"} %" PRIu64 "\n", w->family, labels,
                  (double)mcm_histogram_bound(histogram, i) * scale, below);
    }
    print(w, "mcmeta_%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", w->family, labels, histogram->count);
    print(w, "mcmeta_%s_sum{%s} %.9g\n", w->family, labels, (double)histogram->sum * scale);
    print(w, "mcmeta_%s_count{%s} %" PRIu64 "\n", w->family, labels, histogram->count);
}

static void write_histograms(struct writer *w, enum mcm_measure first, enum mcm_measure end,
                             double scale)
{
    struct mcm_server_stats stats;
    struct mcm_histogram histogram;
    char label[LABEL_SIZE], labels[LABEL_SIZE + 64];
    for (unsigned i = 0; get_server(w, i, &stats, label); i++) {
        for (int m = (int)first; m < (int)end; m++) {
            if (mcm_client_histogram(w->client, i, (enum mcm_measure)m, &histogram) != 0)
                continue;
            snprintf(labels, sizeof(labels), "server=\"%s\",kind=\"%s\"", label,
                     mcm_measure_name((enum mcm_measure)m));
            write_histogram(w, labels, &histogram, scale);
        }
    }
}

void mcm_client_prometheus(struct mcm_client *client, mcm_write_fn write, void *arg)
{
    struct writer w = {.client = client, .write = write, .arg = arg};
    if (mcm_client_is_forked(client))
        return;
    write_gauges(&w);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        write_counter(&w, &counters[i]);
    write_results(&w);
    begin_family(&w, "duration_seconds", "histogram", "Calls, parts of batches, dials, waits.");
    write_histograms(&w, MCM_MEASURE_GET, MCM_MEASURE_DEPTH, 1e-9);
    begin_family(&w, "depth_requests", "histogram", "Requests in flight when some were sent.");
    write_histograms(&w, MCM_MEASURE_DEPTH, MCM_MEASURE_COUNT, 1);
}
