/* SPDX-License-Identifier: MIT */
/*
 * Event log of the proxy server: one JSON object per line, in Toxiproxy's layout (level, the
 * event's own fields, time, message). Where the lines go is the caller's choice.
 */
#ifndef PROXY_LOG_H
#define PROXY_LOG_H

#include <stdint.h>
#include <stddef.h>

/* The numbers are those that LOG_LEVEL accepts. */
enum proxy_log_level {
    PROXY_LOG_TRACE = -1,
    PROXY_LOG_DEBUG = 0,
    PROXY_LOG_INFO = 1,
    PROXY_LOG_WARN = 2,
    PROXY_LOG_ERROR = 3,
    PROXY_LOG_FATAL = 4,
    PROXY_LOG_PANIC = 5,
    PROXY_LOG_OFF = 7,
    PROXY_LOG_LOWEST = -128,
    PROXY_LOG_HIGHEST = 127,
};

/*
 * Gets one line, '\n' included, of `size` bytes, and must not block. Called on the server's
 * threads: with several of them also at the same time.
 */
typedef void (*proxy_log_fn)(void *arg, const char *line, size_t size);

struct proxy_log {
    proxy_log_fn write; /* NULL = silent */
    void *arg;
    enum proxy_log_level level; /* events below it are not written */
};

/* A context field: text if there is one, else the real number if there is one, else `number`. */
struct proxy_log_field {
    const char *key;
    const char *text;
    int64_t number;
    const double *real;
};

/* Writes one event; `fields` ends with a NULL key and may be NULL. Lines are cut at 4 KiB. */
void proxy_log_event(const struct proxy_log *log, enum proxy_log_level level, const char *message,
                     const struct proxy_log_field *fields);

/*
 * Reads a LOG_LEVEL value: a name in any case ("warning" is one, too), or a number from -128 to
 * 127. Returns 0, or -1 when it is neither.
 */
int proxy_log_level_parse(const char *text, enum proxy_log_level *out);

#endif
