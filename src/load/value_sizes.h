/* SPDX-License-Identifier: MIT */
/* How large the values are: one size, a range, the sizes at which things break, or a mix. */
#ifndef LOAD_VALUE_SIZES_H
#define LOAD_VALUE_SIZES_H

#include <stddef.h>

#include "base/err.h"
#include "base/rng.h"

/* The largest value that a memcached with its default item limit of 1 MiB stores under any key. */
#define VALUE_SIZE_MAX ((size_t)1024 * 1024 - 1024)
#define VALUE_SIZES_HELP "100, 64..4k, boundaries, cache"

enum value_sizes_kind { VALUE_SIZES_RANGE, VALUE_SIZES_BOUNDARIES, VALUE_SIZES_CACHE };

struct value_sizes {
    enum value_sizes_kind kind;
    size_t min, max; /* of all kinds */
};

/* Returns 0 or -1. */
int value_sizes_parse(const char *text, struct value_sizes *out, struct err *err);

size_t value_sizes_choose(const struct value_sizes *sizes, struct rng *rng);

#endif
