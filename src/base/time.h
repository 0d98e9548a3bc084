/* SPDX-License-Identifier: MIT */
/*
 * Time as the core sees it: a count of nanoseconds on the monotonic clock, always passed in as an
 * argument. Only the edges (threads, event loops, main) call ns_now().
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>
#include <time.h>

typedef int64_t ns_t;

#define NS_NEVER INT64_MAX
#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)

/* The monotonic clock. */
static inline ns_t ns_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (ns_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static inline ns_t ns_min(ns_t a, ns_t b)
{
    return a < b ? a : b;
}

static inline ns_t ns_max(ns_t a, ns_t b)
{
    return a > b ? a : b;
}

/* t + delta, or NS_NEVER when either is NS_NEVER or the sum would not fit. */
static inline ns_t ns_add(ns_t t, ns_t delta)
{
    ns_t sum;
    if (t == NS_NEVER || delta == NS_NEVER || __builtin_add_overflow(t, delta, &sum))
        return NS_NEVER;
    return sum;
}

static inline struct timespec ns_to_timespec(ns_t t)
{
    return (struct timespec){.tv_sec = t / NS_PER_SEC, .tv_nsec = t % NS_PER_SEC};
}

#endif
