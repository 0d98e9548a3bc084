/* SPDX-License-Identifier: MIT */
/*
 * Nodes that outlived their owner. The kernel kills a node together with memchaos, so there should
 * be none; should there be one all the same, it is found by the mark in its environment.
 */
#ifndef NODE_STALE_H
#define NODE_STALE_H

#include <stddef.h>

/* The mark of this process: "MEMCHAOS_NODE_OWNER=pid:start time". */
void stale_mark(char *text, size_t size);

/*
 * Kills every process of this account that bears the mark of a process that is gone, and calls
 * `found` for each. Returns how many. Other runs that are alive are left alone.
 */
size_t stale_kill(void (*found)(void *arg, int pid, const char *mark), void *arg);

#endif
