/* SPDX-License-Identifier: MIT */
/* What the proxies and their toxics have done, as Prometheus metrics: the numbers of
 * GET /proxies/{proxy}/stats. Counters of a toxic go on when it is removed and made again. */
#ifndef PROXY_METRICS_VICTIMS_H
#define PROXY_METRICS_VICTIMS_H

struct collection;
struct evbuffer;

void metrics_print_victims(const struct collection *collection, struct evbuffer *out);

#endif
