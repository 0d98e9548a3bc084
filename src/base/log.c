/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

const char *const log_level_names[LOG_LEVEL_COUNT + 1] = {"debug", "info", "warn", "error", NULL};

void log_init(struct log *log, FILE *out, enum log_level level, bool quiet)
{
    *log = (struct log){.out = out, .level = level, .quiet = quiet};
}

bool log_is_on(const struct log *log, enum log_level level)
{
    if (log == NULL || level < log->level)
        return false;
    return !log->quiet || level >= LOG_LEVEL_ERROR;
}

/* Takes `len` bytes back to the end of the last whole UTF-8 character. */
static size_t whole_characters(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    if (!log_is_on(log, level))
        return;
    char message[LOG_MESSAGE_MAX];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof message) {
        static const char mark[] = "…";
        size_t end = whole_characters(message, sizeof message - sizeof mark);
        memcpy(message + end, mark, sizeof mark);
    }
    for (char *p = message; *p != '\0'; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';

    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    /* One call: stdio locks the stream for its length, so lines of several threads do not mix. */
    fprintf(log->out, "%02d:%02d:%02d.%03ld %-5s %s\n", tm.tm_hour, tm.tm_min, tm.tm_sec,
            ts.tv_nsec / 1000000, log_level_names[level], message);
    fflush(log->out);
}
