/* SPDX-License-Identifier: MIT */
/*
 * Name lookups off the event loop. getaddrinfo() blocks and cannot be stopped, so it runs on a few
 * threads of its own; answers come back on the loop's thread. Freeing the resolver never waits for
 * a lookup: a thread that is stuck in one finishes alone and touches only its own shared block.
 */
#ifndef PROXY_RESOLVER_H
#define PROXY_RESOLVER_H

#include "proxy/address.h"

struct event_base;
struct resolver;
struct lookup;

#define RESOLVER_THREADS_MAX 4
/* Lookups waiting for a thread; one more is answered with an error at once. */
#define RESOLVER_WAITING_MAX 4096

/* `list` is empty when the name has no address; then `why` says so. Both die with the call. */
typedef void (*lookup_fn)(void *arg, const struct address_list *list, const char *why);

struct resolver *resolver_new(struct event_base *base);
void resolver_free(struct resolver *resolver);

/*
 * Looks `hostport->host` up and calls `done` later on the loop, never from inside this call.
 * Returns NULL when too many are waiting. The lookup is gone once `done` was called.
 */
struct lookup *resolver_lookup(struct resolver *resolver, const struct address_hostport *hostport,
                               lookup_fn done, void *arg);

/* `done` will not be called any more. */
void resolver_cancel(struct resolver *resolver, struct lookup *lookup);

/* The same on the calling thread, for use before a loop runs. */
void resolver_lookup_now(const struct address_hostport *hostport, struct address_list *out,
                         char *why, size_t why_size);

#endif
