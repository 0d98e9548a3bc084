/* SPDX-License-Identifier: MIT */
/* The inside of a node, for the files of this folder: node.c starts it, control.c hurts it. */
#ifndef NODE_PROCESS_H
#define NODE_PROCESS_H

#include <stdbool.h>

#include "node/control.h"
#include "node/node.h"

/* In the environment of every node: the process that owns it, as "pid:start time". */
#define NODE_OWNER_VARIABLE "MEMCHAOS_NODE_OWNER"

struct node {
    struct node_config config;
    struct node_limits limits; /* of the next start */
    char name[32];
    char program[256];
    char address[32];
    char version[32];
    uint16_t port;
    pid_t pid;           /* 0 once reaped */
    int output_fd;       /* what it prints, in memory */
    int status;          /* of waitpid(), valid when pid is 0 */
    int control_fd;      /* a connection held for questions while there are few; -1 = none */
    unsigned kill_holds; /* how many faults want it dead */
    unsigned stop_holds; /* how many faults want it stopped */
};

/* Starts the process on its port; 0, or -1. */
int node_spawn(struct node *node, struct err *err);

/* Kills and reaps it. */
void node_stop(struct node *node);

/*
 * Waits until it answers, or with `answers` false until it accepts connections; 5 s at most. The
 * connection that was accepted goes to `fd`, if not NULL.
 */
int node_wait(struct node *node, bool answers, int *fd, struct err *err);

#endif
