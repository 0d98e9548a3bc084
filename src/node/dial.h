/* SPDX-License-Identifier: MIT */
/* Blocking conversations with a server, each with a deadline: for probes and for control. */
#ifndef NODE_DIAL_H
#define NODE_DIAL_H

#include <stddef.h>

#include "base/err.h"
#include "base/time.h"

/* Connects to "host:port". Returns a non-blocking descriptor, or -1 with the reason. */
int dial_connect(const char *address, ns_t deadline, struct err *err);

/* Sends all of `text`. Returns 0, or -1 with errno. */
int dial_send(int fd, const char *text, ns_t deadline);

/*
 * Reads until `end` is the tail of what came. `text` is always ended with a NUL. Returns 0, or -1
 * with errno: ETIMEDOUT, ECONNRESET when the server closed, EPROTO when the buffer is full.
 */
int dial_read_until(int fd, char *text, size_t size, const char *end, ns_t deadline);

#endif
