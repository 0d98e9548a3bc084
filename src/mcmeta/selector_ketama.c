/* SPDX-License-Identifier: MIT */
/*
 * Ketama: each server puts points on a ring of 32 bits, made from the MD5 of its label and a
 * number; a key belongs to the next point at or after its hash. Every client family makes the ring
 * a little differently, and one that is off by a letter moves most keys: the differences are the
 * table below.
 */
#include "mcmeta/selection.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcmeta/md5.h"

#define PORT_DEFAULT ":11211"
#define LABEL_SIZE 512

struct mcm_ring_point {
    uint32_t value;
    uint32_t server;
};

struct mcm_ketama_dialect {
    unsigned points;          /* per server of average weight */
    unsigned points_per_hash; /* 4: the whole digest is used; 1: its first word */
    bool weighted;
    bool drops_default_port;  /* a label does not tell the default port */
    const char *label_prefix; /* and then it must tell it */
    bool repeats_host;        /* "host/host:port": EVCache's, where a host had a name and an IP */
    uint32_t (*hash)(const void *key, size_t key_size);
};

static uint32_t md5_hash(const void *key, size_t key_size)
{
    uint32_t digest[4];
    mcm_md5(key, key_size, digest);
    return digest[0];
}

/* FNV-1a with the 64-bit constants cut to 32 bits, as twemproxy has it. */
static uint32_t fnv1a_hash(const void *key, size_t key_size)
{
    const unsigned char *bytes = key;
    uint32_t hash = (uint32_t)UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key_size; i++)
        hash = (hash ^ bytes[i]) * (uint32_t)UINT64_C(0x100000001b3);
    return hash;
}

static const struct mcm_ketama_dialect libmemcached = {100, 1, false, true, "", false, md5_hash};
static const struct mcm_ketama_dialect libmemcached_weighted = {160, 4,     true,    true,
                                                                "",  false, md5_hash};
static const struct mcm_ketama_dialect spymemcached = {160, 4, false, false, "/", false, md5_hash};
static const struct mcm_ketama_dialect twemproxy = {160, 4, true, true, "", false, fnv1a_hash};
static const struct mcm_ketama_dialect evcache = {160, 4, false, false, "", true, md5_hash};

/* The name as the dialect writes it on the ring. */
static void make_label(const struct mcm_ketama_dialect *dialect, const char *name,
                       char label[LABEL_SIZE])
{
    size_t size = strlen(name), port_size = strlen(PORT_DEFAULT);
    bool tells_default = size > port_size && strcmp(name + size - port_size, PORT_DEFAULT) == 0;
    if (dialect->drops_default_port && tells_default)
        size -= port_size;
    const char *port =
        !dialect->drops_default_port && strchr(name, ':') == NULL ? PORT_DEFAULT : "";
    const char *colon = strrchr(name, ':');
    int host_size = colon != NULL ? (int)(colon - name) : (int)size;
    if (dialect->repeats_host)
        snprintf(label, LABEL_SIZE, "%.*s/%s%s", host_size, name, name, port);
    else
        snprintf(label, LABEL_SIZE, "%s%.*s%s", dialect->label_prefix, (int)size, name, port);
}

/* How many points server `index` gets. In single precision, as the other clients count. */
static unsigned points_of(const struct mcm_selector *s, size_t index)
{
    const struct mcm_ketama_dialect *dialect = s->ops->dialect;
    uint64_t total = 0;
    if (!dialect->weighted)
        return dialect->points;
    for (size_t i = 0; i < s->count; i++)
        total += s->nodes[i].weight;
    float share = (float)s->nodes[index].weight / (float)total;
    float hashes = share * (float)dialect->points / 4 * (float)s->count;
    return (unsigned)floor((double)(float)((double)hashes + 0.0000000001)) * 4;
}

static int compare_points(const void *a, const void *b)
{
    const struct mcm_ring_point *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->server > y->server) - (x->server < y->server);
}

static void add_points(struct mcm_selector *s, size_t server, const char *name)
{
    const struct mcm_ketama_dialect *dialect = s->ops->dialect;
    char label[LABEL_SIZE], text[LABEL_SIZE + 16];
    unsigned points = points_of(s, server);
    make_label(dialect, name, label);
    for (unsigned i = 0; i < points / dialect->points_per_hash; i++) {
        uint32_t digest[4];
        int size = snprintf(text, sizeof(text), "%s-%u", label, i);
        mcm_md5(text, (size_t)size, digest);
        for (unsigned part = 0; part < dialect->points_per_hash; part++)
            s->points[s->point_count++] =
                (struct mcm_ring_point){.value = digest[part], .server = (uint32_t)server};
    }
}

static int ketama_prepare(struct mcm_selector *s, const struct mcm_selector_config *config)
{
    size_t total = 0;
    for (size_t i = 0; i < s->count; i++)
        total += points_of(s, i);
    s->points = calloc(total + 1, sizeof(*s->points));
    if (s->points == NULL)
        return -1;
    for (size_t i = 0; i < s->count; i++)
        add_points(s, i, config->servers[i].name);
    qsort(s->points, s->point_count, sizeof(*s->points), compare_points);
    return 0;
}

static size_t ketama_pick(const struct mcm_selector *s, const void *key, size_t key_size)
{
    uint32_t hash = s->ops->dialect->hash(key, key_size);
    size_t low = 0, high = s->point_count;
    if (high == 0)
        return MCM_SELECTOR_NONE;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->points[middle].value < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return s->points[low == s->point_count ? 0 : low].server;
}

#define KETAMA_OPS(name_, dialect_)                                                             \
    {                                                                                           \
        .name = (name_), .pick = ketama_pick, .prepare = ketama_prepare, .dialect = &(dialect_) \
    }

const struct mcm_selector_ops mcm_selector_ketama = KETAMA_OPS("ketama", libmemcached);
const struct mcm_selector_ops mcm_selector_ketama_weighted =
    KETAMA_OPS("ketama-weighted", libmemcached_weighted);
const struct mcm_selector_ops mcm_selector_ketama_spy = KETAMA_OPS("ketama-spy", spymemcached);
const struct mcm_selector_ops mcm_selector_ketama_twemproxy =
    KETAMA_OPS("ketama-twemproxy", twemproxy);
const struct mcm_selector_ops mcm_selector_ketama_evcache = KETAMA_OPS("ketama-evcache", evcache);
