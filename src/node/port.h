/* SPDX-License-Identifier: MIT */
#ifndef NODE_PORT_H
#define NODE_PORT_H

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

/*
 * A TCP port on 127.0.0.1 that nobody listens on now, outside the kernel's ephemeral range: a port
 * inside it could be taken by any outgoing connection while a node is down, and the node would not
 * get it back. The port is not held; a caller that loses the race asks again. Returns 0 and fills
 * `err` when 100 random candidates are all busy.
 */
uint16_t node_free_port(struct rng *rng, struct err *err);

#endif
