/* SPDX-License-Identifier: MIT */
#include "load/evidence.h"

#include <stdarg.h>
#include <stdio.h>

void evidence_init(struct evidence *evidence)
{
    pthread_mutex_init(&evidence->lock, NULL);
    evidence->count = 0;
}

void evidence_deinit(struct evidence *evidence)
{
    pthread_mutex_destroy(&evidence->lock);
}

void evidence_add(struct evidence *evidence, const char *format, ...)
{
    pthread_mutex_lock(&evidence->lock);
    if (evidence->count < EVIDENCE_MAX) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(evidence->texts[evidence->count++], EVIDENCE_TEXT_SIZE, format, ap);
        va_end(ap);
    }
    pthread_mutex_unlock(&evidence->lock);
}

size_t evidence_count(struct evidence *evidence)
{
    pthread_mutex_lock(&evidence->lock);
    size_t count = evidence->count;
    pthread_mutex_unlock(&evidence->lock);
    return count;
}
