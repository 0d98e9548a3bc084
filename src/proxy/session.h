/* SPDX-License-Identifier: MIT */
/*
 * One proxied connection: the client's socket, the upstream server's, and a link each way. It looks
 * the upstream up, dials it without blocking anybody, and closes as Toxiproxy does: when one
 * direction has ended, its destination is closed whole; what the other direction holds is still
 * delivered.
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include "base/list.h"
#include "proxy/link.h"

struct proxy;
struct session;

/*
 * Takes ownership of the accepted descriptor and gives the session to the thread with the fewest.
 * It frees itself. -1 when memory is short.
 */
int session_start(struct proxy *proxy, int client, const struct address *peer);

/* Dials, on the session's own thread: a crew_begin_fn. The session may be freed. */
void session_begin(struct list *link);

/* Cuts the connection: both sockets are closed now, what is inside is lost. */
void session_cut(struct session *session);

/* A toxic was added to, changed in or is leaving the proxy. They may end and free the session. */
void session_toxic_add(struct session *session, struct toxic *toxic, ns_t now);
void session_toxic_update(struct session *session, const struct toxic *toxic, ns_t now);
void session_toxic_remove(struct session *session, const struct toxic *toxic, ns_t now);

/* The session whose member `link` is in its proxy's list, or waits to begin. */
struct session *session_of(struct list *link);
struct proxy *session_proxy(const struct session *session);

#endif
