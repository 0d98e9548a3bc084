/* SPDX-License-Identifier: MIT */
/*
 * The making of a connection that never blocks: one address of the server after the other, TLS when
 * it is wanted, and the login before anything else is sent.
 *
 *     connecting -> securing -> logging in -> over
 *         ^            |            |
 *         +------------+------------+  the next address, after a failure
 *
 * A failed handshake or login is a failed address; nothing ever goes over it in another way.
 */
#ifndef MCMETA_EVENT_DIAL_H
#define MCMETA_EVENT_DIAL_H

#include "mcmeta/backend.h"
#include "mcmeta/event_watch.h"

enum mcm_dial_state {
    MCM_DIAL_CONNECTING,
    MCM_DIAL_SECURING,
    MCM_DIAL_LOGGING_IN,
    MCM_DIAL_OVER,
    MCM_DIAL_STATE_COUNT
};

struct mcm_event_dial {
    enum mcm_dial_state state;
    struct mcm_backend *backend;
    struct mcm_link *link;
    struct mcm_watch *watch;
    struct mcm_address address; /* as the server's was at the start */
    unsigned index;             /* the one that is tried */
    mcm_ns began;
    mcm_ns until;       /* the end of all attempts */
    mcm_ns share_until; /* the end of this one: a silent address leaves time to the others */
    struct mcm_login login;
    int sys_errno;
};

/*
 * All of these return MCM_OUTCOME_COUNT while the dial goes on, then MCM_OK with a link that is
 * ready and watched, or how it failed; the link is still to be closed then.
 */
enum mcm_outcome mcm_event_dial_start(struct mcm_event_dial *dial, struct mcm_backend *backend,
                                      struct mcm_link *link, struct mcm_watch *watch, mcm_ns now);

/* The socket is as it was waited for. */
enum mcm_outcome mcm_event_dial_ready(struct mcm_event_dial *dial, mcm_ns now);

/* Time passed; needed when share_until came. */
enum mcm_outcome mcm_event_dial_tick(struct mcm_event_dial *dial, mcm_ns now);

#endif
