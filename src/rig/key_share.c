/* SPDX-License-Identifier: MIT */
#include "rig/key_share.h"

#include <stdio.h>

#include "load/session.h"

void key_share_measure(const struct driver *driver, const struct driver_config *config, double *out)
{
    struct driver_config quiet = *config;
    struct err err;
    void *client;
    quiet.workers = 1;
    quiet.health_period_ns = 0; /* nothing runs by itself while we ask */
    quiet.transitions = NULL;
    for (size_t i = 0; i < config->server_count; i++)
        out[i] = 0;
    if (driver->open(&quiet, &client, &err) != 0)
        return;
    for (int i = 0; i < KEY_SHARE_SAMPLE; i++) {
        char key[SESSION_KEY_SIZE];
        int n = snprintf(key, sizeof key, "key-worker%d-%d", i % 100, i / 100);
        int node = driver->node_of_key(client, key, (size_t)n);
        if (node >= 0 && (size_t)node < config->server_count)
            out[node] += 1.0 / KEY_SHARE_SAMPLE;
    }
    driver->close(client);
}
