/* SPDX-License-Identifier: MIT */
#include "report/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    _Alignas(max_align_t) unsigned char memory[];
};

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    struct arena_block *block = calloc(1, sizeof(*block) + bytes);
    if (!block)
        return NULL;
    block->next = a->blocks;
    a->blocks = block;
    return block->memory;
}

char *arena_text(struct arena *a, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 1;
    char *copy = arena_array(a, size, 1);
    if (copy && text)
        memcpy(copy, text, size);
    return copy;
}

char *arena_format(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : arena_array(a, (size_t)length + 1, 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void arena_deinit(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *block = a->blocks;
        a->blocks = block->next;
        free(block);
    }
}
