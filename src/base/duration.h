/* SPDX-License-Identifier: MIT */
/*
 * Durations as people write them: Go's syntax (`1m30s`, `250ms`, `1.5h`, `-2s`, `0`), units ns, us
 * or µs, ms, s, m, h. A number without a unit is refused (except 0), because nobody agrees on what
 * it means.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/err.h"
#include "base/time.h"

#define DURATION_TEXT_SIZE 40

/* Reads the whole of `text`, sign allowed. Returns 0, or -1 with a reason that quotes the text. */
int duration_parse(const char *text, ns_t *out, struct err *err);

/*
 * Writes the shortest exact form (`1m30s`, `1.5s`, `250ms`, `0s`), which duration_parse() reads
 * back to the same value; NS_NEVER is written `never`. Returns `buf`.
 */
const char *duration_text(ns_t value, char buf[static DURATION_TEXT_SIZE]);

#endif
