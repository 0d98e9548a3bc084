/* SPDX-License-Identifier: MIT */
/*
 * The threads of a server after its first one, each with a loop of its own. The first thread has
 * the API, accepts every connection and gives it to one of the threads, itself among them, where it
 * stays for life. So no two threads ever work on one connection, and the data path needs no locks.
 *
 * What all of them read (a proxy's toxics, options, addresses) is changed by the first thread
 * alone, and only between crew_halt() and crew_resume(). Then every other thread stands still
 * between two callbacks, and the first one may use anything of theirs as if it were one of them. A
 * thread comes to a stop after the callback it is in; nothing is undone or lost by it.
 *
 * All functions are for the first thread, or for any one thread while none runs.
 */
#ifndef PROXY_CREW_H
#define PROXY_CREW_H

#include "base/err.h"
#include "base/list.h"
#include "proxy/env.h"
#include "proxy/server.h"

/* Threads of a server, the first one included. */
#define CREW_THREADS_MAX PROXY_THREADS_MAX

struct crew;

/* What a thread does with a connection that it is given; see crew_hand(). */
typedef void (*crew_begin_fn)(struct list *link);

/*
 * Sets up `threads` - 1 loops beside that of `first`, which must be initialised and then knows its
 * crew. Returns 0 or -1; the crew is then to be freed nevertheless.
 */
int crew_new(struct proxy_env *first, unsigned threads, crew_begin_fn begin, struct err *err);
/* NULL is legal; nothing may run any more. */
void crew_free(struct crew *crew);

int crew_start(struct crew *crew, struct err *err);
/* Ends and joins the threads. Idempotent; NULL is legal. */
void crew_stop(struct crew *crew);

/* They nest, and do nothing without a crew (NULL). */
void crew_halt(struct crew *crew);
void crew_resume(struct crew *crew);

/* The environment of that thread. */
struct proxy_env *crew_env(struct proxy_env *first, unsigned thread);
/* The thread with the fewest connections, for a new one, which it counts. */
struct proxy_env *crew_pick(struct proxy_env *first);
/* Gives `link` to another thread, which calls `begin` with it soon. */
void crew_hand(struct proxy_env *env, struct list *link);
/* Calls fn for everything that was given and has not begun. Halted. `fn` may remove it. */
void crew_each_waiting(struct crew *crew, void (*fn)(struct list *link, void *arg), void *arg);

#endif
