/* SPDX-License-Identifier: MIT */
/*
 * A private network namespace for this process and all that it starts: with a loopback of its own,
 * on which the kernel may lose packets without harm to anybody else. It is gone with the last
 * process in it, so nothing can be left behind.
 */
#ifndef NET_NAMESPACE_H
#define NET_NAMESPACE_H

#include <stdbool.h>

#include "base/err.h"

/* What cannot be done here, and why; "" = it can. */
struct net_support {
    char loss_missing[256];  /* dropping packets, by nftables */
    char netem_missing[256]; /* delaying, reordering and duplicating them, by netem */
};

/* Tries it all in a child process that ends at once; some 50 ms. */
void net_probe(struct net_support *out);

/*
 * Moves this process, which must not have threads yet, into a new namespace: as root directly, else
 * inside a new user namespace, where it is root and where no other account exists
 * (*new_accounts = true). Loopback is up, with segments of an Ethernet's size. Returns 0 or -1.
 */
int net_enter(bool *new_accounts, struct err *err);

#endif
