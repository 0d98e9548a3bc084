/* SPDX-License-Identifier: MIT */
/*
 * A list of servers: what selects among them, and a backend for each. A list never changes; a
 * client that gets a new list builds a new one, which shares the backends of servers that stay.
 */
#ifndef MCMETA_TOPOLOGY_H
#define MCMETA_TOPOLOGY_H

#include "mcmeta/backend.h"

struct mcm_topology {
    struct mcm_selector *selector;
    struct mcm_backend **backends;
    bool *is_shared; /* the backend is also in a newer list, which owns it */
    unsigned count;
    struct mcm_topology *older; /* retired before, and perhaps still in use */
};

/* Writes a message (error may be NULL) and returns -1. */
__attribute__((format(printf, 3, 4))) int mcm_refuse(char *error, size_t error_size,
                                                     const char *format, ...);

/* 0, or -1 with a sentence. */
int mcm_topology_check(const struct mcm_server *servers, size_t count, char *error,
                       size_t error_size);

/* How to build the parts; name and address of `backend` are filled for each server. */
struct mcm_topology_config {
    struct mcm_backend_config backend;
    struct mcm_selector_config selector; /* kind and callback */
};

/* NULL with a sentence. `old` (or NULL) lends the backends of servers with equal name and address.
 */
struct mcm_topology *mcm_topology_new(const struct mcm_topology_config *config,
                                      const struct mcm_server *servers, size_t count,
                                      const struct mcm_topology *old, char *error,
                                      size_t error_size);

/* Marks what `newer` took over, so that freeing `old` spares it. */
void mcm_topology_hand_over(struct mcm_topology *old, const struct mcm_topology *newer);

/* Frees the list and the backends that are its own, in which no call may be. NULL is legal. */
void mcm_topology_free(struct mcm_topology *topology);

#endif
