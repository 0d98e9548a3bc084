/* SPDX-License-Identifier: MIT */
/* Reads samples of the machine from /proc: about ten small files, some 0.2 ms. */
#ifndef METRICS_HOST_READER_H
#define METRICS_HOST_READER_H

#include "metrics/host.h"

#include <stddef.h>
#include <sys/types.h>

/* `proc` is "/proc", or a directory that looks like it. `nodes` are the processes whose CPU time is
 * told apart; entries that are 0 or less are none, without any it is unknown. A file that cannot be
 * read leaves its figures unknown. */
struct host_sample host_read(const char *proc, const pid_t *nodes, size_t node_count, ns_t now);

#endif
