/* SPDX-License-Identifier: MIT */
#include "rig/key_share.h"

#include "load/workload.h"

struct key_sampler {
    const struct key_share_config *config;
    struct keyspace keys;
    void *client;
};

static void count(struct key_sampler *s, uint32_t id, double weight, double *shares)
{
    struct key key;
    keyspace_key(&s->keys, id, &key);
    int node = s->config->driver->node_of_key(s->client, key.text, key.size);
    if (node >= 0 && (size_t)node < s->config->client->server_count)
        shares[node] += weight;
}

static void count_keys(struct key_sampler *s, double *shares)
{
    uint32_t size = s->keys.stored < KEY_SHARE_SAMPLE ? s->keys.stored : KEY_SHARE_SAMPLE;
    for (uint32_t i = 0; i < size; i++)
        count(s, (uint32_t)((uint64_t)i * s->keys.stored / size), 1.0 / size, shares);
}

/* The same draws each time, so that the same node is the hottest each time. */
static void count_hits(struct key_sampler *s, double *shares)
{
    struct rng rng = rng_seeded(0);
    if (s->keys.spec.zipf == 0 && s->keys.spec.hot_count == 0) {
        count_keys(s, shares); /* exact: no key is used more than another */
        return;
    }
    for (uint32_t i = 0; i < KEY_SHARE_SAMPLE; i++)
        count(s, keyspace_choose(&s->keys, &rng, i % s->config->workers), 1.0 / KEY_SHARE_SAMPLE,
              shares);
}

void key_share_measure(const struct key_share_config *config, double *keys, double *hits)
{
    struct driver_config quiet = *config->client;
    struct key_sampler sampler = {.config = config};
    const char *prefix = config->load->workload->key_prefix;
    struct err err;
    quiet.workers = 1;
    quiet.health_period_ns = 0; /* nothing runs by itself while we ask */
    quiet.transitions = NULL;
    for (size_t i = 0; i < quiet.server_count; i++) {
        if (keys != NULL)
            keys[i] = 0;
        if (hits != NULL)
            hits[i] = 0;
    }
    if (config->driver->node_of_key == NULL)
        return;
    if (config->driver->open(&quiet, &sampler.client, &err) != 0)
        return;
    keyspace_init(&sampler.keys, &config->load->keys, prefix != NULL ? prefix : "",
                  config->workers);
    if (keys != NULL)
        count_keys(&sampler, keys);
    if (hits != NULL)
        count_hits(&sampler, hits);
    config->driver->close(sampler.client);
}
