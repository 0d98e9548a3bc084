/* SPDX-License-Identifier: MIT */
#include "proxy/metrics_victims.h"

#include <string.h>

#include "proxy/collection.h"
#include "proxy/metrics.h"

#define PREFIX "memchaos_proxy_"

static const struct {
    const char *name;
    const char *type;
    const char *help;
    size_t offset;
} of_proxy[] = {
    {PREFIX "connections_open", "gauge", "Connections now, also those still being dialled.",
     offsetof(struct proxy_counters, open)},
    {PREFIX "accepts_total", "counter", "Connections accepted from clients.",
     offsetof(struct proxy_counters, accepted)},
    {PREFIX "dial_failures_total", "counter", "Connections closed for want of an upstream.",
     offsetof(struct proxy_counters, dial_failures)},
    {PREFIX "accept_failures_total", "counter", "Failures to accept, as without descriptors.",
     offsetof(struct proxy_counters, accept_failures)},
    {PREFIX "connections_cut_total", "counter",
     "Connections closed by disabling, moving or deleting the proxy.",
     offsetof(struct proxy_counters, cut)},
};

static const struct {
    const char *name;
    const char *help;
    size_t offset;
    double unit;
} of_toxic[] = {
    {PREFIX "toxic_connections_total", "Directions of connections that the toxic has hit.",
     offsetof(struct toxic_stats, connections), 1},
    {PREFIX "toxic_chunks_total", "Chunks delayed, cut, split, changed or discarded.",
     offsetof(struct toxic_stats, chunks), 1},
    {PREFIX "toxic_bytes_total", "Bytes in those chunks.", offsetof(struct toxic_stats, bytes), 1},
    {PREFIX "toxic_dropped_bytes_total", "Bytes taken from the stream for good.",
     offsetof(struct toxic_stats, bytes_dropped), 1},
    {PREFIX "toxic_delay_seconds_total", "Time added to chunks and to ends of streams.",
     offsetof(struct toxic_stats, delay_ns), 1e9},
    {PREFIX "toxic_closes_total", "Connections closed by the toxic.",
     offsetof(struct toxic_stats, closes), 1},
    {PREFIX "toxic_resets_total", "Connections reset by the toxic.",
     offsetof(struct toxic_stats, resets), 1},
};

static double read_counter(const void *base, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)base + offset, sizeof value);
    return (double)value;
}

static bool is_same(const struct toxic *a, const struct toxic *b)
{
    return a->ops == b->ops && a->stream == b->stream && strcmp(a->name, b->name) == 0;
}

static struct toxic *find_same(const struct proxy_toxics *list, const struct toxic *toxic)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_same(list->items[i], toxic))
            return list->items[i];
    return NULL;
}

static void print_toxic(struct evbuffer *out, size_t family, const struct proxy *p,
                        const struct toxic *toxic, const struct toxic *before)
{
    const struct metrics_label labels[] = {
        {"proxy", p->name},     {"stream", toxic_stream_name(toxic->stream)},
        {"toxic", toxic->name}, {"type", toxic_type_name(toxic->ops)},
        {NULL, NULL},
    };
    double value = read_counter(&toxic->stats, of_toxic[family].offset);
    if (before)
        value += read_counter(&before->stats, of_toxic[family].offset);
    metrics_print_sample(out, of_toxic[family].name, labels, value / of_toxic[family].unit);
}

/* Those that are there, with what they did before they were last removed, and then the rest. */
static void print_toxics(struct evbuffer *out, size_t family, const struct proxy *p)
{
    for (int stream = 0; stream < 2; stream++)
        for (size_t i = 0; i < p->toxics[stream].count; i++) {
            const struct toxic *t = p->toxics[stream].items[i];
            print_toxic(out, family, p, t, find_same(&p->removed, t));
        }
    for (size_t i = 0; i < p->removed.count; i++) {
        const struct toxic *t = p->removed.items[i];
        if (!find_same(&p->toxics[t->stream], t))
            print_toxic(out, family, p, t, NULL);
    }
}

static bool has_toxics(const struct collection *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct proxy *p = c->items[i];
        if (p->toxics[0].count + p->toxics[1].count + p->removed.count > 0)
            return true;
    }
    return false;
}

void metrics_print_victims(const struct collection *c, struct evbuffer *out)
{
    for (size_t family = 0; c->count > 0 && family < sizeof of_proxy / sizeof of_proxy[0];
         family++) {
        metrics_print_header(out, of_proxy[family].name, of_proxy[family].type,
                             of_proxy[family].help);
        for (size_t i = 0; i < c->count; i++) {
            const struct metrics_label labels[] = {{"proxy", c->items[i]->name}, {NULL, NULL}};
            double value = read_counter(proxy_counters(c->items[i]), of_proxy[family].offset);
            metrics_print_sample(out, of_proxy[family].name, labels, value);
        }
    }
    if (!has_toxics(c))
        return;
    for (size_t family = 0; family < sizeof of_toxic / sizeof of_toxic[0]; family++) {
        metrics_print_header(out, of_toxic[family].name, "counter", of_toxic[family].help);
        for (size_t i = 0; i < c->count; i++)
            print_toxics(out, family, c->items[i]);
    }
}
