/* SPDX-License-Identifier: MIT */
/* Paths of the API: matching, and the cleaning that Go's router does before it. */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

/* {proxy} and {toxic}: no pattern has more. */
#define ROUTE_PARAMS_MAX 2

/*
 * Matches a decoded path with a pattern like "/proxies/{}/toxics/{}"; "{}" stands for one segment
 * that is not empty. On success the segments are copied out (free each); params beyond them are
 * NULL. Returns false, with nothing copied, when it does not match or memory is short.
 */
bool route_match(const char *pattern, const char *path, char *params[ROUTE_PARAMS_MAX]);

/*
 * The path without "//", "/./" and "/../"; a trailing slash stays. NULL when it is clean already
 * (or memory is short), else the caller frees it.
 */
char *route_clean(const char *path);

#endif
