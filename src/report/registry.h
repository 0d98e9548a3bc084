/* SPDX-License-Identifier: MIT */
/* All formats of reports. A new one is a file and a line in registry.c. */
#ifndef REPORT_REGISTRY_H
#define REPORT_REGISTRY_H

#include "report/result.h"

#include <stdio.h>

struct report_format {
    const char *name;      /* "junit" */
    const char *extension; /* usual for such files, with the dot */
    const char *help;      /* one phrase for -help and the docs */
    int (*write)(FILE *out, const struct result *r);
};

/* Ends with NULL. */
extern const struct report_format *const report_formats[];

/* NULL when there is none called so; `length` bytes of `name`. */
const struct report_format *report_format_find(const char *name, size_t length);

#endif
