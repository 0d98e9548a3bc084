/* SPDX-License-Identifier: MIT */
/*
 * Creating many proxies at once, from a request or a file. A proxy that exists and differs neither
 * in its addresses stays as it is, except for options that the item names.
 */
#ifndef PROXY_POPULATE_H
#define PROXY_POPULATE_H

#include <jansson.h>

#include "proxy/collection.h"
#include "proxy/names.h"

struct evbuffer;

struct populate {
    struct proxy_env *env;
    struct collection *collection;
    struct names *names;
    const json_t *body;
    bool toxics;           /* each item may have some, in place before its first connection */
    struct evbuffer *list; /* gets the proxies as "{...},{...}" */
    size_t count;          /* how many */
};

/* Checks every item and asks for their names. 0, or the status to answer with `err` filled. */
int populate_check(struct populate *populate, struct err *err);

/* Applies the items in order up to the first failure. 0, or the status with `err` filled. */
int populate_apply(struct populate *populate, struct err *err);

#endif
