/* SPDX-License-Identifier: MIT */
#include "proxy/pipes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void pipes_init(struct pipes *p, int fd_ceiling)
{
    *p = (struct pipes){.fd_ceiling = fd_ceiling};
}

static void pipe_close(struct pipes *p, struct pipe *pipe)
{
    close(pipe->in);
    close(pipe->out);
    free(pipe);
    p->count--;
}

void pipes_deinit(struct pipes *p)
{
    while (p->spare) {
        struct pipe *pipe = p->spare;
        p->spare = pipe->next;
        pipe_close(p, pipe);
    }
    assert(p->count == 0);
}

static struct pipe *pipe_open(struct pipes *p)
{
    int fds[2];
    struct pipe *pipe = malloc(sizeof *pipe);
    if (!pipe || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
        free(pipe);
        return NULL;
    }
    *pipe = (struct pipe){.in = fds[1], .out = fds[0]};
    p->count++;
    if (pipe->in >= p->fd_ceiling || pipe->out >= p->fd_ceiling) {
        pipe_close(p, pipe);
        return NULL;
    }
    /* A refusal leaves the default, which is smaller and as good. */
    (void)fcntl(pipe->in, F_SETPIPE_SZ, (int)PIPE_BYTES_MAX);
    return pipe;
}

struct pipe *pipes_acquire(struct pipes *p)
{
    struct pipe *pipe = p->spare;
    if (!pipe)
        return p->count < PIPES_MAX ? pipe_open(p) : NULL;
    p->spare = pipe->next;
    p->spare_count--;
    return pipe;
}

void pipes_release(struct pipes *p, struct pipe *pipe)
{
    if (!pipe)
        return;
    if (pipe->held > 0 || p->spare_count >= PIPES_SPARE_MAX) {
        pipe_close(p, pipe);
        return;
    }
    pipe->next = p->spare;
    p->spare = pipe;
    p->spare_count++;
}

static ssize_t move_bytes(int from, int to, size_t size)
{
    ssize_t n;
    do {
        n = splice(from, NULL, to, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    return n;
}

ssize_t pipe_fill(struct pipe *pipe, int source)
{
    assert(pipe->held == 0);
    ssize_t n = move_bytes(source, pipe->in, PIPE_BYTES_MAX);
    if (n > 0)
        pipe->held = (size_t)n;
    return n;
}

ssize_t pipe_drain(struct pipe *pipe, int destination)
{
    ssize_t n = move_bytes(pipe->out, destination, pipe->held);
    if (n > 0)
        pipe->held -= (size_t)n;
    return n;
}
