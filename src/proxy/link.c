/* SPDX-License-Identifier: MIT */
/*
 * Without toxics a message costs one recv and one send: it is written straight from the buffer it
 * was read into, no clock is read, no timer set and no event changed. The chain gets only what
 * could not be written. A short read is taken as the end of what is there; asking again would cost
 * a system call to hear EAGAIN.
 */
#include "proxy/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Full reads, and writes, in one turn: a fast stream lets the others have theirs. */
#define READS_PER_TURN 4
#define WRITES_PER_TURN 64

static void set_reading(struct link *l, bool on)
{
    if (l->reading == on)
        return;
    l->reading = on;
    if (on)
        event_add(&l->read_event, NULL);
    else
        event_del(&l->read_event);
}

static void set_writing(struct link *l, bool on)
{
    if (l->writing == on)
        return;
    l->writing = on;
    if (on)
        event_add(&l->write_event, NULL);
    else
        event_del(&l->write_event);
}

/* Returns what was written, 0 when the receiver is not ready, -1 when it is gone. */
static ssize_t write_some(struct link *l, const void *bytes, size_t size)
{
    ssize_t n;
    do {
        n = send(l->destination, bytes, size, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0) {
        l->error = errno;
        return -1;
    }
    l->total->sent_bytes += (uint64_t)n;
    if (l->series)
        l->series->sent_bytes += (uint64_t)n;
    return n;
}

static enum link_status write_output(struct link *l, ns_t now)
{
    bool blocked = false;
    int budget = WRITES_PER_TURN;
    struct chunk *c;
    while (!blocked && budget-- > 0 && (c = chain_output(l->chain)) != NULL) {
        size_t size = c->length;
        ssize_t n = write_some(l, chunk_bytes(c), size);
        if (n < 0)
            return LINK_BROKEN;
        if (n > 0)
            chain_consume(l->chain, (size_t)n, now);
        blocked = (size_t)n < size;
    }
    /* Also when the budget is spent: the loop comes back at once. */
    set_writing(l, chain_output(l->chain) != NULL);
    return LINK_GOES_ON;
}

static void on_timer(struct timer *timer, ns_t now);

/* Reads, or does not, as the chain, the end of the stream and the shared bandwidth have it. */
static void resume_reading(struct link *l)
{
    bool wanted = !l->source_ended && chain_wants_input(l->chain);
    set_reading(l, wanted && !l->waiter.waiting);
    if (wanted || l->source_ended || l->lonely)
        return;
    l->lonely = true;
    l->events->paused(l);
}

enum link_status link_pump(struct link *l, ns_t now)
{
    enum link_status status = LINK_GOES_ON;
    if (chain_end(l->chain) != CHAIN_RESET && (!l->writing || chain_output(l->chain) == NULL))
        status = write_output(l, now);
    if (status != LINK_GOES_ON)
        return status;
    switch (chain_end(l->chain)) {
    case CHAIN_OPEN: break;
    case CHAIN_EOF: return LINK_EOF;
    case CHAIN_CLOSE: return LINK_CLOSED;
    case CHAIN_RESET: return LINK_RESET;
    }
    if (timers_set(&l->env->timers, &l->timer, chain_deadline(l->chain), on_timer) < 0)
        return LINK_RESET;
    resume_reading(l);
    return LINK_GOES_ON;
}

enum link_status link_end_source(struct link *l, ns_t now)
{
    if (!l->source_ended) {
        l->source_ended = true;
        set_reading(l, false);
        chain_push_eof(l->chain, now);
    }
    return link_pump(l, now);
}

static void report(struct link *l, enum link_status status)
{
    if (status != LINK_GOES_ON)
        l->events->ended(l, status);
}

static void on_timer(struct timer *timer, ns_t now)
{
    struct link *l = (struct link *)((char *)timer - offsetof(struct link, timer));
    chain_tick(l->chain, now);
    report(l, link_pump(l, now));
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    (void)fd;
    (void)what;
    ns_t now = ns_now();
    enum link_status status = write_output(l, now);
    if (status == LINK_GOES_ON)
        status = link_pump(l, now);
    report(l, status);
}

/* Takes bytes that were read; they go out at once when nothing is in their way. */
static enum link_status take(struct link *l, const unsigned char *bytes, size_t size)
{
    if (chain_is_transparent(l->chain)) {
        ssize_t n = write_some(l, bytes, size);
        if (n < 0)
            return LINK_BROKEN;
        if (n > 0)
            chain_bypass(l->chain);
        if ((size_t)n == size)
            return LINK_GOES_ON;
        bytes += n;
        size -= (size_t)n;
    }
    struct chunk *c = chunk_copy(&l->env->pool, bytes, size);
    if (!c)
        return LINK_RESET;
    ns_t now = ns_now();
    c->time = now;
    chain_push(l->chain, c, now);
    return link_pump(l, now);
}

static void on_gate(struct rate_waiter *waiter, ns_t now)
{
    struct link *l = list_entry(waiter, struct link, waiter);
    report(l, link_pump(l, now));
}

/* How much may be read now: of the buffer, what the shared bandwidth allows. */
static size_t read_share(struct link *l)
{
    size_t size = sizeof l->env->scratch;
    if (rate_gate_is_open(l->gate))
        return size;
    l->waiter.wake = on_gate;
    size = rate_gate_share(l->gate, size, ns_now());
    if (size == 0 && rate_gate_wait(l->gate, &l->waiter) < 0)
        return sizeof l->env->scratch;
    return size;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    (void)what;
    enum link_status status = LINK_GOES_ON;
    for (int i = 0; i < READS_PER_TURN && status == LINK_GOES_ON && l->reading; i++) {
        size_t share = read_share(l);
        if (share == 0) {
            set_reading(l, false);
            break;
        }
        ssize_t n = recv(fd, l->env->scratch, share, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            l->error = errno;
            l->events->source_failed(l);
            return;
        }
        if (n == 0) {
            status = link_end_source(l, ns_now());
            break;
        }
        rate_gate_take(l->gate, (size_t)n);
        l->bytes += (uint64_t)n;
        l->total->received_bytes += (uint64_t)n;
        if (l->series)
            l->series->received_bytes += (uint64_t)n;
        status = take(l, l->env->scratch, (size_t)n);
        if ((size_t)n < sizeof l->env->scratch)
            break;
    }
    report(l, status);
}

int link_init(struct link *l, struct rng rng)
{
    struct chain_config config = {.rng = rng, .pool = &l->env->pool};
    l->chain = chain_new(&config);
    if (!l->chain)
        return -1;
    event_assign(&l->read_event, l->env->base, l->source, EV_READ | EV_PERSIST, on_readable, l);
    event_assign(&l->write_event, l->env->base, l->destination, EV_WRITE | EV_PERSIST, on_writable,
                 l);
    return 0;
}

void link_start(struct link *l)
{
    report(l, link_pump(l, ns_now()));
}

void link_stop(struct link *l)
{
    if (!l->chain)
        return;
    l->done = true;
    set_reading(l, false);
    set_writing(l, false);
    rate_gate_leave(l->gate, &l->waiter);
    timers_clear(&l->env->timers, &l->timer);
}

void link_deinit(struct link *l)
{
    link_stop(l);
    chain_free(l->chain);
    l->chain = NULL;
}
