/* SPDX-License-Identifier: MIT */
/*
 * Cancelling calls from outside.
 *
 *     struct mcm_cancel *cancel = mcm_cancel_new();
 *     // the thread that calls:
 *     mcm_cancel_use(cancel);
 *     mcm_get(client, ...);        // MCM_E_CANCELLED soon after the token was fired
 *     mcm_cancel_use(NULL);
 *     // any other thread, or a signal handler:
 *     mcm_cancel_fire(cancel);
 *
 * A token is bound to the calling thread rather than passed to each call, so that it covers
 * whatever the calls do inside, batches and retries included. A thread without a token pays nothing
 * for the possibility. A fired token stays fired until mcm_cancel_reset(): every call under it ends
 * at once. A cancelled exchange closes its connection in exclusive mode; a shared connection goes
 * on, and the late answer is thrown away.
 */
#ifndef MCMETA_CANCEL_H
#define MCMETA_CANCEL_H

#include <mcmeta/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mcm_cancel;

/* A token that has not been fired; it owns one file descriptor. NULL with errno when there is
 * neither memory nor a descriptor for it. */
MCM_API MCM_MUST_USE struct mcm_cancel *mcm_cancel_new(void);

/* No thread may use it any more. NULL is allowed. */
MCM_API void mcm_cancel_free(struct mcm_cancel *cancel);

/* Ends all calls under the token, within 20 ms when they wait for a connection or share one and at
 * once when they wait for a server. From any thread or signal handler, any number of times. */
MCM_API void mcm_cancel_fire(struct mcm_cancel *cancel);

/* Makes it unfired again. No call may be in progress under it. */
MCM_API void mcm_cancel_reset(struct mcm_cancel *cancel);

MCM_API bool mcm_cancel_is_fired(const struct mcm_cancel *cancel);

/* From now on calls of this thread, on any client, end when `cancel` is fired; NULL: none. */
MCM_API void mcm_cancel_use(struct mcm_cancel *cancel);

#ifdef __cplusplus
}
#endif

#endif
