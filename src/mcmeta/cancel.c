/* SPDX-License-Identifier: MIT */
/* Cancellation tokens: a flag for those who look, an eventfd for those who wait. */
#include "mcmeta/token.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/time.h"

struct mcm_cancel {
    atomic_bool fired;
    int fd;
};

static _Thread_local struct mcm_cancel *current;

struct mcm_cancel *mcm_cancel_new(void)
{
    struct mcm_cancel *cancel = malloc(sizeof(*cancel));
    if (cancel == NULL)
        return NULL;
    atomic_init(&cancel->fired, false);
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cancel->fd < 0) {
        free(cancel);
        return NULL;
    }
    return cancel;
}

void mcm_cancel_free(struct mcm_cancel *cancel)
{
    if (cancel == NULL)
        return;
    if (current == cancel)
        current = NULL;
    close(cancel->fd);
    free(cancel);
}

void mcm_cancel_fire(struct mcm_cancel *cancel)
{
    int saved_errno = errno;
    atomic_store(&cancel->fired, true);
    /* Fails only when the count is at its end, and then it is readable anyway. */
    eventfd_write(cancel->fd, 1);
    errno = saved_errno;
}

void mcm_cancel_reset(struct mcm_cancel *cancel)
{
    eventfd_t count;
    eventfd_read(cancel->fd, &count);
    atomic_store(&cancel->fired, false);
}

bool mcm_cancel_is_fired(const struct mcm_cancel *cancel)
{
    return atomic_load(&cancel->fired);
}

void mcm_cancel_use(struct mcm_cancel *cancel)
{
    current = cancel;
}

struct mcm_cancel *mcm_cancel_current(void)
{
    return current;
}

bool mcm_cancel_is_due(void)
{
    return current != NULL && mcm_cancel_is_fired(current);
}

int mcm_cancel_fd(const struct mcm_cancel *cancel)
{
    return cancel->fd;
}

mcm_ns mcm_cancel_bound(mcm_ns deadline, mcm_ns now)
{
    return current == NULL ? deadline : ns_min(deadline, ns_add(now, MCM_CANCEL_SLICE_NS));
}
