/* SPDX-License-Identifier: MIT */
/*
 * A host name being looked up, in a thread that lives no longer than that: however long the
 * resolver takes, nobody waits for it. A lookup that nobody wants any more is left to end by
 * itself.
 */
#ifndef MCMETA_LOOKUP_H
#define MCMETA_LOOKUP_H

#include "mcmeta/socket.h"

struct mcm_lookup;

/* Starts to resolve a valid address. NULL when memory is short or there can be no thread. */
struct mcm_lookup *mcm_lookup_start(const char *address);

/* What came out, with a count of 0 when the name could not be resolved; NULL while it goes on. */
const struct mcm_address *mcm_lookup_result(const struct mcm_lookup *lookup);

/* Does not wait. NULL is legal. */
void mcm_lookup_free(struct mcm_lookup *lookup);

#endif
