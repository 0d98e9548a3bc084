/* SPDX-License-Identifier: MIT */
/*
 * To halt, the first thread raises a flag that callbacks look at when they end, and wakes those who
 * sleep through their eventfd. Each leaves its loop, says so, and waits. Halts that follow one
 * another closely do not starve anybody: crew_halt() waits until all are back in their loops from
 * the last one, and a loop goes on with the callback at which it was stopped.
 */
#include "proxy/crew.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Connections begun in one turn of a loop. */
#define BEGINS_PER_TURN 8

struct member {
    struct proxy_env env;
    struct crew *crew;
    int wake_fd;
    struct event *wake_event;
    pthread_t thread;
    pthread_mutex_t lock; /* of the inbox */
    struct list inbox;
};

struct crew {
    struct proxy_env *first;
    crew_begin_fn begin;
    unsigned last_pick;
    unsigned depth; /* of halts */
    unsigned count; /* members; their threads are those of the server from 1 on */
    unsigned running;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t parked_changed;
    pthread_cond_t released;
    unsigned parked;
    bool halted;
    bool stopping;
    struct member *members[CREW_THREADS_MAX - 1];
};

static void wake(struct member *m)
{
    (void)eventfd_write(m->wake_fd, 1);
}

/* Stands still while it is asked to. Returns whether to go on. */
static bool park(struct crew *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->halted) {
        c->parked++;
        pthread_cond_signal(&c->parked_changed);
        while (c->halted)
            pthread_cond_wait(&c->released, &c->lock);
        c->parked--;
        pthread_cond_signal(&c->parked_changed);
    }
    bool goes_on = !c->stopping;
    pthread_mutex_unlock(&c->lock);
    return goes_on;
}

static void *member_thread(void *arg)
{
    struct member *m = arg;
    while (park(m->crew))
        event_base_dispatch(m->env.base);
    return NULL;
}

static struct list *take_waiting(struct member *m)
{
    pthread_mutex_lock(&m->lock);
    struct list *link = list_pop_front(&m->inbox);
    pthread_mutex_unlock(&m->lock);
    return link;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct member *m = arg;
    eventfd_t count;
    (void)what;
    (void)eventfd_read(fd, &count);
    struct list *link = NULL;
    for (int i = 0; i < BEGINS_PER_TURN && (link = take_waiting(m)) != NULL; i++)
        m->crew->begin(link);
    if (link)
        wake(m);
    env_yield(&m->env);
}

static struct member *member_new(struct crew *c, unsigned thread)
{
    const struct proxy_env *first = c->first;
    const struct proxy_env_config config = {
        .log = &first->log,
        .seed = first->seed,
        .fd_ceiling = first->fd_ceiling,
        .thread = thread,
        .threads = env_threads(first),
    };
    struct member *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->crew = c;
    m->env.crew = c;
    list_init(&m->inbox);
    pthread_mutex_init(&m->lock, NULL);
    m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->members[c->count++] = m;
    if (env_init(&m->env, &config) < 0 || m->wake_fd < 0)
        return NULL;
    m->wake_event = event_new(m->env.base, m->wake_fd, EV_READ | EV_PERSIST, on_wake, m);
    return m->wake_event && event_add(m->wake_event, NULL) == 0 ? m : NULL;
}

static void member_free(struct member *m)
{
    assert(list_is_empty(&m->inbox));
    if (m->wake_event)
        event_free(m->wake_event);
    if (m->wake_fd >= 0)
        close(m->wake_fd);
    env_deinit(&m->env);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

int crew_new(struct proxy_env *first, unsigned threads, crew_begin_fn begin, struct err *err)
{
    assert(threads > 0 && threads <= CREW_THREADS_MAX);
    struct crew *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, "out of memory for %u threads", threads);
    c->first = first;
    c->begin = begin;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->parked_changed, NULL);
    pthread_cond_init(&c->released, NULL);
    first->crew = c;
    for (unsigned i = 1; i < threads; i++)
        if (!member_new(c, i))
            return err_set(err, "cannot set up the event loop of thread %u of %u", i + 1, threads);
    return 0;
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    assert(c->running == 0);
    c->first->crew = NULL;
    for (unsigned i = 0; i < c->count; i++)
        member_free(c->members[i]);
    pthread_cond_destroy(&c->released);
    pthread_cond_destroy(&c->parked_changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int crew_start(struct crew *c, struct err *err)
{
    sigset_t all, before;
    int rc = 0;
    /* Signals belong to the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (c->running < c->count && rc == 0) {
        struct member *m = c->members[c->running];
        rc = pthread_create(&m->thread, NULL, member_thread, m);
        if (rc == 0)
            c->running++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return err_set(err, "cannot start thread %u of %u", c->running + 2, c->count + 1);
    return 0;
}

/* The flag is raised first: who is woken sees it. */
static void ask_to_yield(struct crew *c)
{
    for (unsigned i = 0; i < c->running; i++) {
        atomic_store_explicit(&c->members[i]->env.must_yield, true, memory_order_release);
        wake(c->members[i]);
    }
}

void crew_stop(struct crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_mutex_unlock(&c->lock);
    ask_to_yield(c);
    for (unsigned i = 0; i < c->running; i++)
        pthread_join(c->members[i]->thread, NULL);
    c->running = 0;
}

void crew_halt(struct crew *c)
{
    if (!c || c->depth++ > 0 || c->running == 0)
        return;
    pthread_mutex_lock(&c->lock);
    while (c->parked > 0)
        pthread_cond_wait(&c->parked_changed, &c->lock);
    c->halted = true;
    ask_to_yield(c);
    while (c->parked < c->running)
        pthread_cond_wait(&c->parked_changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

void crew_resume(struct crew *c)
{
    if (!c || --c->depth > 0 || c->running == 0)
        return;
    for (unsigned i = 0; i < c->running; i++)
        atomic_store_explicit(&c->members[i]->env.must_yield, false, memory_order_relaxed);
    pthread_mutex_lock(&c->lock);
    c->halted = false;
    pthread_cond_broadcast(&c->released);
    pthread_mutex_unlock(&c->lock);
}

struct proxy_env *crew_env(struct proxy_env *first, unsigned thread)
{
    return thread == 0 ? first : &first->crew->members[thread - 1]->env;
}

static uint64_t open_at(struct proxy_env *env)
{
    return env->begun - atomic_load_explicit(&env->ended, memory_order_relaxed);
}

struct proxy_env *crew_pick(struct proxy_env *first)
{
    struct crew *c = first->crew;
    if (!c)
        return first;
    unsigned threads = c->count + 1;
    /* Among equals it is the turn of the next one. */
    struct proxy_env *best = crew_env(first, (c->last_pick + 1) % threads);
    for (unsigned i = 2; i <= threads; i++) {
        struct proxy_env *env = crew_env(first, (c->last_pick + i) % threads);
        if (open_at(env) < open_at(best))
            best = env;
    }
    c->last_pick = best->thread;
    best->begun++;
    return best;
}

void crew_hand(struct proxy_env *env, struct list *link)
{
    struct member *m = list_entry(env, struct member, env);
    pthread_mutex_lock(&m->lock);
    bool was_empty = list_is_empty(&m->inbox);
    list_push_back(&m->inbox, link);
    pthread_mutex_unlock(&m->lock);
    if (was_empty)
        wake(m);
}

void crew_each_waiting(struct crew *c, void (*fn)(struct list *link, void *arg), void *arg)
{
    for (unsigned i = 0; c && i < c->count; i++)
        list_for_each(it, &c->members[i]->inbox) fn(it, arg);
}
