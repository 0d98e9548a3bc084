/* SPDX-License-Identifier: MIT */
#include "mcmeta/event_dial.h"

#include <assert.h>
#include <errno.h>

#include "base/time.h"

#define GOES_ON MCM_OUTCOME_COUNT

#define TO(s) (1u << MCM_DIAL_##s)

static const unsigned next_states[MCM_DIAL_STATE_COUNT] = {
    [MCM_DIAL_CONNECTING] = TO(CONNECTING) | TO(SECURING) | TO(LOGGING_IN) | TO(OVER),
    [MCM_DIAL_SECURING] = TO(CONNECTING) | TO(LOGGING_IN) | TO(OVER),
    [MCM_DIAL_LOGGING_IN] = TO(CONNECTING) | TO(OVER),
};

static void dial_move(struct mcm_event_dial *dial, enum mcm_dial_state to)
{
    assert(next_states[dial->state] & (1u << to));
    dial->state = to;
}

static void wait_for(struct mcm_event_dial *dial, bool writes)
{
    mcm_watch_set(dial->watch, writes ? EPOLLOUT : EPOLLIN);
}

static enum mcm_outcome go_on_login(struct mcm_event_dial *dial)
{
    bool writes;
    enum mcm_outcome outcome = mcm_auth_step(&dial->backend->auth, &dial->login, dial->link->stream,
                                             dial->link->fd, &writes, &dial->sys_errno);
    if (outcome == GOES_ON)
        wait_for(dial, writes);
    return outcome;
}

static enum mcm_outcome log_in(struct mcm_event_dial *dial)
{
    if (dial->backend->auth.command == NULL)
        return MCM_OK;
    dial_move(dial, MCM_DIAL_LOGGING_IN);
    dial->login = (struct mcm_login){.sent = 0};
    return go_on_login(dial);
}

static enum mcm_outcome go_on_handshake(struct mcm_event_dial *dial)
{
    struct mcm_stream *stream = dial->link->stream;
    bool writes = false;
    if (stream->ops->handshake(stream, &writes) == 0)
        return log_in(dial);
    dial->sys_errno = errno;
    if (errno != EAGAIN)
        return MCM_E_TLS;
    wait_for(dial, writes);
    return GOES_ON;
}

/* The socket is connected. */
static enum mcm_outcome secure(struct mcm_event_dial *dial)
{
    if (dial->backend->tls == NULL)
        return log_in(dial);
    dial_move(dial, MCM_DIAL_SECURING);
    dial->link->stream = mcm_tls_stream_new(dial->backend->tls, dial->link->fd);
    return dial->link->stream != NULL ? go_on_handshake(dial) : MCM_E_NO_MEMORY;
}

static enum mcm_outcome finish_connect(struct mcm_event_dial *dial)
{
    dial->sys_errno = mcm_socket_connect_error(dial->link->fd);
    if (dial->sys_errno != 0)
        return mcm_socket_connect_outcome(dial->sys_errno);
    return secure(dial);
}

/* Begins with the present address. */
static enum mcm_outcome try_address(struct mcm_event_dial *dial, mcm_ns now)
{
    const struct mcm_address *address = &dial->address;
    dial->share_until = dial->until;
    if (dial->until != NS_NEVER)
        dial->share_until = now + (dial->until - now) / (address->count - dial->index);
    dial_move(dial, MCM_DIAL_CONNECTING);
    mcm_watch_stop(dial->watch);
    int fd = mcm_backend_open_link(dial->backend, dial->link, address, dial->index);
    if (fd < 0) {
        dial->sys_errno = errno;
        return MCM_E_SYSTEM;
    }
    mcm_watch_start(dial->watch, fd, EPOLLOUT);
    if (connect(fd, (const struct sockaddr *)&address->sockets[dial->index],
                address->sizes[dial->index]) == 0)
        return finish_connect(dial);
    dial->sys_errno = errno;
    return errno == EINPROGRESS || errno == EINTR ? GOES_ON : mcm_socket_connect_outcome(errno);
}

/* Whether another address may do better. */
static bool is_of_the_address(enum mcm_outcome outcome)
{
    return mcm_outcome_class(outcome) == MCM_CLASS_CONNECT;
}

/* After an attempt that ended so. */
static enum mcm_outcome settle(struct mcm_event_dial *dial, enum mcm_outcome outcome, mcm_ns now)
{
    while (outcome != GOES_ON && is_of_the_address(outcome) && now < dial->until &&
           dial->index + 1 < dial->address.count) {
        dial->index++;
        outcome = try_address(dial, now);
    }
    if (outcome == GOES_ON)
        return GOES_ON;
    dial_move(dial, MCM_DIAL_OVER);
    return outcome;
}

enum mcm_outcome mcm_event_dial_start(struct mcm_event_dial *dial, struct mcm_backend *backend,
                                      struct mcm_link *link, struct mcm_watch *watch, mcm_ns now)
{
    dial->state = MCM_DIAL_CONNECTING;
    dial->backend = backend;
    dial->link = link;
    dial->watch = watch;
    dial->index = 0;
    dial->began = now;
    dial->until = ns_add(now, backend->connect_timeout);
    dial->sys_errno = 0;
    mcm_backend_address(backend, link, &dial->address);
    return settle(dial, dial->address.count > 0 ? try_address(dial, now) : MCM_E_RESOLVE, now);
}

enum mcm_outcome mcm_event_dial_ready(struct mcm_event_dial *dial, mcm_ns now)
{
    enum mcm_outcome outcome = MCM_E_CONNECT;
    switch (dial->state) {
    case MCM_DIAL_CONNECTING: outcome = finish_connect(dial); break;
    case MCM_DIAL_SECURING: outcome = go_on_handshake(dial); break;
    case MCM_DIAL_LOGGING_IN: outcome = go_on_login(dial); break;
    case MCM_DIAL_OVER:
    case MCM_DIAL_STATE_COUNT: assert(false);
    }
    return settle(dial, outcome, now);
}

enum mcm_outcome mcm_event_dial_tick(struct mcm_event_dial *dial, mcm_ns now)
{
    if (now < dial->share_until)
        return GOES_ON;
    dial->sys_errno = ETIMEDOUT;
    return settle(dial, MCM_E_CONNECT_TIMEOUT, now);
}
