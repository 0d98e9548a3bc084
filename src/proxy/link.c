/* SPDX-License-Identifier: MIT */
/*
 * Without toxics a message costs one recv and one send: it is written straight from the buffer it
 * was read into, no clock is read, no timer set and no event changed. The chain gets only what
 * could not be written. A short read is taken as the end of what is there; asking again would cost
 * a system call to hear EAGAIN.
 *
 * A stream that fills its reads goes through a pipe, uncopied, while no toxic is in its way. What
 * is in the pipe has passed the chain: it is written before anything of the chain's output, so a
 * toxic that comes meanwhile acts on what is read from then on, and nothing changes its order.
 */
#include "proxy/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Full reads, and writes, in one turn: a fast stream lets the others have theirs. */
#define READS_PER_TURN 4
#define WRITES_PER_TURN 64
/* So many full reads in a row make a stream worth a pipe, until one brings less than this. */
#define BULK_READS 4
#define BULK_BYTES_MIN (16 * 1024)

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

static void count_received(struct link *l, size_t size)
{
    l->bytes += size;
    l->total->received_bytes += size;
    if (l->series)
        l->series->received_bytes += size;
}

static void count_sent(struct link *l, size_t size)
{
    l->total->sent_bytes += size;
    if (l->series)
        l->series->sent_bytes += size;
}

static void drop_pipe(struct link *l)
{
    pipes_release(&l->env->pipes, l->pipe);
    l->pipe = NULL;
}

static bool has_output(const struct link *l)
{
    return l->pipe || chain_output(l->chain) != NULL;
}

/* Whether bytes may go from socket to socket past the chain. */
static bool may_bypass(const struct link *l)
{
    return !l->pipe && chain_is_transparent(l->chain);
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
    count_sent(l, (size_t)n);
    return n;
}

/* Writes what is in the pipe; what does not fit stays there. */
static enum link_status drain_pipe(struct link *l)
{
    ssize_t n = pipe_drain(l->pipe, l->destination);
    if (n < 0 && errno == EAGAIN)
        return LINK_GOES_ON;
    if (n < 0) {
        l->error = errno;
        return LINK_BROKEN;
    }
    count_sent(l, (size_t)n);
    l->patience_end = 0;
    if (l->pipe->held == 0)
        drop_pipe(l);
    return LINK_GOES_ON;
}

static enum link_status write_output(struct link *l, ns_t now)
{
    if (l->pipe && drain_pipe(l) != LINK_GOES_ON)
        return LINK_BROKEN;
    bool blocked = l->pipe != NULL;
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
    set_writing(l, has_output(l));
    return LINK_GOES_ON;
}

static void on_timer(struct timer *timer, ns_t now);

/* Reads, or does not, as the chain, the end of the stream and the shared bandwidth have it. */
static void resume_reading(struct link *l)
{
    bool pipe_is_in_use = l->pipe && chain_is_transparent(l->chain);
    bool wanted = !l->source_ended && !pipe_is_in_use && chain_wants_input(l->chain);
    set_reading(l, wanted && !l->waiter.waiting);
    if (wanted || l->source_ended || l->lonely)
        return;
    l->lonely = true;
    l->events->paused(l);
}

/* A close that a toxic ordered waits for what is in the pipe, but not for ever. */
static bool pipe_delays_close(struct link *l, ns_t now)
{
    if (!l->pipe)
        return false;
    if (l->patience_end == 0)
        l->patience_end = ns_add(now, CHAIN_CLOSE_GRACE_NS);
    return now < l->patience_end;
}

enum link_status link_pump(struct link *l, ns_t now)
{
    enum link_status status = LINK_GOES_ON;
    if (chain_end(l->chain) != CHAIN_RESET && (!l->writing || !has_output(l)))
        status = write_output(l, now);
    if (status != LINK_GOES_ON)
        return status;
    switch (chain_end(l->chain)) {
    case CHAIN_OPEN: break;
    case CHAIN_EOF:
        if (!l->pipe)
            return LINK_EOF;
        break;
    case CHAIN_CLOSE:
        if (!pipe_delays_close(l, now))
            return LINK_CLOSED;
        break;
    case CHAIN_RESET: return LINK_RESET;
    }
    ns_t wake = l->patience_end ? l->patience_end : chain_deadline(l->chain);
    if (timers_set(&l->env->timers, &l->timer, wake, on_timer) < 0)
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
    struct proxy_env *env = l->env;
    (void)fd;
    (void)what;
    ns_t now = ns_now();
    enum link_status status = write_output(l, now);
    if (status == LINK_GOES_ON)
        status = link_pump(l, now);
    report(l, status);
    env_yield(env);
}

/* Takes bytes that were read; they go out at once when nothing is in their way. */
static enum link_status take(struct link *l, const unsigned char *bytes, size_t size)
{
    if (may_bypass(l)) {
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
    size = rate_gate_share(l->gate, &l->waiter, size, ns_now());
    if (size == 0 && rate_gate_wait(l->gate, &l->waiter) < 0)
        return sizeof l->env->scratch;
    return size;
}

/* A look at the source: how the link stands then, and whether there may be more to read now. */
struct reading {
    enum link_status status;
    bool more;
    bool failed; /* the source did: link->error says why, and nothing was done about it */
};

/* Returns false when the pipe is no way: then a plain read is. */
static bool read_through_pipe(struct link *l, struct reading *r)
{
    if (l->full_reads < BULK_READS || !may_bypass(l) || !rate_gate_is_open(l->gate))
        return false;
    l->pipe = pipes_acquire(&l->env->pipes);
    ssize_t n = l->pipe ? pipe_fill(l->pipe, l->source) : 0;
    int error = n < 0 ? errno : 0;
    if (n < BULK_BYTES_MIN)
        l->full_reads = 0;
    if (n > 0) {
        count_received(l, (size_t)n);
        chain_bypass(l->chain);
        r->status = link_pump(l, ns_now());
        return true;
    }
    drop_pipe(l);
    /* An error is told only once, so a plain read would not see it again. */
    r->failed = n < 0 && error != EAGAIN && error != EINVAL;
    l->error = r->failed ? error : l->error;
    return r->failed || error == EAGAIN;
}

static void read_and_copy(struct link *l, struct reading *r)
{
    size_t share = read_share(l);
    if (share == 0) {
        set_reading(l, false);
        return;
    }
    ssize_t n = recv(l->source, l->env->scratch, share, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        l->error = errno;
        r->failed = true;
        return;
    }
    if (n == 0) {
        r->status = link_end_source(l, ns_now());
        return;
    }
    if (!rate_gate_is_open(l->gate))
        rate_gate_take(l->gate, &l->waiter, (size_t)n);
    count_received(l, (size_t)n);
    r->more = (size_t)n == sizeof l->env->scratch;
    if (!r->more)
        l->full_reads = 0;
    else if (l->full_reads < BULK_READS)
        l->full_reads++;
    r->status = take(l, l->env->scratch, (size_t)n);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    struct proxy_env *env = l->env;
    (void)fd;
    (void)what;
    struct reading r = {.more = true};
    for (int i = 0; i < READS_PER_TURN && r.more && r.status == LINK_GOES_ON && l->reading; i++) {
        r.more = false;
        if (!read_through_pipe(l, &r))
            read_and_copy(l, &r);
    }
    if (r.failed)
        l->events->source_failed(l);
    else
        report(l, r.status);
    env_yield(env);
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
    drop_pipe(l);
}

void link_deinit(struct link *l)
{
    link_stop(l);
    chain_free(l->chain);
    l->chain = NULL;
}
