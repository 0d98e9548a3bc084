/* SPDX-License-Identifier: MIT */
#include "driver/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

static const struct {
    const char *name, *text;
} kinds[DRIVER_FINDING_COUNT] = {
#define X(id, name, text) [DRIVER_FINDING_##id] = {name, text},
    DRIVER_FINDINGS(X)
#undef X
};

const char *driver_finding_name(enum driver_finding_kind kind)
{
    return kinds[kind].name;
}

const char *driver_finding_text(enum driver_finding_kind kind)
{
    return kinds[kind].text;
}

void findings_init(struct findings *f, struct log *log)
{
    *f = (struct findings){.log = log};
    pthread_mutex_init(&f->lock, NULL);
}

void findings_deinit(struct findings *f)
{
    pthread_mutex_destroy(&f->lock);
}

void findings_add(struct findings *f, enum driver_finding_kind kind, const char *format, ...)
{
    pthread_mutex_lock(&f->lock);
    struct driver_finding *finding = &f->list[kind];
    bool first = finding->count++ == 0;
    finding->kind = kind;
    if (first) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(finding->first_text, sizeof finding->first_text, format, ap);
        va_end(ap);
    }
    pthread_mutex_unlock(&f->lock);
    if (first) /* the text never changes again */
        log_warn(f->log, "driver: %s", finding->first_text);
}

size_t findings_read(struct findings *f, struct driver_finding *out)
{
    size_t count = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < DRIVER_FINDING_COUNT; i++)
        if (f->list[i].count > 0)
            out[count++] = f->list[i];
    pthread_mutex_unlock(&f->lock);
    return count;
}
