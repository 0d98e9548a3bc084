/* SPDX-License-Identifier: MIT */
/*
 * Histograms as text: HdrHistogram's V2 encoding (counts as ZigZag LEB128, a run of zeros as one
 * negative number), compressed with zlib, in base64. Every HdrHistogram library reads it, in any
 * language; it is what stands in their logs and begins with "HISTFAAAA". The counts are kept
 * exactly; the sum, the exact extremes and the overflow are not part of the format.
 *
 * Pure functions: no thread rules.
 */
#ifndef BASE_HIST_CODEC_H
#define BASE_HIST_CODEC_H

#include "base/hist.h"

/* A text that would unpack to more than this is refused: what a histogram of 5 digits over 64 bits
 * of values can take. */
#define HIST_CODEC_BYTES_MAX ((size_t)64 << 20)

/* Returns text that the caller frees, or NULL without memory. `h` may be recording. */
char *hist_encode(const struct hist *h, struct err *err);

/*
 * Makes `out`, which the caller ends with hist_deinit(), from encoded text, ours or another
 * library's. Returns 0; or -1 with the reason, and nothing to end. Extremes are those of the
 * buckets, the sum is made from their middles.
 */
int hist_decode(const char *text, struct hist *out, struct err *err);

#endif
