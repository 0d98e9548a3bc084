/* SPDX-License-Identifier: MIT */
/* What the commands that make load do first. */
#ifndef CLI_SETUP_H
#define CLI_SETUP_H

#include "cli/run_options.h"
#include "rig/topology.h"

/* A descriptor that is readable once a signal asks for the end; signals are blocked from then on.
 * -1 on error. */
int setup_signals(struct err *err);

/* Reads the signal: returns its number, 0 when there is none. From then on signals have their
 * default effect and end at once. */
int setup_take_signal(int signal_fd);

/* What the flags say about nodes and proxies. */
struct topology_config setup_topology_config(const struct run_options *options, int signal_fd,
                                             struct log *log);

/* Room for the sockets of client and proxies, and everything the run stands on. */
int setup_topology(const struct run_options *options, const struct topology_config *config,
                   struct topology **out, struct err *err);

/* Whether the stream is a terminal that wants colours. */
bool setup_wants_colour(FILE *stream);

#endif
