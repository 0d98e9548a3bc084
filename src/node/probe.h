/* SPDX-License-Identifier: MIT */
#ifndef NODE_PROBE_H
#define NODE_PROBE_H

#include <stddef.h>

#include "base/err.h"
#include "base/time.h"

/*
 * Asks the server at `address` ("host:port") for `mn` and waits for `MN`: the only proof that it is
 * a memcached that speaks the meta protocol and answers now. Tries once. Blocks until `deadline` at
 * most (name resolution excepted). `version` receives the server's version text when not NULL.
 * Returns 0, or -1 with the reason in `err`.
 */
int node_probe(const char *address, ns_t deadline, char *version, size_t version_size,
               struct err *err);

#endif
