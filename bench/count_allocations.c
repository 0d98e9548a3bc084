/* SPDX-License-Identifier: MIT */
/* The allocator of glibc, counted. */
#include "count.h"

#include <stddef.h>

atomic_uint_least64_t count_allocations;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *malloc(size_t size);
void *calloc(size_t number, size_t size);
void *realloc(void *memory, size_t size);

static void count_one(void)
{
    atomic_fetch_add_explicit(&count_allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count_one();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count_one();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    count_one();
    return __libc_realloc(memory, size);
}
