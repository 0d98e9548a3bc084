/* SPDX-License-Identifier: MIT */
/*
 * What an epoll descriptor is to see of one socket. A socket must leave it before it is closed: in
 * a forked child the connection may live on, and would be seen for ever.
 */
#ifndef MCMETA_EVENT_WATCH_H
#define MCMETA_EVENT_WATCH_H

#include <stdint.h>
#include <sys/epoll.h>

struct mcm_watch {
    int epoll_fd;
    void *data; /* of the events */
    int fd;     /* -1: none is watched */
    uint32_t events;
};

static inline void mcm_watch_start(struct mcm_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch->data};
    watch->fd = fd;
    watch->events = events;
    epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static inline void mcm_watch_set(struct mcm_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch->data};
    if (events == watch->events)
        return;
    watch->events = events;
    epoll_ctl(watch->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

static inline void mcm_watch_stop(struct mcm_watch *watch)
{
    if (watch->fd >= 0)
        epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
}

#endif
