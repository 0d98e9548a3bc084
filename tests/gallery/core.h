/* SPDX-License-Identifier: MIT */
/*
 * The client that all of the gallery are made from: the text protocol, a connection per worker and
 * node, a circuit breaker per node. Without a defect it is correct, if slow. Each defect is one
 * `if` in core.c, and each client of the gallery a file that sets one of them and tells its story.
 */
#ifndef GALLERY_CORE_H
#define GALLERY_CORE_H

#include <stdbool.h>

struct defects {
    const char *name;
    bool waits_for_ever;        /* no timeout */
    bool keeps_late_connection; /* uses it again after a timeout, and takes whatever comes */
    bool forgets_connection;    /* in place of closing it */
    bool keeps_probe;           /* of the half-open breaker, when the probe fails */
    bool swaps_answers;         /* now and then, with another worker */
    bool tries_for_ever;        /* again at once, until the deadline */
    bool timeout_is_miss;
    bool caches_values;  /* without hearing of the writes of others */
    bool short_batch;    /* the last key of a batch is lost */
    bool shares_breaker; /* between all nodes */
    bool sleeps_on;      /* after a timeout, for ever */
};

extern const struct defects defects;

#endif
