/* SPDX-License-Identifier: MIT */
#include "load/keyspace.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "load/words.h"

#define NAME_MIN 48 /* the longest name without filler, with a prefix */
#define ZIPF_MAX 5.0

static int parse_count(struct words *w, uint32_t *out, struct err *err)
{
    double count;
    struct words at = *w;
    if (!words_take_number(w, 1000, &count) || count < 1 || count > KEYSPACE_KEYS_MAX)
        return words_error(&at, err, "a number of keys from 1 to %d is needed", KEYSPACE_KEYS_MAX);
    *out = (uint32_t)count;
    return 0;
}

static int parse_hot(struct words *w, struct keyspace_spec *out, struct err *err)
{
    if (parse_count(w, &out->hot_count, err) != 0)
        return -1;
    if (!words_take_percent(w, &out->hot_share))
        return words_error(w, err, "the share of operations on hot keys is needed, such as 30%%");
    return 0;
}

static int parse_size(struct words *w, struct keyspace_spec *out, struct err *err)
{
    double size;
    struct words at = *w;
    if (!words_take_number(w, 1000, &size) || size < NAME_MIN || size > KEY_SIZE_MAX)
        return words_error(&at, err, "a size of keys from %d to %d bytes is needed", NAME_MIN,
                           KEY_SIZE_MAX);
    out->key_size = (unsigned)size;
    return 0;
}

static int parse_zipf(struct words *w, struct keyspace_spec *out, struct err *err)
{
    struct words at = *w;
    if (words_take_number(w, 1000, &out->zipf) && out->zipf > 0 && out->zipf <= ZIPF_MAX)
        return 0;
    return words_error(&at, err, "an exponent up to %.0f is needed, such as 0.99", ZIPF_MAX);
}

static int parse_clause(struct words *w, struct keyspace_spec *out, struct err *err)
{
    if (words_take(w, "uniform"))
        return 0;
    if (words_take(w, "per")) {
        out->per_worker = true;
        return words_take(w, "worker") ? 0 : words_error(w, err, "per worker is meant here");
    }
    if (words_take(w, "zipf"))
        return parse_zipf(w, out, err);
    if (words_take(w, "hot"))
        return parse_hot(w, out, err);
    if (words_take(w, "size"))
        return parse_size(w, out, err);
    return words_error(w, err, "uniform, zipf, hot, per worker or size is expected here");
}

int keyspace_parse(const char *text, struct keyspace_spec *out, struct err *err)
{
    struct words w = words_start(text);
    *out = (struct keyspace_spec){0};
    if (parse_count(&w, &out->count, err) != 0)
        return -1;
    while (!words_end(&w))
        if (parse_clause(&w, out, err) != 0)
            return -1;
    if (out->count + out->hot_count > KEYSPACE_KEYS_MAX)
        return words_error(&w, err, "at most %d keys", KEYSPACE_KEYS_MAX);
    return 0;
}

void keyspace_init(struct keyspace *k, const struct keyspace_spec *spec, const char *prefix,
                   unsigned workers)
{
    assert(workers > 0);
    *k = (struct keyspace){.spec = *spec, .prefix = prefix, .workers = workers};
    if (spec->per_worker) {
        uint32_t most = (KEYSPACE_KEYS_MAX - spec->hot_count) / workers;
        if (k->spec.count > most)
            k->spec.count = most > 0 ? most : 1;
    }
    k->stored = k->spec.hot_count + k->spec.count * (spec->per_worker ? workers : 1);
    if (spec->zipf > 0)
        zipf_init(&k->zipf, k->spec.count, spec->zipf);
}

uint32_t keyspace_choose(const struct keyspace *k, struct rng *rng, unsigned worker)
{
    const struct keyspace_spec *spec = &k->spec;
    if (spec->hot_count > 0 && rng_double(rng) < spec->hot_share)
        return (uint32_t)rng_below(rng, spec->hot_count);
    uint64_t i = spec->zipf > 0 ? zipf_choose(&k->zipf, rng) : rng_below(rng, spec->count);
    return spec->hot_count + (spec->per_worker ? worker * spec->count : 0) + (uint32_t)i;
}

/* Digits by hand: names are made for every operation. */
static char *put_number(char *at, uint32_t value)
{
    char digits[10];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static char *put_text(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    return at;
}

static void finish(struct key *key, char *end, unsigned size)
{
    key->size = (uint32_t)(end - key->text);
    assert(key->size <= NAME_MIN);
    if (key->size < size) {
        key->text[key->size] = '-';
        memset(key->text + key->size + 1, '.', size - key->size - 1);
        key->size = size;
    }
    key->text[key->size] = '\0';
}

void keyspace_key(const struct keyspace *k, uint32_t id, struct key *out)
{
    const struct keyspace_spec *spec = &k->spec;
    char *at = put_text(out->text, k->prefix);
    out->id = id;
    if (id < spec->hot_count) {
        at = put_number(put_text(at, "hot-key-"), id);
    } else if (id >= k->stored) {
        at = put_number(put_text(at, "absent-"), id - k->stored);
    } else if (spec->per_worker) {
        uint32_t i = id - spec->hot_count;
        at = put_number(put_text(at, "key-worker"), i / spec->count);
        *at++ = '-';
        at = put_number(at, i % spec->count);
    } else {
        at = put_number(put_text(at, "key-"), id - spec->hot_count);
    }
    finish(out, at, spec->key_size);
}

void keyspace_counter(const struct keyspace *k, uint32_t counter, struct key *out)
{
    out->id = counter;
    char *at = put_number(put_text(put_text(out->text, k->prefix), "counter-"), counter);
    *at++ = '-';
    finish(out, put_number(at, k->run), 0);
}
