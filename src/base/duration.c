/* SPDX-License-Identifier: MIT */
#include "base/duration.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Longest names first where one begins with another, so that the first match is the right one. */
static const struct unit {
    const char *name;
    ns_t ns;
} units[] = {
    {"ns", 1},         {"us", NS_PER_US}, {"µs", NS_PER_US}, /* U+00B5, micro sign */
    {"μs", NS_PER_US},                                       /* U+03BC, Greek mu */
    {"ms", NS_PER_MS}, {"s", NS_PER_SEC}, {"m", 60 * NS_PER_SEC}, {"h", 3600 * NS_PER_SEC},
};

static const struct unit *unit_find(const char *text)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strncmp(text, units[i].name, strlen(units[i].name)) == 0)
            return &units[i];
    return NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Fraction times unit needs more than 64 bits. */
__extension__ typedef __int128 wide_t;

/* A decimal number: whole + fraction / scale. */
struct number {
    ns_t whole;
    ns_t fraction;
    ns_t scale;
};

/* Returns what follows the number, or NULL when there are no digits or too many. */
static const char *number_read(const char *p, struct number *out)
{
    bool any = is_digit(*p);
    *out = (struct number){.scale = 1};
    for (; is_digit(*p); p++)
        if (__builtin_mul_overflow(out->whole, 10, &out->whole) ||
            __builtin_add_overflow(out->whole, *p - '0', &out->whole))
            return NULL;
    if (*p == '.') {
        p++;
        any = any || is_digit(*p);
        for (; is_digit(*p); p++) {
            /* Digits beyond the 15th are below a nanosecond even in hours. */
            if (out->scale >= INT64_C(1000000000000000))
                continue;
            out->fraction = out->fraction * 10 + (*p - '0');
            out->scale *= 10;
        }
    }
    return any ? p : NULL;
}

static bool number_times_unit(const struct number *n, ns_t unit_ns, ns_t *out)
{
    ns_t part = (ns_t)((wide_t)n->fraction * unit_ns / n->scale);
    return !__builtin_mul_overflow(n->whole, unit_ns, out) &&
           !__builtin_add_overflow(*out, part, out);
}

static int bad(struct err *err, const char *text)
{
    return err_set(err, "\"%.60s\" is not a duration; write one like 250ms, 10s or 1m30s", text);
}

int duration_parse(const char *text, ns_t *out, struct err *err)
{
    const char *p = text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if (strcmp(p, "0") == 0) {
        *out = 0;
        return 0;
    }
    ns_t sum = 0;
    do {
        struct number n;
        p = number_read(p, &n);
        if (p == NULL)
            return bad(err, text);
        if (*p == '\0')
            return err_set(err, "\"%.60s\" has no unit; write one like 250ms, 10s or 1m30s", text);
        const struct unit *unit = unit_find(p);
        if (unit == NULL)
            return bad(err, text);
        ns_t part;
        if (!number_times_unit(&n, unit->ns, &part) || __builtin_add_overflow(sum, part, &sum) ||
            sum == NS_NEVER)
            return err_set(err, "\"%.60s\" is too long; a duration ends at 292 years", text);
        p += strlen(unit->name);
    } while (*p != '\0');
    *out = negative ? -sum : sum;
    return 0;
}

/* Writes value / unit with as many decimals as it needs, at most `digits`, then the unit's name. */
static int print_fraction(char *out, size_t size, uint64_t value, uint64_t unit, int digits,
                          const char *name)
{
    int n = snprintf(out, size, "%llu.%0*llu", (unsigned long long)(value / unit), digits,
                     (unsigned long long)(value % unit));
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    return n + snprintf(out + n, size - (size_t)n, "%s", name);
}

static void print_below_second(char *out, size_t size, uint64_t ns)
{
    if (ns < (uint64_t)NS_PER_US)
        snprintf(out, size, "%lluns", (unsigned long long)ns);
    else if (ns < (uint64_t)NS_PER_MS)
        print_fraction(out, size, ns, (uint64_t)NS_PER_US, 3, "us");
    else
        print_fraction(out, size, ns, (uint64_t)NS_PER_MS, 6, "ms");
}

const char *duration_text(ns_t value, char buf[static DURATION_TEXT_SIZE])
{
    const size_t size = DURATION_TEXT_SIZE;
    if (value == NS_NEVER)
        return memcpy(buf, "never", sizeof "never");
    if (value == 0)
        return memcpy(buf, "0s", sizeof "0s");
    uint64_t ns = value < 0 ? -(uint64_t)value : (uint64_t)value;
    size_t n = 0;
    if (value < 0)
        buf[n++] = '-';
    if (ns < (uint64_t)NS_PER_SEC) {
        print_below_second(buf + n, size - n, ns);
        return buf;
    }
    const uint64_t minute = 60 * (uint64_t)NS_PER_SEC;
    const uint64_t hour = 60 * minute;
    if (ns >= hour)
        n += (size_t)snprintf(buf + n, size - n, "%lluh", (unsigned long long)(ns / hour));
    if (ns % hour >= minute)
        n += (size_t)snprintf(buf + n, size - n, "%llum", (unsigned long long)(ns % hour / minute));
    if (ns % minute > 0)
        print_fraction(buf + n, size - n, ns % minute, (uint64_t)NS_PER_SEC, 9, "s");
    return buf;
}
