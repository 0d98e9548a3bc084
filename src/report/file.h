/* SPDX-License-Identifier: MIT */
/*
 * Files that appear whole: written beside their place under another name (FILE.tmp), brought to the
 * disk, then renamed. Whoever reads FILE sees the old one or the new one, also when this process is
 * killed meanwhile. What is no regular file (a pipe, /dev/stdout) is written to as it is.
 */
#ifndef REPORT_FILE_H
#define REPORT_FILE_H

#include "base/err.h"

#include <stdio.h>

/* Can a file be made there? To be asked before hours of work. Changes nothing. 0 or -1. */
int report_file_check(const char *path, struct err *err);

/* `write` returns 0 or -1, like the report writers. On -1 the file that was there is untouched. */
int report_file_write(const char *path, int (*write)(FILE *out, void *arg), void *arg,
                      struct err *err);

#endif
