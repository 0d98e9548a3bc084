/* SPDX-License-Identifier: MIT */
/*
 * Log lines for people, `time level message`, to a stream that the owner chooses (stderr). Lines of
 * several threads never mix. A NULL log is legal and silent, so the core can be used without one.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_COUNT
};

/* A longer message is cut here and ends in "…". */
#define LOG_MESSAGE_MAX 1024

struct log {
    FILE *out; /* borrowed */
    enum log_level level;
    bool quiet; /* errors only, whatever the level */
};

/* Set up before the threads that use it start; not changed afterwards. */
void log_init(struct log *log, FILE *out, enum log_level level, bool quiet);

bool log_is_on(const struct log *log, enum log_level level);

/* One line; a newline inside the message becomes a space. */
void log_write(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(log, ...) log_write((log), LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(log, ...) log_write((log), LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(log, ...) log_write((log), LOG_LEVEL_ERROR, __VA_ARGS__)

/* The names, NULL-terminated and in order of the enum: fit for a FLAG_CHOICE. */
extern const char *const log_level_names[LOG_LEVEL_COUNT + 1];

#endif
