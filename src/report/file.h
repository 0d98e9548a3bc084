/* SPDX-License-Identifier: MIT */
/*
 * Files that appear whole: written beside their place under another name (FILE.tmp), then
 * renamed. Whoever reads FILE sees the old one or the new one, also when this process is
 * killed meanwhile. What is no regular file (a pipe, /dev/stdout) is written to as it is.
 */
#ifndef REPORT_FILE_H
#define REPORT_FILE_H

#include "base/err.h"

#include <stdio.h>

/* Can a file be made there? To be asked before hours of work. Changes nothing. 0 or -1. */
int report_file_check(const char *path, struct err *err);

enum file_safety {
    FILE_SURVIVES_US,    /* complete although this process may be killed */
    FILE_SURVIVES_POWER, /* also when the machine goes down; waits for the disk */
};

/* `write` returns 0 or -1, like the report writers. On -1 the file that was there is untouched. */
int report_file_write(const char *path, enum file_safety safety, int (*write)(FILE *out, void *arg),
                      void *arg, struct err *err);

#endif
