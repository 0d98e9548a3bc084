/* SPDX-License-Identifier: MIT */
#include "proxy/route.h"

#include <stdlib.h>
#include <string.h>

/* Whether the path fits; begin and size get where the segments are. */
static bool find_params(const char *pattern, const char *path, const char *begin[ROUTE_PARAMS_MAX],
                        size_t size[ROUTE_PARAMS_MAX], size_t *count)
{
    *count = 0;
    while (*pattern != '\0') {
        if (pattern[0] != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t n = strcspn(path, "/");
        if (n == 0 || *count == ROUTE_PARAMS_MAX)
            return false;
        begin[*count] = path;
        size[(*count)++] = n;
        path += n;
        pattern += 2;
    }
    return *path == '\0';
}

bool route_match(const char *pattern, const char *path, char *params[ROUTE_PARAMS_MAX])
{
    const char *begin[ROUTE_PARAMS_MAX];
    size_t size[ROUTE_PARAMS_MAX];
    size_t count;
    for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
        params[i] = NULL;
    if (!find_params(pattern, path, begin, size, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        params[i] = strndup(begin[i], size[i]);
        if (!params[i]) {
            for (size_t k = 0; k < i; k++)
                free(params[k]);
            return false;
        }
    }
    return true;
}

/* Removes the last segment of "/a/b". */
static size_t parent(const char *out, size_t n)
{
    while (n > 0 && out[n - 1] != '/')
        n--;
    return n > 0 ? n - 1 : 0;
}

char *route_clean(const char *path)
{
    char *out = malloc(strlen(path) + 2);
    size_t n = 0;
    if (!out)
        return NULL;
    const char *p = path;
    while (*p != '\0') {
        p += strspn(p, "/");
        size_t size = strcspn(p, "/");
        if (size == 2 && p[0] == '.' && p[1] == '.') {
            n = parent(out, n);
        } else if (size > 0 && !(size == 1 && p[0] == '.')) {
            out[n++] = '/';
            memcpy(out + n, p, size);
            n += size;
        }
        p += size;
    }
    if (n == 0 || (path[0] != '\0' && path[strlen(path) - 1] == '/'))
        out[n++] = '/';
    out[n] = '\0';
    if (strcmp(out, path) != 0)
        return out;
    free(out);
    return NULL;
}
