/* SPDX-License-Identifier: MIT */
/*
 * Maintenance of all servers, by the caller or by a thread. Servers take turns, one ping each, so
 * that a hung one delays the others by one ping and not by one for each of its connections.
 */
#include "mcmeta/handle.h"

#include "base/time.h"
#include "mcmeta/shared.h"

static bool maintain_servers(struct mcm_client *client, const struct mcm_topology *topology,
                             mcm_ns *next)
{
    bool more = false;
    for (unsigned i = 0; topology != NULL && i < topology->count; i++)
        more |= mcm_backend_maintain(topology->backends[i], client->health_timeout, next);
    return more;
}

#define SETTLED_MAX 256 /* keys of a server in one round */

/* Deletes what a server that returned holds of keys whose writes it missed. Stops at the first
 * failure: it has not returned then. */
static void settle_server(struct mcm_client *client, const struct mcm_topology *topology,
                          unsigned index)
{
    char key[MCM_KEY_SIZE_MAX];
    struct mcm_missed *missed = topology->backends[index]->missed;
    for (int i = 0; missed != NULL && i < SETTLED_MAX; i++) {
        size_t size = mcm_missed_any(missed, key);
        if (size == 0 || mcm_client_settle(client, topology, index, (struct mcm_slice){key, size},
                                           mcm_after(client->health_timeout)) != MCM_OK)
            return;
    }
}

static void probe_servers(struct mcm_client *client, const struct mcm_topology *topology,
                          mcm_ns *next)
{
    struct mcm_backend *backend;
    for (unsigned i = 0; client->breaker.held_probes &&
                         (backend = mcm_client_backend_in(client, topology, i)) != NULL;
         i++)
        mcm_client_probe(client, backend, i, next);
}

static void resolve_names(const struct mcm_topology *topology, mcm_ns *next)
{
    for (unsigned i = 0; topology != NULL && i < topology->count; i++) {
        mcm_shared_maintain(topology->backends[i]);
        mcm_backend_resolve(topology->backends[i], next);
    }
}

mcm_ns mcm_client_maintain(struct mcm_client *client)
{
    ns_t next = ns_add(ns_now(), client->maintenance_period);
    if (mcm_client_is_forked(client))
        return next;
    unsigned phase = mcm_client_enter(client);
    const struct mcm_topology *topology = atomic_load(&client->topology);
    resolve_names(topology, &next);
    resolve_names(client->gutter, &next);
    for (unsigned i = 0; i < topology->count; i++)
        settle_server(client, topology, i);
    probe_servers(client, topology, &next);
    bool busy;
    do { /* both, in turn, until neither has anything left to do */
        busy = maintain_servers(client, topology, &next);
        busy = maintain_servers(client, client->gutter, &next) || busy;
    } while (busy);
    mcm_client_leave(client, phase);
    return next;
}

static void *run(void *arg)
{
    struct mcm_client *client = arg;
    pthread_mutex_lock(&client->thread_lock);
    while (!client->thread_stop) {
        pthread_mutex_unlock(&client->thread_lock);
        struct timespec next = ns_to_timespec(mcm_client_maintain(client));
        pthread_mutex_lock(&client->thread_lock);
        if (!client->thread_stop)
            pthread_cond_timedwait(&client->thread_wake, &client->thread_lock, &next);
    }
    pthread_mutex_unlock(&client->thread_lock);
    return NULL;
}

static void destroy_locks(struct mcm_client *client)
{
    pthread_cond_destroy(&client->thread_wake);
    pthread_mutex_destroy(&client->thread_lock);
}

int mcm_maintenance_start(struct mcm_client *client)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->thread_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&client->thread_lock, NULL);
    if (pthread_create(&client->thread, NULL, run, client) != 0) {
        destroy_locks(client);
        return -1;
    }
    client->has_thread = true;
    return 0;
}

void mcm_maintenance_stop(struct mcm_client *client)
{
    if (!client->has_thread)
        return;
    pthread_mutex_lock(&client->thread_lock);
    client->thread_stop = true;
    pthread_cond_signal(&client->thread_wake);
    pthread_mutex_unlock(&client->thread_lock);
    pthread_join(client->thread, NULL);
    destroy_locks(client);
    client->has_thread = false;
}
