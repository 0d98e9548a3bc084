/* SPDX-License-Identifier: MIT */
/* Bytes that come from outside and go out as JSON: which of them are text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* U+FFFD, for what is not text. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * Length of the valid sequence that begins at `bytes`, of which there are `size` > 0; 0 when there
 * is none. RFC 3629: no surrogates, no overlong forms.
 */
size_t utf8_length(const char *bytes, size_t size);

#endif
