/* SPDX-License-Identifier: MIT */
/*
 * One direction of a connection: read from the source, through the chain of toxics, write to the
 * destination. It stops reading while the chain has enough, so a slow receiver holds back the
 * sender through TCP and nobody else. The sockets belong to the session.
 */
#ifndef PROXY_LINK_H
#define PROXY_LINK_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

#include "proxy/env.h"
#include "proxy/pipes.h"
#include "proxy/rate_gate.h"
#include "toxic/chain.h"

struct link;

/* How a link stands after it was moved on. */
enum link_status {
    LINK_GOES_ON,
    LINK_EOF,    /* the end of the stream is through */
    LINK_CLOSED, /* a toxic ended the connection */
    LINK_BROKEN, /* the receiver is gone: link->error says why */
    LINK_RESET,  /* a toxic resets the connection */
};

/* What the owner is told. The first two may free the link. */
struct link_events {
    void (*ended)(struct link *link, enum link_status status);
    /* The source failed: link->error says why. Nothing was done about it. */
    void (*source_failed)(struct link *link);
    /* The chain is full, so nobody reads the source, and nobody sees its end. */
    void (*paused)(struct link *link);
};

struct link {
    struct proxy_env *env;
    struct chain *chain;
    struct pipe *pipe;      /* holds bytes that go out before the chain's; NULL: there are none */
    struct traffic *series; /* counters by labels; may be NULL */
    struct traffic *total;  /* counters of the proxy */
    const struct link_events *events;
    struct rate_gate *gate;
    uint64_t bytes; /* read from the source */
    enum toxic_stream stream;
    int source;
    int destination;
    struct event read_event;
    struct event write_event;
    bool reading;      /* read_event is added */
    bool writing;      /* write_event is added: the receiver is not ready */
    bool source_ended; /* nothing more will be read */
    bool done;
    unsigned char full_reads; /* in a row; enough of them make a stream worth a pipe */
    bool lonely;              /* paused() was told */
    bool source_lost;         /* its peer did not end the stream, it is gone; set by the owner */
    int error;                /* errno of the socket that failed */
    ns_t patience_end;        /* of a close with a receiver that takes nothing; 0: not waiting */
    struct rate_waiter waiter;
    struct timer timer;
};

/* The parts that the owner sets; the rest is zero. */
int link_init(struct link *link, struct rng rng);
/* Idempotent; legal on a zeroed link. */
void link_deinit(struct link *link);

/* Starts to read. */
void link_start(struct link *link);

/* The source is gone for a reason outside the link: what is inside still goes out. */
enum link_status link_end_source(struct link *link, ns_t now);

/* Moves what can be moved; needed after any change of the chain. */
enum link_status link_pump(struct link *link, ns_t now);

/* No more events; the owner is about to close the sockets. */
void link_stop(struct link *link);

#endif
