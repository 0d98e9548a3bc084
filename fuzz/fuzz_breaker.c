/* SPDX-License-Identifier: MIT */
/*
 * The breaker under any sequence of events. The input is a few bytes of settings, then one byte an
 * event: two bits what, six bits how. Judged: open admits nothing, half-open no more than its
 * limit, transitions follow one another, and the lock-free answer never contradicts the locked one.
 */
#include <mcmeta/breaker.h>

#include <stdlib.h>

#define MS INT64_C(1000000)
#define SETTINGS_SIZE 8
#define TOKENS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static struct mcm_breaker *breaker_from(const uint8_t *d, struct mcm_breaker_settings *s)
{
    *s = (struct mcm_breaker_settings){
        .half_open_max = d[0] % 8,
        .interval_ns = d[1] * 10 * MS,
        .bucket_ns = d[2] * MS,
        .open_ns = d[3] * MS,
        .failure_ratio = d[4] / 255.0,
        .min_requests = d[5] % 32,
        .consecutive_failures = d[5] / 32,
        .probe_timeout_ns = d[6] * MS,
        .open_jitter = d[7] % 2 ? 0.2 : 0,
        .open_backoff = d[7] % 4,
    };
    return mcm_breaker_new(s, 1, 0);
}

static void check(struct mcm_breaker *b, const struct mcm_breaker_settings *s, int64_t now,
                  const struct mcm_breaker_transition *moved, enum mcm_breaker_state *last)
{
    struct mcm_breaker_stats stats;
    require(moved->cause == MCM_BREAKER_CAUSE_NONE || moved->from == *last);
    *last = mcm_breaker_state_hint(b);
    require(moved->cause == MCM_BREAKER_CAUSE_NONE || moved->to == *last);
    mcm_breaker_stats_get(b, now, &stats);
    if (*last == MCM_BREAKER_OPEN)
        require(stats.counts.requests == 0);
    else
        require(!mcm_breaker_reject_fast(b, now));
    uint64_t limit = s->half_open_max > 0 ? s->half_open_max : 1;
    if (*last == MCM_BREAKER_HALF_OPEN)
        require(stats.counts.requests <= stats.counts.exclusions + limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mcm_breaker_settings settings;
    struct mcm_breaker_token tokens[TOKENS];
    bool held[TOKENS] = {false};
    enum mcm_breaker_state last = MCM_BREAKER_CLOSED;
    int64_t now = 0;
    if (size < SETTINGS_SIZE)
        return 0;
    struct mcm_breaker *b = breaker_from(data, &settings);
    require((b == NULL) == (mcm_breaker_settings_error(&settings) != NULL));
    if (b == NULL)
        return 0;
    for (size_t i = SETTINGS_SIZE; i < size; i++) {
        struct mcm_breaker_transition moved = {0};
        unsigned what = data[i] >> 6, how = data[i] & 63;
        if (what == 0)
            now += how * how * MS / 4;
        else if (what == 1 && !held[how])
            held[how] = mcm_breaker_allow(b, now, &tokens[how], &moved) == MCM_BREAKER_ALLOWED;
        else if (held[how])
            mcm_breaker_done(b, tokens[how],
                             what == 2      ? MCM_BREAKER_FAILURE
                             : how % 4 == 0 ? MCM_BREAKER_EXCLUDED
                                            : MCM_BREAKER_SUCCESS,
                             now, &moved);
        if (what > 1)
            held[how] = false;
        check(b, &settings, now, &moved, &last);
    }
    mcm_breaker_free(b);
    return 0;
}
