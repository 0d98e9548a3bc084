/* SPDX-License-Identifier: MIT */
#include "proxy/collection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/crew.h"

/* The place of the name, or where it would be. */
static size_t lower_bound(const struct collection *c, const char *name)
{
    size_t low = 0;
    size_t high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(c->items[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void collection_deinit(struct collection *c)
{
    for (size_t i = 0; i < c->count; i++)
        proxy_free(c->items[i]);
    free(c->items);
    memset(c, 0, sizeof *c);
}

struct proxy *collection_find(const struct collection *c, const char *name)
{
    size_t i = lower_bound(c, name);
    return i < c->count && strcmp(c->items[i]->name, name) == 0 ? c->items[i] : NULL;
}

int collection_add(struct collection *c, struct proxy *proxy)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity > 0 ? 2 * c->capacity : 16;
        struct proxy **items = reallocarray(c->items, capacity, sizeof(*items));
        if (!items)
            return -1;
        c->items = items;
        c->capacity = capacity;
    }
    size_t i = lower_bound(c, proxy->name);
    memmove(&c->items[i + 1], &c->items[i], (c->count - i) * sizeof c->items[0]);
    c->items[i] = proxy;
    c->count++;
    return 0;
}

void collection_remove(struct collection *c, struct proxy *proxy)
{
    size_t i = lower_bound(c, proxy->name);
    assert(i < c->count && c->items[i] == proxy);
    c->count--;
    memmove(&c->items[i], &c->items[i + 1], (c->count - i) * sizeof c->items[0]);
    proxy_free(proxy);
}

void collection_gather(struct collection *c, struct proxy_env *env)
{
    crew_halt(env->crew);
    metrics_gather(&env->metrics);
    for (size_t i = 0; i < c->count; i++)
        proxy_gather(c->items[i]);
    crew_resume(env->crew);
}
