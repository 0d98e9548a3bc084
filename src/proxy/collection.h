/* SPDX-License-Identifier: MIT */
/* The proxies of a server by name, kept in the byte order of their names. */
#ifndef PROXY_COLLECTION_H
#define PROXY_COLLECTION_H

#include "proxy/proxy.h"

struct collection {
    struct proxy **items;
    size_t count;
    size_t capacity;
};

/* Frees every proxy. */
void collection_deinit(struct collection *collection);

struct proxy *collection_find(const struct collection *collection, const char *name);

/* Takes ownership; the name must be free. -1 when memory is short. */
int collection_add(struct collection *collection, struct proxy *proxy);

/* proxy_gather() for all of them, and for the counters of `metrics`, in one moment. */
void collection_gather(struct collection *collection, struct proxy_env *env);

/* Frees the proxy, which must be in the collection. */
void collection_remove(struct collection *collection, struct proxy *proxy);

#endif
