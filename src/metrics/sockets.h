/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows of a client's connections: the sockets of this process and of its children
 * whose peer is one of some addresses, counted from /proc. That a client has closed what it opened
 * is the kernel's word and not the client's.
 *
 * A socket that the peer has reset is no longer listed by the kernel, so it is not counted.
 */
#ifndef METRICS_SOCKETS_H
#define METRICS_SOCKETS_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOCKETS_PEERS_MAX 256

struct sockets_peer {
    bool is_v6;
    uint16_t port; /* host order */
    uint8_t address[16];
};

struct sockets_peers {
    struct sockets_peer list[SOCKETS_PEERS_MAX];
    size_t count;
};

/* Adds every address of "host:port" or "[host]:port". Returns 0, or -1 when it has none or there
 * are too many. */
int sockets_peers_add(struct sockets_peers *peers, const char *address, struct err *err);

/* Reads one line of /proc/net/tcp (or tcp6). Returns false when it describes no socket. */
bool sockets_parse_line(const char *line, bool is_v6, struct sockets_peer *peer, uint64_t *inode);

/* Returns how many there are now, or -1 when /proc does not tell. */
int sockets_count(const struct sockets_peers *peers, struct err *err);

#endif
