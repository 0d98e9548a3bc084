/* SPDX-License-Identifier: MIT */
/* MD5 (RFC 1321), only because ketama rings are defined by it. */
#ifndef MCMETA_MD5_H
#define MCMETA_MD5_H

#include <stddef.h>
#include <stdint.h>

/* The digest as four words; the bytes of each are in little-endian order. */
void mcm_md5(const void *data, size_t size, uint32_t digest[4]);

#endif
