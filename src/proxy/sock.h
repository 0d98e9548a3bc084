/* SPDX-License-Identifier: MIT */
/*
 * Sockets as the proxy needs them: non-blocking, close-on-exec, small packets sent at once,
 * keep-alive after 15 s.
 */
#ifndef PROXY_SOCK_H
#define PROXY_SOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "proxy/address.h"

/* Descriptors that the data path leaves to the API, log files and lookups. */
#define SOCK_RESERVE_FDS 32

/*
 * A listening socket. A wildcard of either family is bound as one dual-stack socket. A Unix socket
 * whose file is there but that nobody serves any more takes its place. `bound` gets the address
 * with its real port. Returns the descriptor, or -1 with "listen tcp A: bind: REASON".
 */
int sock_listen(const struct address *address, struct address *bound, struct err *err);

/* Which file a Unix socket made, so that another one of that name is never removed. */
struct sock_file {
    dev_t device;
    ino_t inode; /* 0 = none */
};

void sock_file_identify(const char *path, struct sock_file *out);
void sock_file_remove(const char *path, const struct sock_file *file);

/* Starts to connect. Returns the descriptor, or -1 with errno. *done tells whether it is connected.
 */
int sock_dial(const struct address *address, bool *done);

/* The next close() sends a reset. */
void sock_reset_on_close(int fd);

/* The lowest descriptor number that is not to be used by the data path. */
int sock_fd_ceiling(void);

/* Whether the next descriptor would be below the ceiling. */
bool sock_has_room(int fd_ceiling);

/* strerror() as Go words it: the first letter small. */
const char *sock_reason(int error, char *out, size_t out_size);

#endif
