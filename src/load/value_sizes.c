/* SPDX-License-Identifier: MIT */
#include "load/value_sizes.h"

#include "load/words.h"

/* Nothing, one byte, around powers of two (buffers, slab pages), the largest item. */
static const size_t boundaries[] = {0,     1,     2,     63,    64,     65,     255,
                                    256,   1023,  1024,  1025,  4095,   4096,   16383,
                                    16384, 16385, 65535, 65536, 131072, 524288, VALUE_SIZE_MAX};

/*
 * The values of a busy cache are mostly small, with a long tail: per mille of the values from one
 * size to below the next, even within. The mean is about 1.7 KB.
 */
static const struct {
    unsigned weight;
    size_t min;
} cache[] = {
    {100, 1},   {250, 17},  {300, 65},   {220, 257},  {90, 1025},
    {30, 4097}, {9, 16385}, {1, 131073}, {0, 524289},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define WEIGHT_ALL 1000

static int parse_named(struct words *w, struct value_sizes *out)
{
    if (words_take(w, "boundaries"))
        *out = (struct value_sizes){VALUE_SIZES_BOUNDARIES, boundaries[0],
                                    boundaries[COUNT(boundaries) - 1]};
    else if (words_take(w, "cache"))
        *out = (struct value_sizes){VALUE_SIZES_CACHE, cache[0].min, cache[COUNT(cache) - 1].min};
    else
        return -1;
    return 0;
}

int value_sizes_parse(const char *text, struct value_sizes *out, struct err *err)
{
    struct words w = words_start(text);
    double min, max;
    if (parse_named(&w, out) != 0) {
        struct words at = w;
        bool one = words_take_number(&w, 1024, &min);
        if (one)
            max = min;
        else if (!words_take_range(&w, 1024, &min, &max))
            return words_error(&w, err, "a size, a range, boundaries or cache is needed: %s",
                               VALUE_SIZES_HELP);
        if (min > max || max > (double)VALUE_SIZE_MAX)
            return words_error(&at, err, "sizes are 0 to %zu bytes, the smaller one first",
                               VALUE_SIZE_MAX);
        *out = (struct value_sizes){VALUE_SIZES_RANGE, (size_t)min, (size_t)max};
    }
    return words_end(&w) ? 0 : words_error(&w, err, "nothing more is expected here");
}

static size_t choose_cache(struct rng *rng)
{
    uint64_t dice = rng_below(rng, WEIGHT_ALL);
    size_t i = 0;
    while (dice >= cache[i].weight)
        dice -= cache[i++].weight;
    return cache[i].min + rng_below(rng, cache[i + 1].min - cache[i].min);
}

size_t value_sizes_choose(const struct value_sizes *s, struct rng *rng)
{
    switch (s->kind) {
    case VALUE_SIZES_BOUNDARIES: return boundaries[rng_below(rng, COUNT(boundaries))];
    case VALUE_SIZES_CACHE: return choose_cache(rng);
    case VALUE_SIZES_RANGE: break;
    }
    return s->min + rng_below(rng, s->max - s->min + 1);
}
