/* SPDX-License-Identifier: MIT */
/*
 * A memcached child process: found, spawned on a free loopback port, awaited, watched and stopped.
 *
 * A node never outlives this process: the kernel kills it when the thread that started it ends (so
 * start nodes from the main thread), also after SIGKILL. It runs in its own process group, so that
 * a Ctrl-C on the terminal reaches memchaos only. Started as root, it drops to the user `memcache`
 * or `nobody` first. Not thread-safe: one thread owns a node.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"

struct node_config {
    const char *name;         /* "node1", for messages */
    const char *program;      /* path of memcached, from node_find_program() */
    unsigned memory_mb;       /* -m */
    unsigned connections_max; /* -c */
    unsigned threads;         /* -t */
    bool keep_account;        /* do not drop root: in a user namespace there is no other account */
};

struct node;

/* Looks for memcached in PATH. Returns 0 and its path, or -1 with the line that installs it. */
int node_find_program(char *path, size_t size, struct err *err);

/*
 * Starts a node and waits until it answers, 5 s at most. The caller frees it with node_free().
 * `rng` picks the port. Returns 0, or -1 with the reason and what memcached printed.
 */
int node_start(const struct node_config *config, struct rng *rng, struct node **out,
               struct err *err);

/* Kills the process and frees all. NULL is allowed. */
void node_free(struct node *node);

const char *node_name(const struct node *node);
const char *node_address(const struct node *node); /* "127.0.0.1:port" */
const char *node_version(const struct node *node); /* "1.6.18" */
pid_t node_pid(const struct node *node);

/* Returns 0 while the process lives, or is dead on purpose (control.h); -1 with the way it ended
 * and the end of its stderr. */
int node_check(struct node *node, struct err *err);

#endif
