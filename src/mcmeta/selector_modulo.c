/* SPDX-License-Identifier: MIT */
/* CRC-32 (IEEE 802.3, reflected) of the key modulo the number of servers. */
#include "mcmeta/selection.h"

/* The remainders of the sixteen half bytes: small enough to read, fast enough for 250 bytes. */
static const uint32_t crc_nibbles[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

static uint32_t crc32_ieee(const unsigned char *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ crc_nibbles[crc & 15];
        crc = (crc >> 4) ^ crc_nibbles[crc & 15];
    }
    return ~crc;
}

static size_t modulo_pick(const struct mcm_selector *s, const void *key, size_t key_size)
{
    return crc32_ieee(key, key_size) % s->count;
}

const struct mcm_selector_ops mcm_selector_modulo = {
    .name = "modulo",
    .pick = modulo_pick,
};
