/* SPDX-License-Identifier: MIT */
#include "metrics/watch.h"

int watches_arm(struct watches *ws, enum watch_kind kind, ns_t since)
{
    uint32_t idle = ~atomic_load(&ws->armed[kind]) & ((1u << RECORDER_WATCHES_MAX) - 1);
    if (idle == 0)
        return -1;
    int slot = __builtin_ctz(idle);
    atomic_store(&ws->watch[kind][slot].since, since);
    atomic_store(&ws->watch[kind][slot].found, NS_NEVER);
    atomic_fetch_or_explicit(&ws->armed[kind], 1u << slot, memory_order_release);
    return (int)kind * RECORDER_WATCHES_MAX + slot;
}

void watches_release(struct watches *ws, int watch)
{
    uint32_t bit = 1u << (watch % RECORDER_WATCHES_MAX);
    atomic_fetch_and(&ws->armed[watch / RECORDER_WATCHES_MAX], ~bit);
}

ns_t watches_found(const struct watches *ws, int watch)
{
    const struct watch *w = &ws->watch[watch / RECORDER_WATCHES_MAX][watch % RECORDER_WATCHES_MAX];
    ns_t found = atomic_load(&w->found);
    return found < atomic_load(&w->since) ? NS_NEVER : found;
}

/* Keeps the earliest. A value from before `since` was left by a worker that was overtaken by a
 * re-arming, and is not one. */
static void keep_earliest(struct watch *w, ns_t since, ns_t end)
{
    ns_t old = atomic_load_explicit(&w->found, memory_order_relaxed);
    while ((end < old || old < since) &&
           !atomic_compare_exchange_weak_explicit(&w->found, &old, end, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

void watches_see(struct watches *ws, enum watch_kind kind, ns_t at, ns_t end)
{
    uint32_t armed = atomic_load_explicit(&ws->armed[kind], memory_order_acquire);
    for (; armed != 0; armed &= armed - 1) {
        struct watch *w = &ws->watch[kind][__builtin_ctz(armed)];
        ns_t since = atomic_load_explicit(&w->since, memory_order_relaxed);
        if (at >= since)
            keep_earliest(w, since, end);
    }
}
