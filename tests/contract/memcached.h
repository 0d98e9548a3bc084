/* SPDX-License-Identifier: MIT */
/* A real memcached for a test: on loopback, killed with the test whatever happens. */
#ifndef TESTS_CONTRACT_MEMCACHED_H
#define TESTS_CONTRACT_MEMCACHED_H

#include <stdbool.h>
#include <sys/types.h>

struct memcached {
    pid_t pid;
    int port;
    char address[64]; /* "127.0.0.1:port", or "unix:/path" */
    char path[108];   /* of the unix socket, or "" */
    char *options[8]; /* more arguments, ended by NULL; of memcached_start_with() */
};

/* Whether there is a memcached in PATH. */
bool memcached_is_installed(void);

/* Starts one on a free port; false when it does not answer in time. */
bool memcached_start(struct memcached *server);

/* Starts one on a unix socket. */
bool memcached_start_unix(struct memcached *server);

/* Starts one with more arguments (at most 7, which must live as long as it). It is ready when its
 * port takes connections: it may not speak the plain protocol. */
bool memcached_start_with(struct memcached *server, char *const *options);

/* Starts it again at the same address, empty. */
bool memcached_restart(struct memcached *server);

/* Kills and reaps it; a stopped one too. */
void memcached_kill(struct memcached *server);

/* SIGSTOP: connections are still accepted by the kernel, nothing answers. Waits until it stands. */
void memcached_pause(const struct memcached *server);
void memcached_resume(const struct memcached *server);

#endif
