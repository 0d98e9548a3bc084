/* SPDX-License-Identifier: MIT */
/*
 * Formats one event into a stack buffer and hands it to the sink. A line that does not fit is cut
 * inside its values, never inside its syntax: every write is checked and the closing part is
 * reserved.
 */
#include "proxy/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/utf8.h"

#define LINE_BYTES_MAX 4096
/* Room for `,"time":"...","message":` and the closing braces of a cut line. */
#define TAIL_BYTES 96

static const struct {
    enum proxy_log_level level;
    const char *name;
} levels[] = {
    {PROXY_LOG_TRACE, "trace"}, {PROXY_LOG_DEBUG, "debug"},  {PROXY_LOG_INFO, "info"},
    {PROXY_LOG_WARN, "warn"},   {PROXY_LOG_WARN, "warning"}, {PROXY_LOG_ERROR, "error"},
    {PROXY_LOG_FATAL, "fatal"}, {PROXY_LOG_PANIC, "panic"},  {PROXY_LOG_OFF, "disabled"},
};

static const char *level_name(enum proxy_log_level level)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (levels[i].level == level)
            return levels[i].name;
    return "info";
}

int proxy_log_level_parse(const char *text, enum proxy_log_level *out)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcasecmp(text, levels[i].name) == 0) {
            *out = levels[i].level;
            return 0;
        }
    }
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < PROXY_LOG_LOWEST || number > PROXY_LOG_HIGHEST)
        return -1;
    *out = (enum proxy_log_level)number;
    return 0;
}

struct line {
    char text[LINE_BYTES_MAX];
    size_t size;
    size_t limit;
};

static void line_raw(struct line *l, const char *text)
{
    size_t n = strlen(text);
    if (l->size + n <= l->limit) {
        memcpy(l->text + l->size, text, n);
        l->size += n;
    }
}

static void line_string(struct line *l, const char *text)
{
    line_raw(l, "\"");
    size_t limit = l->limit;
    l->limit -= 1;
    const char *end = text + strlen(text);
    while (text < end) {
        char piece[8];
        size_t size = utf8_length(text, (size_t)(end - text));
        if (size == 0)
            snprintf(piece, sizeof piece, "%s", UTF8_REPLACEMENT);
        else if (*text == '"' || *text == '\\')
            snprintf(piece, sizeof piece, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            snprintf(piece, sizeof piece, "\\u%04x", (unsigned char)*text);
        else
            snprintf(piece, sizeof piece, "%.*s", (int)size, text);
        line_raw(l, piece);
        text += size > 0 ? size : 1;
    }
    l->limit = limit;
    line_raw(l, "\"");
}

static void line_field(struct line *l, const struct proxy_log_field *field)
{
    char number[32];
    if (field->real)
        snprintf(number, sizeof number, "%.6g", *field->real);
    else
        snprintf(number, sizeof number, "%" PRId64, field->number);
    /* A field is written whole or, when even an empty value would not fit, not at all. */
    if (l->size + strlen(field->key) + sizeof number + 6 > l->limit)
        return;
    line_raw(l, ",\"");
    line_raw(l, field->key);
    line_raw(l, "\":");
    if (field->text)
        line_string(l, field->text);
    else
        line_raw(l, number);
}

void proxy_log_event(const struct proxy_log *log, enum proxy_log_level level, const char *message,
                     const struct proxy_log_field *fields)
{
    if (!log->write || level < log->level)
        return;
    struct line l = {.size = 0, .limit = LINE_BYTES_MAX - TAIL_BYTES - strlen(message)};
    line_raw(&l, "{\"level\":\"");
    line_raw(&l, level_name(level));
    line_raw(&l, "\"");
    for (const struct proxy_log_field *f = fields; f && f->key; f++)
        line_field(&l, f);
    l.limit = LINE_BYTES_MAX;

    time_t now = time(NULL);
    struct tm tm;
    char stamp[48];
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, ",\"time\":\"%Y-%m-%dT%H:%M:%SZ\"", &tm);
    line_raw(&l, stamp);
    if (message[0] != '\0') {
        line_raw(&l, ",\"message\":");
        line_string(&l, message);
    }
    line_raw(&l, "}\n");
    log->write(log->arg, l.text, l.size);
}
