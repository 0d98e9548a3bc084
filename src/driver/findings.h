/* SPDX-License-Identifier: MIT */
/* The findings of one driver, by kind: how many, and the first in words. Any thread. */
#ifndef DRIVER_FINDINGS_H
#define DRIVER_FINDINGS_H

#include <pthread.h>

#include "driver/driver.h"

struct findings {
    pthread_mutex_t lock;
    struct log *log; /* gets the first of each kind; may be NULL */
    struct driver_finding list[DRIVER_FINDING_COUNT];
};

void findings_init(struct findings *findings, struct log *log);
void findings_deinit(struct findings *findings);

void findings_add(struct findings *findings, enum driver_finding_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Copies those that there are; returns how many. */
size_t findings_read(struct findings *findings, struct driver_finding *out);

#endif
