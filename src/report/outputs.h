/* SPDX-License-Identifier: MIT */
/* Which reports a session is to write: "FORMAT=FILE" each, "-" as the file is standard output. */
#ifndef REPORT_OUTPUTS_H
#define REPORT_OUTPUTS_H

#include "base/err.h"
#include "report/registry.h"

#define OUTPUTS_MAX 32

struct outputs {
    struct output {
        const struct report_format *format;
        const char *path; /* borrowed */
    } list[OUTPUTS_MAX];
    size_t count;
};

/* One more. Says what is wrong with a format that does not exist, a file that could not be made, or
 * a second report for standard output. */
int outputs_add(struct outputs *o, const char *text, struct err *err);

/* Is one of them for standard output? */
bool outputs_use_stdout(const struct outputs *o);

/* Writes all; one that fails does not keep the others from being written. `failed` is told of each.
 * Returns how many failed. */
size_t outputs_write(const struct outputs *o, const struct result *r,
                     void (*failed)(void *arg, const struct output *output, const struct err *err),
                     void *arg);

#endif
