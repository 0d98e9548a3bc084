/* SPDX-License-Identifier: MIT */
/* The client's parts, shared by its source files. */
#ifndef MCMETA_HANDLE_H
#define MCMETA_HANDLE_H

#include "mcmeta/failover.h"
#include "mcmeta/scratch.h"
#include "mcmeta/topology.h"

struct mcm_client {
    struct mcm_topology *_Atomic topology; /* the servers; read between enter and leave */
    struct mcm_topology *gutter;           /* servers that stand in, or NULL; never changes */
    struct mcm_topology_config parts;      /* to build lists with; what it points to is ours */
    struct mcm_pool_config pool;
    char hash_tag[3]; /* what parts.selector points to */
    struct mcm_breaker_settings breaker;
    struct mcm_breaker_quota breaker_quota; /* of breaker_share_max */
    double breaker_share_max;
    struct mcm_tls *tls;
    char *user, *password;
    struct mcm_hooks hooks;
    enum mcm_failure_policy on_failure;
    unsigned failure_choices;
    uint32_t failure_ttl_max;
    struct mcm_rate failure_rate;

    pthread_mutex_t change_lock;  /* one change of the servers at a time */
    pthread_mutex_t retired_lock; /* retired */
    struct mcm_topology *retired; /* lists that calls may still be using */
    size_t value_size_max;
    bool asks_value_limit; /* no fixed limit: what each server takes */
    enum mcm_key_rule keys;
    bool allow_flush;
    mcm_ns idle_check;
    size_t lane_store_max;
    size_t lane_fetch_max;
    mcm_ns health_timeout;
    mcm_ns maintenance_period; /* the longest time between two rounds */
    struct mcm_scratch scratch;
    mcm_breaker_event_fn on_breaker;
    void *on_breaker_arg;

    /* A page that the kernel fills with zeroes in a child process; 1 in ours. */
    const unsigned char *ours;

    atomic_int stop;      /* enum mcm_stop */
    atomic_bool closing;  /* calls in progress go on, new ones are refused */
    atomic_uint phase;    /* the lowest bit is which of `calls` a new call counts in */
    atomic_uint calls[2]; /* in progress */

    bool has_thread;
    pthread_t thread;
    pthread_mutex_t thread_lock; /* thread_stop */
    pthread_cond_t thread_wake;
    bool thread_stop;
};

/* Whether this process is a child of the one that made the client. */
static inline bool mcm_client_is_forked(const struct mcm_client *client)
{
    return *client->ours == 0;
}

/* A call begins; give the result to mcm_client_leave() when it is over. */
static inline unsigned mcm_client_enter(struct mcm_client *client)
{
    unsigned phase = atomic_load(&client->phase) & 1;
    atomic_fetch_add(&client->calls[phase], 1);
    return phase;
}

static inline void mcm_client_leave(struct mcm_client *client, unsigned phase)
{
    atomic_fetch_sub(&client->calls[phase], 1);
}

/* Backend of server `index`: the servers of the list, then those of the gutter. NULL when there is
 * none. */
static inline struct mcm_backend *mcm_client_backend_in(const struct mcm_client *client,
                                                        const struct mcm_topology *topology,
                                                        size_t index)
{
    if (index < topology->count)
        return topology->backends[index];
    index -= topology->count;
    return client->gutter != NULL && index < client->gutter->count ? client->gutter->backends[index]
                                                                   : NULL;
}

/* The same in the present list. Only between enter and leave. */
static inline struct mcm_backend *mcm_client_backend(const struct mcm_client *client,
                                                     unsigned index)
{
    return mcm_client_backend_in(client, atomic_load(&client->topology), index);
}

/* Whether one more request of server `index`, which is down, may be tried elsewhere now. Counts
 * it. */
bool mcm_client_may_fail_over(struct mcm_client *client, unsigned index);

/* No call may be in them. */
void mcm_client_free_retired(struct mcm_client *client);

/* Until every call has left. */
void mcm_client_await_calls(struct mcm_client *client);

/* Tells the configured callback about a change of a breaker, if there was one. */
void mcm_client_report_transition(const struct mcm_client *client, unsigned server,
                                  const struct mcm_breaker_transition *moved,
                                  enum mcm_outcome outcome);

/*
 * Deletes `key` from server `index` and from those that stood in for it, when a write of it was
 * missed. MCM_OK also when there was nothing to do; else the key must not be used there now. Only
 * between enter and leave.
 */
enum mcm_outcome mcm_client_settle(struct mcm_client *client, const struct mcm_topology *topology,
                                   unsigned index, struct mcm_slice key, mcm_ns deadline);

/* A write of `key` on its own server ended so: remembered unless it reached the server for sure. */
void mcm_client_note_end(struct mcm_backend *backend, struct mcm_slice key,
                         enum mcm_outcome outcome);

/* The largest value that server `index` takes for the key. Asks the server when `size` makes that
 * worth while. Only between enter and leave. */
size_t mcm_client_value_limit(struct mcm_client *client, const struct mcm_topology *topology,
                              unsigned index, struct mcm_slice key, size_t size, mcm_ns deadline);

/* Sets how many breakers of `count` servers, and of the gutter, may be open; see
 * breaker_share_max. */
void mcm_client_limit_breakers(struct mcm_client *client, size_t count);

/*
 * Sends the trial requests that a half-open breaker with held_probes waits for, until it closes or
 * one fails. Lowers *next to when the next ones are due. Only between enter and leave.
 */
void mcm_client_probe(struct mcm_client *client, struct mcm_backend *backend, unsigned index,
                      mcm_ns *next);

/* Copies what a finished operation found out. */
void mcm_result_copy_answer(struct mcm_result *result, const struct mcm_op *op);

/* Fills *result with an outcome for which nothing was done, and returns it. */
enum mcm_outcome mcm_result_refuse(struct mcm_result *result, enum mcm_outcome outcome);

/* Runs a call on the server of request->key, which is checked and encoded here. */
enum mcm_outcome mcm_client_call(struct mcm_client *client, struct mcm_request *request,
                                 void *buffer, size_t buffer_size, mcm_ns deadline,
                                 struct mcm_result *result);

/* Runs a classic call on one server. */
enum mcm_outcome mcm_client_call_server(struct mcm_client *client, unsigned index,
                                        const struct mcm_request *request, mcm_ns deadline,
                                        struct mcm_result *result);

/* Starts the maintenance thread; 0 or -1. */
int mcm_maintenance_start(struct mcm_client *client);

/* Ends and joins it; nothing without one. */
void mcm_maintenance_stop(struct mcm_client *client);

#endif
