/* SPDX-License-Identifier: MIT */
#include "proxy/hangup.h"

#include <event2/event.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

/* More are told in the next turn of the loop. */
#define EVENTS_PER_TURN 64

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct hangups *h = arg;
    (void)what;
    /* One at a time: what is called may clear any other. */
    for (int i = 0; i < EVENTS_PER_TURN; i++) {
        struct epoll_event event;
        if (epoll_wait(fd, &event, 1, 0) != 1)
            return;
        struct hangup *hangup = event.data.ptr;
        if ((event.events & (EPOLLERR | EPOLLHUP)) == 0)
            continue;
        hangup_clear(h, hangup);
        hangup->gone(hangup);
    }
}

int hangups_init(struct hangups *h, struct event_base *base)
{
    h->fd = epoll_create1(EPOLL_CLOEXEC);
    if (h->fd < 0)
        return -1;
    h->event = event_new(base, h->fd, EV_READ | EV_PERSIST, on_event, h);
    return h->event && event_add(h->event, NULL) == 0 ? 0 : -1;
}

void hangups_deinit(struct hangups *h)
{
    if (h->event)
        event_free(h->event);
    if (h->fd >= 0)
        close(h->fd);
    h->event = NULL;
    h->fd = -1;
}

void hangup_watch(struct hangups *h, struct hangup *hangup, int fd, hangup_fn gone)
{
    if (hangup->fd > 0)
        return;
    /* Errors and hang-ups are always told. */
    struct epoll_event event = {.events = EPOLLET, .data.ptr = hangup};
    hangup->gone = gone;
    if (epoll_ctl(h->fd, EPOLL_CTL_ADD, fd, &event) == 0)
        hangup->fd = fd + 1;
}

void hangup_clear(struct hangups *h, struct hangup *hangup)
{
    if (hangup->fd > 0)
        (void)epoll_ctl(h->fd, EPOLL_CTL_DEL, hangup->fd - 1, NULL);
    hangup->fd = 0;
}
