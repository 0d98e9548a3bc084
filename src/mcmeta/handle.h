/* SPDX-License-Identifier: MIT */
/* The client's parts, shared by its source files. */
#ifndef MCMETA_HANDLE_H
#define MCMETA_HANDLE_H

#include "mcmeta/backend.h"

struct mcm_client {
    struct mcm_backend *backends;
    unsigned backend_count;
    struct mcm_selector *selector;
    size_t value_size_max;
    enum mcm_key_rule keys;
    bool allow_flush;
    mcm_ns idle_check;
    size_t lane_store_max;
    size_t lane_fetch_max;
    mcm_ns health_timeout;
    mcm_ns maintenance_period; /* the longest time between two rounds */
    mcm_breaker_event_fn on_breaker;
    void *on_breaker_arg;

    /* A page that the kernel fills with zeroes in a child process; 1 in ours. */
    const unsigned char *ours;

    atomic_int stop;   /* enum mcm_stop */
    atomic_uint calls; /* in progress */

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

/* Tells the configured callback about a change of a breaker, if there was one. */
void mcm_client_report_transition(const struct mcm_client *client, unsigned server,
                                  const struct mcm_breaker_transition *moved,
                                  enum mcm_outcome outcome);

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
