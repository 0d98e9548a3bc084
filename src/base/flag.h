/* SPDX-License-Identifier: MIT */
/*
 * Command-line flags with Go's habits: `-flag v`, `-flag=v`, `--flag v`, booleans `-flag` and
 * `-flag=false`, parsing stops at the first operand or after `--`, and the last of repeated flags
 * wins. One table describes the flags of a command; it parses, checks, and prints the help.
 */
#ifndef BASE_FLAG_H
#define BASE_FLAG_H

#include "base/err.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum flag_kind {
    FLAG_STRING,   /* target: const char *, borrowed from argv or from default_text */
    FLAG_BOOL,     /* target: bool */
    FLAG_INT,      /* target: int */
    FLAG_UINT64,   /* target: uint64_t; decimal or 0x… */
    FLAG_DOUBLE,   /* target: double; finite */
    FLAG_DURATION, /* target: ns_t; see base/duration.h */
    FLAG_SIZE,   /* target: uint64_t bytes; 64, 64k, 64KB, 1.5MiB: every unit is a power of 1024 */
    FLAG_CHOICE, /* target: int, the index into `choices` */
    FLAG_LIST,   /* target: struct flag_list; every use of the flag adds a text */
};

#define FLAG_LIST_MAX 64

struct flag_list {
    const char *items[FLAG_LIST_MAX]; /* borrowed from argv */
    size_t count;
};

struct flag {
    const char *name; /* without the dash; NULL ends the table */
    enum flag_kind kind;
    void *target;
    const char *metavar;      /* what the help calls the value; NULL takes the kind's word */
    const char *default_text; /* read by flag_defaults() and shown in the help; NULL leaves the
                                 target alone */
    double min; /* for numbers, durations and sizes: so negative ones are refused by default */
    double max; /* 0 means no upper bound; a unit's worth for durations is 1 ns, for sizes 1 byte */
    const char *const *choices; /* for FLAG_CHOICE: names, NULL-terminated */
    const char *group; /* heading in the help; a flag without one joins the flag before it */
    const char *help;  /* one sentence; NULL hides the flag from the help */
    bool *given;       /* set to true when the flag is on the command line; may be NULL */
};

struct flag_example {
    const char *command;
    const char *what;
};

struct flag_help {
    const char *usage;                   /* "memchaos [flags]" */
    const char *about;                   /* one sentence; may be NULL */
    const struct flag_example *examples; /* ends with a NULL command; may be NULL */
};

enum flag_result {
    FLAG_BAD = -1, /* `err` says what is wrong: a usage error */
    FLAG_OK = 0,
    FLAG_HELP = 1, /* -h, -help or --help was asked for */
};

/* Sets every target that has a default text. A default that does not parse is a bug and asserts. */
void flag_defaults(const struct flag *table);

/*
 * Reads argv[1] and on into the targets; `operand_out` gets the index of the first operand (argc
 * when there is none). Targets of flags that are not given are left alone. Stops at the first
 * error.
 */
enum flag_result flag_parse(const struct flag *table, int argc, char *const *argv, int *operand_out,
                            struct err *err);

/* Sets one flag from its text, with the same checks and messages. Returns 0 or -1. */
int flag_set(const struct flag *flag, const char *text, struct err *err);

/*
 * The target's present value as flag_set() would read it; a NULL string is "", and a list is joined
 * with commas. Returns `text`.
 */
const char *flag_value_text(const struct flag *flag, char *text, size_t size);

/* Examples first, then the flags by group in table order, with their defaults. */
void flag_print_help(FILE *out, const struct flag *table, const struct flag_help *help);

#endif
