/* SPDX-License-Identifier: MIT */
/*
 * Any program as the client under test, in any language: docs/driver-protocol.md. config->command
 * is its command line; it is started with SIGPIPE ignored by the caller, and from the main thread.
 */
#ifndef DRIVER_EXTERNAL_H
#define DRIVER_EXTERNAL_H

#include "driver/driver.h"
#include "driver/wire.h"

/* How long a program may take for its hello, and to end after bye. */
#define EXTERNAL_HELLO_MAX_NS (10 * NS_PER_SEC)
#define EXTERNAL_BYE_MAX_NS (3 * NS_PER_SEC)

/* After its deadline an operation may be late by this, or by three times its timeout if that is
 * more; then the program has stopped answering. */
#define EXTERNAL_SLACK_NS NS_PER_SEC

#define EXTERNAL_PROCESSES_MAX 256 /* of a program that wants one per worker */

extern const struct driver driver_external;

/* What it said in its hello. */
const struct wire_about *external_about(void *client);

/* The beginning of the line that ended the worker's last operation; "" when none did. */
const char *external_line(void *worker);

/* Sends one line as it is, to every process: for the checker. */
void external_send(void *client, const char *line);

/* Closes the program's standard input without a word, as if we had been killed; whether it ends
 * within EXTERNAL_BYE_MAX_NS. Nothing but close may follow. */
bool external_hang_up(void *client);

#endif
