/* SPDX-License-Identifier: MIT */
/*
 * The host names that one request needs before it can be carried out. A request asks for all of its
 * addresses first; when some are unknown it is put off until they were looked up, and then starts
 * anew. So carrying out never waits, and never sees a change made by another request in its middle.
 */
#ifndef PROXY_NAMES_H
#define PROXY_NAMES_H

#include "base/err.h"
#include "proxy/resolver.h"

struct names;

/* Called on the loop when everything asked for is known. It may free the names. */
typedef void (*names_ready_fn)(void *arg);

/* `resolver` NULL = look up on the spot (before the loop runs). */
struct names *names_new(struct resolver *resolver, names_ready_fn ready, void *arg);
void names_free(struct names *names);

/* Asks for the address "host:port" or "unix:/path"; one that is malformed or known needs nothing.
 */
void names_want(struct names *names, const char *text);

/* Whether lookups are under way; `ready` will be called. */
bool names_are_pending(const struct names *names);

/* The addresses of a text that was asked for; -1 with Go's words when there are none. */
int names_find(const struct names *names, const char *text, struct address_list *out,
               struct err *err);

#endif
