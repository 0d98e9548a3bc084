/* SPDX-License-Identifier: MIT */
/*
 * From the options of a public command to a checked request: the same for the blocking client and
 * for the loop. Pure functions. NULL options are the defaults. Each returns MCM_OK with *request
 * filled, or MCM_E_ARG.
 */
#ifndef MCMETA_COMPOSE_H
#define MCMETA_COMPOSE_H

#include <mcmeta/commands.h>

#include "mcmeta/request.h"

enum mcm_outcome mcm_compose_get(struct mcm_slice key, const struct mcm_get_options *options,
                                 struct mcm_request *request);
enum mcm_outcome mcm_compose_store(struct mcm_slice key, struct mcm_slice value,
                                   const struct mcm_store_options *options,
                                   struct mcm_request *request);
enum mcm_outcome mcm_compose_delete(struct mcm_slice key, const struct mcm_delete_options *options,
                                    struct mcm_request *request);
/* The request goes on using the flags of `raw`. */
enum mcm_outcome mcm_compose_raw(const struct mcm_raw_request *raw, struct mcm_request *request);

/* Bits of enum mcm_capability: the features of a request that older servers refuse or, worse,
 * ignore. */
unsigned mcm_needed_capabilities(const struct mcm_request *request);

#endif
