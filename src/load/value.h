/* SPDX-License-Identifier: MIT */
/*
 * Values that can be told apart: each carries its key, who wrote it, the writer's sequence number,
 * its own size and a checksum, so a read can be judged without knowing what was written.
 *
 *     mc1 <key> <writer> <sequence> <size> <filler><checksum: 16 hex digits>
 *
 * The checksum is XXH3-64 of everything before it. The filler is text derived from the sequence
 * number.
 */
#ifndef LOAD_VALUE_H
#define LOAD_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "metrics/outcome.h"

#define VALUE_OVERHEAD_MAX 340 /* bytes beside the filler, with the longest key */

/*
 * Writes a value with `filler` bytes of filler into `buffer`, which holds VALUE_OVERHEAD_MAX +
 * filler bytes. Returns its size.
 */
size_t value_write(char *buffer, const char *key, unsigned writer, uint64_t sequence,
                   size_t filler);

/*
 * Judges a value that was read under `key`: OUTCOME_HIT, OUTCOME_WRONG_VALUE (an intact value of
 * another key) or OUTCOME_CORRUPT (anything else). `why` gets a sentence unless the value is fine.
 */
enum outcome value_check(const void *value, size_t size, const char *key, char *why,
                         size_t why_size);

#endif
