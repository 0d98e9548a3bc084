/* SPDX-License-Identifier: MIT */
/* The memory of a session's batches; session.h has the calls. */
#ifndef LOAD_BATCH_H
#define LOAD_BATCH_H

#include <stddef.h>

struct session_batch;

/* For values of up to `value_max` bytes. NULL without memory. */
struct session_batch *session_batch_new(size_t value_max);
void session_batch_free(struct session_batch *batch);

#endif
