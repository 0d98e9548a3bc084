/* SPDX-License-Identifier: MIT */
/*
 * A child process with which lines are exchanged: we write to its standard input and read its
 * standard output; its standard error goes to the log. It has its own process group, so that Ctrl-C
 * reaches memchaos only, and dies with us: the kernel kills it when the thread that started it ends
 * (start programs from the main thread).
 *
 * Sending never blocks: what the pipe does not take is kept and goes out with what follows it, many
 * lines in one write.
 */
#ifndef DRIVER_PROGRAM_H
#define DRIVER_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/log.h"
#include "base/time.h"

#define PROGRAM_LINE_MAX ((size_t)64 << 20) /* a longer one is cut */

struct program_end {
    bool by_us;             /* program_kill() had been called */
    bool output_closed;     /* it had closed its standard output and lived on, and was killed */
    int signal;             /* that killed it, 0 if none did */
    int status;             /* its exit status otherwise */
    const char *last_words; /* the last line of its standard error; "" without one */
};

struct program;

struct program_config {
    const char *command; /* run by: sh -c "exec COMMAND" */
    const char *label;   /* in front of its lines in the log: "driver" */
    struct log *log;     /* may be NULL */
    /* From the program's own thread. `line` ends with a NUL instead of its newline. */
    void (*line)(void *arg, const char *line, size_t size);
    /* The last call; all lines have been passed on. */
    void (*ended)(void *arg, const struct program_end *end);
    void *arg;
};

/* Strings of the config are copied. */
int program_start(const struct program_config *config, struct program **out, struct err *err);

/* Any thread. Does nothing when the program has ended. */
void program_send(struct program *program, const void *data, size_t size);

/* Closes its standard input once all that was sent is written. */
void program_send_end(struct program *program);

/* Any thread: kills it with all that is in its process group. */
void program_kill(struct program *program);

/* Whether it has ended before `deadline`; waits until then. */
bool program_wait(struct program *program, ns_t deadline);

/* Kills it if need be, and waits. NULL is allowed. */
void program_free(struct program *program);

#endif
