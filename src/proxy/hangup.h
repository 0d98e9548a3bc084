/* SPDX-License-Identifier: MIT */
/*
 * Learns that a peer is gone while nobody reads from it or writes to it: a connection whose toxics
 * hold everything back. The loop cannot be asked for that: with no interest in reading or writing
 * it forgets the socket, and with any it would be woken by the bytes that must wait. So such
 * sockets are in an epoll instance of their own, edge-triggered, which is one descriptor of the
 * loop.
 *
 * Told is only what ends a connection for good: a reset, a time-out, or both directions closed. The
 * end of the peer's stream alone is no reason to end anything; it waits behind the data.
 */
#ifndef PROXY_HANGUP_H
#define PROXY_HANGUP_H

#include <stdbool.h>

struct event;
struct event_base;
struct hangup;

/* Called on the loop, once; the watch is over by then. */
typedef void (*hangup_fn)(struct hangup *hangup);

/* Lives inside the object that waits; zero is one that does not. */
struct hangup {
    hangup_fn gone;
    int fd;       /* + 1; 0 = not watched */
    unsigned tag; /* the owner's */
};

struct hangups {
    int fd;
    struct event *event;
};

/* Returns 0, or -1 when the kernel or memory refuses. */
int hangups_init(struct hangups *hangups, struct event_base *base);
void hangups_deinit(struct hangups *hangups);

/* Begins, or goes on, to watch. Without memory in the kernel nothing is watched. */
void hangup_watch(struct hangups *hangups, struct hangup *hangup, int fd, hangup_fn gone);
/* Idempotent; needed before the descriptor is closed. */
void hangup_clear(struct hangups *hangups, struct hangup *hangup);

#endif
