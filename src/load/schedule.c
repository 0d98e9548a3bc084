/* SPDX-License-Identifier: MIT */
#include "load/schedule.h"

void schedule_init(struct schedule *s, const struct arrival_spec *spec, uint64_t seed,
                   ns_t start_ns)
{
    pthread_mutex_init(&s->lock, NULL);
    s->closed = spec->closed;
    s->start_ns = start_ns;
    if (!s->closed)
        arrival_init(&s->arrival, spec, seed);
}

void schedule_deinit(struct schedule *s)
{
    pthread_mutex_destroy(&s->lock);
}

ns_t schedule_take(struct schedule *s, ns_t now)
{
    if (s->closed)
        return now;
    pthread_mutex_lock(&s->lock);
    ns_t next = arrival_next(&s->arrival);
    pthread_mutex_unlock(&s->lock);
    return ns_add(next, s->start_ns);
}

ns_t schedule_peek(struct schedule *s, ns_t now)
{
    if (s->closed)
        return now;
    pthread_mutex_lock(&s->lock);
    ns_t next = arrival_peek(&s->arrival);
    pthread_mutex_unlock(&s->lock);
    return ns_add(next, s->start_ns);
}

uint64_t schedule_skip(struct schedule *s, ns_t now)
{
    uint64_t count = 0;
    if (s->closed)
        return 0;
    pthread_mutex_lock(&s->lock);
    for (; count < SCHEDULE_SKIP_MAX && ns_add(arrival_peek(&s->arrival), s->start_ns) < now;
         count++)
        arrival_next(&s->arrival);
    pthread_mutex_unlock(&s->lock);
    return count;
}
