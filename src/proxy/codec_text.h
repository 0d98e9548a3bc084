/* SPDX-License-Identifier: MIT */
/*
 * Makes of a request body what jansson reads the way Go reads the original. Go accepts some things
 * that jansson refuses, and a client must not depend on which one sits behind the socket.
 */
#ifndef PROXY_CODEC_TEXT_H
#define PROXY_CODEC_TEXT_H

#include <stddef.h>

/*
 * A copy that ends with NUL; the caller frees it. NULL when memory is short.
 *
 * - Bytes that are not UTF-8 and \u escapes of half a surrogate pair become U+FFFD, as in Go.
 * - \u0000 becomes U+FFFD, too: names are C strings here, and Go's clients never send it.
 * - Integers beyond 64 bits become reals, and reals beyond a double become 1e308: fields that
 *   nobody knows may hold them, and a field that wants an integer or a float32 still refuses them.
 */
char *codec_text_normal(const char *bytes, size_t size, size_t *size_out);

#endif
