/* SPDX-License-Identifier: MIT */
/* Runs a program of the system, such as nft, to its end. */
#ifndef NET_TOOL_H
#define NET_TOOL_H

#include <stddef.h>

#include "base/err.h"

/*
 * `argv[0]` is looked up in PATH, /usr/sbin and /sbin. `input` (NULL = nothing) goes to its
 * standard input; what it prints, errors too, comes back in `output` (NULL is allowed), cut to its
 * size and ended with a NUL. Killed after 5 s. Returns 0 when it exited with 0, or -1 with what it
 * said.
 */
int tool_run(const char *const argv[], const char *input, char *output, size_t size,
             struct err *err);

#endif
