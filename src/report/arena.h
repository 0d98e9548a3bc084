/* SPDX-License-Identifier: MIT */
/* Memory that is freed all at once: the strings and arrays of a result. NULL only without memory.
 */
#ifndef REPORT_ARENA_H
#define REPORT_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_block;

/* Zeroed is empty. */
struct arena {
    struct arena_block *blocks;
};

/* Zeroed memory; a valid pointer when count is 0. */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_text(struct arena *a, const char *text); /* NULL gives "" */
char *arena_format(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_deinit(struct arena *a);

#endif
