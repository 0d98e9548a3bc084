/* SPDX-License-Identifier: MIT */
/*
 * Values that can be told apart. Each carries its size, the run, its writer, its version (the
 * number of the write to this key), its key, and a checksum, so that a read can be judged:
 *
 *     "MCV2", u32 size, u32 run, u32 writer, u64 version, u8 key size, key, filler, u64 XXH3-64
 *
 * in the byte order of the machine; the filler is random bytes. A value that is too small for that
 * consists of the first bytes of a pattern that its key determines: that it belongs to the key can
 * be checked, which write it is from cannot.
 */
#ifndef LOAD_VALUE_H
#define LOAD_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "load/keyspace.h"
#include "metrics/outcome.h"

#define VALUE_OVERHEAD 33 /* bytes beside key and filler */
#define VALUE_FILLER_SIZE 65536

struct value_id {
    uint32_t run;
    uint32_t writer;
    uint64_t version; /* from 1; 0 in what value_check() found: not known */
};

/* Makes the filler of all values; `out` has VALUE_FILLER_SIZE bytes. */
void value_filler(char *out);

/* Writes a value of exactly `size` bytes. */
void value_write(char *buffer, size_t size, const struct key *key, const struct value_id *id,
                 const char *filler);

/*
 * Judges the bytes that were read under `key`: OUTCOME_HIT, OUTCOME_WRONG_VALUE (an intact value of
 * another key), OUTCOME_TRUNCATED (the beginning of a value, or less than `size_min` bytes) or
 * OUTCOME_CORRUPT. With OUTCOME_HIT `id` tells whose it is, else `why` gets a sentence.
 */
enum outcome value_check(const void *value, size_t size, size_t size_min, const struct key *key,
                         struct value_id *id, char *why, size_t why_size);

#endif
