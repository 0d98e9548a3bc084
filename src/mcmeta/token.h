/* SPDX-License-Identifier: MIT */
/* Tokens as the waits of the library see them. */
#ifndef MCMETA_TOKEN_H
#define MCMETA_TOKEN_H

#include <mcmeta/cancel.h>

/* Waits that cannot watch a descriptor look at the token so often. */
#define MCM_CANCEL_SLICE_NS INT64_C(10000000)

/* The token of this thread, or NULL. */
struct mcm_cancel *mcm_cancel_current(void);

/* Whether this thread has a token and it is fired. */
bool mcm_cancel_is_due(void);

/* A descriptor that is readable once the token is fired. */
int mcm_cancel_fd(const struct mcm_cancel *cancel);

/* `deadline`, or the end of the next slice when this thread has a token. */
mcm_ns mcm_cancel_bound(mcm_ns deadline, mcm_ns now);

#endif
