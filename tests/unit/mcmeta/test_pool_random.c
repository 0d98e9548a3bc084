/* SPDX-License-Identifier: MIT */
/*
 * The pool under random sequences, compared with a simple model after every step, and under real
 * threads with one mutex and a condition variable for each waiter, as a blocking client uses it.
 */
#include "mcmeta/pool.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "base/time.h"

#define MS(n) ((n)*NS_PER_MS)
#define ACTORS 24
#define STEPS 4000
#define SEEDS 150

enum doing { NOTHING, WAITING, DIALING, HOLDING, CLOSING, DOING_COUNT };

/* A caller of the pool; the last one is its maintenance. */
struct actor {
    struct mcm_pool_waiter w;
    enum doing doing;
    struct mcm_pool_slot *slot;
};

struct world {
    struct mcm_pool *p;
    struct mcm_pool_config config;
    struct rng rng;
    int64_t now;
    struct actor actors[ACTORS];
    struct actor keeper;
    struct actor *queue[ACTORS]; /* the model: who waits, oldest first */
    int queue_length;
    uint64_t acquired; /* active slots that actors have got */
};

static int some_conn;

static void queue_drop(struct world *w, int index)
{
    memmove(&w->queue[index], &w->queue[index + 1],
            (size_t)(w->queue_length - index - 1) * sizeof(w->queue[0]));
    w->queue_length--;
}

/* The actor's wish was answered with a slot or a refusal. */
static void actor_answered(struct world *w, struct actor *a)
{
    a->slot = NULL;
    a->doing = NOTHING;
    if (a->w.verdict == MCM_POOL_DIAL)
        a->doing = DIALING;
    else if (a->w.verdict == MCM_POOL_GOT)
        a->doing = HOLDING;
    else
        return;
    w->acquired += a->doing == HOLDING;
    a->slot = a->w.slot;
}

/* A call returned `woken`: it must be the oldest waiter that was alive. */
static void world_woken(struct world *w, struct mcm_pool_waiter *woken)
{
    while (w->queue_length > 0 && w->queue[0]->w.verdict == MCM_POOL_REFUSED_DEADLINE) {
        assert_true(w->queue[0]->w.deadline_ns <= w->now);
        w->queue[0]->doing = NOTHING;
        queue_drop(w, 0);
    }
    if (woken == NULL)
        return;
    assert_true(w->queue_length > 0);
    struct actor *a = w->queue[0];
    assert_ptr_equal(woken->owner, a);
    assert_true(a->w.deadline_ns > w->now || a->w.verdict == MCM_POOL_REFUSED_CLOSED);
    queue_drop(w, 0);
    actor_answered(w, a);
}

static void actor_acquire(struct world *w, struct actor *a)
{
    a->w.owner = a;
    int64_t patience = rng_below(&w->rng, 4) ? (int64_t)rng_below(&w->rng, MS(50)) : NS_NEVER;
    mcm_pool_acquire(w->p, &a->w, ns_add(w->now, patience), w->now);
    if (a->w.verdict == MCM_POOL_WAIT) {
        a->doing = WAITING;
        w->queue[w->queue_length++] = a;
        return;
    }
    actor_answered(w, a);
}

static void actor_cancel(struct world *w, struct actor *a)
{
    assert_true(mcm_pool_cancel(w->p, &a->w, w->now));
    for (int i = 0; i < w->queue_length; i++) {
        if (w->queue[i] == a)
            queue_drop(w, i);
    }
    a->doing = NOTHING;
}

static void actor_dial(struct world *w, struct actor *a)
{
    static const enum mcm_pool_dial_result results[] = {
        MCM_POOL_DIAL_OK, MCM_POOL_DIAL_OK, MCM_POOL_DIAL_FAILED, MCM_POOL_DIAL_ABANDONED};
    enum mcm_pool_dial_result result = results[rng_below(&w->rng, 4)];
    struct mcm_pool_slot *slot = a->slot;
    slot->conn = &some_conn;
    a->doing = result == MCM_POOL_DIAL_OK ? HOLDING : NOTHING;
    w->acquired += a->doing == HOLDING && a != &w->keeper;
    world_woken(w, mcm_pool_dial_done(w->p, slot, result, w->now));
}

static void actor_release(struct world *w, struct actor *a)
{
    static const enum mcm_pool_fate fates[] = {MCM_POOL_KEEP, MCM_POOL_KEEP, MCM_POOL_KEEP_UNUSED,
                                               MCM_POOL_DESTROY_BROKEN};
    struct mcm_pool_released released =
        mcm_pool_release(w->p, a->slot, fates[rng_below(&w->rng, 4)], w->now);
    a->doing = released.close ? CLOSING : NOTHING;
    world_woken(w, released.wake);
}

static void actor_close(struct world *w, struct actor *a)
{
    a->doing = NOTHING;
    world_woken(w, mcm_pool_closed(w->p, a->slot, w->now));
}

static void keeper_check(struct world *w, struct actor *keeper)
{
    static const enum doing work[] = {
        [MCM_POOL_CHECK_NONE] = NOTHING,
        [MCM_POOL_CHECK_CLOSE] = CLOSING,
        [MCM_POOL_CHECK_PING] = HOLDING,
        [MCM_POOL_CHECK_DIAL] = DIALING,
    };
    bool due = mcm_pool_next_check_deadline(w->p, w->now) <= w->now;
    struct mcm_pool_check check = mcm_pool_next_check(w->p, w->now);
    assert_int_equal(check.action != MCM_POOL_CHECK_NONE, due);
    keeper->doing = work[check.action];
    keeper->slot = check.slot;
}

static void actor_step(struct world *w, struct actor *a)
{
    static void (*const steps[DOING_COUNT])(struct world *, struct actor *) = {
        [NOTHING] = actor_acquire, [WAITING] = actor_cancel, [DIALING] = actor_dial,
        [HOLDING] = actor_release, [CLOSING] = actor_close,
    };
    steps[a->doing](w, a);
}

/* Only time and closing may make ticks necessary: whatever else frees capacity grants it itself. */
static void world_tick(struct world *w)
{
    struct mcm_pool_waiter *woken;
    while ((woken = mcm_pool_tick(w->p, w->now)) != NULL)
        world_woken(w, woken);
    world_woken(w, NULL);
}

/* Every slot that is not free or idle has exactly one holder, in the state the holder believes. */
static void check_holders(struct world *w, const struct mcm_pool_stats *s)
{
    uint32_t held[DOING_COUNT] = {0};
    bool seen[MCM_POOL_SIZE_MAX] = {false};
    for (int i = 0; i <= ACTORS; i++) {
        struct actor *a = i < ACTORS ? &w->actors[i] : &w->keeper;
        held[a->doing]++;
        if (a->doing == NOTHING || a->doing == WAITING)
            continue;
        assert_false(seen[a->slot->index]);
        seen[a->slot->index] = true;
    }
    assert_int_equal(held[DIALING], s->dialing);
    assert_int_equal(held[HOLDING], s->active + s->checking);
    assert_int_equal(held[CLOSING], s->closing);
    assert_int_equal(held[WAITING], s->waiting);
}

static void world_check(struct world *w)
{
    struct mcm_pool_stats s;
    mcm_pool_stats_get(w->p, &s);
    check_holders(w, &s);
    assert_int_equal(s.total, s.dialing + s.idle + s.active + s.checking + s.closing);
    assert_true(s.total <= w->config.max_size && s.total_max <= w->config.max_size);
    assert_true(s.idle <= w->config.max_size && s.checking <= 1);
    assert_int_equal(s.waiting, w->queue_length);
    assert_int_equal(s.acquires, w->acquired);
    if (w->config.dial_concurrency_max > 0)
        assert_true(s.dialing <= w->config.dial_concurrency_max);
    uint64_t destroyed = 0;
    for (int i = 0; i < MCM_POOL_REASON_COUNT; i++)
        destroyed += s.destroyed[i];
    assert_true(s.created - destroyed >= s.idle + s.active + s.checking);
    /* No lost wake-up: somebody waits only if there is nothing to be had now. */
    bool permit = w->config.dial_concurrency_max == 0 || s.dialing < w->config.dial_concurrency_max;
    if (s.waiting > 0 && permit && (s.idle > 0 || s.total < w->config.max_size))
        assert_true(mcm_pool_deadline(w->p) > w->now);
}

static struct mcm_pool_config random_config(struct rng *rng)
{
    struct mcm_pool_config c = {
        .max_size = 1 + (uint32_t)rng_below(rng, 8),
        .max_waiters = (uint32_t)rng_below(rng, 2) * 5,
        .dial_concurrency_max = (uint32_t)rng_below(rng, 3),
        .reuse = rng_below(rng, 2) ? MCM_POOL_LIFO : MCM_POOL_FIFO,
        .max_lifetime_ns = rng_below(rng, 2) ? MS(200) : 0,
        .lifetime_jitter = 0.1,
        .max_idle_time_ns = rng_below(rng, 2) ? MS(60) : 0,
        .health_interval_ns = rng_below(rng, 2) ? MS(20) : 0,
        .backoff_base_ns = rng_below(rng, 2) ? MS(5) : 0,
    };
    c.min_idle = (uint32_t)rng_below(rng, c.max_size + 1);
    c.max_idle = rng_below(rng, 2) ? c.min_idle : 0;
    return c;
}

static void world_sleep(struct world *w)
{
    w->now += (int64_t)rng_below(&w->rng, MS(10));
    world_tick(w);
}

static void world_step(struct world *w)
{
    uint64_t choice = rng_below(&w->rng, 100);
    if (choice < 75)
        actor_step(w, &w->actors[rng_below(&w->rng, ACTORS)]);
    else if (choice < 85 && w->keeper.doing != NOTHING)
        actor_step(w, &w->keeper);
    else if (choice < 85)
        keeper_check(w, &w->keeper);
    else if (choice < 99)
        world_sleep(w);
    else if (rng_below(&w->rng, 10) == 0)
        mcm_pool_reset(w->p);
    world_check(w);
}

/* Everybody goes home: waiters are refused, holders give back, maintenance closes the rest. */
static void world_end(struct world *w)
{
    mcm_pool_close(w->p);
    world_tick(w);
    assert_int_equal(w->queue_length, 0);
    for (int i = 0; i <= ACTORS; i++) {
        struct actor *a = i < ACTORS ? &w->actors[i] : &w->keeper;
        while (a->doing != NOTHING)
            actor_step(w, a);
    }
    for (keeper_check(w, &w->keeper); w->keeper.doing != NOTHING; keeper_check(w, &w->keeper))
        actor_close(w, &w->keeper);
    assert_true(mcm_pool_is_empty(w->p));
    mcm_pool_free(w->p);
}

static void random_sequences_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w = {.rng = rng_seeded(seed), .now = MS(1)};
        w.config = random_config(&w.rng);
        w.p = mcm_pool_new(&w.config, seed);
        assert_non_null(w.p);
        for (int i = 0; i < STEPS; i++)
            world_step(&w);
        world_end(&w);
    }
}

/* --- Threads --- */

#define THREADS 8
#define ROUNDS 400

struct shared {
    pthread_mutex_t lock;
    struct mcm_pool *p;
    int in_use; /* by anybody, right now */
    int in_use_max;
};

static void wake(struct mcm_pool_waiter *w)
{
    if (w != NULL)
        pthread_cond_signal(w->owner);
}

/* Under the lock. Every seventh dial fails. */
static bool connect_slot(struct shared *s, struct mcm_pool_slot *slot, int round)
{
    bool ok = round % 7 != 0;
    slot->conn = ok ? &some_conn : NULL;
    wake(mcm_pool_dial_done(s->p, slot, ok ? MCM_POOL_DIAL_OK : MCM_POOL_DIAL_FAILED, 1));
    return ok;
}

static void use_slot(struct shared *s, struct mcm_pool_slot *slot, int round)
{
    s->in_use++;
    s->in_use_max = s->in_use > s->in_use_max ? s->in_use : s->in_use_max;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&s->lock);
    s->in_use--;
    enum mcm_pool_fate fate = round % 5 == 0 ? MCM_POOL_DESTROY_BROKEN : MCM_POOL_KEEP;
    struct mcm_pool_released released = mcm_pool_release(s->p, slot, fate, 1);
    wake(released.wake);
    if (released.close)
        wake(mcm_pool_closed(s->p, slot, 1));
}

static void *worker(void *arg)
{
    struct shared *s = arg;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    for (int round = 0; round < ROUNDS; round++) {
        struct mcm_pool_waiter w = {.owner = &cond};
        pthread_mutex_lock(&s->lock);
        mcm_pool_acquire(s->p, &w, NS_NEVER, 1);
        while (w.verdict == MCM_POOL_WAIT)
            pthread_cond_wait(&cond, &s->lock);
        if (w.verdict == MCM_POOL_GOT || connect_slot(s, w.slot, round))
            use_slot(s, w.slot, round);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_cond_destroy(&cond);
    return NULL;
}

static void threads_share_few_slots_and_nobody_sleeps_for_ever(void **state)
{
    (void)state;
    struct shared s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    s.p = mcm_pool_new(&(struct mcm_pool_config){.max_size = 2, .dial_concurrency_max = 1}, 1);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, worker, &s), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(s.in_use_max <= 2);
    mcm_pool_close(s.p);
    struct mcm_pool_check check;
    while ((check = mcm_pool_next_check(s.p, 1)).action != MCM_POOL_CHECK_NONE)
        mcm_pool_closed(s.p, check.slot, 1);
    assert_true(mcm_pool_is_empty(s.p));
    mcm_pool_free(s.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sequences_agree_with_the_model),
        cmocka_unit_test(threads_share_few_slots_and_nobody_sleeps_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
