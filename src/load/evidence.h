/* SPDX-License-Identifier: MIT */
/*
 * The first wrong answers of a run, in words: a count says that data was wrong, this says which.
 * Any thread may add; bounded.
 */
#ifndef LOAD_EVIDENCE_H
#define LOAD_EVIDENCE_H

#include <pthread.h>
#include <stddef.h>

#define EVIDENCE_MAX 8
#define EVIDENCE_TEXT_SIZE 400

struct evidence {
    pthread_mutex_t lock;
    size_t count; /* kept, at most EVIDENCE_MAX */
    char texts[EVIDENCE_MAX][EVIDENCE_TEXT_SIZE];
};

void evidence_init(struct evidence *evidence);
void evidence_deinit(struct evidence *evidence);
void evidence_add(struct evidence *evidence, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* How many texts are there; those do not change any more. */
size_t evidence_count(struct evidence *evidence);

#endif
