/* SPDX-License-Identifier: MIT */
/*
 * The shared block is counted: one reference by the resolver, one by each thread. All lists are
 * under its lock; a lookup's callback is only read and written on the loop's thread.
 */
#include "proxy/resolver.h"

#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct lookup {
    TAILQ_ENTRY(lookup) link;
    struct address_hostport hostport;
    struct address_list list;
    char why[ADDRESS_HOST_MAX + 64];
    lookup_fn done; /* NULL = cancelled; loop thread only */
    void *arg;
};

TAILQ_HEAD(lookup_list, lookup);

struct shared {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct lookup_list waiting;
    struct lookup_list finished;
    size_t waiting_count;
    int refs;
    int threads;
    int idle;
    bool closed;
    int event_fd;
};

struct resolver {
    struct shared *shared;
    struct event *ready;
};

static void list_free(struct lookup_list *list)
{
    for (struct lookup *l = TAILQ_FIRST(list), *next; l; l = next) {
        next = TAILQ_NEXT(l, link);
        free(l);
    }
    TAILQ_INIT(list);
}

/* Gives a reference back with the lock held; unlocks. */
static void shared_release(struct shared *s)
{
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    list_free(&s->waiting);
    list_free(&s->finished);
    close(s->event_fd);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void resolver_lookup_now(const struct address_hostport *hostport, struct address_list *out,
                         char *why, size_t why_size)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    out->count = 0;
    int rc = getaddrinfo(hostport->host, NULL, &hints, &found);
    for (struct addrinfo *a = found; a && out->count < ADDRESS_LIST_MAX; a = a->ai_next) {
        struct address *item = &out->items[out->count];
        if (a->ai_addrlen > sizeof item->sa)
            continue;
        memset(item, 0, sizeof *item);
        memcpy(&item->sa, a->ai_addr, a->ai_addrlen);
        item->size = a->ai_addrlen;
        address_set_port(item, hostport->port);
        out->count++;
    }
    if (found)
        freeaddrinfo(found);
    if (out->count == 0)
        snprintf(why, why_size, "lookup %s: %s", hostport->host,
                 rc == EAI_NONAME || rc == EAI_NODATA || rc == 0 ? "no such host"
                                                                 : gai_strerror(rc));
}

static void *resolver_thread(void *arg)
{
    struct shared *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->closed) {
        struct lookup *l = TAILQ_FIRST(&s->waiting);
        if (!l) {
            s->idle++;
            pthread_cond_wait(&s->wake, &s->lock);
            s->idle--;
            continue;
        }
        TAILQ_REMOVE(&s->waiting, l, link);
        s->waiting_count--;
        pthread_mutex_unlock(&s->lock);
        resolver_lookup_now(&l->hostport, &l->list, l->why, sizeof l->why);
        pthread_mutex_lock(&s->lock);
        TAILQ_INSERT_TAIL(&s->finished, l, link);
        eventfd_write(s->event_fd, 1);
    }
    shared_release(s);
    return NULL;
}

static void deliver(evutil_socket_t fd, short what, void *arg)
{
    struct resolver *r = arg;
    eventfd_t count;
    (void)what;
    (void)eventfd_read(fd, &count);
    /* One at a time: a callback may cancel another finished lookup. */
    for (;;) {
        pthread_mutex_lock(&r->shared->lock);
        struct lookup *l = TAILQ_FIRST(&r->shared->finished);
        if (l)
            TAILQ_REMOVE(&r->shared->finished, l, link);
        pthread_mutex_unlock(&r->shared->lock);
        if (!l)
            return;
        if (l->done)
            l->done(l->arg, &l->list, l->why);
        free(l);
    }
}

struct resolver *resolver_new(struct event_base *base)
{
    struct resolver *r = calloc(1, sizeof *r);
    struct shared *s = calloc(1, sizeof *s);
    if (!r || !s)
        goto fail;
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->event_fd < 0)
        goto fail;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    TAILQ_INIT(&s->waiting);
    TAILQ_INIT(&s->finished);
    s->refs = 1;
    r->shared = s;
    r->ready = event_new(base, s->event_fd, EV_READ | EV_PERSIST, deliver, r);
    if (!r->ready || event_add(r->ready, NULL) < 0) {
        resolver_free(r);
        return NULL;
    }
    return r;
fail:
    free(s);
    free(r);
    return NULL;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    if (r->ready)
        event_free(r->ready);
    pthread_mutex_lock(&r->shared->lock);
    r->shared->closed = true;
    pthread_cond_broadcast(&r->shared->wake);
    shared_release(r->shared);
    free(r);
}

/* Starts one more thread when nobody is idle; with the lock held. */
static void add_thread(struct shared *s)
{
    if (s->idle > 0 || s->threads >= RESOLVER_THREADS_MAX)
        return;
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, resolver_thread, s) == 0) {
        s->threads++;
        s->refs++;
    }
    pthread_attr_destroy(&attr);
}

struct lookup *resolver_lookup(struct resolver *r, const struct address_hostport *hostport,
                               lookup_fn done, void *arg)
{
    struct shared *s = r->shared;
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->hostport = *hostport;
    l->done = done;
    l->arg = arg;
    pthread_mutex_lock(&s->lock);
    add_thread(s);
    bool taken = s->threads > 0 && s->waiting_count < RESOLVER_WAITING_MAX;
    if (taken) {
        TAILQ_INSERT_TAIL(&s->waiting, l, link);
        s->waiting_count++;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    if (!taken) {
        free(l);
        l = NULL;
    }
    return l;
}

void resolver_cancel(struct resolver *r, struct lookup *lookup)
{
    (void)r;
    lookup->done = NULL;
}
