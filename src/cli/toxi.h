/* SPDX-License-Identifier: MIT */
/*
 * What the commands of toxiproxy-cli share: list, inspect, create, toggle, delete, stats and toxic
 * add, update, remove. They only use the HTTP API, so that they work with any Toxiproxy server.
 */
#ifndef CLI_TOXI_H
#define CLI_TOXI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/flag.h"
#include "proxy/apiclient.h"

/* A longer command line of attributes is refused. */
#define TOXI_ATTRIBUTES_MAX 64
#define TOXI_ATTRIBUTE_BYTES_MAX 4096

/* toxiproxy-cli's codes, where it has one; a wrong flag is EXIT_CODE_USAGE. */
enum toxi_exit {
    TOXI_EXIT_OK = 0,
    TOXI_EXIT_FAILED = 1,
    TOXI_EXIT_NO_SUCH_COMMAND = 3,
};

/* Everything that a command line can say; each command has flags for a part of it. */
struct toxi_options {
    const char *host;
    const char *proxy; /* the operand; NULL = none */
    const char *listen;
    const char *upstream_address;
    const char *toxic_name;
    const char *type;
    const char *toxicity;
    bool upstream;
    bool downstream;
    bool version;
    struct flag_list attributes;
};

/* One run of one command. */
struct toxi {
    const char *program; /* "memchaos" or "toxiproxy-cli": for hints */
    const struct toxi_command *command;
    struct toxi_options options;
    struct apiclient *client;
    bool table; /* for people: aligned, with headings and hints */
    bool color;
};

struct toxi_command {
    const char *group; /* "toxic" for its three subcommands, else NULL */
    const char *name;
    const char *aliases[4];
    unsigned flags;      /* which it takes: see toxi_flags.c */
    const char *operand; /* "NAME", or NULL when there is none */
    const char *help;    /* one sentence */
    const struct flag_example *examples;
    int (*run)(struct toxi *t); /* an exit code */
};

/* Bits of toxi_command.flags; every command takes -host. */
enum {
    TOXI_TAKES_ADDRESSES = 1,
    TOXI_TAKES_TOXIC_NAME = 2,
    TOXI_TAKES_TYPE = 4, /* and the direction */
    TOXI_TAKES_VALUES = 8,
    TOXI_TAKES_VERSION = 16,
};

/* The flags of a command, with their end mark. */
#define TOXI_FLAGS_MAX 24

/* toxi_flags.c: the table for flag_parse(), which fills `o`. */
void toxi_flags_table(unsigned takes, struct toxi_options *o,
                      struct flag table[static TOXI_FLAGS_MAX]);

/*
 * Reads a command's flags and its operand, in any order, from argv[1] on. FLAG_BAD fills `err`.
 */
enum flag_result toxi_flags_parse(const struct toxi_command *command, struct toxi_options *o,
                                  int argc, char **argv, struct err *err);
void toxi_flags_print_help(const struct toxi_command *command);

/* toxi_proxy.c */
int toxi_list(struct toxi *t);
int toxi_inspect(struct toxi *t);
int toxi_create(struct toxi *t);
int toxi_toggle(struct toxi *t);
int toxi_delete(struct toxi *t);
int toxi_stats(struct toxi *t);

/* toxi_toxic.c */
int toxi_toxic_add(struct toxi *t);
int toxi_toxic_update(struct toxi *t);
int toxi_toxic_remove(struct toxi *t);

/* toxi_cmd.c: messages to standard error; each returns TOXI_EXIT_FAILED. */
int toxi_fail(const struct toxi *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same after the command's help, which goes to standard output. */
int toxi_fail_usage(const struct toxi *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A call that failed: says what the server said, or what to do when there is none. */
int toxi_fail_call(const struct toxi *t, int result, const struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
