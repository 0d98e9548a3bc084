/* SPDX-License-Identifier: MIT */
/* See window.h. */
#include "mcmeta/window.h"

#include <assert.h>
#include <string.h>

void mcm_window_init(struct mcm_window *w, struct mcm_breaker_counts *buckets, uint32_t count)
{
    assert(count >= 1);
    w->buckets = buckets;
    w->bucket_count = count;
    mcm_window_clear(w);
}

void mcm_window_clear(struct mcm_window *w)
{
    w->total = (struct mcm_breaker_counts){0};
    w->age = 0;
    memset(w->buckets, 0, w->bucket_count * sizeof(w->buckets[0]));
}

static struct mcm_breaker_counts *window_bucket(struct mcm_window *w, uint64_t age)
{
    return &w->buckets[age % w->bucket_count];
}

/*
 * What is left of a streak when the oldest bucket leaves. Only a streak that began in that bucket
 * loses something; it did when it is as long as the bucket's own streak plus everything after it.
 * Results that come late, out of the order of their buckets, can hide that: then the streak stays
 * too long until the next result of the other kind, as it does in gobreaker.
 */
static uint64_t streak_without(uint64_t streak, uint64_t bucket_streak, uint64_t newer)
{
    return streak == bucket_streak + newer ? newer : streak;
}

static void window_drop(struct mcm_window *w, struct mcm_breaker_counts *oldest)
{
    struct mcm_breaker_counts *t = &w->total;
    t->requests -= oldest->requests;
    t->successes -= oldest->successes;
    t->failures -= oldest->failures;
    t->exclusions -= oldest->exclusions;
    t->consecutive_successes =
        streak_without(t->consecutive_successes, oldest->consecutive_successes, t->successes);
    t->consecutive_failures =
        streak_without(t->consecutive_failures, oldest->consecutive_failures, t->failures);
    *oldest = (struct mcm_breaker_counts){0};
}

void mcm_window_grow(struct mcm_window *w, uint64_t age)
{
    if (age <= w->age)
        return;
    if (age - w->age >= w->bucket_count) {
        mcm_window_clear(w);
        w->age = age;
        return;
    }
    while (w->age < age) {
        w->age++;
        window_drop(w, window_bucket(w, w->age));
    }
}

void mcm_window_count_request(struct mcm_window *w)
{
    w->total.requests++;
    window_bucket(w, w->age)->requests++;
}

static void counts_add(struct mcm_breaker_counts *c, enum mcm_breaker_result result)
{
    switch (result) {
    case MCM_BREAKER_SUCCESS:
        c->successes++;
        c->consecutive_successes++;
        c->consecutive_failures = 0;
        return;
    case MCM_BREAKER_FAILURE:
    case MCM_BREAKER_CONNECT_FAILURE:
        c->failures++;
        c->consecutive_failures++;
        c->consecutive_successes = 0;
        return;
    case MCM_BREAKER_EXCLUDED: c->exclusions++; return;
    }
}

void mcm_window_count_result(struct mcm_window *w, uint64_t age, enum mcm_breaker_result result)
{
    if (age > w->age || w->age - age >= w->bucket_count)
        return;
    counts_add(&w->total, result);
    counts_add(window_bucket(w, age), result);
}
