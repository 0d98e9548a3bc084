/* SPDX-License-Identifier: MIT */
#include "load/value.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/rng.h"

#define CHECKSUM_SIZE 8
#define HEADER_SIZE (VALUE_OVERHEAD - CHECKSUM_SIZE)
#define FILLER_STRIDE 61 /* neighbouring versions begin at different places of the filler */
#define FILLER_SEED 4
#define QUOTE_MAX 60 /* bytes of a bad value that the message shows */

static const char MAGIC[4] = {'M', 'C', 'V', '2'};

/* What stands before the key. */
struct header {
    uint32_t size, run, writer;
    uint64_t version;
    uint8_t key_size;
};

void value_filler(char *out)
{
    struct rng rng = rng_seeded(FILLER_SEED);
    for (size_t i = 0; i < VALUE_FILLER_SIZE; i += sizeof(uint64_t)) {
        uint64_t bytes = rng_u64(&rng);
        memcpy(out + i, &bytes, sizeof bytes);
    }
}

static void header_write(char *out, const struct header *h)
{
    memcpy(out, MAGIC, sizeof MAGIC);
    memcpy(out + 4, &h->size, 4);
    memcpy(out + 8, &h->run, 4);
    memcpy(out + 12, &h->writer, 4);
    memcpy(out + 16, &h->version, 8);
    memcpy(out + 24, &h->key_size, 1);
}

static struct header header_read(const char *value)
{
    struct header h;
    memcpy(&h.size, value + 4, 4);
    memcpy(&h.run, value + 8, 4);
    memcpy(&h.writer, value + 12, 4);
    memcpy(&h.version, value + 16, 8);
    memcpy(&h.key_size, value + 24, 1);
    return h;
}

/* Byte `i` of the pattern of a short value; never the first byte of the magic. */
static char short_byte(uint64_t hash, size_t i)
{
    char byte = (char)(hash >> (i % 8 * 8));
    return byte == MAGIC[0] ? '#' : byte;
}

static void short_write(char *buffer, size_t size, const struct key *key)
{
    uint64_t hash = XXH3_64bits(key->text, key->size);
    for (size_t i = 0; i < size; i++)
        buffer[i] = short_byte(hash, i);
}

static void filler_write(char *out, size_t size, size_t from, const char *filler)
{
    for (size_t done = 0; done < size;) {
        size_t chunk = VALUE_FILLER_SIZE - from;
        if (chunk > size - done)
            chunk = size - done;
        memcpy(out + done, filler + from, chunk);
        done += chunk;
        from = 0;
    }
}

void value_write(char *buffer, size_t size, const struct key *key, const struct value_id *id,
                 const char *filler)
{
    size_t before = HEADER_SIZE + key->size;
    if (size < before + CHECKSUM_SIZE) {
        short_write(buffer, size, key);
        return;
    }
    struct header h = {(uint32_t)size, id->run, id->writer, id->version, (uint8_t)key->size};
    header_write(buffer, &h);
    memcpy(buffer + HEADER_SIZE, key->text, key->size);
    filler_write(buffer + before, size - before - CHECKSUM_SIZE,
                 id->version * FILLER_STRIDE % VALUE_FILLER_SIZE, filler);
    uint64_t checksum = XXH3_64bits(buffer, size - CHECKSUM_SIZE);
    memcpy(buffer + size - CHECKSUM_SIZE, &checksum, CHECKSUM_SIZE);
}

/* Bytes that may be anything, made printable. */
static void quote(char *out, size_t out_size, const char *value, size_t size)
{
    size_t n = size < QUOTE_MAX ? size : QUOTE_MAX;
    if (n > out_size - 1)
        n = out_size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = value[i] >= 0x20 && value[i] < 0x7f ? value[i] : '?';
    out[n] = '\0';
}

static enum outcome bad(char *why, size_t why_size, const char *what, const char *value,
                        size_t size, enum outcome outcome)
{
    char text[QUOTE_MAX + 1];
    quote(text, sizeof text, value, size);
    snprintf(why, why_size, "%s: %zu bytes that begin \"%s\"", what, size, text);
    return outcome;
}

static bool is_short(const char *value, size_t size, const struct key *key)
{
    uint64_t hash = XXH3_64bits(key->text, key->size);
    if (size >= VALUE_OVERHEAD + key->size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (value[i] != short_byte(hash, i))
            return false;
    return true;
}

static bool is_whole(const char *value, size_t size)
{
    uint64_t checksum;
    if (size < VALUE_OVERHEAD)
        return false;
    memcpy(&checksum, value + size - CHECKSUM_SIZE, CHECKSUM_SIZE);
    return checksum == XXH3_64bits(value, size - CHECKSUM_SIZE);
}

/* Something that begins as a value does and is not one: cut off, or damaged. */
static enum outcome check_damaged(const char *value, size_t size, char *why, size_t why_size)
{
    if (size < HEADER_SIZE || header_read(value).size > size)
        return bad(why, why_size, "only the beginning of a value", value, size, OUTCOME_TRUNCATED);
    return bad(why, why_size, "the checksum does not match", value, size, OUTCOME_CORRUPT);
}

enum outcome value_check(const void *data, size_t size, size_t size_min, const struct key *key,
                         struct value_id *id, char *why, size_t why_size)
{
    const char *value = data;
    *id = (struct value_id){0};
    if (size < size_min)
        return bad(why, why_size, "less than any value that was written", value, size,
                   OUTCOME_TRUNCATED);
    size_t magic = size < sizeof MAGIC ? size : sizeof MAGIC;
    if (magic == 0 || memcmp(value, MAGIC, magic) != 0) {
        if (is_short(value, size, key))
            return OUTCOME_HIT;
        return bad(why, why_size, "not a value that anybody wrote", value, size, OUTCOME_CORRUPT);
    }
    if (!is_whole(value, size))
        return check_damaged(value, size, why, why_size);
    /* The checksum holds, so this is what value_write() made. */
    struct header h = header_read(value);
    if (h.key_size != key->size || memcmp(value + HEADER_SIZE, key->text, key->size) != 0) {
        char other[QUOTE_MAX + 1];
        quote(other, sizeof other, value + HEADER_SIZE, h.key_size);
        snprintf(why, why_size, "an intact value of the key \"%s\"", other);
        return OUTCOME_WRONG_VALUE;
    }
    *id = (struct value_id){h.run, h.writer, h.version};
    return OUTCOME_HIT;
}
