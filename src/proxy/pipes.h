/* SPDX-License-Identifier: MIT */
/*
 * Pipes through which a fast stream passes from socket to socket without being copied: splice(2)
 * moves the pages. A link owns a pipe only while bytes are in it, so an idle link holds none. One
 * pool belongs to one thread.
 */
#ifndef PROXY_PIPES_H
#define PROXY_PIPES_H

#include <stddef.h>
#include <sys/types.h>

/* Of one pool, used and spare; without one a link copies. Links with a stalled receiver use them.
 */
#define PIPES_MAX 32u
/* What a pool keeps open for later. */
#define PIPES_SPARE_MAX 4u
/* The most that one pipe holds. */
#define PIPE_BYTES_MAX (1024u * 1024)

struct pipe {
    struct pipe *next;
    size_t held; /* bytes inside */
    int in;
    int out;
};

struct pipes {
    struct pipe *spare;
    size_t spare_count;
    size_t count;
    int fd_ceiling; /* descriptors from this number on are for others */
};

void pipes_init(struct pipes *pipes, int fd_ceiling);
void pipes_deinit(struct pipes *pipes);

/* An empty pipe, or NULL: no more to be had. */
struct pipe *pipes_acquire(struct pipes *pipes);
/* What is inside is lost. NULL is legal. */
void pipes_release(struct pipes *pipes, struct pipe *pipe);

/*
 * Both move what they can without blocking and return the bytes moved, or -1 with errno; EAGAIN is
 * the socket's, because a pipe is filled only when it is empty. Filling returns 0 at the end of the
 * stream. SIGPIPE must be blocked on the calling thread: splice() cannot be told not to raise it.
 */
ssize_t pipe_fill(struct pipe *pipe, int source);
ssize_t pipe_drain(struct pipe *pipe, int destination);

#endif
