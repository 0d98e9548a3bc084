/* SPDX-License-Identifier: MIT */
/*
 * Changing the servers of a client while calls go on, and closing it gently.
 *
 * A call enters the client before it reads the list and leaves after its last use of it. Calls are
 * counted in two counters, and `phase` says which one a new call takes. When a list has been
 * replaced, the phase is turned twice, each time waiting until the counter that is no longer taken
 * is empty: after that, every call that may have read the old list has left. (Twice, because a call
 * may read the phase, be delayed, and count itself after the first turn.)
 */
#include "mcmeta/handle.h"

#include "base/time.h"

#define POLL_PAUSE NS_PER_MS

static void pause_briefly(void)
{
    struct timespec span = ns_to_timespec(POLL_PAUSE);
    nanosleep(&span, NULL);
}

static bool counter_drained(struct mcm_client *client, unsigned phase, ns_t deadline)
{
    while (atomic_load(&client->calls[phase & 1]) > 0) {
        if (ns_now() >= deadline)
            return false;
        pause_briefly();
    }
    return true;
}

/* Waits until all calls that run now have ended; false when the deadline came first. */
static bool calls_drained(struct mcm_client *client, ns_t deadline)
{
    for (int turn = 0; turn < 2; turn++) {
        unsigned old = atomic_fetch_add(&client->phase, 1);
        if (!counter_drained(client, old, deadline))
            return false;
    }
    return true;
}

/* Ends the calls on servers that are in no list any more. */
static void stop_removed(struct mcm_client *client)
{
    pthread_mutex_lock(&client->retired_lock);
    for (struct mcm_topology *t = client->retired; t != NULL; t = t->older) {
        for (unsigned i = 0; i < t->count; i++) {
            if (!t->is_shared[i])
                mcm_backend_stop(t->backends[i]);
        }
    }
    pthread_mutex_unlock(&client->retired_lock);
}

static void retire(struct mcm_client *client, struct mcm_topology *old)
{
    pthread_mutex_lock(&client->retired_lock);
    old->older = client->retired;
    client->retired = old;
    pthread_mutex_unlock(&client->retired_lock);
}

void mcm_client_free_retired(struct mcm_client *client)
{
    pthread_mutex_lock(&client->retired_lock);
    struct mcm_topology *it = client->retired;
    client->retired = NULL;
    pthread_mutex_unlock(&client->retired_lock);
    while (it != NULL) {
        struct mcm_topology *older = it->older;
        mcm_topology_free(it);
        it = older;
    }
}

/* Nobody waits here for ever: what is still in use at the end stays until the next change. */
#define STOP_ROUNDS 50

int mcm_client_set_servers(struct mcm_client *client, const struct mcm_server *servers,
                           size_t count, mcm_ns deadline, char *error, size_t error_size)
{
    if (mcm_topology_check(servers, count, error, error_size) != 0)
        return -1;
    if (mcm_client_is_forked(client))
        return mcm_refuse(error, error_size, "the client belongs to the parent process");
    pthread_mutex_lock(&client->change_lock);
    struct mcm_topology *old = atomic_load(&client->topology);
    struct mcm_topology *newer =
        mcm_topology_new(&client->parts, servers, count, old, error, error_size);
    if (newer == NULL) {
        pthread_mutex_unlock(&client->change_lock);
        return -1;
    }
    mcm_topology_hand_over(old, newer);
    atomic_store(&client->topology, newer);
    mcm_client_limit_breakers(client, count);
    retire(client, old);
    bool drained = calls_drained(client, deadline);
    for (int round = 0; round < STOP_ROUNDS && !drained; round++) {
        stop_removed(client);
        drained = calls_drained(client, ns_add(ns_now(), POLL_PAUSE));
    }
    if (drained)
        mcm_client_free_retired(client);
    pthread_mutex_unlock(&client->change_lock);
    return 0;
}

int mcm_client_close(struct mcm_client *client, mcm_ns deadline)
{
    atomic_store(&client->closing, true);
    return calls_drained(client, deadline) ? 0 : -1;
}

void mcm_client_await_calls(struct mcm_client *client)
{
    for (unsigned phase = 0; phase < 2; phase++)
        counter_drained(client, phase, NS_NEVER);
}
