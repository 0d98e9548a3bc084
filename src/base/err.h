/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, in words for the person who started the program. A function that can fail
 * returns 0 or -1 and fills the caller's struct err; a caller may put its own context in front,
 * once per layer.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
    char text[512];
};

/* Fills `err` (NULL is allowed) and returns -1, so that `return err_set(err, ...)` reads well. */
int err_set(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of what is there; returns -1. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
