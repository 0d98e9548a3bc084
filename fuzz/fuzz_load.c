/* SPDX-License-Identifier: MIT */
/* Any text as arrivals, key space or value sizes: it is refused with a message, or it works. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "load/load.h"

#define TEXT_MAX 300
#define DRAWS 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_arrival(const struct arrival_spec *spec)
{
    struct arrival a;
    ns_t last = 0;
    if (spec->closed)
        return;
    arrival_init(&a, spec, 1);
    for (int i = 0; i < DRAWS; i++) {
        ns_t next = arrival_next(&a);
        assert(next >= last);
        last = next;
    }
}

static void use_keys(const struct keyspace_spec *spec, unsigned workers)
{
    struct keyspace keys;
    struct rng rng = rng_seeded(workers);
    keyspace_init(&keys, spec, "stress:lt:", workers);
    assert(keys.stored > 0 && keys.stored <= KEYSPACE_KEYS_MAX);
    for (int i = 0; i < DRAWS; i++) {
        struct key key;
        uint32_t id = keyspace_choose(&keys, &rng, (unsigned)i % workers);
        assert(id < keys.stored);
        keyspace_key(&keys, i % 2 ? id : id + keys.stored, &key);
        assert(key.size > 0 && key.size <= KEY_SIZE_MAX && strlen(key.text) == key.size);
    }
}

static void use_sizes(const struct value_sizes *sizes)
{
    struct rng rng = rng_seeded(1);
    assert(sizes->min <= sizes->max && sizes->max <= VALUE_SIZE_MAX);
    for (int i = 0; i < DRAWS; i++) {
        size_t size = value_sizes_choose(sizes, &rng);
        assert(size >= sizes->min && size <= sizes->max);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arrival_spec arrival;
    struct keyspace_spec keys;
    struct value_sizes sizes;
    char text[TEXT_MAX + 1];
    struct err err = {""};
    if (size < 1 || size > TEXT_MAX)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    int rc = -1;
    if (data[0] % 3 == 0 && (rc = arrival_parse(text, data[0], &arrival, &err)) == 0)
        use_arrival(&arrival);
    else if (data[0] % 3 == 1 && (rc = keyspace_parse(text, &keys, &err)) == 0)
        use_keys(&keys, 1 + data[0]);
    else if (data[0] % 3 == 2 && (rc = value_sizes_parse(text, &sizes, &err)) == 0)
        use_sizes(&sizes);
    assert(rc == 0 || err.text[0] != '\0');
    return 0;
}
